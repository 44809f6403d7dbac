//! Fields that the schema does not know.

use serde_json::{Map, Value};

use super::{Problem, path};

/// What every resource has besides its own fields.
const OF_EVERY_RESOURCE: [&str; 3] = ["apiVersion", "kind", "metadata"];
/// How many letters may be wrong in a field that is offered instead.
const NEAR: usize = 2;

pub(super) fn fields(schema: &Value, manifest: &Value) -> Vec<Problem> {
    let mut problems = Vec::new();
    let Some(members) = manifest.as_object() else { return problems };
    let own: Map<String, Value> = members
        .iter()
        .filter(|(name, _)| !OF_EVERY_RESOURCE.contains(&name.as_str()))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    walk(schema, &Value::Object(own), "", &mut problems);
    problems
}

fn walk(schema: &Value, value: &Value, at: &str, problems: &mut Vec<Problem>) {
    match value {
        Value::Object(members) => {
            let known = schema.get("properties").and_then(Value::as_object);
            let others = schema.get("additionalProperties");
            for (name, member) in members {
                let at = path::member(at, name);
                match (known.and_then(|known| known.get(name)), others, known) {
                    (Some(schema), _, _) | (None, Some(schema), _) => walk(schema, member, &at, problems),
                    (None, None, Some(known)) => problems.push(unknown(&at, name, known)),
                    (None, None, None) => {}
                }
            }
        }
        Value::Array(entries) => {
            let Some(schema) = schema.get("items") else { return };
            for (index, item) in entries.iter().enumerate() {
                walk(schema, item, &path::entry(at, index), problems);
            }
        }
        _ => {}
    }
}

fn unknown(at: &str, name: &str, known: &Map<String, Value>) -> Problem {
    let distance = |other: &str| edits(&name.to_lowercase(), &other.to_lowercase());
    let nearest = known.keys().map(|other| (distance(other), other)).min().filter(|(distance, _)| *distance <= NEAR);
    let known = || known.keys().map(String::as_str).collect::<Vec<_>>().join(", ");
    let offer = nearest.map_or_else(|| format!("known are {}", known()), |(_, other)| format!("did you mean {other}?"));
    Problem::new(at, format!("unknown field {at:?}; {offer}"))
}

/// Least number of letters to insert, remove or replace that makes one word the other.
fn edits(from: &str, to: &str) -> usize {
    let to: Vec<char> = to.chars().collect();
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (i, letter) in from.chars().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, other) in to.iter().enumerate() {
            let replaced = diagonal + usize::from(letter != *other);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[to.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edits_are_counted() {
        for (from, to, expected) in [
            ("", "", 0),
            ("url", "url", 0),
            ("urll", "url", 1),
            ("eventType", "eventTypes", 1),
            ("abc", "xyz", 3),
            ("ab", "ba", 2),
        ] {
            assert_eq!(edits(from, to), expected, "{from} {to}");
        }
    }
}
