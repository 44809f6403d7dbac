//! Last step: writes the operator's part of a Webhook's status, if it is another one than what is there.
//!
//! What is to be said is decided without a client, from what was judged and applied and from what the watches saw.

use jiff::Timestamp;
use kube::{Resource, api::ApiResource};
use posthaste_crds::{
    conditions::{self as names, programmed, ready},
    names as objects,
    v1alpha1::{Address, Webhook, WebhookStatus},
};
use posthaste_delivery_config::resolve::{Outcome, Refusal, Status};

use crate::{
    children::Rollout,
    conditions::{condition, find, holds_for, of_types},
    context::Context,
    events::warnings,
    key::Key,
    status::{Manager, StatusWriter},
};

/// The conditions that the operator writes, in the order in which it writes them.
const OURS: [&str; 3] = [names::READY, names::ACCEPTED, names::RESOLVED_REFS];

/// What a Webhook's status says.
pub struct Findings {
    /// Condition `Accepted`.
    pub accepted: Outcome,
    /// Condition `ResolvedRefs`.
    pub resolved_refs: Outcome,
    /// How many endpoints receive its events; `None` if that was not found out this time.
    pub attached: Option<usize>,
    /// The Deployment's rollout, if the Deployment is there and as it was applied last.
    pub rollout: Option<Rollout>,
    /// Whether a sidecar may be in charge.
    pub delivering: bool,
}

/// The operator's part of the status.
pub fn desired(webhook: &Webhook, findings: &Findings, now: Timestamp) -> WebhookStatus {
    let observed = webhook.status.clone().unwrap_or_default();
    let before = observed.conditions.as_deref();
    let (name, namespace) = (webhook.metadata.name.as_deref(), webhook.metadata.namespace.as_deref());
    let (name, namespace) = (name.unwrap_or_default(), namespace.unwrap_or_default());
    let generation = webhook.metadata.generation.unwrap_or(0);
    let make = |type_, outcome: &Outcome| condition(type_, outcome, generation, find(before, type_), now);
    let tls = webhook.spec.ingest.as_ref().is_some_and(|ingest| ingest.tls.is_some());
    let url = if tls { objects::ingest_https_url } else { objects::ingest_url };
    let attached = findings.attached.and_then(|count| i64::try_from(count).ok()).or(observed.attached_endpoints);
    WebhookStatus {
        observed_generation: Some(generation),
        replicas: Some(findings.rollout.as_ref().map_or(observed.replicas.unwrap_or(0), |rollout| rollout.replicas)),
        selector: Some(objects::selector(name)),
        address: Some(Address { url: Some(url(name, namespace)) }),
        attached_endpoints: Some(attached.unwrap_or(0)),
        conditions: Some(vec![
            make(names::READY, &readiness(webhook, findings)),
            make(names::ACCEPTED, &findings.accepted),
            make(names::RESOLVED_REFS, &findings.resolved_refs),
        ]),
        ..WebhookStatus::default()
    }
}

