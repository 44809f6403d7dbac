//! Finds the expressions in a text.

use super::take;
use crate::{Expression, Root};

#[derive(Debug)]
pub(super) enum Part {
    Text(Box<str>),
    /// `start` is the byte of the text at which the expression begins.
    Expression {
        start: usize,
        expression: Expression,
    },
}

/// A mistake and the byte of the text at which it is.
pub(super) type Mistake = (usize, String);

/// The pieces in order: never two texts in a row, never an empty text.
pub(super) fn parts(text: &str, roots: &[Root]) -> Result<Vec<Part>, Mistake> {
    let mut parts = Vec::new();
    let mut literal = String::new();
    let mut at = 0;
    while let Some(dollar) = text[at..].find('$') {
        literal.push_str(&text[at..at + dollar]);
        at += dollar;
        let rest = &text[at..];
        if rest.starts_with("$${") {
            literal.push_str("${");
            at += 3;
        } else if rest.starts_with("${") {
            let inner = at + 2;
            let Some(length) = end(&text[inner..]) else {
                return Err((
                    at,
                    "\"${\" is not closed: write } after the expression, or $${ for a literal ${".to_owned(),
                ));
            };
            let written = &text[inner..inner + length];
            let start = inner + written.len() - written.trim_start().len();
            let expression = Expression::compile(written.trim(), roots);
            let expression = expression.map_err(|error| (start + error.byte, error.message))?;
            parts.extend(take(&mut literal));
            parts.push(Part::Expression { start, expression });
            at = inner + length + 1;
        } else {
            literal.push('$');
            at += 1;
        }
    }
    literal.push_str(&text[at..]);
    parts.extend(take(&mut literal));
    Ok(parts)
}

/// Where the `}` is that closes an expression: not one of a map, nor one in a text.
fn end(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    let (mut at, mut open) = (0, 0_usize);
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'{' => open += 1,
            b'}' if open == 0 => return Some(at),
            b'}' => open -= 1,
            b'"' | b'\'' => {
                let word = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
                let raw = at > 0 && matches!(bytes[at - 1], b'r' | b'R') && !(at > 1 && word(&bytes[at - 2]));
                at = quoted(text, at, raw)?;
                continue;
            }
            _ => {}
        }
        at += 1;
    }
    None
}

/// The byte after a text of CEL that begins at `start`.
fn quoted(text: &str, start: usize, raw: bool) -> Option<usize> {
    let bytes = text.as_bytes();
    let quote = bytes[start];
    let length = if bytes[start..].starts_with(&[quote; 3]) { 3 } else { 1 };
    let mut at = start + length;
    loop {
        if bytes.get(at)? == &quote && bytes[at..].starts_with(&[quote; 3][..length]) {
            return Some(at + length);
        }
        at += if bytes[at] == b'\\' && !raw { 2 } else { 1 };
    }
}
