//! What an endpoint's status says, and writing it if that is news.

use jiff::Timestamp;
use kube::{Resource, api::ApiResource};
use posthaste_crds::{
    conditions::{self as names, programmed, ready},
    v1alpha1::{EndpointSigningStatus, WebhookEndpoint, WebhookEndpointStatus},
};
use posthaste_delivery_config::resolve::{Outcome, Refusal};

use crate::{
    board::Verdict,
    conditions::{condition, find, holds_for, of_types},
    context::Context,
    events::warnings,
    key::Key,
    status::{Manager, StatusWriter},
    webhook::update_status::not_delivering,
};

/// The conditions that the operator writes, in the order in which it writes them.
const OURS: [&str; 3] = [names::READY, names::ACCEPTED, names::RESOLVED_REFS];

/// The operator's part of the status.
pub fn desired(endpoint: &WebhookEndpoint, verdict: &Verdict, now: Timestamp) -> WebhookEndpointStatus {
    let before = endpoint.status.as_ref().and_then(|status| status.conditions.as_deref());
    let make = |type_, outcome: &Outcome| condition(type_, outcome, verdict.generation, find(before, type_), now);
    WebhookEndpointStatus {
        observed_generation: Some(verdict.generation),
        conditions: Some(vec![
            make(names::READY, &readiness(endpoint, verdict)),
            make(names::ACCEPTED, &verdict.accepted),
            make(names::RESOLVED_REFS, &verdict.resolved_refs),
        ]),
        signing: verdict
            .signing_secret
            .as_ref()
            .map(|name| EndpointSigningStatus { secret_name: Some(name.clone()), active_key_ids: None }),
        ..WebhookEndpointStatus::default()
    }
}

/// Condition `Ready`: the first thing that is missing.
fn readiness(endpoint: &WebhookEndpoint, verdict: &Verdict) -> Outcome {
    let not = |reason, message: &str| Outcome::from(Refusal::new(reason, message));
    let programmed = find(endpoint.status.as_ref().and_then(|status| status.conditions.as_deref()), names::PROGRAMMED);
    if !verdict.accepted.is_true() {
        return not(ready::NOT_ACCEPTED, &verdict.accepted.message);
    }
    if !verdict.resolved_refs.is_true() {
        return not(ready::UNRESOLVED_REFS, &verdict.resolved_refs.message);
    }
    if !verdict.delivering {
        return not(ready::NOT_PROGRAMMED, "No delivery pod runs for the Webhook; its condition Ready says why");
    }
    if !holds_for(programmed, verdict.generation) {
        let problem = programmed.filter(|condition| condition.reason == programmed::INVALID_CONFIGURATION);
        let waiting =
            format!("Waiting for the delivery sidecar to run the settings of generation {}", verdict.generation);
        return not(ready::NOT_PROGRAMMED, problem.map_or(&waiting, |condition| &condition.message));
    }
    Outcome::holds(ready::READY, "Events are delivered with the current settings")
}

/// The operator's part of what is there now.
fn ours(status: Option<&WebhookEndpointStatus>) -> Option<WebhookEndpointStatus> {
    let status = status?;
    let secret_name = status.signing.as_ref().and_then(|signing| signing.secret_name.clone());
    Some(WebhookEndpointStatus {
        observed_generation: status.observed_generation,
        conditions: Some(of_types(status.conditions.as_deref(), &OURS)),
        signing: secret_name.map(|name| EndpointSigningStatus { secret_name: Some(name), active_key_ids: None }),
        ..WebhookEndpointStatus::default()
    })
}

/// What is left of the sidecar's part when no sidecar is in charge of the endpoint: written in the sidecar's name, so
/// that its fields go. `None` if nothing has to be written.
pub fn released(endpoint: &WebhookEndpoint, verdict: &Verdict, now: Timestamp) -> Option<WebhookEndpointStatus> {
    let before = endpoint.status.as_ref()?.conditions.as_deref();
    if find(before, names::PROGRAMMED)?.reason == programmed::NOT_DELIVERING {
        return None;
    }
    let outcome = not_delivering("Nothing is delivered to this endpoint now; its condition Ready says why");
    let make = |type_| condition(type_, &outcome, verdict.generation, find(before, type_), now);
    Some(WebhookEndpointStatus {
        conditions: Some(vec![make(names::PROGRAMMED), make(names::HEALTHY)]),
        ..WebhookEndpointStatus::default()
    })
}

/// Writes what differs.
///
/// # Errors
/// When the API server does not take it.
pub async fn update_status(
    context: &Context,
    key: &Key,
    endpoint: &WebhookEndpoint,
    verdict: &Verdict,
    now: Timestamp,
) -> Result<(), kube::Error> {
    let writer = StatusWriter {
        client: &context.shared.client,
        metrics: &context.shared.metrics,
        resource: ApiResource::erase::<WebhookEndpoint>(&()),
        label: "WebhookEndpoint/status",
    };
    if !verdict.delivering
        && let Some(released) = released(endpoint, verdict, now)
    {
        writer.apply(key, Manager::Delivery, &released).await?;
    }
    let desired = desired(endpoint, verdict, now);
    if ours(endpoint.status.as_ref()).as_ref() == Some(&desired) {
        return Ok(());
    }
    if writer.apply(key, Manager::Operator, &desired).await? {
        let before = endpoint.status.as_ref().and_then(|status| status.conditions.as_deref());
        let after = desired.conditions.as_deref().unwrap_or_default();
        let warnings = warnings(before, after, &[names::ACCEPTED, names::RESOLVED_REFS]);
        context.shared.events.publish(&endpoint.object_ref(&()), warnings).await;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
