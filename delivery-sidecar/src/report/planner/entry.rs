//! One object's place in the plan: what it should display, what it does, and when its turn is.

use std::{sync::Arc, time::Duration};

use posthaste_delivery_config::StatusMode;

use super::lanes::{Lane, Place};
use crate::report::{
    digest::{Digest, Need},
    status::Transitions,
    totals::Totals,
};

/// Transitions of one object that may be written right after each other. Then one per least interval: a receiver
/// that flaps a hundred times a second is not worth a hundred writes.
const TRANSITIONS_AT_ONCE: u32 = 2;
/// Longest wait before a refused object is tried again.
const MAX_REFUSED: Duration = Duration::from_mins(10);

/// What is known of an object in the cluster.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Known {
    /// Nothing: it has to be looked at first.
    Unseen,
    /// What it displays of ours; `None` if nothing.
    Shows(Option<Digest>),
    /// It is not there, or another object has its name. Not looked at again before its configuration changes.
    Gone {
        /// Digest of the configuration with which it was gone.
        programmed: u64,
    },
}

/// One object's place in the plan.
#[derive(Debug)]
pub struct Entry {
    /// UID; empty for the Webhook.
    pub uid: Arc<str>,
    /// Name; empty for the Webhook.
    pub name: Arc<str>,
    /// What it should display, in full.
    pub current: Digest,
    /// What it displays.
    pub known: Known,
    /// Since when its conditions are what they are.
    pub since: Transitions,
    /// A request for it is under way, because of this.
    pub in_flight: Option<Lane>,
    /// Where it waits.
    pub place: Option<Place>,
    /// An endpoint's share in its Webhook's sums.
    pub share: Totals,
    /// An endpoint's oldest unfinished delivery.
    pub oldest_pending_ms: Option<i64>,
    /// An endpoint's last attempt.
    pub last_attempt_ms: Option<i64>,
    /// When it was written last.
    written: Option<Duration>,
    /// When its saved-up transitions are all there again.
    transitions_full: Duration,
    /// Not before this time, because it was refused.
    refused_until: Duration,
    /// How often in a row.
    refusals: u32,
}

impl Entry {
    /// An object that has not been looked at.
    pub fn new(uid: Arc<str>, name: Arc<str>, current: Digest) -> Self {
        Self {
            uid,
            name,
            current,
            known: Known::Unseen,
            since: Transitions::default(),
            in_flight: None,
            place: None,
            share: Totals::default(),
            oldest_pending_ms: None,
            last_attempt_ms: None,
            written: None,
            transitions_full: Duration::ZERO,
            refused_until: Duration::ZERO,
            refusals: 0,
        }
    }

    /// Which lane it belongs in and from when on, if it needs anything.
    pub fn due(&self, mode: StatusMode, interval: Duration) -> Option<(Lane, Duration)> {
        if self.in_flight.is_some() {
            return None;
        }
        let (lane, due) = match self.known {
            Known::Gone { .. } => return None,
            Known::Unseen => (Lane::Look, Duration::ZERO),
            Known::Shows(shown) => match self.current.need(shown, mode)? {
                Need::Transition if interval.is_zero() => (Lane::Transition, Duration::ZERO),
                Need::Transition => {
                    (Lane::Transition, self.transitions_full.saturating_sub(interval * (TRANSITIONS_AT_ONCE - 1)))
                }
                Need::Programmed => (Lane::Programmed, Duration::ZERO),
                Need::FirstVerdict => (Lane::FirstVerdict, Duration::ZERO),
                Need::Counters => (Lane::Counters, self.written.map_or(Duration::ZERO, |written| written + interval)),
            },
        };
        Some((lane, due.max(self.refused_until)))
    }

    /// It has been looked at: `shown` is what it displays of ours.
    pub fn seen(&mut self, shown: Option<Digest>, since: Transitions) {
        self.known = Known::Shows(shown);
        self.since = since;
        self.refusals = 0;
        self.refused_until = Duration::ZERO;
    }

    /// It has been written because of `lane`.
    pub fn written(&mut self, lane: Lane, shown: Digest, since: Transitions, now: Duration, interval: Duration) {
        self.seen(Some(shown), since);
        self.written = Some(now);
        if lane == Lane::Transition {
            self.transitions_full = self.transitions_full.max(now) + interval;
        }
    }

    /// The API server did not want it. Twice as long each time until the next try.
    pub fn refused(&mut self, now: Duration, first: Duration) {
        let wait = first.max(Duration::from_secs(1)).saturating_mul(1 << self.refusals.min(16)).min(MAX_REFUSED);
        self.refusals = self.refusals.saturating_add(1);
        self.refused_until = now + wait;
    }

    /// It is not there.
    pub fn gone(&mut self) {
        self.known = Known::Gone { programmed: self.current.programmed };
    }

    /// What it should display has changed. An object that was gone and is configured anew may be back.
    pub fn update(&mut self, current: Digest) {
        if matches!(self.known, Known::Gone { programmed } if programmed != current.programmed) {
            self.known = Known::Unseen;
        }
        self.current = current;
    }
}
