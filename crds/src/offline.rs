//! What an API server would say to a manifest, without one.
//!
//! In its order: fields that the schema does not know (as `kubectl` refuses them), the schema itself, keys of lists
//! that occur twice, then the CEL rules. Rules come last and only for what has the right shape, since they are written
//! for that.
//!
//! # Caveats
//! Rules are evaluated by another implementation of CEL than the API server's, and URLs are parsed by another parser: a
//! manifest that passes here can still be refused there for an odd spelling. `metadata` is checked only as far as our
//! own rules do. Core types that are embedded (affinity, tolerations, resources) are checked by shape alone, as the API
//! server does until the pod is made.

mod keys;
mod path;
mod rules;
mod shape;
mod unknown;

use std::{collections::BTreeMap, fmt, sync::LazyLock};

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::core::cel::apply_defaults;
use serde_json::Value;

use crate::{GROUP, crds};

/// Something in a manifest that is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Which field, such as `spec.headers[0].name`. Empty for the whole manifest.
    pub field: String,
    /// What is wrong with it and what would be right.
    pub message: String,
}

impl Problem {
    fn new(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self { field: field.into(), message: message.into() }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.field.as_str() {
            "" => f.write_str(&self.message),
            field => write!(f, "{field}: {}", self.message),
        }
    }
}

/// Checks a manifest of kind `Webhook` or `WebhookEndpoint` that is created.
///
/// # Errors
/// Everything that is wrong with it; never empty.
pub fn validate(manifest: &Value) -> Result<(), Vec<Problem>> {
    admit(manifest).map(drop)
}

/// Checks a manifest that replaces `old`, which must be of the same kind.
///
/// # Errors
/// Everything that is wrong with it or with the change; never empty.
pub fn validate_update(old: &Value, new: &Value) -> Result<(), Vec<Problem>> {
    check(new, Some(old)).map(drop)
}

/// Checks a manifest and returns what the API server would keep of it: without members that are null, and with the
/// schema's defaults.
///
/// # Errors
/// Everything that is wrong with it; never empty.
pub fn admit(manifest: &Value) -> Result<Value, Vec<Problem>> {
    check(manifest, None)
}

fn check(manifest: &Value, old: Option<&Value>) -> Result<Value, Vec<Problem>> {
    let schema = schema_of(manifest).map_err(|problem| vec![problem])?;
    let mut problems = unknown::fields(schema, manifest);
    let kept = apply_defaults(schema, &without_null(schema, manifest));
    problems.extend(shape::check(schema, &kept));
    problems.extend(keys::check(schema, &kept));
    if problems.is_empty() {
        problems = rules::check(schema, &kept, old.map(|old| without_null(schema, old)).as_ref());
    }
    if problems.is_empty() { Ok(kept) } else { Err(problems) }
}

/// Nothing in our schemas may be null, and a member that may not be counts as left out. What is not ours stays as it is.
fn without_null(schema: &Value, value: &Value) -> Value {
    if schema.get("x-kubernetes-preserve-unknown-fields") == Some(&Value::Bool(true)) {
        return value.clone();
    }
    let of_member = |name: &str| {
        let property = schema.get("properties").and_then(|properties| properties.get(name));
        property.or_else(|| schema.get("additionalProperties")).unwrap_or(&Value::Null)
    };
    match value {
        Value::Object(members) => {
            let members = members.iter().filter(|(_, member)| !member.is_null());
            Value::Object(members.map(|(name, member)| (name.clone(), without_null(of_member(name), member))).collect())
        }
        Value::Array(entries) => {
            let of_entry = schema.get("items").unwrap_or(&Value::Null);
            Value::Array(entries.iter().map(|entry| without_null(of_entry, entry)).collect())
        }
        _ => value.clone(),
    }
}

/// Schemas by kind and version. Making them takes much longer than using them.
static SCHEMAS: LazyLock<BTreeMap<String, BTreeMap<String, Value>>> = LazyLock::new(|| {
    let versions = |crd: &CustomResourceDefinition| {
        let versions = crd.spec.versions.iter().filter_map(|version| {
            let schema = version.schema.as_ref()?.open_api_v3_schema.as_ref()?;
            Some((format!("{GROUP}/{}", version.name), serde_json::to_value(schema).ok()?))
        });
        versions.collect()
    };
    crds().iter().map(|crd| (crd.spec.names.kind.clone(), versions(crd))).collect()
});

