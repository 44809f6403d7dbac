//! Views for tests.

use posthaste_journal::{EndpointStats, Failure, LastFailure};

use super::{
    totals::Totals,
    view::{EndpointView, WebhookView},
};
use crate::schedule::Circuit;

/// An endpoint that is loaded and had no traffic.
pub fn view(uid: &str) -> EndpointView {
    EndpointView {
        uid: uid.into(),
        name: format!("name-{uid}").into(),
        generation: 1,
        revision: "r1".into(),
        config_error: None,
        display_url: Some("https://hooks.example.com".into()),
        enabled: true,
        suspended: false,
        gone: false,
        exhausted: None,
        circuit: Circuit::Closed,
        active_key_ids: vec!["k1".into()],
        stats: EndpointStats::default(),
        pending: 0,
        oldest_pending_ms: None,
        next_attempt_ms: None,
    }
}

/// A Webhook that is loaded.
pub fn webhook() -> WebhookView {
    let intake = crate::report::IntakeState::Accepting;
    WebhookView {
        generation: 1,
        revision: "r1".into(),
        config_error: None,
        intake,
        others: Totals::default(),
        others_oldest_pending_ms: None,
    }
}

/// One attempt succeeds.
pub fn succeeded(view: &mut EndpointView, at_ms: i64) {
    let stats = &mut view.stats;
    stats.delivered += 1;
    stats.consecutive_failures = 0;
    stats.last_status = Some(200);
    stats.last_attempt_ms = Some(at_ms);
    stats.last_success_ms = Some(at_ms);
}

/// One attempt fails.
pub fn failed(view: &mut EndpointView, at_ms: i64, reason: &str, code: Option<u16>) {
    let stats = &mut view.stats;
    stats.failed += 1;
    stats.consecutive_failures += 1;
    stats.last_status = code;
    stats.last_attempt_ms = Some(at_ms);
    let failure = Failure { status: code, reason: reason.into(), message: "the receiver said no".into() };
    stats.last_failure = Some(LastFailure { at_ms, failure });
}
