//! The CEL rules.

use kube::core::cel::Validator;
use serde_json::{Map, Value};

use super::{Problem, keys::Identity};

pub(super) fn check(schema: &Value, manifest: &Value, old: Option<&Value>) -> Vec<Problem> {
    let old = old.map(|old| aligned(schema, manifest, old));
    let Err(errors) = Validator::new().validate(schema, manifest, old.as_ref()) else { return Vec::new() };
    // A field that a rule of the root points at comes with a dot before it.
    let field = |path: &str| path.trim_start_matches('.').to_owned();
    errors.into_vec().into_iter().map(|error| Problem::new(field(&error.field_path), error.message)).collect()
}

/// The old manifest with the entries of its lists at the positions of the new entries that they are compared with: the
/// evaluator goes by position, the API server by key. A new entry without an old one stands for itself, so that no rule
/// about changes can say anything about it.
fn aligned(schema: &Value, new: &Value, old: &Value) -> Value {
    match (new, old) {
        (Value::Object(new), Value::Object(old)) => {
            let schema = |name: &str| schema.get("properties").and_then(|properties| properties.get(name));
            let member = |(name, value): (&String, &Value)| {
                let value = match (schema(name), new.get(name)) {
                    (Some(schema), Some(new)) => aligned(schema, new, value),
                    _ => value.clone(),
                };
                (name.clone(), value)
            };
            Value::Object(old.iter().map(member).collect::<Map<_, _>>())
        }
        (Value::Array(new), Value::Array(old)) => match (Identity::of(schema), schema.get("items")) {
            (Some(identity), Some(items)) => {
                let entry = |new: &Value| {
                    let old = old.iter().find(|old| identity.same(new, old));
                    old.map_or_else(|| new.clone(), |old| aligned(items, new, old))
                };
                Value::Array(new.iter().map(entry).collect())
            }
            _ => Value::Array(old.clone()),
        },
        _ => old.clone(),
    }
}
