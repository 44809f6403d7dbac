//! Judges whether an endpoint's receiver accepts deliveries: the `Healthy` condition.
//!
//! Pure, and without a memory of its own: a success resets the count of consecutive failures, so what was decided
//! before never matters. That makes the verdict the same before and after a restart.

use std::borrow::Cow;

use posthaste_crds::conditions::healthy;
use posthaste_journal::{EndpointStats, Failure};

use super::view::EndpointView;
use crate::schedule::Exhausted;

/// So many failures in a row are never a blip.
const FAILING_STREAK: u64 = 3;
/// Two in a row suffice when the last success is at least this much older than the last failure, in milliseconds: a
/// receiver with little traffic should not look healthy until the third attempt, which may be minutes away.
const QUIET_MS: i64 = 60_000;
/// Characters of a message from the outside that are shown.
const MAX_MESSAGE_CHARS: usize = 256;

/// The other reasons of `Healthy`.
const STATES: [&str; 5] =
    [healthy::DELIVERING, healthy::NO_TRAFFIC, healthy::SUSPENDED, healthy::DISABLED, healthy::EXHAUSTED];

/// Status of a condition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ConditionStatus {
    /// `True`
    True,
    /// `False`
    False,
    /// `Unknown`
    Unknown,
}

impl ConditionStatus {
    /// As it is written in a condition.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::True => "True",
            Self::False => "False",
            Self::Unknown => "Unknown",
        }
    }

    /// Reads it from a condition; anything unheard of is `Unknown`.
    pub fn parse(text: &str) -> Self {
        match text {
            "True" => Self::True,
            "False" => Self::False,
            _ => Self::Unknown,
        }
    }
}

/// Which of an endpoint's three counts in `status.endpoints` it belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Group {
    /// Accepts deliveries, or had none yet.
    Healthy,
    /// Does not.
    Failing,
    /// Suspended or disabled.
    Suspended,
}

/// A verdict: status and reason of `Healthy`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Health {
    /// Whether the receiver accepts deliveries.
    pub status: ConditionStatus,
    /// Why: one of [`posthaste_crds::conditions::healthy`].
    pub reason: &'static str,
}

impl Health {
    const fn unknown(reason: &'static str) -> Self {
        Self { status: ConditionStatus::Unknown, reason }
    }

    /// Where it is counted.
    pub fn group(self) -> Group {
        match self.status {
            ConditionStatus::False => Group::Failing,
            ConditionStatus::Unknown if self.reason != healthy::NO_TRAFFIC => Group::Suspended,
            ConditionStatus::True | ConditionStatus::Unknown => Group::Healthy,
        }
    }
}

/// Judges an endpoint.
///
/// 410 counts at once, and so does a delivery that was given up, if the endpoint's `onExhausted` says so. Otherwise a receiver fails after three failed attempts in a row, or after two when its last
/// success is a minute older than its last failure. One that never had a success fails after two attempts, or when
/// its first delivery was given up: whoever just made a broken endpoint wants to see it. A single failure among
/// successes changes nothing, and one success makes it healthy.
pub fn judge(view: &EndpointView) -> Health {
    if view.gone {
        return Health { status: ConditionStatus::False, reason: healthy::GONE };
    }
    let exhausted = Health { status: ConditionStatus::False, reason: healthy::EXHAUSTED };
    if matches!(view.exhausted, Some(Exhausted::Stopped(_))) {
        return exhausted;
    }
    if !view.enabled {
        return Health::unknown(healthy::DISABLED);
    }
    if view.suspended {
        return Health::unknown(healthy::SUSPENDED);
    }
    if view.exhausted.is_some() {
        return exhausted;
    }
    let stats = &view.stats;
    if let Some(last) = stats.last_failure.as_ref().filter(|_| stats.consecutive_failures > 0) {
        let reason = reason(&last.failure);
        if reason == healthy::GONE {
            // It said 410, and has been changed since: nothing is known of what it is now.
            return Health::unknown(healthy::NO_TRAFFIC);
        }
        if stats.consecutive_failures >= tolerated(stats, last.at_ms) {
            return Health { status: ConditionStatus::False, reason };
        }
    }
    if stats.last_success_ms.is_some() {
        return Health { status: ConditionStatus::True, reason: healthy::DELIVERING };
    }
    Health::unknown(healthy::NO_TRAFFIC)
}

/// How many failures in a row make an endpoint fail.
fn tolerated(stats: &EndpointStats, last_failure_ms: i64) -> u64 {
    match stats.last_success_ms {
        None if stats.dead_lettered > 0 => 1,
        None => 2,
        Some(success) if last_failure_ms.saturating_sub(success) >= QUIET_MS => 2,
        Some(_) => FAILING_STREAK,
    }
}

