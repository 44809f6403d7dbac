//! What of a resource leads to a reconcile when it changes. Pure.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::{Resource, api::ObjectMeta, core::DeserializeGuard};
use posthaste_crds::{
    conditions::{ACCEPTING_EVENTS, PROGRAMMED},
    v1alpha1::{Webhook, WebhookEndpoint},
};

use super::changes::fingerprint;
use crate::conditions;

/// What of a Webhook leads to a reconcile: what people change, what is programmed, whether events
/// are taken in, and which revision. Counters do not.
pub fn webhook_fingerprint(webhook: &DeserializeGuard<Webhook>) -> u64 {
    let status = webhook.0.as_ref().ok().and_then(|webhook| webhook.status.as_ref());
    let revision = status.and_then(|status| status.configuration.as_ref()).and_then(|loaded| loaded.revision.as_ref());
    let conditions = status.and_then(|status| status.conditions.as_deref());
    let accepting =
        conditions::find(conditions, ACCEPTING_EVENTS).map(|condition| (&condition.status, &condition.reason));
    fingerprint((identity(webhook.meta()), programmed(conditions), accepting, revision))
}

/// What people change in an endpoint.
pub fn spec_fingerprint(endpoint: &DeserializeGuard<WebhookEndpoint>) -> u64 {
    fingerprint(identity(endpoint.meta()))
}

/// What the sidecar reports about an endpoint's configuration.
pub fn report_fingerprint(endpoint: &DeserializeGuard<WebhookEndpoint>) -> u64 {
    let status = endpoint.0.as_ref().ok().and_then(|endpoint| endpoint.status.as_ref());
    programmed(status.and_then(|status| status.conditions.as_deref()))
}

fn identity(meta: &ObjectMeta) -> u64 {
    let owners: Vec<_> = meta.owner_references.iter().flatten().map(|owner| (&owner.uid, owner.controller)).collect();
    fingerprint((&meta.uid, meta.generation, meta.deletion_timestamp.is_some(), &meta.labels, owners))
}

fn programmed(conditions: Option<&[Condition]>) -> u64 {
    fingerprint(
        conditions::find(conditions, PROGRAMMED)
            .map(|condition| (&condition.status, &condition.reason, condition.observed_generation)),
    )
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn webhook(status: &Value) -> DeserializeGuard<Webhook> {
        serde_json::from_value(json!({
            "apiVersion": "posthaste.dev/v1alpha1", "kind": "Webhook",
            "metadata": {"name": "letters", "namespace": "mail", "generation": 2},
            "spec": {}, "status": status,
        }))
        .unwrap()
    }

    fn condition(type_: &str, status: &str) -> Value {
        json!({"type": type_, "status": status, "reason": "Some", "message": "", "observedGeneration": 2,
               "lastTransitionTime": "2026-01-01T00:00:00Z"})
    }

    #[test]
    fn counters_and_other_conditions_lead_to_no_reconcile() {
        let quiet = webhook_fingerprint(&webhook(&json!({"conditions": [condition("Programmed", "True")]})));
        let busy = json!({
            "conditions": [condition("Programmed", "True"), condition("EndpointsHealthy", "False"), condition("Ready", "True")],
            "delivery": {"delivered": 5}, "attachedEndpoints": 3,
        });
        assert_eq!(quiet, webhook_fingerprint(&webhook(&busy)));
    }

    #[test]
    fn a_changed_programmed_condition_or_revision_leads_to_a_reconcile() {
        let fingerprints = [
            json!({"conditions": [condition("Programmed", "True")]}),
            json!({"conditions": [condition("Programmed", "False")]}),
            json!({"conditions": [condition("Programmed", "True")], "configuration": {"revision": "1"}}),
            json!({"conditions": [condition("Programmed", "True"), condition("AcceptingEvents", "False")]}),
            json!({}),
        ]
        .map(|status| webhook_fingerprint(&webhook(&status)));
        let distinct: std::collections::HashSet<_> = fingerprints.into_iter().collect();
        assert_eq!(distinct.len(), 5);
    }
}
