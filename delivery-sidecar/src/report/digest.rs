//! What of a status is displayed, as fingerprints: two statuses with equal digests differ at most in times and in the
//! wording of a health message, and that alone is never a reason to write.
//!
//! Pure. [`super::shown`] makes digests; this compares them.

use posthaste_crds::conditions::healthy;
use posthaste_delivery_config::StatusMode;

use super::health::{ConditionStatus, Health};

/// Fingerprint of what one object displays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Digest {
    /// Of what comes from the configuration: revision, `Programmed`, keys; of a Webhook also whether it takes events.
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
    /// An endpoint's circuit is open, or half open: attempts pause. The two differ in the counts only, because probes
    /// go on for as long as a receiver is away.
    pub open: bool,
}

/// Why an object should be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// A receiver began or ceased to fail, or attempts began or ceased to pause.
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
    #[must_use]
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
        // What may need a person.
        let stopped = |health: Health| matches!(health.reason, healthy::GONE | healthy::EXHAUSTED);
        let fails = |health: Health| health.status == ConditionStatus::False;
        if self == is {
            None
        } else if was != now && (paused(was) || paused(now)) {
            // Suspending a Webhook changes all its endpoints at once: paid for as the change of configuration it is.
            Some(Need::Programmed)
        } else if fails(was) != fails(now) || stopped(was) != stopped(now) || self.open != is.open {
            Some(Need::Transition)
        } else if was.status != now.status {
            Some(Need::FirstVerdict)
        } else {
            // Still failing, in another way.
            Some(Need::Counters)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::{
        health::judge,
        shown,
        testing::{failed, succeeded, view},
        view::EndpointView,
    };
    use crate::schedule::{Circuit, Exhausted};

    fn of(view: &EndpointView) -> Digest {
        shown::endpoint(view, judge(view))
    }

    /// What a change from a healthy endpoint with traffic needs, in each mode.
    #[track_caller]
    fn assert_need(
        change: impl Fn(&mut EndpointView),
        full: Option<Need>,
        transitions: Option<Need>,
        off: Option<Need>,
    ) {
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
        let exhausted = |view: &mut EndpointView| view.exhausted = Some(Exhausted::Marked);
        assert_need(exhausted, Some(Need::Transition), Some(Need::Transition), None);
    }

    #[test]
    fn an_opening_circuit_is_a_transition_and_its_probes_are_not() {
        assert_need(|view| view.circuit = Circuit::Open, Some(Need::Transition), Some(Need::Transition), None);
        let mut open = view("a");
        open.circuit = Circuit::Open;
        let mut probed = open.clone();
        probed.circuit = Circuit::HalfOpen;
        assert_eq!(of(&probed).need(Some(of(&open)), StatusMode::Full), Some(Need::Counters));
        assert_eq!(of(&probed).need(Some(of(&open)), StatusMode::Transitions), None);
        let mut closed = open.clone();
        closed.circuit = Circuit::Closed;
        assert_eq!(of(&closed).need(Some(of(&probed)), StatusMode::Transitions), Some(Need::Transition));
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