/// Condition `Ready`: the first thing that is missing.
fn readiness(webhook: &Webhook, findings: &Findings) -> Outcome {
    let not = |reason, message: String| Outcome::from(Refusal::new(reason, message));
    let generation = webhook.metadata.generation.unwrap_or(0);
    let conditions = webhook.status.as_ref().and_then(|status| status.conditions.as_deref());
    let programmed = find(conditions, names::PROGRAMMED);
    if !findings.accepted.is_true() {
        return not(ready::NOT_ACCEPTED, findings.accepted.message.clone());
    }
    if !findings.resolved_refs.is_true() {
        return not(ready::UNRESOLVED_REFS, findings.resolved_refs.message.clone());
    }
    if webhook.spec.replicas == 0 {
        return not(ready::SCALED_TO_ZERO, "replicas is 0: no events are taken or delivered; set it to 1".to_owned());
    }
    // The pod is not ready then, but waiting for it is not what would help.
    if let Some(refusing) = find(conditions, names::ACCEPTING_EVENTS).filter(|condition| condition.status == "False") {
        let reasons = [ready::JOURNAL_FULL, ready::JOURNAL_FAILING];
        let reason = reasons.into_iter().find(|reason| *reason == refusing.reason).unwrap_or(ready::NOT_PROGRAMMED);
        return not(reason, refusing.message.clone());
    }
    match &findings.rollout {
        Some(rollout) if is_complete(rollout, webhook.spec.replicas) => {}
        rollout => {
            let problem = rollout.as_ref().and_then(|rollout| rollout.problem.clone());
            let name = objects::delivery(webhook.metadata.name.as_deref().unwrap_or_default());
            let message = problem.map_or_else(
                || format!("Waiting for the pod of Deployment {name:?} to become ready"),
                |problem| format!("Deployment {name:?} does not get on: {problem}"),
            );
            return not(ready::DEPLOYMENT_NOT_READY, message);
        }
    }
    if !holds_for(programmed, generation) {
        let problem = programmed.filter(|condition| condition.reason == programmed::INVALID_CONFIGURATION);
        let message = problem.map_or_else(
            || format!("Waiting for the delivery sidecar to run the configuration of generation {generation}"),
            |condition| condition.message.clone(),
        );
        return not(ready::NOT_PROGRAMMED, message);
    }
    Outcome::holds(ready::READY, "Events are accepted and delivered")
}

/// Whether all pods are of the current template and available, and no others are left.
fn is_complete(rollout: &Rollout, replicas: i32) -> bool {
    rollout.observed_generation >= rollout.generation
        && [rollout.replicas, rollout.updated, rollout.available].iter().all(|count| *count == replicas)
}

/// The operator's part of what is there now.
fn ours(status: Option<&WebhookStatus>) -> Option<WebhookStatus> {
    let status = status?;
    Some(WebhookStatus {
        observed_generation: status.observed_generation,
        replicas: status.replicas,
        selector: status.selector.clone(),
        address: status.address.clone(),
        attached_endpoints: status.attached_endpoints,
        conditions: Some(of_types(status.conditions.as_deref(), &OURS)),
        ..WebhookStatus::default()
    })
}

/// What is left of the sidecar's part when no sidecar is in charge: written in its name, so that its fields go. `None`
/// if nothing has to be written.
pub fn released(webhook: &Webhook, now: Timestamp) -> Option<WebhookStatus> {
    let before = find(webhook.status.as_ref()?.conditions.as_deref(), names::PROGRAMMED)?;
    if before.reason == programmed::NOT_DELIVERING {
        return None;
    }
    let outcome = not_delivering("No delivery pod runs for this Webhook");
    let generation = webhook.metadata.generation.unwrap_or(0);
    Some(WebhookStatus {
        conditions: Some(vec![condition(names::PROGRAMMED, &outcome, generation, Some(before), now)]),
        ..WebhookStatus::default()
    })
}

/// `Unknown`, because nobody is there who knows.
pub fn not_delivering(message: &str) -> Outcome {
    Outcome { status: Status::Unknown, reason: programmed::NOT_DELIVERING, message: message.to_owned() }
}

/// Writes what differs.
///
/// # Errors
/// When the API server does not take it.
pub async fn update_status(
    context: &Context,
    key: &Key,
    webhook: &Webhook,
    findings: &Findings,
    now: Timestamp,
) -> Result<(), kube::Error> {
    let writer = StatusWriter {
        client: &context.shared.client,
        metrics: &context.shared.metrics,
        resource: ApiResource::erase::<Webhook>(&()),
        label: "Webhook/status",
    };
    if !findings.delivering
        && let Some(released) = released(webhook, now)
    {
        writer.apply(key, Manager::Delivery, &released).await?;
    }
    let desired = desired(webhook, findings, now);
    if ours(webhook.status.as_ref()).as_ref() == Some(&desired) {
        return Ok(());
    }
    if writer.apply(key, Manager::Operator, &desired).await? {
        let before = webhook.status.as_ref().and_then(|status| status.conditions.as_deref());
        let warnings = warnings(
            before,
            desired.conditions.as_deref().unwrap_or_default(),
            &[names::ACCEPTED, names::RESOLVED_REFS],
        );
        context.shared.events.publish(&webhook.object_ref(&()), warnings).await;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
