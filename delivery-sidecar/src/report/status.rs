//! Builds the status that the sidecar owns: always its whole set of fields, because an apply deletes what it omits.
//!
//! Pure: views, transition times and the time come from the caller.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use posthaste_crds::{
    conditions::{ENDPOINTS_HEALTHY, HEALTHY, PROGRAMMED},
    v1alpha1::{
        ConfigurationStatus, EndpointCounts, EndpointDeliveryStatus, EndpointSigningStatus, LastFailure, TargetStatus,
        WebhookDeliveryStatus, WebhookEndpointStatus, WebhookStatus,
    },
};
use posthaste_delivery_config::StatusMode;

use super::{
    digest::{Counts, Programmed, count, find},
    health::{self, ConditionStatus, Health},
    totals::Totals,
    view::{EndpointView, WebhookView},
};

/// Most endpoints that are listed in their Webhook's status.
pub const MAX_TARGETS: usize = 16;

/// Since when an object's conditions have the status that they have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Transitions {
    programmed: Option<(ConditionStatus, Timestamp)>,
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
        Self { programmed: since(PROGRAMMED), health: since(health) }
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
    let mut conditions = vec![programmed_condition(&programmed, since, now)];
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
mod tests {
    use posthaste_journal::{EndpointStats, Failure, LastFailure as StatsFailure};
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::report::{
        digest,
        health::judge,
        testing::{failed, succeeded, view, webhook as webhook_view},
    };

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
        let status = webhook(
            &webhook_view(),
            &Totals::default(),
            None,
            vec![],
            StatusMode::Off,
            &Transitions::default(),
            at(NOON),
        );
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
        let counts = (any::<u64>(), any::<u64>(), 0u64..5, 0u64..3, proptest::option::of(0i64..9_999_999));
        (flags, counts, proptest::option::of(failure), proptest::collection::vec("[a-z]{1,5}", 0..3)).prop_map(
            |((enabled, suspended, gone, config_error), counts, last_failure, active_key_ids)| EndpointView {
                enabled,
                suspended,
                gone,
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
                prop_assert_eq!(digest::endpoint_shown(&read), Some(digest::endpoint(&view, judge(&view)).under(mode)));
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
                prop_assert_eq!(digest::webhook_shown(&read), Some(digest::webhook(&webhook_view(), &totals).under(mode)));
            }
        }
    }
}
