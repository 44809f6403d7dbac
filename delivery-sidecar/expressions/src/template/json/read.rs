//! From JSON text to a template. Levels are counted before they are gone into.

use super::{MAX_LEVELS, MAX_TEMPLATE_BYTES, Node};
use crate::{
    CompileError, Root, lex,
    template::parts::{Part, parts},
    write,
};

pub(super) fn read(text: &str, roots: &[Root]) -> Result<Node, CompileError> {
    if text.len() > MAX_TEMPLATE_BYTES {
        let message = format!("the template has {} bytes; it may have at most {MAX_TEMPLATE_BYTES}", text.len());
        return Err(lex::error(text, MAX_TEMPLATE_BYTES, message));
    }
    let mut reader = Reader { text, roots, at: 0, level: 0 };
    let node = reader.value()?;
    match reader.peek() {
        None => Ok(node),
        Some(_) => Err(reader.expected("the end of the template")),
    }
}

struct Reader<'t> {
    text: &'t str,
    roots: &'t [Root],
    at: usize,
    level: usize,
}

impl Reader<'_> {
    fn value(&mut self) -> Result<Node, CompileError> {
        match self.peek() {
            Some(b'{') => self.nested(Self::object),
            Some(b'[') => self.nested(Self::list),
            Some(b'"') => self.string(),
            Some(_) => self.literal(),
            None => Err(self.expected("a JSON value")),
        }
    }

    fn nested(&mut self, read: fn(&mut Self) -> Result<Node, CompileError>) -> Result<Node, CompileError> {
        if self.level == MAX_LEVELS {
            let message = format!("lists and objects are nested more than {MAX_LEVELS} levels deep");
            return Err(lex::error(self.text, self.at, message));
        }
        self.level += 1;
        self.at += 1;
        let node = read(self)?;
        self.level -= 1;
        Ok(node)
    }

    fn list(&mut self) -> Result<Node, CompileError> {
        let mut items = Vec::new();
        if self.take(b']') {
            return Ok(Node::List(items));
        }
        loop {
            items.push(self.value()?);
            if self.take(b']') {
                return Ok(Node::List(items));
            }
            if !self.take(b',') {
                return Err(self.expected(", or ]"));
            }
        }
    }

    fn object(&mut self) -> Result<Node, CompileError> {
        let mut members: Vec<(Box<str>, Node)> = Vec::new();
        if self.take(b'}') {
            return Ok(Node::Object(members));
        }
        loop {
            if self.peek() != Some(b'"') {
                return Err(self.expected("a key in double quotes"));
            }
            let at = self.at;
            let (key, _) = self.quoted()?;
            if key.contains("${") {
                return Err(lex::error(self.text, at, "a key has no expressions in it; write them in the value"));
            }
            let mut json = String::new();
            write::string(&key, &mut json);
            json.push(':');
            if members.iter().any(|(known, _)| **known == *json) {
                return Err(lex::error(self.text, at, format!("the key {key:?} is there twice; remove one")));
            }
            if !self.take(b':') {
                return Err(self.expected(": after the key"));
            }
            members.push((json.into(), self.value()?));
            if self.take(b'}') {
                return Ok(Node::Object(members));
            }
            if !self.take(b',') {
                return Err(self.expected(", or }"));
            }
        }
    }

    fn literal(&mut self) -> Result<Node, CompileError> {
        let rest = &self.text[self.at..];
        let end =
            rest.find(|c: char| !c.is_ascii_alphanumeric() && !matches!(c, '+' | '-' | '.')).unwrap_or(rest.len());
        let word = &rest[..end];
        if !matches!(word, "null" | "true" | "false") && !is_number(word) {
            let hint = if rest.starts_with("${") { "; write expressions in double quotes: \"${...}\"" } else { "" };
            return Err(self.expected(&format!("a JSON value{hint}")));
        }
        self.at += end;
        Ok(Node::Literal(word.into()))
    }

    fn string(&mut self) -> Result<Node, CompileError> {
        let (text, at) = self.quoted()?;
        let mut parts = parts(&text, self.roots)
            .map_err(|(byte, message)| lex::error(self.text, source_byte(self.text, at, byte), message))?;
        let mut json = String::new();
        Ok(match parts.as_slice() {
            [] => Node::Literal("\"\"".into()),
            [Part::Text(text)] => {
                write::string(text, &mut json);
                Node::Literal(json.into())
            }
            [Part::Expression { .. }] => Node::Value { at, part: parts.remove(0) },
            _ => Node::Text { at, parts },
        })
    }

    /// What the string at this place says, and the byte after its quote.
    fn quoted(&mut self) -> Result<(String, usize), CompileError> {
        let (open, start) = (self.at, self.at + 1);
        let mut text = String::new();
        self.at = start;
        loop {
            let rest = &self.text[self.at..];
            match rest.chars().next() {
                None => return Err(lex::error(self.text, open, "this text is not closed: write \" at its end")),
                Some('"') => {
                    self.at += 1;
                    return Ok((text, start));
                }
                Some(character @ '\0'..='\x1f') => {
                    let message =
                        format!("{character:?} cannot be in a JSON string; write \\n for a line break, \\t for a tab");
                    return Err(lex::error(self.text, self.at, message));
                }
                Some('\\') => {
                    let Some((character, length)) = escape(rest) else {
                        let message =
                            "this escape is not JSON; known are \\\" \\\\ \\/ \\b \\f \\n \\r \\t and \\uhhhh";
                        return Err(lex::error(self.text, self.at, message));
                    };
                    text.push(character);
                    self.at += length;
                }
                Some(character) => {
                    text.push(character);
                    self.at += character.len_utf8();
                }
            }
        }
    }

    /// The next byte after white space.
    fn peek(&mut self) -> Option<u8> {
        let rest = &self.text[self.at..];
        self.at += rest.len() - rest.trim_start_matches([' ', '\t', '\n', '\r']).len();
        self.text.as_bytes().get(self.at).copied()
    }

    fn take(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    fn expected(&self, what: &str) -> CompileError {
        let found = self.text[self.at..].chars().next();
        let found = found.map_or("the end".to_owned(), |character| format!("{character:?}"));
        lex::error(self.text, self.at, format!("expected {what}, found {found}"))
    }
}

