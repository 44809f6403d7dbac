//! An event and an attempt for tests to change.

use bytes::Bytes;

use super::Attempt;
use crate::{endpoint::Endpoint, event::Event};

pub fn event() -> Event {
    Event {
        id: "evt-1".to_owned(),
        event_type: "order.created".to_owned(),
        source: None,
        subject: None,
        tenant: None,
        time: "2026-01-02T03:04:05.678Z".to_owned(),
        data: Bytes::from_static(b"{\"total\": 1.0}"),
        metadata: None,
    }
}

pub fn attempt<'a>(endpoint: &'a Endpoint, event: &'a Event) -> Attempt<'a> {
    Attempt {
        endpoint,
        event,
        webhook_name: "orders",
        webhook_namespace: "shop",
        number: 3,
        now: "2026-01-02T04:00:00.5Z".parse().expect("a good time"),
    }
}
