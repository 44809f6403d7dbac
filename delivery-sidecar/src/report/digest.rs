//! What of a status is displayed, as fingerprints: two statuses with equal digests differ at most in times and in the
//! wording of a health message, and that alone is never a reason to write.
//!
//! A digest is made either from a view (cheap, for every outcome) or from a status that was found in the cluster; the
//! two agree for a status that [`super::status`] built from that view.

use std::{
    borrow::Cow,
    hash::{DefaultHasher, Hash, Hasher},
};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use posthaste_crds::{
    conditions::{ENDPOINTS_HEALTHY, HEALTHY, PROGRAMMED, endpoints_healthy, healthy, programmed},
    v1alpha1::{WebhookEndpointStatus, WebhookStatus},
};
use posthaste_delivery_config::StatusMode;

use super::{
    health::{self, ConditionStatus, Health},
    totals::Totals,
    view::{EndpointView, WebhookView},
};

/// Fingerprint of what one object displays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Digest {
    /// Of what comes from the configuration: revision, `Programmed`, keys.
    pub programmed: u64,
    /// Of the health condition; `None` when it is not displayed.
    pub health: Option<HealthDigest>,
    /// Of the counts; `None` when they are not displayed.
    pub counters: Option<u64>,
}

/// Fingerprint of a health condition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HealthDigest {
    /// The verdict.
    pub health: Health,
    /// Of what is shown beside it: for a Webhook, how many endpoints are in which group.
    pub detail: u64,
}

/// Why an object should be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// A receiver began or ceased to fail.
    Transition,
    /// A receiver that nothing was known of had its first success, or the like.
    FirstVerdict,
    /// What comes from the configuration changed; a person waits for it.
    Programmed,
    /// Counts, or details of a failure.
    Counters,
}

impl Digest {
    /// What of this digest is displayed in `mode`.
    pub fn under(self, mode: StatusMode) -> Self {
        match mode {
            StatusMode::Full | StatusMode::Transitions => self,
            StatusMode::Off => Self { health: None, counters: None, ..self },
        }
    }

    /// Why an object that displays `written` should be written, if it should. `written` is `None` for an object that
    /// displays nothing of ours.
    pub fn need(self, written: Option<Self>, mode: StatusMode) -> Option<Need> {
        let Some(written) = written else { return Some(Need::Programmed) };
        let current = self.under(mode);
        let change = match (written.health, current.health) {
            (Some(was), Some(is)) => was.change_to(is),
            (None, None) => None,
            // The mode changed: fields appear or go.
            _ => Some(Need::Programmed),
        };
        match change {
            Some(need @ (Need::Transition | Need::Programmed)) => return Some(need),
            _ if written.programmed != current.programmed => return Some(Need::Programmed),
            Some(need) => return Some(need),
            None => {}
        }
        (mode == StatusMode::Full && written.counters != current.counters).then_some(Need::Counters)
    }
}

impl HealthDigest {
    fn change_to(self, is: Self) -> Option<Need> {
        let (was, now) = (self.health, is.health);
        let paused = |health: Health| matches!(health.reason, healthy::SUSPENDED | healthy::DISABLED);
        let gone = |health: Health| health.reason == healthy::GONE;
        let fails = |health: Health| health.status == ConditionStatus::False;
        if self == is {
            None
        } else if was != now && (paused(was) || paused(now)) {
            // Suspending a Webhook changes all its endpoints at once: paid for as the change of configuration it is.
            Some(Need::Programmed)
        } else if fails(was) != fails(now) || gone(was) != gone(now) {
            Some(Need::Transition)
        } else if was.status != now.status {
            Some(Need::FirstVerdict)
        } else {
            // Still failing, in another way.
            Some(Need::Counters)
        }
    }
}

/// What comes from the configuration.
#[derive(Hash)]
pub(super) struct Programmed<'a> {
    pub status: ConditionStatus,
    pub reason: &'a str,
    pub message: Cow<'a, str>,
    pub generation: i64,
    pub revision: &'a str,
    pub keys: &'a [String],
}

impl<'a> Programmed<'a> {
    pub fn endpoint(view: &'a EndpointView) -> Self {
        Self::new(view.config_error.as_deref(), view.generation, &view.revision, &view.active_key_ids)
    }

    pub fn webhook(view: &'a WebhookView) -> Self {
        Self::new(view.config_error.as_deref(), view.generation, &view.revision, &[])
    }

    fn new(error: Option<&'a str>, generation: i64, revision: &'a str, keys: &'a [String]) -> Self {
        let (status, reason, message) = match error {
            None => (ConditionStatus::True, programmed::PROGRAMMED, Cow::Borrowed("The configuration runs.")),
            Some(error) => (ConditionStatus::False, programmed::INVALID_CONFIGURATION, health::displayed(error)),
        };
        Self { status, reason, message, generation, revision, keys }
    }

