//! Small inputs for this module's tests.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use posthaste_delivery_config::{DeliveryOrdering, OnExhausted, RetryPolicy};
use posthaste_journal::{Failure, Ordinal};

use super::LaneSettings;
use crate::{
    event::Event,
    send::{FailureClass, Verdict},
};

/// An event of that id.
pub(crate) fn event(id: &str) -> Arc<Event> {
    Arc::new(Event {
        id: id.to_owned(),
        event_type: "order.created".to_owned(),
        source: None,
        subject: None,
        tenant: None,
        time: "2026-01-01T00:00:00.000Z".to_owned(),
        data: Bytes::from_static(b"{}"),
        metadata: None,
    })
}

/// Concurrency 1, retries after 1 s and 10 s, no jitter.
pub(crate) fn settings() -> LaneSettings {
    LaneSettings {
        generation: 1,
        url_fingerprint: 1,
        suspend: false,
        retry_after_max_ms: 86_400_000,
        concurrency: 1,
        circuit_breaker: None,
        rate_limit: None,
        ordering: DeliveryOrdering::None,
        on_exhausted: OnExhausted::Continue,
        retry: RetryPolicy { schedule_ms: vec![1_000, 10_000], jitter_percent: 0, max_age_ms: 360_000_000 },
    }
}

/// The same settings for endpoints 0..count.
pub(crate) fn lanes(count: u32, settings: &LaneSettings) -> Vec<(Ordinal, LaneSettings)> {
    (0..count).map(|ordinal| (Ordinal(ordinal), settings.clone())).collect()
}

/// A 2xx.
pub(crate) fn succeeded() -> Verdict {
    Verdict::Succeeded { status: 200 }
}

/// A failure of that class.
pub(crate) fn failed(class: FailureClass) -> Verdict {
    asked_to_wait(class, None)
}

/// A failure of that class, with a `Retry-After`.
pub(crate) fn asked_to_wait(class: FailureClass, retry_after: Option<Duration>) -> Verdict {
    Verdict::Failed { failure: failure(), retry_after, class }
}

/// Why attempts fail here.
pub(crate) fn failure() -> Failure {
    Failure { status: Some(500), reason: "ServerError".to_owned(), message: "answered 500".to_owned() }
}
