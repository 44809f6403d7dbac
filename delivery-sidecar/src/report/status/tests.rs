//! The exact fields, and that a status read back is recognised.

use posthaste_journal::{EndpointStats, Failure, LastFailure as StatsFailure};
use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::report::{
    health::judge,
    shown,
    testing::{failed, succeeded, view, webhook as webhook_view},
};
use crate::schedule::{Circuit, Exhausted, Identity};

const NOON: &str = "2026-01-01T12:00:00.75Z";

fn at(time: &str) -> Timestamp {
    time.parse().unwrap()
}

fn build(view: &EndpointView, mode: StatusMode, since: &Transitions, now: &str) -> WebhookEndpointStatus {
    endpoint(view, judge(view), mode, since, at(now))
}

#[test]
fn an_endpoint_has_exactly_the_sidecars_fields() {
    let mut view = view("a");
    succeeded(&mut view, 1_767_268_000_000);
    (0..3).for_each(|_| failed(&mut view, 1_767_268_799_900, "ServerError", Some(503)));
    view.pending = 4;
    view.circuit = Circuit::Open;
    view.oldest_pending_ms = Some(1_767_268_700_000);
    view.next_attempt_ms = Some(1_767_269_000_000);
    let status = build(&view, StatusMode::Full, &Transitions::default(), NOON);
    assert_eq!(
        serde_json::to_value(&status).unwrap(),
        json!({
            "configuration": {"revision": "r1"},
            "signing": {"activeKeyIDs": ["k1"]},
            "conditions": [
                {"type": "Programmed", "status": "True", "reason": "Programmed", "observedGeneration": 1,
                 "message": "The configuration runs.", "lastTransitionTime": "2026-01-01T12:00:00Z"},
                {"type": "Healthy", "status": "False", "reason": "ServerError", "observedGeneration": 1,
                 "message": "Deliveries fail: the receiver said no", "lastTransitionTime": "2026-01-01T12:00:00Z"},
            ],
            "delivery": {
                "observedTime": "2026-01-01T12:00:00Z",
                "circuit": "Open",
                "delivered": 1, "failed": 3, "retried": 0, "deadLettered": 0, "pending": 4,
                "consecutiveFailures": 3,
                "oldestPendingTime": "2026-01-01T11:58:20Z",
                "nextAttemptTime": "2026-01-01T12:03:20Z",
                "lastSuccessTime": "2026-01-01T11:46:40Z",
                "lastFailure": {"time": "2026-01-01T11:59:59Z", "statusCode": 503, "reason": "ServerError",
                                "message": "the receiver said no"},
            },
        })
    );
}

#[test]
fn off_shows_what_ready_needs_and_nothing_else() {
    let status = build(&view("a"), StatusMode::Off, &Transitions::default(), NOON);
    let status = serde_json::to_value(&status).unwrap();
    let fields: Vec<&String> = status.as_object().unwrap().keys().collect();
    assert_eq!(fields, ["conditions", "configuration", "signing"]);
    assert_eq!(status["conditions"].as_array().unwrap().len(), 1);
    let status =
        webhook(&webhook_view(), &Totals::default(), None, vec![], StatusMode::Off, &Transitions::default(), at(NOON));
    let status = serde_json::to_value(&status).unwrap();
    let fields: Vec<&String> = status.as_object().unwrap().keys().collect();
    assert_eq!(fields, ["conditions", "configuration"]);
}

#[test]
fn a_webhook_has_exactly_the_sidecars_fields() {
    let mut failing = view("a");
    (0..2).for_each(|_| failed(&mut failing, 1_767_268_799_900, "Timeout", None));
    let totals = Totals {
        healthy: 405,
        failing: 5,
        suspended: 2,
        delivered: 90,
        failed: 8,
        retried: 7,
        dead_lettered: 3,
        pending: 2,
    };
    let status = webhook(
        &webhook_view(),
        &totals,
        Some(1_767_268_700_000),
        vec![target(&failing, judge(&failing))],
        StatusMode::Full,
        &Transitions::default(),
        at(NOON),
    );
    assert_eq!(
        serde_json::to_value(&status).unwrap(),
        json!({
            "configuration": {"revision": "r1"},
            "conditions": [
                {"type": "Programmed", "status": "True", "reason": "Programmed", "observedGeneration": 1,
                 "message": "The configuration runs.", "lastTransitionTime": "2026-01-01T12:00:00Z"},
                {"type": "AcceptingEvents", "status": "True", "reason": "Accepting", "observedGeneration": 1,
                 "message": "Events are taken in.", "lastTransitionTime": "2026-01-01T12:00:00Z"},
                {"type": "EndpointsHealthy", "status": "False", "reason": "SomeFailing", "observedGeneration": 1,
                 "message": "5 of 412 endpoints fail.", "lastTransitionTime": "2026-01-01T12:00:00Z"},
            ],
            "endpoints": {"healthy": 405, "failing": 5, "suspended": 2, "display": "405/412"},
            "delivery": {"observedTime": "2026-01-01T12:00:00Z", "delivered": 90, "failed": 8, "retried": 7,
                         "deadLettered": 3, "pending": 2, "oldestPendingTime": "2026-01-01T11:58:20Z"},
            "targets": [{"name": "name-a", "url": "https://hooks.example.com", "healthy": "False",
                         "reason": "Timeout", "delivered": 0, "failed": 2, "consecutiveFailures": 2, "pending": 0,
                         "lastDeliveryTime": "2026-01-01T11:59:59Z"}],
            "targetsOmitted": 411,
        })
    );
}