/// The reason of a failure, from the closed set. One that this build does not know, as a journal written by a newer
/// build may have, becomes what its HTTP status says.
pub fn reason(failure: &Failure) -> &'static str {
    if let Some(known) = healthy::FAILURES.iter().find(|known| **known == failure.reason) {
        return known;
    }
    match failure.status {
        Some(500..) => healthy::SERVER_ERROR,
        Some(_) => healthy::CLIENT_ERROR,
        None => healthy::CONNECT_ERROR,
    }
}

/// A reason that is in the cluster, if it is of the closed set.
pub(super) fn known_reason(text: &str) -> Option<&'static str> {
    healthy::FAILURES.iter().chain(&STATES).find(|known| **known == text).copied()
}

/// Explains a verdict. Holds no counts and no times: those are displayed beside it, and would make every attempt
/// change the condition. What the last attempt failed with may still differ between attempts, so a message is
/// written along with other changes and never causes a write.
pub fn message(view: &EndpointView, health: Health) -> Cow<'static, str> {
    match health.reason {
        healthy::DELIVERING => "Deliveries succeed.".into(),
        healthy::NO_TRAFFIC => match &view.stats.last_failure {
            None => "Nothing was delivered yet.".into(),
            Some(last) if reason(&last.failure) == healthy::GONE => {
                "Nothing was delivered since the receiver answered 410 Gone and the endpoint was changed.".into()
            }
            Some(last) => {
                format!("Nothing was delivered yet. The first attempt failed: {}", displayed(&last.failure.message))
                    .into()
            }
        },
        healthy::SUSPENDED => "Deliveries wait: suspend is set on the endpoint or on its Webhook.".into(),
        healthy::DISABLED => "New events are not matched: enabled is false.".into(),
        healthy::GONE => "The receiver answered 410 Gone. Deliveries wait until the endpoint is changed, or until \
                          suspend is set and unset."
            .into(),
        healthy::EXHAUSTED => {
            let then = match view.exhausted {
                Some(Exhausted::Stopped(_)) => {
                    "Deliveries wait until the endpoint is changed, or until suspend is set and unset."
                }
                _ => "None has succeeded since.",
            };
            let last = view.stats.last_failure.as_ref();
            let told = last.map_or("".into(), |last| displayed(&last.failure.message));
            let why = if told.is_empty() { String::new() } else { format!(": {told}") };
            format!("A delivery was given up{why}. {then}").into()
        }
        reason => {
            let failure = view.stats.last_failure.as_ref().map(|last| &last.failure);
            let told = failure.map(|failure| displayed(&failure.message)).filter(|told| !told.is_empty());
            match (told, failure.and_then(|failure| failure.status)) {
                (Some(told), _) => format!("Deliveries fail: {told}").into(),
                (None, Some(status)) => format!("Deliveries fail with HTTP status {status}.").into(),
                (None, None) => format!("Deliveries fail: {reason}.").into(),
            }
        }
    }
}

/// Text from outside as it may be shown: one line, bounded.
pub(super) fn displayed(text: &str) -> Cow<'_, str> {
    let text = text.trim();
    if text.len() <= MAX_MESSAGE_CHARS && !text.contains(char::is_control) {
        return Cow::Borrowed(text);
    }
    let mut characters = text.chars();
    let mut line: String = characters.by_ref().take(MAX_MESSAGE_CHARS).collect();
    if characters.next().is_some() {
        line.pop();
        line.push('…');
    }
    Cow::Owned(line.replace(char::is_control, " "))
}

#[cfg(test)]
mod tests {
    use super::{ConditionStatus::*, *};
    use crate::report::testing::{failed, view};

    /// Attempts in a row, `last_success` milliseconds before the last failure.
    fn streak(consecutive: u64, last_success: Option<i64>) -> EndpointView {
        let mut view = view("a");
        failed(&mut view, 1_000_000, "ServerError", Some(503));
        view.stats.consecutive_failures = consecutive;
        view.stats.last_success_ms = last_success.map(|before| 1_000_000 - before);
        view
    }

    #[track_caller]
    fn assert_health(view: &EndpointView, status: ConditionStatus, reason: &str) {
        let health = judge(view);
        assert_eq!((health.status, health.reason), (status, reason), "{:?}", view.stats);
    }

    #[test]
    fn an_endpoint_without_attempts_is_unknown() {
        assert_health(&view("a"), Unknown, "NoTraffic");
    }

