//! The schema without its rules, in the words of the API server.

use jsonschema::{
    Draft, ValidationError,
    error::{TypeKind, ValidationErrorKind as Kind},
    paths::LocationSegment,
};
use serde_json::{Map, Value, json};

use super::{Problem, path};

pub(super) fn check(schema: &Value, manifest: &Value) -> Vec<Problem> {
    let mut schema = schema.clone();
    as_json_schema(&mut schema);
    let options = jsonschema::options().with_draft(Draft::Draft7).should_validate_formats(true);
    match options.should_ignore_unknown_formats(true).build(&schema) {
        Ok(validator) => validator.iter_errors(manifest).map(|error| problem(&error)).collect(),
        Err(error) => vec![Problem::new("", format!("the schema is not usable: {error}"))],
    }
}

/// Kubernetes' own keywords, as far as they restrict a shape, in those of JSON Schema.
fn as_json_schema(schema: &mut Value) {
    let Value::Object(schema) = schema else { return };
    if schema.get("x-kubernetes-int-or-string") == Some(&Value::Bool(true)) {
        schema.insert("type".to_owned(), json!(["integer", "string"]));
    }
    for child in ["items", "additionalProperties"] {
        schema.get_mut(child).map(as_json_schema);
    }
    let properties = schema.get_mut("properties").and_then(Value::as_object_mut);
    properties.into_iter().flat_map(Map::values_mut).for_each(as_json_schema);
}

fn problem(error: &ValidationError) -> Problem {
    let mut at = String::new();
    for segment in error.instance_path() {
        at = match segment {
            LocationSegment::Property(name) => path::member(&at, &name),
            LocationSegment::Index(index) => path::entry(&at, index),
        };
    }
    let found = error.instance();
    let message = match error.kind() {
        Kind::Required { property } => {
            return Problem::new(path::member(&at, property.as_str().unwrap_or_default()), "Required value");
        }
        Kind::Type { kind } => format!("Invalid value: must be of type {}, not {}", expected(kind), type_of(found)),
        Kind::Enum { options } => format!("Unsupported value: {found}: supported values: {}", list(options)),
        Kind::Pattern { pattern } => format!("Invalid value: {found}: should match '{pattern}'"),
        Kind::Format { format } => format!("Invalid value: {found}: must be of format {format}"),
        Kind::Minimum { limit } => format!("Invalid value: {found}: should be greater than or equal to {limit}"),
        Kind::Maximum { limit } => format!("Invalid value: {found}: should be less than or equal to {limit}"),
        Kind::MinLength { limit } => format!("Invalid value: {found}: should be at least {limit} chars long"),
        Kind::MaxLength { limit } => format!("Too long: may not be more than {limit} bytes"),
        Kind::MinItems { limit } => format!("Invalid value: should have at least {limit} items"),
        Kind::MaxItems { limit } | Kind::MaxProperties { limit } => {
            format!("Too many: must have at most {limit} items")
        }
        _ => format!("Invalid value: {error}"),
    };
    Problem::new(at, message)
}

fn expected(kind: &TypeKind) -> String {
    match kind {
        TypeKind::Single(single) => single.to_string(),
        TypeKind::Multiple(set) => set.iter().map(|single| single.to_string()).collect::<Vec<_>>().join(" or "),
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

fn list(options: &Value) -> String {
    options.as_array().into_iter().flatten().map(Value::to_string).collect::<Vec<_>>().join(", ")
}
