//! How deliveries are attempted, with every field inherited.

use std::time;

use posthaste_crds::{
    Duration,
    v1alpha1::{self, Backoff, CircuitBreakerType, DeliverySettings, Retry},
};

use crate::{CircuitBreaker, DeliveryOrdering, DeliveryPolicy, DeliveryRate, OnExhausted, RetryPolicy, defaults};

/// Fills in each field from the endpoint, else its Webhook's defaults, else the built-in ones. A schedule, or
/// `maxAttempts` with `backoff`, is one choice: whoever makes it first, in that order, makes it whole.
pub(super) fn resolve(own: Option<&DeliverySettings>, inherited: Option<&DeliverySettings>) -> DeliveryPolicy {
    let levels = || own.into_iter().chain(inherited);
    let retries = || levels().filter_map(|settings| settings.retry.as_ref());
    DeliveryPolicy {
        timeout_ms: milliseconds(
            levels().find_map(|settings| settings.timeout.as_ref()).map_or(defaults::TIMEOUT, Duration::as_std),
        ),
        retry: RetryPolicy {
            schedule_ms: retries()
                .find_map(schedule)
                .unwrap_or_else(|| defaults::RETRY_SCHEDULE.into_iter().map(milliseconds).collect()),
            jitter_percent: retries().find_map(|retry| retry.jitter).unwrap_or(defaults::JITTER_PERCENT),
            max_age_ms: retries()
                .find_map(|retry| retry.max_age.as_ref())
                .map_or(defaults::MAX_AGE_MS, |age| milliseconds(age.as_std())),
        },
        on_exhausted: match levels().find_map(|settings| settings.on_exhausted).unwrap_or_default() {
            v1alpha1::OnExhausted::Continue => OnExhausted::Continue,
            v1alpha1::OnExhausted::MarkFailing => OnExhausted::MarkFailing,
            v1alpha1::OnExhausted::Disable => OnExhausted::Disable,
        },
        retry_after_max_ms: milliseconds(
            levels()
                .find_map(|settings| settings.retry_after_max.as_ref())
                .map_or(defaults::RETRY_AFTER_MAX, Duration::as_std),
        ),
        concurrency: levels().find_map(|settings| settings.concurrency).unwrap_or(defaults::CONCURRENCY),
        // A limit means nothing without its period, so it is one choice.
        rate_limit: levels().find_map(|settings| settings.rate_limit.as_ref()).map(|rate| DeliveryRate {
            limit: rate.limit,
            per_ms: milliseconds(rate.per.as_std()),
            burst: rate.burst,
        }),
        ordering: match levels().find_map(|settings| settings.ordering).unwrap_or_default() {
            v1alpha1::DeliveryOrdering::None => DeliveryOrdering::None,
            v1alpha1::DeliveryOrdering::PerEndpoint => DeliveryOrdering::PerEndpoint,
            v1alpha1::DeliveryOrdering::PerSubject => DeliveryOrdering::PerSubject,
        },
        circuit_breaker: circuit_breaker(&levels().filter_map(|settings| settings.circuit_breaker.as_ref())),
    }
}

