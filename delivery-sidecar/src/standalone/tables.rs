//! The tables that `kubectl get webhooks,webhookendpoints` would print, from the same status fields.

use std::collections::BTreeMap;

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use kube::CustomResourceExt;
use posthaste_crds::{
    conditions::{ACCEPTED, PROGRAMMED, READY, RESOLVED_REFS, ready},
    v1alpha1::{Webhook, WebhookEndpoint, WebhookEndpointStatus, WebhookStatus},
};
use posthaste_delivery_config::resolve::{Outcome, Status};
use serde_json::Value;

use super::{columns::table, configuration::Resolved};

/// Both tables. `webhook` and `endpoints` are what the delivery has reported, by name of the endpoint.
pub fn tables(
    resolved: &Resolved,
    webhook: WebhookStatus,
    mut endpoints: BTreeMap<String, WebhookEndpointStatus>,
    now: Timestamp,
) -> String {
    let mut shown = resolved.webhook.clone();
    let attached = resolved.outcomes.iter().filter(|outcome| outcome.attached).count();
    shown.status = Some(WebhookStatus {
        observed_generation: Some(1),
        attached_endpoints: i64::try_from(attached).ok(),
        conditions: Some(with_operators(webhook.conditions.as_deref(), &[(ACCEPTED, &resolved.accepted)], now)),
        ..webhook
    });
    let rows = resolved.endpoints.iter().zip(&resolved.outcomes).map(|(endpoint, outcome)| {
        let mut shown = endpoint.clone();
        let status = endpoints.remove(&outcome.name).unwrap_or_default();
        let own = [(ACCEPTED, &outcome.accepted), (RESOLVED_REFS, &outcome.resolved_refs)];
        shown.status = Some(WebhookEndpointStatus {
            observed_generation: Some(1),
            conditions: Some(with_operators(status.conditions.as_deref(), &own, now)),
            ..status
        });
        json(&shown)
    });
    let rows: Vec<Value> = rows.collect();
    format!("{}\n{}", table(&Webhook::crd(), &[json(&shown)], now), table(&WebhookEndpoint::crd(), &rows, now))
}

/// The sidecar's conditions and those that the operator would write besides them.
fn with_operators(reported: Option<&[Condition]>, own: &[(&str, &Outcome)], now: Timestamp) -> Vec<Condition> {
    let mut conditions = reported.unwrap_or_default().to_vec();
    let programmed = conditions.iter().any(|condition| condition.type_ == PROGRAMMED && condition.status == "True");
    let ready = match own.iter().find(|(_, outcome)| !outcome.is_true()) {
        Some((_, outcome)) => Outcome { status: Status::False, ..(*outcome).clone() },
        None if programmed => Outcome::holds(ready::READY, "Delivers with these settings"),
        None => {
            let message = "The delivery does not run with these settings yet".to_owned();
            Outcome { status: Status::False, reason: ready::NOT_PROGRAMMED, message }
        }
    };
    for (type_, outcome) in own.iter().copied().chain([(READY, &ready)]) {
        conditions.push(Condition {
            type_: type_.to_owned(),
            status: outcome.status.as_str().to_owned(),
            reason: outcome.reason.to_owned(),
            message: outcome.message.clone(),
            last_transition_time: Time(now),
            observed_generation: Some(1),
        });
    }
    conditions
}

/// Our own types have string keys and no values that JSON cannot express, so this cannot fail.
fn json(object: &impl serde::Serialize) -> Value {
    serde_json::to_value(object).expect("resources are expressible in JSON")
}
