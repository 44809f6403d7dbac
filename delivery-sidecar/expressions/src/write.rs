//! From values to JSON text, and to the text inside of a longer one.

use std::fmt::Write;

use crate::{Value, data::Kind, value::Number};

/// A value that JSON cannot express, or not within the bounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unwritable {
    /// Infinity, or what is no number.
    #[error("a number that is infinite or undefined cannot be written as JSON")]
    NotFinite,
    /// More bytes than there may be.
    #[error("the text is longer than {0} bytes")]
    TooLong(usize),
    /// Not JSON, which only a defect can cause.
    #[error("the data is not JSON")]
    Malformed,
    /// A list or an object, where a text is made.
    #[error("a {0} has no place inside of a text; it must be the whole of it")]
    NotText(&'static str),
}

/// Appends a value as JSON without white space. Numbers from JSON keep their spelling, objects the order of their keys.
///
/// # Errors
/// See [`Unwritable`]. `out` may then end in a part of the value.
pub fn write_json(value: &Value, out: &mut String, most: usize) -> Result<(), Unwritable> {
    let mut separator = "";
    let mut comma = |out: &mut String| out.push_str(std::mem::replace(&mut separator, ","));
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(is) => out.push_str(if *is { "true" } else { "false" }),
        Value::Int(_) | Value::Uint(_) | Value::Double(_) => number(value, out)?,
        Value::Text(text) => string(text, out),
        Value::Timestamp(time) => write!(out, "\"{time}\"").unwrap_or_default(),
        Value::Duration(_) => {
            let mut text = String::new();
            write_text(value, &mut text, most)?;
            string(&text, out);
        }
        Value::List(items) => {
            out.push('[');
            for item in items.iter() {
                comma(out);
                write_json(item, out, most)?;
            }
            out.push(']');
        }
        Value::Map(entries) => {
            out.push('{');
            for (key, value) in entries.iter() {
                comma(out);
                let mut text = String::new();
                write_text(key, &mut text, most)?;
                string(&text, out);
                out.push(':');
                write_json(value, out, most)?;
            }
            out.push('}');
        }
        Value::Record(fields) => {
            out.push('{');
            for (name, value) in *fields {
                comma(out);
                string(name, out);
                out.push(':');
                write_json(value, out, most)?;
            }
            out.push('}');
        }
        Value::Data(data) => compact(data.text(), out),
        Value::Json(json) => compact(json.raw(), out),
    }
    if out.len() > most { Err(Unwritable::TooLong(most)) } else { Ok(()) }
}

/// Appends a value as a part of a longer text: a text as it is, a number as JSON writes it, `null` as nothing.
///
/// # Errors
/// See [`Unwritable`].
pub fn write_text(value: &Value, out: &mut String, most: usize) -> Result<(), Unwritable> {
    match value {
        Value::Null => {}
        Value::Text(text) => out.push_str(text),
        Value::Timestamp(time) => write!(out, "{time}").unwrap_or_default(),
        Value::Duration(duration) => {
            let (seconds, nanoseconds) = (duration.as_secs(), duration.subsec_nanos());
            let sign = if seconds < 0 || nanoseconds < 0 { "-" } else { "" };
            let fraction = format!("{:09}", nanoseconds.unsigned_abs());
            let fraction = fraction.trim_end_matches('0');
            let point = if fraction.is_empty() { "" } else { "." };
            write!(out, "{sign}{}{point}{fraction}s", seconds.unsigned_abs()).unwrap_or_default();
        }
        Value::Bool(_) | Value::Int(_) | Value::Uint(_) | Value::Double(_) => return write_json(value, out, most),
        Value::Data(data) => return write_text(&Value::Json(data.root().ok_or(Unwritable::Malformed)?), out, most),
        Value::Json(json) => match json.kind() {
            Kind::Null => {}
            Kind::Text => out.push_str(&json.text()),
            Kind::True | Kind::False | Kind::Number => out.push_str(json.raw()),
            Kind::List | Kind::Object => return Err(Unwritable::NotText(value.type_name())),
        },
        Value::List(_) | Value::Map(_) | Value::Record(_) => return Err(Unwritable::NotText(value.type_name())),
    }
    if out.len() > most { Err(Unwritable::TooLong(most)) } else { Ok(()) }
}

fn number(value: &Value, out: &mut String) -> Result<(), Unwritable> {
    let written = match value.number() {
        Some(Number::Int(int)) => write!(out, "{int}"),
        Some(Number::Uint(uint)) => write!(out, "{uint}"),
        // As JavaScript does: whole numbers without a point, the very large and very small with an exponent.
        Some(Number::Double(double)) if double.is_finite() => {
            let plain = double == 0.0 || (1e-6..1e21).contains(&double.abs());
            if plain { write!(out, "{double}") } else { write!(out, "{double:e}") }
        }
        _ => return Err(Unwritable::NotFinite),
    };
    written.unwrap_or_default();
    Ok(())
}

/// A text as JSON: what must be escaped is, and nothing else.
pub(crate) fn string(text: &str, out: &mut String) {
    out.push('"');
    let mut plain = 0;
    for (at, byte) in text.bytes().enumerate() {
        let escape = match byte {
            b'"' => "\\\"",
            b'\\' => "\\\\",
            b'\n' => "\\n",
            b'\r' => "\\r",
            b'\t' => "\\t",
            0x08 => "\\b",
            0x0c => "\\f",
            0..0x20 => "",
            _ => continue,
        };
        out.push_str(&text[plain..at]);
        if escape.is_empty() {
            write!(out, "\\u{byte:04x}").unwrap_or_default();
        } else {
            out.push_str(escape);
        }
        plain = at + 1;
    }
    out.push_str(&text[plain..]);
    out.push('"');
}

/// JSON text without the white space between its tokens.
fn compact(raw: &str, out: &mut String) {
    let bytes = raw.as_bytes();
    let (mut from, mut at, mut inside) = (0, 0, false);
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'"' => inside = !inside,
            b'\\' if inside => at += 1,
            b' ' | b'\t' | b'\n' | b'\r' if !inside => {
                out.push_str(&raw[from..at]);
                from = at + 1;
            }
            _ => {}
        }
        at += 1;
    }
    out.push_str(&raw[from..]);
}
