//! What is wrong with data, in words that name the place and what would be right. Values are not repeated: the client
//! has them, and they may be long.

use std::fmt::{self, Write};

use jsonschema::{
    ValidationError,
    error::{TypeKind, ValidationErrorKind as Kind},
    paths::LocationSegment,
};
use serde_json::Value;

use super::{bounds::MAX_DATA_DEPTH, meter::is_about_nothing};

/// Most violations that are named.
pub const MAX_VIOLATIONS: usize = 16;
/// Most characters of what the schema says that are repeated, such as the values of an `enum`.
const MAX_TEXT: usize = 200;
/// Most characters of a member's name in a pointer or a detail.
const MAX_NAME: usize = 64;
/// Most members of the data that a pointer leads through by name.
const MAX_SEGMENTS: usize = 128;

/// Why data does not fit its schema.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Misfit {
    /// What is wrong: 1 to [`MAX_VIOLATIONS`].
    pub violations: Vec<Violation>,
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// JSON pointer (RFC 6901) within the data; empty for the whole.
    pub pointer: String,
    /// What is wrong and what would be right; continues the name of the place.
    pub detail: String,
}

impl Misfit {
    fn whole(detail: impl Into<String>) -> Self {
        Self { violations: vec![Violation { pointer: String::new(), detail: detail.into() }] }
    }

    pub(super) fn unreadable(error: &serde_json::Error) -> Self {
        Self::whole(format!("cannot be read to be checked by its schema: {error}"))
    }

    pub(super) fn too_deep() -> Self {
        Self::whole(format!("is nested more than {MAX_DATA_DEPTH} levels deep, too deep to be checked by its schema"))
    }

    pub(super) fn too_much() -> Self {
        Self::whole(
            "takes more steps to check by its schema than are allowed for its size; make it smaller or the schema simpler",
        )
    }

    pub(super) fn explained<'e>(errors: impl Iterator<Item = ValidationError<'e>>) -> Self {
        let about_something = errors.filter(|error| !is_about_nothing(error.instance()));
        let violations: Vec<_> = about_something.take(MAX_VIOLATIONS).map(|error| violation(&error)).collect();
        if violations.is_empty() {
            return Self::whole("does not fit its schema, and why takes too many steps to find out");
        }
        Self { violations }
    }
}

fn violation(error: &ValidationError) -> Violation {
    let mut pointer = String::new();
    for segment in error.instance_path().iter().take(MAX_SEGMENTS) {
        pointer.push('/');
        match segment {
            LocationSegment::Property(name) => push_name(&mut pointer, &name),
            LocationSegment::Index(index) => pointer.push_str(&index.to_string()),
        }
    }
    Violation { pointer, detail: in_words(error) }
}

fn push_name(pointer: &mut String, name: &str) {
    for (index, character) in name.chars().enumerate() {
        match character {
            _ if index == MAX_NAME => {
                pointer.push('…');
                return;
            }
            '~' => pointer.push_str("~0"),
            '/' => pointer.push_str("~1"),
            other => pointer.push(other),
        }
    }
}

/// What an error says, without the value that it is about.
pub(super) fn in_words(error: &ValidationError) -> String {
    match error.kind() {
        Kind::Type { kind } => {
            format!("must be {}, not {}", types(kind), article(type_of(error.instance())))
        }
        Kind::Required { property } => format!("must have the member {}", short(property)),
        Kind::Enum { options } => format!("must be one of {}", short(options)),
        Kind::Constant { expected_value } => format!("must be {}", short(expected_value)),
        Kind::Minimum { limit } => format!("must be at least {}", short(limit)),
        Kind::Maximum { limit } => format!("must be at most {}", short(limit)),
        Kind::ExclusiveMinimum { limit } => format!("must be more than {}", short(limit)),
        Kind::ExclusiveMaximum { limit } => format!("must be less than {}", short(limit)),
        Kind::MultipleOf { multiple_of } => format!("must be a multiple of {}", short(multiple_of)),
        Kind::MinLength { limit } => format!("must have at least {limit} characters"),
        Kind::MaxLength { limit } => format!("must have at most {limit} characters"),
        Kind::MinItems { limit } => format!("must have at least {limit} entries"),
        Kind::MaxItems { limit } => format!("must have at most {limit} entries"),
        Kind::MinProperties { limit } => format!("must have at least {limit} members"),
        Kind::MaxProperties { limit } => format!("must have at most {limit} members"),
        Kind::UniqueItems => "must not have two entries that are equal".to_owned(),
        Kind::Contains => "must have as many entries that fit the schema's contains as it asks for".to_owned(),
        Kind::Pattern { pattern } => format!("must match the pattern {}", short(pattern)),
        Kind::AdditionalProperties { unexpected } | Kind::UnevaluatedProperties { unexpected } => {
            format!("has members that its schema does not know: {}", names(unexpected))
        }
        Kind::PropertyNames { error } => format!("has a member whose name {}", in_words(error)),
        Kind::AnyOf { .. } => "fits none of the schemas in anyOf".to_owned(),
        Kind::OneOfNotValid { .. } => "fits none of the schemas in oneOf".to_owned(),
        Kind::OneOfMultipleValid { .. } => "fits several of the schemas in oneOf, and must fit exactly one".to_owned(),
        Kind::Not { .. } => "fits the schema in not, and must not".to_owned(),
        // The place is the object: the validator does not say which member.
        Kind::FalseSchema if error.schema_path().as_str().ends_with("/additionalProperties") => {
            "must have no members that its schema does not know, and it knows none".to_owned()
        }
        Kind::FalseSchema => "is not allowed".to_owned(),
        Kind::UnevaluatedItems { .. } => "has entries that its schema does not know".to_owned(),
        Kind::AdditionalItems { limit } => format!("must have at most {limit} entries"),
        _ => short(error.masked()),
    }
}

fn types(kind: &TypeKind) -> String {
    match kind {
        TypeKind::Single(one) => article(one.as_str()),
        TypeKind::Multiple(several) => several.iter().map(|one| article(one.as_str())).collect::<Vec<_>>().join(" or "),
    }
}

fn type_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

fn article(name: &str) -> String {
    match name {
        "null" => name.to_owned(),
        "array" | "object" | "integer" => format!("an {name}"),
        _ => format!("a {name}"),
    }
}

fn names(names: &[String]) -> String {
    let mut text = String::new();
    for (index, name) in names.iter().enumerate() {
        if text.len() > MAX_TEXT {
            let _ = write!(text, " and {} more", names.len() - index);
            break;
        }
        let mut shown = String::new();
        name.chars().take(MAX_NAME).for_each(|character| shown.push(character));
        let _ = write!(text, "{}{shown:?}", if index == 0 { "" } else { ", " });
    }
    text
}

/// The beginning of what something says; the rest is not even written.
fn short(said: impl fmt::Display) -> String {
    struct Beginning(String, usize);
    impl Write for Beginning {
        fn write_str(&mut self, text: &str) -> fmt::Result {
            for character in text.chars() {
                self.1 = self.1.checked_sub(1).ok_or(fmt::Error)?;
                self.0.push(character);
            }
            Ok(())
        }
    }
    let mut beginning = Beginning(String::new(), MAX_TEXT);
    if write!(beginning, "{said}").is_err() {
        beginning.0.push('…');
    }
    beginning.0
}