/// The schema of the version and kind that a manifest says it is.
fn schema_of(manifest: &Value) -> Result<&'static Value, Problem> {
    let versions = pick(&SCHEMAS, "kind", manifest)?;
    pick(versions, "apiVersion", manifest)
}

/// What a member of a manifest names.
fn pick<'a, T>(known: &'a BTreeMap<String, T>, member: &str, manifest: &Value) -> Result<&'a T, Problem> {
    let name = manifest.get(member).and_then(Value::as_str).unwrap_or_default();
    known.get(name).ok_or_else(|| {
        let known: Vec<&str> = known.keys().map(String::as_str).collect();
        Problem::new(member, format!("{name:?} is not known here: write {}", known.join(" or ")))
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn messages(result: Result<(), Vec<Problem>>) -> Vec<String> {
        result.unwrap_err().iter().map(Problem::to_string).collect()
    }

    fn endpoint(spec: &Value) -> Value {
        json!({"apiVersion": "posthaste.dev/v1alpha1", "kind": "WebhookEndpoint", "metadata": {"name": "oak"}, "spec": spec})
    }

    #[test]
    fn another_kind_or_version_is_answered_with_the_right_ones() {
        assert_eq!(
            messages(validate(&json!({"kind": "Hook"}))),
            ["kind: \"Hook\" is not known here: write Webhook or WebhookEndpoint"]
        );
        assert_eq!(
            messages(validate(&json!({"kind": "Webhook", "apiVersion": "posthaste.dev/v1"}))),
            ["apiVersion: \"posthaste.dev/v1\" is not known here: write posthaste.dev/v1alpha1"]
        );
    }

    #[test]
    fn what_is_admitted_has_defaults_and_no_nulls() {
        let spec = json!({"webhookRef": {"name": "trees"}, "enabled": null, "target": {"serviceRef": {"name": "sink", "port": null}}});
        let kept = admit(&endpoint(&spec)).unwrap();
        assert_eq!(
            kept["spec"],
            json!({"webhookRef": {"name": "trees"}, "target": {"serviceRef": {"name": "sink", "port": 80, "path": "/"}}})
        );
    }

    #[test]
    fn the_schema_of_an_event_type_is_kept_as_it_is() {
        let schema = json!({"const": null, "properties": {"spec": {"enum": [null]}}, "x-mine": {"nullable": null}});
        let types = json!([{"name": "tree.planted", "description": null, "schema": schema}]);
        let webhook = json!({"apiVersion": "posthaste.dev/v1alpha1", "kind": "Webhook", "metadata": {"name": "trees"}, "spec": {"eventTypes": types}});
        let kept = admit(&webhook).unwrap();
        assert_eq!(kept["spec"]["eventTypes"][0], json!({"name": "tree.planted", "schema": schema}));
    }

    #[test]
    fn a_misspelt_field_is_answered_with_the_one_that_was_meant() {
        let spec =
            json!({"webhookRef": {"name": "trees"}, "target": {"URL": "https://receiver.example/"}, "enable": true});
        assert_eq!(
            messages(validate(&endpoint(&spec))),
            [
                "spec.enable: unknown field \"spec.enable\"; did you mean enabled?",
                "spec.target.URL: unknown field \"spec.target.URL\"; did you mean url?"
            ]
        );
    }

    #[test]
    fn all_problems_are_told_at_once() {
        let spec = json!({"webhookRef": {}, "target": {"url": 5}, "eventTypes": [], "suspend": "yes"});
        assert_eq!(messages(validate(&endpoint(&spec))).len(), 4);
    }

    #[test]
    fn entries_of_a_list_are_compared_with_the_old_entry_of_the_same_key() {
        let webhook = |endpoints: Value| json!({"apiVersion": "posthaste.dev/v1alpha1", "kind": "Webhook", "metadata": {"name": "trees"}, "spec": {"endpoints": endpoints}});
        let entry = |name: &str, tenant: &str| json!({"name": name, "tenant": tenant, "target": {"url": "https://receiver.example/"}});
        let old = webhook(json!([entry("ash", "a"), entry("oak", "o")]));
        assert_eq!(
            validate_update(&old, &webhook(json!([entry("new", "n"), entry("oak", "o"), entry("ash", "a")]))),
            Ok(())
        );
        assert_eq!(
            messages(validate_update(&old, &webhook(json!([entry("oak", "a")])))),
            ["spec.endpoints[0].tenant: tenant cannot be changed; create another endpoint"]
        );
    }
}
