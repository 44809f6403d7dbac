//! Writes what came of deliveries to the journal, and tells about those that ended.

use posthaste_journal::{Journal, Outcome, OutcomeKind};

use crate::telemetry::{Metrics, events::DeliveryFinished, labels::FinalState};

/// See the module.
pub struct Recorder {
    journal: Journal,
    metrics: Metrics,
}

impl Recorder {
    /// Writes to `journal` and counts in `metrics`.
    pub fn new(journal: Journal, metrics: Metrics) -> Self {
        Self { journal, metrics }
    }

    /// Records an outcome. `endpoint` is its name, `event_id` the event's id as far as it is known.
    ///
    /// Returns when the journal has taken it, which is before it is synced: a crash in between repeats the attempt.
    pub async fn record(&self, outcome: Outcome, endpoint: &str, event_id: Option<&str>) {
        let state = match outcome.kind {
            OutcomeKind::Succeeded { .. } => Some(FinalState::Succeeded),
            OutcomeKind::DeadLettered { .. } => Some(FinalState::DeadLettered),
            OutcomeKind::Retry { .. } => None,
        };
        self.journal.record(outcome).await;
        if let Some(state) = state {
            DeliveryFinished { endpoint, event_id, deliveries: 1, state }.emit(&self.metrics);
        }
    }

    /// Records outcomes of one endpoint's deliveries that were given up without an attempt. There may be a million of
    /// them: they are told about together.
    pub async fn given_up(&self, outcomes: Vec<Outcome>, endpoint: &str) {
        let deliveries = outcomes.len() as u64;
        for outcome in outcomes {
            self.journal.record(outcome).await;
        }
        let state = FinalState::DeadLettered;
        DeliveryFinished { endpoint, event_id: None, deliveries, state }.emit(&self.metrics);
    }
}
