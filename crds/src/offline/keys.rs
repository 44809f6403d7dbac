//! Lists whose entries have an identity: each may occur once.

use serde_json::Value;

use super::{Problem, path};

/// How entries of a list are told apart.
pub(super) enum Identity<'a> {
    /// By what they are.
    Whole,
    /// By these members.
    Keys(Vec<&'a str>),
}

impl<'a> Identity<'a> {
    /// Of the list that this is the schema of; `None` where only the position tells entries apart.
    pub(super) fn of(schema: &'a Value) -> Option<Self> {
        match schema.get("x-kubernetes-list-type")?.as_str()? {
            "set" => Some(Self::Whole),
            "map" => {
                let keys = schema.get("x-kubernetes-list-map-keys")?.as_array()?;
                Some(Self::Keys(keys.iter().filter_map(Value::as_str).collect()))
            }
            _ => None,
        }
    }

    pub(super) fn same(&self, a: &Value, b: &Value) -> bool {
        match self {
            Self::Whole => a == b,
            Self::Keys(keys) => keys.iter().all(|key| a.get(key) == b.get(key)),
        }
    }

    fn show(&self, entry: &Value) -> String {
        match self {
            Self::Whole => entry.to_string(),
            Self::Keys(keys) => {
                let shown = keys.iter().map(|key| format!("{key}: {}", entry.get(key).unwrap_or(&Value::Null)));
                shown.collect::<Vec<_>>().join(", ")
            }
        }
    }
}

pub(super) fn check(schema: &Value, manifest: &Value) -> Vec<Problem> {
    let mut problems = Vec::new();
    walk(schema, manifest, "", &mut problems);
    problems
}

fn walk(schema: &Value, value: &Value, at: &str, problems: &mut Vec<Problem>) {
    if let Some(members) = value.as_object() {
        for (name, member) in members {
            if let Some(schema) = schema.get("properties").and_then(|properties| properties.get(name)) {
                walk(schema, member, &path::member(at, name), problems);
            }
        }
    }
    if let (Some(entries), Some(items)) = (value.as_array(), schema.get("items")) {
        let identity = Identity::of(schema);
        for (index, item) in entries.iter().enumerate() {
            let at = path::entry(at, index);
            if let Some(identity) = &identity
                && entries[..index].iter().any(|earlier| identity.same(earlier, item))
            {
                let message = format!("Duplicate value: {}: each may occur once", identity.show(item));
                problems.push(Problem::new(&at, message));
            }
            walk(items, item, &at, problems);
        }
    }
}
