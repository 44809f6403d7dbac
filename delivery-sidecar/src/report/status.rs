//! Builds the status that the sidecar owns: always its whole set of fields, because an apply deletes what it omits.
//!
//! Pure: views, transition times and the time come from the caller.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use posthaste_crds::{
    conditions::{ACCEPTING_EVENTS, ENDPOINTS_HEALTHY, HEALTHY, PROGRAMMED},
    v1alpha1::{
        ConfigurationStatus, EndpointCounts, EndpointDeliveryStatus, EndpointSigningStatus, LastFailure, TargetStatus,
        WebhookDeliveryStatus, WebhookEndpointStatus, WebhookStatus,
    },
};
use posthaste_delivery_config::StatusMode;

use super::{
    health::{self, ConditionStatus, Health},
    shown::{Counts, Programmed, count, find},
    totals::Totals,
    view::{EndpointView, IntakeState, WebhookView},
};

/// Most endpoints that are listed in their Webhook's status.
pub const MAX_TARGETS: usize = 16;

/// Since when an object's conditions have the status that they have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Transitions {
    programmed: Option<(ConditionStatus, Timestamp)>,
    intake: Option<(ConditionStatus, Timestamp)>,
    health: Option<(ConditionStatus, Timestamp)>,
}

impl Transitions {
    /// Reads them from an endpoint's status.
    pub fn of_endpoint(status: &WebhookEndpointStatus) -> Self {
        Self::of(status.conditions.as_deref(), HEALTHY)
    }

    /// Reads them from a Webhook's status.
    pub fn of_webhook(status: &WebhookStatus) -> Self {
        Self::of(status.conditions.as_deref(), ENDPOINTS_HEALTHY)
    }

    fn of(conditions: Option<&[Condition]>, health: &str) -> Self {
        let since = |type_| {
            let condition = find(conditions.unwrap_or_default(), type_)?;
            Some((ConditionStatus::parse(&condition.status), condition.last_transition_time.0))
        };
        Self { programmed: since(PROGRAMMED), intake: since(ACCEPTING_EVENTS), health: since(health) }
    }
}

/// An endpoint's status.
pub fn endpoint(
    view: &EndpointView,
    health: Health,
    mode: StatusMode,
    since: &Transitions,
    now: Timestamp,
) -> WebhookEndpointStatus {
    let programmed = Programmed::endpoint(view);
    let mut conditions = vec![programmed_condition(&programmed, since, now)];
    let mut status = WebhookEndpointStatus {
        configuration: Some(ConfigurationStatus { revision: Some(view.revision.to_string()) }),
        signing: Some(EndpointSigningStatus { active_key_ids: Some(view.active_key_ids.clone()), secret_name: None }),
        ..WebhookEndpointStatus::default()
    };
    if mode != StatusMode::Off {
        let message = health::message(view, health).into_owned();
        conditions.push(health_condition(HEALTHY, health, message, view.generation, since, now));
        status.delivery = Some(endpoint_delivery(view, now));
    }
    status.conditions = Some(conditions);
    status
}

fn endpoint_delivery(view: &EndpointView, now: Timestamp) -> EndpointDeliveryStatus {
    let counts = Counts::of(view);
    EndpointDeliveryStatus {
        observed_time: Some(seconds(now)),
        circuit: Some(counts.circuit.into()),
        delivered: Some(counts.delivered),
        failed: Some(counts.failed),
        retried: Some(counts.retried),
        dead_lettered: Some(counts.dead_lettered),
        pending: Some(counts.pending),
        consecutive_failures: Some(counts.consecutive_failures),
        oldest_pending_time: view.oldest_pending_ms.and_then(time),
        next_attempt_time: view.next_attempt_ms.and_then(time),
        last_success_time: view.stats.last_success_ms.and_then(time),
        last_failure: counts.last_failure.map(|(status_code, reason, message)| LastFailure {
            time: view.stats.last_failure.as_ref().and_then(|last| time(last.at_ms)),
            status_code,
            reason: Some(reason.into()),
            message: Some(message.into_owned()),
        }),
    }
}