    /// What a status shows; `None` when it shows nothing of ours, or not all of it.
    fn shown(conditions: &'a [Condition], revision: Option<&'a str>, keys: &'a [String]) -> Option<Self> {
        let condition = find(conditions, PROGRAMMED)?;
        Some(Self {
            status: ConditionStatus::parse(&condition.status),
            reason: &condition.reason,
            message: Cow::Borrowed(&condition.message),
            generation: condition.observed_generation?,
            revision: revision?,
            keys,
        })
    }
}

/// What an endpoint shows of its deliveries, times left out.
#[derive(Hash)]
pub(super) struct Counts<'a> {
    pub delivered: i64,
    pub failed: i64,
    pub retried: i64,
    pub dead_lettered: i64,
    pub pending: i64,
    pub consecutive_failures: i64,
    pub last_failure: Option<(Option<i32>, &'a str, Cow<'a, str>)>,
}

impl<'a> Counts<'a> {
    pub fn of(view: &'a EndpointView) -> Self {
        let stats = &view.stats;
        Self {
            delivered: count(stats.delivered),
            failed: count(stats.failed),
            retried: count(stats.retried),
            dead_lettered: count(stats.dead_lettered),
            pending: count(view.pending),
            consecutive_failures: count(stats.consecutive_failures),
            last_failure: stats.last_failure.as_ref().map(|last| {
                let failure = &last.failure;
                (failure.status.map(i32::from), health::reason(failure), health::displayed(&failure.message))
            }),
        }
    }

    fn shown(status: &'a WebhookEndpointStatus) -> Option<Self> {
        let delivery = status.delivery.as_ref()?;
        Some(Self {
            delivered: delivery.delivered?,
            failed: delivery.failed?,
            retried: delivery.retried?,
            dead_lettered: delivery.dead_lettered?,
            pending: delivery.pending?,
            consecutive_failures: delivery.consecutive_failures?,
            last_failure: delivery.last_failure.as_ref().map(|last| {
                let text = |text: &'a Option<String>| text.as_deref().unwrap_or_default();
                (last.status_code, text(&last.reason), Cow::Borrowed(text(&last.message)))
            }),
        })
    }
}

/// Digest of an endpoint's view, in full.
pub fn endpoint(view: &EndpointView, health: Health) -> Digest {
    Digest {
        programmed: hash(Programmed::endpoint(view)),
        health: Some(HealthDigest { health, detail: 0 }),
        counters: Some(hash(Counts::of(view))),
    }
}

/// Digest of what an endpoint in the cluster shows of ours, if it shows anything.
pub fn endpoint_shown(status: &WebhookEndpointStatus) -> Option<Digest> {
    let conditions = status.conditions.as_deref().unwrap_or_default();
    let revision = status.configuration.as_ref().and_then(|configuration| configuration.revision.as_deref());
    let keys = status.signing.as_ref().and_then(|signing| signing.active_key_ids.as_deref()).unwrap_or_default();
    Some(Digest {
        programmed: hash(Programmed::shown(conditions, revision, keys)?),
        health: shown_health(conditions, HEALTHY, health::known_reason).map(|health| HealthDigest { health, detail: 0 }),
        counters: Counts::shown(status).map(hash),
    })
}

/// Digest of a Webhook's view and the sums over its endpoints, in full.
pub fn webhook(view: &WebhookView, totals: &Totals) -> Digest {
    Digest {
        programmed: hash(Programmed::webhook(view)),
        health: Some(HealthDigest { health: totals.health(), detail: groups(totals) }),
        counters: Some(sums(totals)),
    }
}

/// Digest of what a Webhook in the cluster shows of ours, if it shows anything.
pub fn webhook_shown(status: &WebhookStatus) -> Option<Digest> {
    let conditions = status.conditions.as_deref().unwrap_or_default();
    let revision = status.configuration.as_ref().and_then(|configuration| configuration.revision.as_deref());
    let totals = shown_totals(status);
    let known = |text: &str| {
        let all = [
            endpoints_healthy::ALL_HEALTHY,
            endpoints_healthy::SOME_FAILING,
            endpoints_healthy::ALL_FAILING,
            endpoints_healthy::NO_ENDPOINTS,
        ];
        all.into_iter().find(|known| *known == text)
    };
    let health = shown_health(conditions, ENDPOINTS_HEALTHY, known);
    Some(Digest {
        programmed: hash(Programmed::shown(conditions, revision, &[])?),
        health: health.map(|health| HealthDigest { health, detail: totals.as_ref().map_or(0, groups) }),
        counters: totals.as_ref().map(sums),
    })
}

/// A count as the API has it.
pub(super) fn count(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// The condition of a type.
pub(super) fn find<'a>(conditions: &'a [Condition], type_: &str) -> Option<&'a Condition> {
    conditions.iter().find(|condition| condition.type_ == type_)
}

fn shown_health(
    conditions: &[Condition],
    type_: &str,
    known: impl Fn(&str) -> Option<&'static str>,
) -> Option<Health> {
    let condition = find(conditions, type_)?;
    Some(Health { status: ConditionStatus::parse(&condition.status), reason: known(&condition.reason).unwrap_or("") })
}

