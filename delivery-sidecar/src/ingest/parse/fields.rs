//! Finds the fields of an event. `data` and `metadata` are found, not looked into: their bytes stay as they came.

use std::{borrow::Cow, fmt};

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::ingest::problem::FieldError;

/// Most unknown or repeated fields that are named; the rest is as wrong without being named.
const MAX_NAMED: usize = 16;
/// Most characters of a field's name that are repeated to the client.
const MAX_NAME: usize = 64;

/// The fields of an event as JSON texts. A field that is `null` is as if it were left out, except for `data`, which may
/// be any JSON.
#[derive(Debug, Default)]
pub(super) struct Fields<'a> {
    pub id: Option<&'a RawValue>,
    pub event_type: Option<&'a RawValue>,
    pub source: Option<&'a RawValue>,
    pub subject: Option<&'a RawValue>,
    pub tenant: Option<&'a RawValue>,
    pub time: Option<&'a RawValue>,
    pub data: Option<&'a RawValue>,
    pub metadata: Option<&'a RawValue>,
    /// Fields that an event does not have, and fields that are there twice.
    pub errors: Vec<FieldError>,
}

/// Why a text has no fields.
#[derive(Debug)]
pub(super) enum Error {
    /// It is not JSON.
    Malformed(serde_json::Error),
    /// It is JSON, and this.
    NotAnObject(&'static str),
}

/// Finds the fields.
pub(super) fn find(text: &[u8]) -> Result<Fields<'_>, Error> {
    if text.trim_ascii_start().first() == Some(&b'{') {
        return serde_json::from_slice(text).map_err(Error::Malformed);
    }
    let other: &RawValue = serde_json::from_slice(text).map_err(Error::Malformed)?;
    Err(Error::NotAnObject(kind(other)))
}

/// What a JSON text is, with its article.
pub(super) fn kind(json: &RawValue) -> &'static str {
    match json.get().as_bytes().first() {
        Some(b'{') => "an object",
        Some(b'[') => "an array",
        Some(b'"') => "a string",
        Some(b't' | b'f') => "a boolean",
        Some(b'n') => "null",
        _ => "a number",
    }
}

impl<'de> Deserialize<'de> for Fields<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(FieldsVisitor)
    }
}

struct FieldsVisitor;

impl<'de> Visitor<'de> for FieldsVisitor {
    type Value = Fields<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an event")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Self::Value, A::Error> {
        let mut fields = Fields::default();
        // Which fields were there, `null` or not.
        let mut seen = [false; 8];
        while let Some(Name(name)) = members.next_key()? {
            let (index, slot) = match &*name {
                "id" => (0, &mut fields.id),
                "type" => (1, &mut fields.event_type),
                "source" => (2, &mut fields.source),
                "subject" => (3, &mut fields.subject),
                "tenant" => (4, &mut fields.tenant),
                "time" => (5, &mut fields.time),
                "data" => (6, &mut fields.data),
                "metadata" => (7, &mut fields.metadata),
                _ => {
                    members.next_value::<IgnoredAny>()?;
                    fields.refuse(&name, "is not a field of an event, which has id, type, source, subject, tenant, time, data and metadata; other values belong into data or metadata");
                    continue;
                }
            };
            let value: &RawValue = members.next_value()?;
            if std::mem::replace(&mut seen[index], true) {
                fields.refuse(&name, "is there more than once");
            } else if value.get() != "null" || &*name == "data" {
                *slot = Some(value);
            }
        }
        Ok(fields)
    }
}

impl Fields<'_> {
    fn refuse(&mut self, name: &str, detail: &str) {
        if self.errors.len() < MAX_NAMED {
            self.errors.push(FieldError { pointer: pointer(name), detail: detail.into() });
        }
    }
}

/// The JSON pointer (RFC 6901) of a member, cut short when its name is long.
fn pointer(name: &str) -> String {
    let mut pointer = String::from("/");
    for (index, character) in name.chars().enumerate() {
        match character {
            _ if index == MAX_NAME => {
                pointer.push('…');
                break;
            }
            '~' => pointer.push_str("~0"),
            '/' => pointer.push_str("~1"),
            other => pointer.push(other),
        }
    }
    pointer
}

/// A member's name, borrowed unless it has escapes.
struct Name<'a>(Cow<'a, str>);

impl<'de> Deserialize<'de> for Name<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct NameVisitor;
        impl<'de> Visitor<'de> for NameVisitor {
            type Value = Name<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a name")
            }

            fn visit_borrowed_str<E>(self, name: &'de str) -> Result<Self::Value, E> {
                Ok(Name(Cow::Borrowed(name)))
            }

            fn visit_str<E>(self, name: &str) -> Result<Self::Value, E> {
                Ok(Name(Cow::Owned(name.to_owned())))
            }
        }
        deserializer.deserialize_str(NameVisitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_with_escapes_are_the_same_names() {
        let fields = find(br#"{"t\u0079pe":"a","data":1}"#).unwrap();
        assert_eq!(fields.event_type.unwrap().get(), "\"a\"");
        assert_eq!(fields.errors, []);
    }

    #[test]
    fn null_is_left_out_except_as_data() {
        let fields = find(br#"{"id":null,"type":null,"data":null,"metadata":null}"#).unwrap();
        assert!(fields.id.is_none() && fields.event_type.is_none() && fields.metadata.is_none());
        assert_eq!(fields.data.unwrap().get(), "null");
    }

    #[test]
    fn unknown_and_repeated_fields_are_named_by_pointer() {
        let fields = find(br#"{"typ":1,"a/b~c":2,"id":null,"id":"x"}"#).unwrap();
        let pointers: Vec<_> = fields.errors.iter().map(|error| error.pointer.as_str()).collect();
        assert_eq!(pointers, ["/typ", "/a~1b~0c", "/id"]);
        assert_eq!(fields.errors[2].detail, "is there more than once");
    }

    #[test]
    fn what_is_said_about_strange_events_is_bounded() {
        let long = format!("{{\"{}\":1}}", "x".repeat(1000));
        assert_eq!(find(long.as_bytes()).unwrap().errors[0].pointer.chars().count(), 1 + MAX_NAME + 1);
        let many: Vec<_> = (0..1000).map(|i| format!("\"f{i}\":1")).collect();
        assert_eq!(find(format!("{{{}}}", many.join(",")).as_bytes()).unwrap().errors.len(), MAX_NAMED);
    }

    #[test]
    fn what_is_not_an_object_is_told_from_what_is_not_json() {
        assert!(matches!(find(b" 12"), Err(Error::NotAnObject("a number"))));
        assert!(matches!(find(b"\"x\""), Err(Error::NotAnObject("a string"))));
        for malformed in [&b"nul"[..], b"{\"a\":}", b"{} {}", b"{\"a\":1", b"\xff", b"{\"data\":\"\xff\"}", b""] {
            assert!(matches!(find(malformed), Err(Error::Malformed(_))), "{malformed:?}");
        }
    }
}
