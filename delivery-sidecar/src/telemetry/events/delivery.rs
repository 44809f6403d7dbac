//! Events about attempts and deliveries. Single attempts are logged at level debug: an endpoint that is down for a day
//! shows in metrics and in its status, not in a million lines.

use tracing::{debug, info, warn};

use crate::{
    send::{Report, Verdict},
    telemetry::{
        Metrics,
        labels::{ByResult, ByState, FinalState, SUCCEEDED, failure_reason},
    },
};

/// An attempt ended.
#[derive(Debug)]
pub struct AttemptFinished<'a> {
    /// Name of the endpoint.
    pub endpoint: &'a str,
    /// Id of the event.
    pub event_id: &'a str,
    /// Its number, from 1.
    pub attempt: u32,
    /// What came of it.
    pub report: &'a Report,
}

impl AttemptFinished<'_> {
    /// Logs and counts it.
    pub fn emit(&self, metrics: &Metrics) {
        let Self { endpoint, event_id, attempt, report } = *self;
        let seconds = report.elapsed.as_secs_f64();
        let result = match &report.verdict {
            Verdict::Succeeded { status } => {
                debug!(endpoint, event_id, attempt, status, seconds, "delivered");
                SUCCEEDED
            }
            Verdict::Failed { failure, .. } => {
                let (status, reason, message) = (failure.status, &failure.reason, &failure.message);
                debug!(endpoint, event_id, attempt, status, reason, message, seconds, "attempt failed");
                failure_reason(reason)
            }
        };
        metrics.attempts.get_or_create(&ByResult { result }).inc();
        metrics.attempt_seconds.observe(seconds);
    }
}

/// Deliveries were given up because their endpoint had more pending than it may. Each is told of as a
/// [`DeliveryFinished`] too.
#[derive(Debug)]
pub struct Overflowed<'a> {
    /// Name of the endpoint.
    pub endpoint: &'a str,
    /// How many.
    pub deliveries: u64,
}

impl Overflowed<'_> {
    /// Logs and counts it.
    pub fn emit(&self, metrics: &Metrics) {
        let Self { endpoint, deliveries } = *self;
        metrics.overflowed.inc_by(deliveries);
        warn!(endpoint, deliveries, "too much is pending for an endpoint; its oldest deliveries were given up");
    }
}

/// Deliveries to one endpoint ended.
#[derive(Debug)]
pub struct DeliveryFinished<'a> {
    /// Name of the endpoint, or its UID when its name is no longer known.
    pub endpoint: &'a str,
    /// Id of the event, when it is about a single one.
    pub event_id: Option<&'a str>,
    /// How many ended.
    pub deliveries: u64,
    /// How.
    pub state: FinalState,
}

impl DeliveryFinished<'_> {
    /// Logs and counts it.
    pub fn emit(&self, metrics: &Metrics) {
        let Self { endpoint, event_id, deliveries, state } = *self;
        metrics.deliveries.get_or_create(&ByState { state }).inc_by(deliveries);
        match state {
            FinalState::Succeeded => {}
            FinalState::DeadLettered => info!(endpoint, event_id, deliveries, "given up and kept as a dead letter"),
            FinalState::Dropped => info!(endpoint, event_id, deliveries, "dropped because the endpoint was deleted"),
        }
    }
}