    #[test]
    fn failures_count_only_in_a_row() {
        for (consecutive, last_success, status, reason) in [
            (0, Some(-5), True, "Delivering"),
            (1, Some(5), True, "Delivering"),
            (1, Some(86_400_000), True, "Delivering"),
            (2, Some(5), True, "Delivering"),
            (2, Some(59_999), True, "Delivering"),
            (2, Some(60_000), False, "ServerError"),
            (3, Some(5), False, "ServerError"),
            (20, Some(5), False, "ServerError"),
            (1, None, Unknown, "NoTraffic"),
            (2, None, False, "ServerError"),
        ] {
            assert_health(&streak(consecutive, last_success), status, reason);
        }
    }

    #[test]
    fn an_endpoint_whose_first_delivery_was_given_up_fails_at_once() {
        let mut view = streak(1, None);
        view.stats.dead_lettered = 1;
        assert_health(&view, False, "ServerError");
    }

    #[test]
    fn what_a_person_decided_comes_before_the_count() {
        let mut view = streak(20, None);
        view.suspended = true;
        assert_health(&view, Unknown, "Suspended");
        view.enabled = false;
        assert_health(&view, Unknown, "Disabled");
        view.gone = true;
        assert_health(&view, False, "Gone");
    }

    #[test]
    fn an_exhausted_endpoint_fails_until_a_success_or_stops_whatever_a_person_decided() {
        let mut view = streak(0, Some(-5));
        view.exhausted = Some(Exhausted::Marked);
        assert_health(&view, False, "Exhausted");
        let text = message(&view, judge(&view));
        assert_eq!(text, "A delivery was given up: the receiver said no. None has succeeded since.");
        view.suspended = true;
        assert_health(&view, Unknown, "Suspended");
        view.exhausted = Some(Exhausted::Stopped(crate::schedule::Identity { generation: 1, url_fingerprint: 1 }));
        assert_health(&view, False, "Exhausted");
        let text = message(&view, judge(&view));
        assert!(text.ends_with("Deliveries wait until the endpoint is changed, or until suspend is set and unset."));
    }

    #[test]
    fn gone_is_forgotten_when_the_engine_clears_it() {
        let mut view = view("a");
        failed(&mut view, 1_000, "Gone", Some(410));
        view.gone = true;
        assert_health(&view, False, "Gone");
        view.gone = false;
        assert_health(&view, Unknown, "NoTraffic");
    }

    #[test]
    fn every_reason_stays_in_the_closed_set() {
        let failure = |reason: &str, status| Failure { status, reason: reason.into(), message: String::new() };
        for known in healthy::FAILURES {
            assert_eq!(reason(&failure(known, None)), known);
        }
        assert_eq!(reason(&failure("QuantumError", Some(502))), "ServerError");
        assert_eq!(reason(&failure("QuantumError", Some(418))), "ClientError");
        assert_eq!(reason(&failure("", None)), "ConnectError");
    }

    #[test]
    fn groups_follow_the_verdict() {
        let mut endpoint = view("a");
        assert_eq!(judge(&endpoint).group(), Group::Healthy);
        endpoint.suspended = true;
        assert_eq!(judge(&endpoint).group(), Group::Suspended);
        assert_eq!(judge(&streak(3, None)).group(), Group::Failing);
    }

    #[test]
    fn messages_say_what_failed_and_stay_on_one_short_line() {
        let mut view = streak(3, None);
        view.stats.last_failure.as_mut().unwrap().failure.message = format!("line\none {}", "é".repeat(400));
        let text = message(&view, judge(&view));
        assert!(text.starts_with("Deliveries fail: line one é"), "{text}");
        assert!(text.ends_with('…') && text.chars().count() <= 256 + 17, "{text}");
        view.stats.last_failure.as_mut().unwrap().failure.message.clear();
        assert_eq!(message(&view, judge(&view)), "Deliveries fail with HTTP status 503.");
    }

    #[test]
    fn a_first_failure_is_told_before_it_counts() {
        let view = streak(1, None);
        let text = message(&view, judge(&view));
        assert_eq!(text, "Nothing was delivered yet. The first attempt failed: the receiver said no");
    }

    #[test]
    fn messages_do_not_change_with_the_count_or_the_time() {
        let (mut earlier, mut later) = (streak(3, None), streak(300, None));
        earlier.stats.last_failure.as_mut().unwrap().at_ms = 5;
        later.stats.last_failure.as_mut().unwrap().at_ms = 5_000_000;
        assert_eq!(message(&earlier, judge(&earlier)), message(&later, judge(&later)));
    }
}