#[test]
fn transition_times_stay_until_the_status_changes() {
    let mut view = view("a");
    let first = build(&view, StatusMode::Full, &Transitions::default(), "2026-01-01T00:00:00Z");
    succeeded(&mut view, 1);
    let second = build(&view, StatusMode::Full, &Transitions::of_endpoint(&first), "2026-01-01T01:00:00Z");
    let third = build(&view, StatusMode::Full, &Transitions::of_endpoint(&second), "2026-01-01T02:00:00Z");
    let times = |status: &WebhookEndpointStatus| {
        let conditions = status.conditions.as_ref().unwrap().iter();
        conditions.map(|condition| condition.last_transition_time.0.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(times(&second), ["2026-01-01T00:00:00Z", "2026-01-01T01:00:00Z"]);
    assert_eq!(times(&third), times(&second));
}

#[test]
fn a_configuration_that_cannot_run_is_said() {
    let mut view = view("a");
    view.config_error = Some("spec.target.url: has no host".into());
    let status = build(&view, StatusMode::Full, &Transitions::default(), NOON);
    let condition = &status.conditions.unwrap()[0];
    assert_eq!((condition.status.as_str(), condition.reason.as_str()), ("False", "InvalidConfiguration"));
    assert_eq!(condition.message, "spec.target.url: has no host");
}

fn any_view() -> impl Strategy<Value = EndpointView> {
    let failure = (0i64..9_999_999, any::<Option<u16>>(), "[A-Z][a-z]{0,8}|Gone|Timeout", "\\PC{0,300}").prop_map(
        |(at_ms, status, reason, message)| StatsFailure { at_ms, failure: Failure { status, reason, message } },
    );
    let flags = (any::<bool>(), any::<bool>(), any::<bool>(), proptest::option::of("\\PC{1,300}"));
    let stopped = Exhausted::Stopped(Identity { generation: 1, url_fingerprint: 1 });
    let exhausted = proptest::sample::select(vec![None, Some(Exhausted::Marked), Some(stopped)]);
    let circuit = proptest::sample::select(&[Circuit::Closed, Circuit::Open, Circuit::HalfOpen][..]);
    let counts = (any::<u64>(), any::<u64>(), 0u64..5, 0u64..3, proptest::option::of(0i64..9_999_999));
    let keys = proptest::collection::vec("[a-z]{1,5}", 0..3);
    (flags, counts, proptest::option::of(failure), keys, (circuit, exhausted)).prop_map(
        |((enabled, suspended, gone, config_error), counts, last_failure, active_key_ids, (circuit, exhausted))| {
            EndpointView {
                enabled,
                suspended,
                gone,
                exhausted,
                circuit,
                config_error,
                active_key_ids,
                pending: counts.0,
                stats: EndpointStats {
                    delivered: counts.1,
                    consecutive_failures: counts.2,
                    dead_lettered: counts.3,
                    last_success_ms: counts.4,
                    last_failure,
                    ..EndpointStats::default()
                },
                ..view("a")
            }
        },
    )
}

proptest! {
    /// Otherwise a restart would write every object again, or leave a change unwritten.
    #[test]
    fn a_status_read_back_has_the_digest_of_its_view(view in any_view()) {
        for mode in [StatusMode::Full, StatusMode::Transitions, StatusMode::Off] {
            let status = build(&view, mode, &Transitions::default(), NOON);
            let read: WebhookEndpointStatus = serde_json::from_value(serde_json::to_value(&status).unwrap()).unwrap();
            prop_assert_eq!(&read, &status);
            prop_assert_eq!(shown::endpoint_found(&read), Some(shown::endpoint(&view, judge(&view)).under(mode)));
        }
    }

    #[test]
    fn a_webhook_read_back_has_the_digest_of_its_view(
        counts in proptest::array::uniform5(0u64..1_000_000_000_000), groups in proptest::array::uniform3(0u64..3),
    ) {
        let totals = Totals {
            healthy: groups[0], failing: groups[1], suspended: groups[2], delivered: counts[0], failed: counts[1],
            retried: counts[2], dead_lettered: counts[3], pending: counts[4],
        };
        for mode in [StatusMode::Full, StatusMode::Transitions, StatusMode::Off] {
            let status = webhook(&webhook_view(), &totals, None, vec![], mode, &Transitions::default(), at(NOON));
            let read = serde_json::from_value(serde_json::to_value(&status).unwrap()).unwrap();
            prop_assert_eq!(shown::webhook_found(&read), Some(shown::webhook(&webhook_view(), &totals).under(mode)));
        }
    }
}