/// `levels` from the endpoint's own on. The two durations may come from different levels: the first pause is then the
/// longest.
fn circuit_breaker<'a>(
    levels: &(impl Iterator<Item = &'a v1alpha1::CircuitBreaker> + Clone),
) -> Option<CircuitBreaker> {
    let type_ = levels.clone().find_map(|breaker| breaker.type_).unwrap_or_default();
    if type_ == CircuitBreakerType::Disabled {
        return None;
    }
    let duration = |field: fn(&'a v1alpha1::CircuitBreaker) -> Option<&'a Duration>, default| {
        milliseconds(levels.clone().find_map(field).map_or(default, Duration::as_std))
    };
    let open_for_ms = duration(|breaker| breaker.open_for.as_ref(), defaults::BREAKER_OPEN_FOR);
    let open_for_max_ms = duration(|breaker| breaker.open_for_max.as_ref(), defaults::BREAKER_OPEN_FOR_MAX);
    Some(CircuitBreaker {
        failures: levels.clone().find_map(|breaker| breaker.failures).unwrap_or(defaults::BREAKER_FAILURES),
        open_for_ms,
        open_for_max_ms: open_for_max_ms.max(open_for_ms),
    })
}

/// The delays that this level asks for, if it asks for any.
fn schedule(retry: &Retry) -> Option<Vec<u64>> {
    if let Some(schedule) = &retry.schedule {
        return Some(schedule.iter().map(|delay| milliseconds(delay.as_std())).collect());
    }
    Some(expand(retry.max_attempts?, retry.backoff.as_ref()?))
}

/// `base`, `base * factor`, ... up to `max`: one delay fewer than there are attempts.
fn expand(max_attempts: u32, backoff: &Backoff) -> Vec<u64> {
    let (base, max) = (milliseconds(backoff.base.as_std()), milliseconds(backoff.max.as_std()));
    let next = |delay: &u64| Some(delay.saturating_mul(backoff.factor.into()).min(max));
    std::iter::successors(Some(base.min(max)), next).take(max_attempts.saturating_sub(1) as usize).collect()
}

/// Saturating; the longest duration of a resource is far below.
pub(crate) fn milliseconds(duration: time::Duration) -> u64 {
    duration.as_millis().try_into().unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(yaml: serde_json::Value) -> DeliverySettings {
        serde_json::from_value(yaml).unwrap()
    }

    #[test]
    fn nothing_set_means_the_documented_defaults() {
        let policy = resolve(None, None);
        assert_eq!((policy.timeout_ms, policy.concurrency, policy.retry.jitter_percent), (15_000, 8, 10));
        let minute = 60_000;
        let hour = 60 * minute;
        let expected = [5_000, 5 * minute, 30 * minute, 2 * hour, 5 * hour, 10 * hour, 14 * hour, 20 * hour, 24 * hour];
        assert_eq!(policy.retry.schedule_ms, expected);
        assert_eq!((policy.retry_after_max_ms, policy.retry.max_age_ms), (24 * hour, 100 * hour));
    }

    #[test]
    fn each_field_is_inherited_on_its_own() {
        let own = settings(serde_json::json!({"timeout": "3s", "retry": {"jitter": 0}}));
        let inherited = settings(serde_json::json!(
            {"timeout": "9s", "concurrency": 2, "retryAfterMax": "1h", "retry": {"jitter": 50, "maxAge": "2h", "schedule": ["1s", "1m30s"]}}
        ));
        let policy = resolve(Some(&own), Some(&inherited));
        assert_eq!((policy.timeout_ms, policy.concurrency, policy.retry.jitter_percent), (3_000, 2, 0));
        assert_eq!(policy.retry.max_age_ms, 7_200_000);
        assert_eq!((policy.retry.schedule_ms, policy.retry_after_max_ms), (vec![1_000, 90_000], 3_600_000));
    }

    #[test]
    fn a_circuit_breaker_is_inherited_field_by_field() {
        let default = CircuitBreaker { failures: 10, open_for_ms: 30_000, open_for_max_ms: 900_000 };
        assert_eq!(resolve(None, None).circuit_breaker, Some(default));
        let own = settings(serde_json::json!({"circuitBreaker": {"openFor": "1h"}}));
        let inherited = settings(serde_json::json!({"circuitBreaker": {"failures": 3, "openForMax": "2m"}}));
        let mixed = CircuitBreaker { failures: 3, open_for_ms: 3_600_000, open_for_max_ms: 3_600_000 };
        assert_eq!(resolve(Some(&own), Some(&inherited)).circuit_breaker, Some(mixed));
        let off = settings(serde_json::json!({"circuitBreaker": {"type": "Disabled"}}));
        assert_eq!(resolve(Some(&off), Some(&inherited)).circuit_breaker, None);
        assert_eq!(resolve(Some(&own), Some(&off)).circuit_breaker, None, "a type is inherited, too");
        let on = settings(serde_json::json!({"circuitBreaker": {"type": "Consecutive"}}));
        assert_eq!(resolve(Some(&on), Some(&off)).circuit_breaker, Some(default));
    }

    #[test]
    fn an_ordering_is_inherited() {
        assert_eq!(resolve(None, None).ordering, DeliveryOrdering::None);
        let own = settings(serde_json::json!({"ordering": "None"}));
        let inherited = settings(serde_json::json!({"ordering": "PerSubject"}));
        assert_eq!(resolve(None, Some(&inherited)).ordering, DeliveryOrdering::PerSubject);
        assert_eq!(resolve(Some(&own), Some(&inherited)).ordering, DeliveryOrdering::None);
    }

    #[test]
    fn what_becomes_of_an_exhausted_endpoint_is_inherited() {
        assert_eq!(resolve(None, None).on_exhausted, OnExhausted::Continue);
        let own = settings(serde_json::json!({"onExhausted": "MarkFailing"}));
        let inherited = settings(serde_json::json!({"onExhausted": "Disable"}));
        assert_eq!(resolve(None, Some(&inherited)).on_exhausted, OnExhausted::Disable);
        assert_eq!(resolve(Some(&own), Some(&inherited)).on_exhausted, OnExhausted::MarkFailing);
    }

    #[test]
    fn a_rate_limit_is_inherited_as_a_whole() {
        assert_eq!(resolve(None, None).rate_limit, None);
        let own = settings(serde_json::json!({"rateLimit": {"limit": 5, "per": "1m"}}));
        let inherited = settings(serde_json::json!({"rateLimit": {"limit": 9, "per": "1s", "burst": 3}}));
        let rate = |limit, per_ms, burst| Some(DeliveryRate { limit, per_ms, burst });
        assert_eq!(resolve(Some(&own), Some(&inherited)).rate_limit, rate(5, 60_000, None));
        assert_eq!(resolve(None, Some(&inherited)).rate_limit, rate(9, 1_000, Some(3)));
    }

    #[test]
    fn an_empty_schedule_means_no_retries_and_hides_the_inherited_one() {
        let own = settings(serde_json::json!({"retry": {"schedule": []}}));
        let inherited =
            settings(serde_json::json!({"retry": {"maxAttempts": 3, "backoff": {"base": "1s", "max": "9s"}}}));
        assert!(resolve(Some(&own), Some(&inherited)).retry.schedule_ms.is_empty());
    }

    #[test]
    fn attempts_with_backoff_become_a_schedule() {
        let own = settings(serde_json::json!(
            {"retry": {"maxAttempts": 6, "backoff": {"base": "1s", "factor": 3, "max": "10s"}}}
        ));
        let inherited = settings(serde_json::json!({"retry": {"schedule": ["1h"]}}));
        assert_eq!(resolve(Some(&own), Some(&inherited)).retry.schedule_ms, [1_000, 3_000, 9_000, 10_000, 10_000]);
        let once = settings(serde_json::json!({"retry": {"maxAttempts": 1, "backoff": {"base": "1s", "max": "10s"}}}));
        assert!(resolve(Some(&once), None).retry.schedule_ms.is_empty());
    }
}
