//! What the reporter counts about itself. All labels are bounded.

use std::time::Duration;

use prometheus_client::{
    encoding::{EncodeLabelSet, EncodeLabelValue},
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::{Registry, Unit},
};

use super::planner::Savings;

/// The reporter's metrics. Clones count together.
#[derive(Clone, Debug)]
pub struct ReportMetrics {
    requests: Family<RequestLabels, Counter>,
    duration: Histogram,
    coalesced: Counter,
    skipped: Counter,
    waiting: Gauge,
}

/// A kind of request and what became of it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct RequestLabels {
    /// Which kind of object.
    pub kind: Kind,
    /// What was asked for.
    pub operation: Operation,
    /// What became of it.
    pub result: RequestResult,
}

/// A kind of object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelValue)]
pub enum Kind {
    /// The Webhook.
    Webhook,
    /// An endpoint.
    WebhookEndpoint,
}

/// What was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelValue)]
pub enum Operation {
    /// To show what is there; stores nothing.
    Look,
    /// To store a status.
    Apply,
}

/// What became of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelValue)]
pub enum RequestResult {
    /// It worked.
    Success,
    /// There is no such object.
    Gone,
    /// Another object has its name.
    Replaced,
    /// The API server could not serve it.
    Unavailable,
    /// The API server did not want it.
    Refused,
}

impl Default for ReportMetrics {
    fn default() -> Self {
        Self {
            requests: Family::default(),
            duration: Histogram::new([0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0]),
            coalesced: Counter::default(),
            skipped: Counter::default(),
            waiting: Gauge::default(),
        }
    }
}

impl ReportMetrics {
    /// Registers all of them, named `status_...`.
    pub fn register(&self, registry: &mut Registry) {
        registry.register(
            "status_requests",
            "Requests to the API server about the status of resources, by what became of them",
            self.requests.clone(),
        );
        registry.register_with_unit(
            "status_request_duration",
            "How long requests about the status of resources took",
            Unit::Seconds,
            self.duration.clone(),
        );
        registry.register(
            "status_changes_coalesced",
            "Changes that were written together with a later change of the same resource",
            self.coalesced.clone(),
        );
        registry.register(
            "status_writes_skipped",
            "Writes that were not needed any more, because the resource was again as displayed",
            self.skipped.clone(),
        );
        registry.register(
            "status_resources_waiting",
            "Resources whose displayed status waits to be written",
            self.waiting.clone(),
        );
    }

    pub(super) fn request(&self, labels: &RequestLabels, elapsed: Duration) {
        self.requests.get_or_create(labels).inc();
        self.duration.observe(elapsed.as_secs_f64());
    }

    pub(super) fn plan(&self, savings: Savings, waiting: usize) {
        self.coalesced.inc_by(savings.coalesced);
        self.skipped.inc_by(savings.skipped);
        self.waiting.set(i64::try_from(waiting).unwrap_or(i64::MAX));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_labels_are_what_dashboards_use() {
        let metrics = ReportMetrics::default();
        let mut registry = Registry::default();
        metrics.register(&mut registry);
        let labels = RequestLabels { kind: Kind::Webhook, operation: Operation::Apply, result: RequestResult::Success };
        metrics.request(&labels, Duration::from_millis(30));
        metrics.plan(Savings { coalesced: 3, skipped: 1 }, 2);
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &registry).unwrap();
        for line in [
            r#"status_requests_total{kind="Webhook",operation="Apply",result="Success"} 1"#,
            "status_request_duration_seconds_count 1",
            "status_changes_coalesced_total 3",
            "status_writes_skipped_total 1",
            "status_resources_waiting 2",
        ] {
            assert!(text.contains(line), "{line} is not in\n{text}");
        }
    }
}