fn shown_totals(status: &WebhookStatus) -> Option<Totals> {
    let (endpoints, delivery) = (status.endpoints.as_ref()?, status.delivery.as_ref()?);
    let count = |count: Option<i64>| u64::try_from(count?).ok();
    Some(Totals {
        healthy: count(endpoints.healthy)?,
        failing: count(endpoints.failing)?,
        suspended: count(endpoints.suspended)?,
        delivered: count(delivery.delivered)?,
        failed: count(delivery.failed)?,
        retried: count(delivery.retried)?,
        dead_lettered: count(delivery.dead_lettered)?,
        pending: count(delivery.pending)?,
    })
}

fn groups(totals: &Totals) -> u64 {
    hash((totals.healthy, totals.failing, totals.suspended))
}

fn sums(totals: &Totals) -> u64 {
    hash((totals.delivered, totals.failed, totals.retried, totals.dead_lettered, totals.pending))
}

/// Not for persisting: it only needs to be the same within one process.
fn hash(value: impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::{
        health::judge,
        testing::{failed, succeeded, view},
    };

    fn of(view: &EndpointView) -> Digest {
        endpoint(view, judge(view))
    }

    /// What a change from a healthy endpoint with traffic needs, in each mode.
    #[track_caller]
    fn assert_need(change: impl Fn(&mut EndpointView), full: Option<Need>, transitions: Option<Need>, off: Option<Need>) {
        let mut base = view("a");
        succeeded(&mut base, 1_000);
        let mut changed = base.clone();
        change(&mut changed);
        for (mode, need) in [(StatusMode::Full, full), (StatusMode::Transitions, transitions), (StatusMode::Off, off)] {
            assert_eq!(of(&changed).need(Some(of(&base).under(mode)), mode), need, "{mode:?}");
        }
    }

    #[test]
    fn a_time_alone_needs_no_write() {
        assert_need(
            |view| {
                view.stats.last_success_ms = Some(99_000);
                view.stats.last_attempt_ms = Some(99_000);
                view.oldest_pending_ms = Some(1);
                view.next_attempt_ms = Some(2);
            },
            None,
            None,
            None,
        );
    }

    #[test]
    fn counts_need_a_write_in_full_mode_only() {
        assert_need(|view| view.pending += 1, Some(Need::Counters), None, None);
        assert_need(|view| succeeded(view, 2_000), Some(Need::Counters), None, None);
    }

    #[test]
    fn beginning_to_fail_is_a_transition() {
        let fail = |view: &mut EndpointView| (0..3).for_each(|_| failed(view, 2_000, "Timeout", None));
        assert_need(fail, Some(Need::Transition), Some(Need::Transition), None);
        assert_need(|view| view.gone = true, Some(Need::Transition), Some(Need::Transition), None);
    }

    #[test]
    fn the_first_success_is_shown_soon_but_is_no_emergency() {
        let fresh = view("a");
        let mut delivered = fresh.clone();
        succeeded(&mut delivered, 1);
        for mode in [StatusMode::Full, StatusMode::Transitions] {
            assert_eq!(of(&delivered).need(Some(of(&fresh)), mode), Some(Need::FirstVerdict));
        }
    }

    #[test]
    fn what_a_person_changed_is_a_matter_of_configuration() {
        let need = Some(Need::Programmed);
        assert_need(|view| view.suspended = true, need, need, None);
        assert_need(|view| view.generation = 2, need, need, need);
        assert_need(|view| view.revision = "r2".into(), need, need, need);
        assert_need(|view| view.active_key_ids.push("k2".into()), need, need, need);
        assert_need(|view| view.config_error = Some("no".into()), need, need, need);
    }

    #[test]
    fn failing_in_another_way_is_not_urgent_but_410_is() {
        let mut timeout = view("a");
        (0..3).for_each(|_| failed(&mut timeout, 1, "Timeout", None));
        let mut refused = timeout.clone();
        failed(&mut refused, 2, "ConnectError", None);
        for mode in [StatusMode::Full, StatusMode::Transitions] {
            assert_eq!(of(&refused).need(Some(of(&timeout)), mode), Some(Need::Counters));
        }
        refused.gone = true;
        assert_eq!(of(&refused).need(Some(of(&timeout)), StatusMode::Full), Some(Need::Transition));
    }

    #[test]
    fn an_object_that_shows_nothing_is_written_in_every_mode() {
        for mode in [StatusMode::Full, StatusMode::Transitions, StatusMode::Off] {
            assert_eq!(of(&view("a")).need(None, mode), Some(Need::Programmed));
        }
    }

    #[test]
    fn a_changed_mode_rewrites_what_appears_or_goes() {
        let digest = of(&view("a"));
        assert_eq!(digest.need(Some(digest.under(StatusMode::Full)), StatusMode::Off), Some(Need::Programmed));
        assert_eq!(digest.need(Some(digest.under(StatusMode::Off)), StatusMode::Full), Some(Need::Programmed));
        assert_eq!(digest.need(Some(digest.under(StatusMode::Off)), StatusMode::Off), None);
    }
}