/// A Webhook's status. `targets` are at most [`MAX_TARGETS`], in the order they are to be shown in.
pub fn webhook(
    view: &WebhookView,
    totals: &Totals,
    oldest_pending_ms: Option<i64>,
    targets: Vec<TargetStatus>,
    mode: StatusMode,
    since: &Transitions,
    now: Timestamp,
) -> WebhookStatus {
    let programmed = Programmed::webhook(view);
    let mut conditions = vec![programmed_condition(&programmed, since, now), intake_condition(view, since, now)];
    let mut status = WebhookStatus {
        configuration: Some(ConfigurationStatus { revision: Some(view.revision.to_string()) }),
        ..WebhookStatus::default()
    };
    if mode != StatusMode::Off {
        let health = totals.health();
        conditions.push(health_condition(ENDPOINTS_HEALTHY, health, totals.message(), view.generation, since, now));
        status.endpoints = Some(EndpointCounts {
            healthy: Some(count(totals.healthy)),
            failing: Some(count(totals.failing)),
            suspended: Some(count(totals.suspended)),
            display: Some(format!("{}/{}", totals.healthy, totals.endpoints())),
        });
        status.delivery = Some(WebhookDeliveryStatus {
            observed_time: Some(seconds(now)),
            delivered: Some(count(totals.delivered)),
            failed: Some(count(totals.failed)),
            retried: Some(count(totals.retried)),
            dead_lettered: Some(count(totals.dead_lettered)),
            pending: Some(count(totals.pending)),
            oldest_pending_time: oldest_pending_ms.and_then(time),
        });
        status.targets_omitted = Some(count(totals.endpoints().saturating_sub(targets.len() as u64)));
        status.targets = Some(targets);
    }
    status.conditions = Some(conditions);
    status
}

/// An endpoint as it is listed in its Webhook's status.
pub fn target(view: &EndpointView, health: Health) -> TargetStatus {
    TargetStatus {
        name: view.name.to_string(),
        url: view.display_url.clone(),
        healthy: Some(health.status.as_str().into()),
        reason: Some(health.reason.into()),
        delivered: Some(count(view.stats.delivered)),
        failed: Some(count(view.stats.failed)),
        consecutive_failures: Some(count(view.stats.consecutive_failures)),
        pending: Some(count(view.pending)),
        last_status_code: view.stats.last_status.map(i32::from),
        last_delivery_time: view.stats.last_attempt_ms.and_then(time),
    }
}

fn programmed_condition(programmed: &Programmed<'_>, since: &Transitions, now: Timestamp) -> Condition {
    Condition {
        type_: PROGRAMMED.into(),
        status: programmed.status.as_str().into(),
        reason: programmed.reason.into(),
        message: programmed.message.clone().into_owned(),
        observed_generation: Some(programmed.generation),
        last_transition_time: transition(since.programmed, programmed.status, now),
    }
}

fn intake_condition(view: &WebhookView, since: &Transitions, now: Timestamp) -> Condition {
    let status = if view.intake == IntakeState::Accepting { ConditionStatus::True } else { ConditionStatus::False };
    Condition {
        type_: ACCEPTING_EVENTS.into(),
        status: status.as_str().into(),
        reason: view.intake.reason().into(),
        message: view.intake.message().into(),
        observed_generation: Some(view.generation),
        last_transition_time: transition(since.intake, status, now),
    }
}

fn health_condition(
    type_: &str,
    health: Health,
    message: String,
    generation: i64,
    since: &Transitions,
    now: Timestamp,
) -> Condition {
    Condition {
        type_: type_.into(),
        status: health.status.as_str().into(),
        reason: health.reason.into(),
        message,
        observed_generation: Some(generation),
        last_transition_time: transition(since.health, health.status, now),
    }
}

fn transition(since: Option<(ConditionStatus, Timestamp)>, status: ConditionStatus, now: Timestamp) -> Time {
    match since {
        Some((was, since)) if was == status => Time(since),
        _ => seconds(now),
    }
}

/// Kubernetes' times have whole seconds.
fn seconds(time: Timestamp) -> Time {
    Time(Timestamp::from_second(time.as_second()).unwrap_or(time))
}

fn time(since_epoch_ms: i64) -> Option<Time> {
    Timestamp::from_millisecond(since_epoch_ms).ok().map(seconds)
}

#[cfg(test)]
mod tests;
