//! From text to tokens.

use crate::{CompileError, Position};

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Token {
    /// Byte at which it begins.
    pub at: usize,
    pub kind: Kind,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Kind {
    /// The digits' number; a sign before them is an operator.
    Int(u64),
    Uint(u64),
    Double(f64),
    Text(String),
    /// A name, or one of the words `true`, `false`, `null` and `in`.
    Name(String),
    Operator(&'static str),
    End,
}

/// Longer ones before those that they begin with.
const OPERATORS: [&str; 25] = [
    "&&", "||", "==", "!=", "<=", ">=", "<", ">", "+", "-", "*", "/", "%", "!", "?", ":", ".", ",", "(", ")", "[", "]",
    "{", "}", "=",
];

pub(crate) fn error(text: &str, at: usize, message: impl Into<String>) -> CompileError {
    CompileError { position: Position::of(text, at), message: message.into() }
}

/// All tokens; the last one is [`Kind::End`].
pub(crate) fn tokens(text: &str) -> Result<Vec<Token>, CompileError> {
    let mut tokens = Vec::new();
    let mut at = 0;
    loop {
        let rest = &text[at..];
        let trimmed = rest.trim_start_matches([' ', '\t', '\n', '\r', '\x0c']);
        at += rest.len() - trimmed.len();
        if trimmed.starts_with("//") {
            at += trimmed.find('\n').unwrap_or(trimmed.len());
            continue;
        }
        let (kind, length) = token(text, at)?;
        let end = kind == Kind::End;
        tokens.push(Token { at, kind });
        if end {
            return Ok(tokens);
        }
        at += length;
    }
}

fn token(text: &str, at: usize) -> Result<(Kind, usize), CompileError> {
    let rest = &text[at..];
    let Some(first) = rest.chars().next() else { return Ok((Kind::End, 0)) };
    if let Some((raw, quote)) = quoted(rest) {
        let begin = at + usize::from(raw);
        let (value, end) = string(text, begin, quote, raw)?;
        return Ok((Kind::Text(value), end - at));
    }
    if first.is_ascii_alphabetic() || first == '_' {
        let length = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(rest.len());
        let name = &rest[..length];
        return Ok((Kind::Name(name.to_owned()), length));
    }
    let digit_after =
        |prefix: char| rest.strip_prefix(prefix).is_some_and(|r| r.starts_with(|c: char| c.is_ascii_digit()));
    if first.is_ascii_digit() || digit_after('.') {
        return number(text, at);
    }
    match OPERATORS.iter().find(|operator| rest.starts_with(**operator)) {
        Some(&"=") => Err(error(text, at, "= means nothing here; to compare, write ==")),
        Some(operator) => Ok((Kind::Operator(operator), operator.len())),
        None if first == '&' || first == '|' => {
            Err(error(text, at, format!("{first} means nothing here; write {first}{first}")))
        }
        None => Err(error(text, at, format!("{first:?} means nothing here"))),
    }
}

/// Whether a text begins here: with `r` before it, and by which quotes it is enclosed.
fn quoted(rest: &str) -> Option<(bool, &'static str)> {
    let unprefixed = rest.strip_prefix(['r', 'R']);
    let body = unprefixed.unwrap_or(rest);
    let quote = ["\"\"\"", "'''", "\"", "'"].into_iter().find(|quote| body.starts_with(quote))?;
    Some((unprefixed.is_some(), quote))
}

/// The text whose quotes begin at `begin`, and where it ends.
fn string(text: &str, begin: usize, quote: &str, raw: bool) -> Result<(String, usize), CompileError> {
    let mut value = String::new();
    let mut at = begin + quote.len();
    loop {
        let rest = &text[at..];
        if rest.starts_with(quote) {
            return Ok((value, at + quote.len()));
        }
        match rest.chars().next() {
            None => return Err(error(text, begin, format!("this text is not closed: write {quote} at its end"))),
            Some('\n' | '\r') if quote.len() == 1 => {
                let message =
                    format!("this text is not closed on its line: write {quote} at its end, or \\n for a line break");
                return Err(error(text, begin, message));
            }
            Some('\\') if !raw => {
                let (character, length) = escape(text, at)?;
                value.push(character);
                at += length;
            }
            Some(character) => {
                value.push(character);
                at += character.len_utf8();
            }
        }
    }
}

/// The character that the escape at `at` stands for, and the escape's length.
fn escape(text: &str, at: usize) -> Result<(char, usize), CompileError> {
    let rest = &text[at + 1..];
    let numeric = |prefix: usize, digits: usize, radix: u32| {
        let number = rest.get(prefix..prefix + digits).and_then(|digits| u32::from_str_radix(digits, radix).ok());
        let character = number.filter(|_| !rest[prefix..].starts_with('+')).and_then(char::from_u32);
        character.map(|character| (character, 1 + prefix + digits))
    };
    let simple = |character| Some((character, 2));
    let found = match rest.as_bytes().first() {
        Some(b'n') => simple('\n'),
        Some(b't') => simple('\t'),
        Some(b'r') => simple('\r'),
        Some(b'a') => simple('\x07'),
        Some(b'b') => simple('\x08'),
        Some(b'f') => simple('\x0c'),
        Some(b'v') => simple('\x0b'),
        Some(quote @ (b'\\' | b'"' | b'\'' | b'`' | b'?')) => simple(char::from(*quote)),
        Some(b'x' | b'X') => numeric(1, 2, 16),
        Some(b'u') => numeric(1, 4, 16),
        Some(b'U') => numeric(1, 8, 16),
        Some(b'0'..=b'3') => numeric(0, 3, 8),
        _ => None,
    };
    let message = "this escape is not known; known are \\n \\t \\r \\a \\b \\f \\v \\\\ \\\" \\' \\` \\?, \\xhh, \\uhhhh, \\Uhhhhhhhh and \\ooo";
    found.ok_or_else(|| error(text, at, message))
}

fn number(text: &str, at: usize) -> Result<(Kind, usize), CompileError> {
    let rest = &text[at..];
    let digits =
        |from: usize| rest[from..].find(|c: char| !c.is_ascii_digit()).map_or(rest.len(), |length| from + length);
    let hex = rest.strip_prefix("0x").or_else(|| rest.strip_prefix("0X"));
    let (mut end, radix) = match hex {
        Some(hex) => (2 + hex.find(|c: char| !c.is_ascii_hexdigit()).unwrap_or(hex.len()), 16),
        None => (digits(0), 10),
    };
    let mut double = false;
    if radix == 10 {
        let followed_by_digit = |from: usize| rest.as_bytes().get(from).is_some_and(u8::is_ascii_digit);
        if rest[end..].starts_with('.') && followed_by_digit(end + 1) {
            (double, end) = (true, digits(end + 1));
        }
        if rest[end..].starts_with(['e', 'E']) {
            let sign = usize::from(rest[end + 1..].starts_with(['+', '-']));
            if followed_by_digit(end + 1 + sign) {
                (double, end) = (true, digits(end + 1 + sign));
            }
        }
    }
    let written = &rest[..end];
    let unsigned = !double && rest[end..].starts_with(['u', 'U']);
    let after = end + usize::from(unsigned);
    if rest[after..].starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_') {
        return Err(error(
            text,
            at + after,
            "a number is followed by a letter; write a space or an operator between them",
        ));
    }
    if double {
        let number = written.parse::<f64>().ok().filter(|number| number.is_finite());
        let number = number.ok_or_else(|| error(text, at, "this number is too large for a double"))?;
        return Ok((Kind::Double(number), after));
    }
    let digits = if radix == 16 { &written[2..] } else { written };
    let number = u64::from_str_radix(digits, radix);
    let number = number.map_err(|_| error(text, at, "this is not a number of 64 bits"))?;
    Ok((if unsigned { Kind::Uint(number) } else { Kind::Int(number) }, after))
}
