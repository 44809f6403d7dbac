//! WebhookEndpoints `<webhook>-<name>`: endpoints that are written inside their Webhook.

use kube::api::ObjectMeta;
use posthaste_crds::{
    labels, names,
    v1alpha1::{InlineEndpoint, WebhookEndpoint, WebhookEndpointSpec, WebhookRef},
};
use serde_json::{Map, Value};

use super::Parent;

/// Builds all of them, in the order in which they are written.
pub fn build(parent: &Parent) -> Vec<WebhookEndpoint> {
    let inline = parent.webhook.spec.endpoints.iter().flatten();
    inline
        .map(|InlineEndpoint { name, settings }| {
            let name = names::inline_endpoint(parent.name, name);
            let mut metadata: ObjectMeta = parent.meta(name.clone());
            metadata.labels.get_or_insert_default().insert(labels::ENDPOINT.to_owned(), name);
            WebhookEndpoint {
                metadata,
                spec: WebhookEndpointSpec {
                    webhook_ref: WebhookRef { name: parent.name.to_owned() },
                    settings: settings.clone(),
                },
                status: None,
            }
        })
        .collect()
}

/// What a server-side apply leaves in place of an edit that somebody made: fields and list entries that `desired` does
/// not have. As a JSON merge patch of the object; `None` if there is nothing to revert.
pub fn revert(
    observed: &WebhookEndpointSpec,
    desired: &WebhookEndpointSpec,
) -> Result<Option<Value>, serde_json::Error> {
    let removals = removals(&serde_json::to_value(observed)?, &serde_json::to_value(desired)?);
    Ok(removals.map(|spec| serde_json::json!({ "spec": spec })))
}

fn removals(observed: &Value, desired: &Value) -> Option<Value> {
    match (observed, desired) {
        (Value::Object(observed), Value::Object(desired)) => {
            let patch: Map<_, _> = observed
                .iter()
                .filter_map(|(name, value)| match desired.get(name) {
                    None => Some((name.clone(), Value::Null)),
                    Some(desired) => Some((name.clone(), removals(value, desired)?)),
                })
                .collect();
            (!patch.is_empty()).then_some(Value::Object(patch))
        }
        // A merge patch replaces lists as a whole.
        (Value::Array(observed), Value::Array(desired)) if observed != desired => Some(Value::Array(desired.clone())),
        _ => None,
    }
}