/// The character that an escape of JSON stands for, and the escape's length.
fn escape(rest: &str) -> Option<(char, usize)> {
    let unit = |from: usize| {
        let digits = rest.get(from..from + 4).filter(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()))?;
        u32::from_str_radix(digits, 16).ok()
    };
    let simple = match rest.as_bytes().get(1)? {
        b'"' => '"',
        b'\\' => '\\',
        b'/' => '/',
        b'b' => '\x08',
        b'f' => '\x0c',
        b'n' => '\n',
        b'r' => '\r',
        b't' => '\t',
        b'u' => {
            let high = unit(2)?;
            if let (0xd800..=0xdbff, Some("\\u")) = (high, rest.get(6..8)) {
                let low = unit(8).filter(|low| (0xdc00..=0xdfff).contains(low))?;
                return Some((char::from_u32(0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00))?, 12));
            }
            return Some((char::from_u32(high)?, 6));
        }
        _ => return None,
    };
    Some((simple, 2))
}

/// Where the byte `wanted` of what a string says is written, if its content begins at `at`.
pub(super) fn source_byte(text: &str, at: usize, wanted: usize) -> usize {
    let (mut source, mut said) = (at, 0);
    while said < wanted {
        let rest = &text[source..];
        let Some(character) = rest.chars().next() else { break };
        let (character, length) = match character {
            '\\' => escape(rest).unwrap_or((character, 1)),
            _ => (character, character.len_utf8()),
        };
        said += character.len_utf8();
        source += length;
    }
    source
}

/// By JSON's grammar, which has no leading zeros, plus signs and lone points.
fn is_number(word: &str) -> bool {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let unsigned = word.strip_prefix('-').unwrap_or(word);
    let (mantissa, exponent) = unsigned.split_once(['e', 'E']).map_or((unsigned, None), |(m, e)| (m, Some(e)));
    let (whole, fraction) = mantissa.split_once('.').map_or((mantissa, None), |(w, f)| (w, Some(f)));
    digits(whole)
        && (whole == "0" || !whole.starts_with('0'))
        && fraction.is_none_or(digits)
        && exponent.is_none_or(|exponent| digits(exponent.strip_prefix(['+', '-']).unwrap_or(exponent)))
}
