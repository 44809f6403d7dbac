//! Attempts in the order in which they started, to notice those that take long while they are still in flight. As all may
//! take the same time, the order of their starts is the order in which they are late.

use std::collections::VecDeque;

use posthaste_journal::{Ordinal, Seq};

use super::standing::SLOW_MS;

/// Entries beyond two for each place, after which those of ended attempts are removed.
const SPARE: usize = 64;

/// An attempt that has started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Started {
    /// When.
    pub at_ms: i64,
    /// The endpoint.
    pub ordinal: Ordinal,
    /// The event.
    pub seq: Seq,
}

/// See the module. Entries of attempts that have ended stay until they come to the front, or are too many.
#[derive(Debug, Default)]
pub struct Lateness(VecDeque<Started>);

impl Lateness {
    /// An attempt starts. `in_flight` tells which have not ended, of which there are at most `limit`.
    pub fn started(&mut self, started: Started, limit: usize, in_flight: impl FnMut(&Started) -> bool) {
        if self.0.len() >= 2 * limit + SPARE {
            self.0.retain(in_flight);
        }
        self.0.push_back(started);
    }

    /// Takes an attempt that is late, if one is.
    pub fn late(&mut self, now_ms: i64) -> Option<Started> {
        self.next_ms().filter(|at_ms| *at_ms <= now_ms)?;
        self.0.pop_front()
    }

    /// Forgets those in front that have ended.
    pub fn forget_ended(&mut self, mut in_flight: impl FnMut(&Started) -> bool) {
        while self.0.front().is_some_and(|started| !in_flight(started)) {
            self.0.pop_front();
        }
    }

    /// When the next one is late.
    pub fn next_ms(&self) -> Option<i64> {
        self.0.front().map(|started| started.at_ms.saturating_add(SLOW_MS))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn started(at_ms: i64) -> Started {
        Started { at_ms, ordinal: Ordinal(0), seq: at_ms.unsigned_abs() }
    }

    #[test]
    fn they_are_late_in_order() {
        let mut lateness = Lateness::default();
        for at_ms in [5, 6, 6] {
            lateness.started(started(at_ms), 8, |_| true);
        }
        assert_eq!(lateness.late(1_004), None);
        assert_eq!(lateness.late(1_005), Some(started(5)));
        assert_eq!((lateness.late(1_005), lateness.next_ms()), (None, Some(1_006)));
        lateness.forget_ended(|_| false);
        assert_eq!(lateness.next_ms(), None);
    }

    #[test]
    fn what_is_kept_is_bounded_by_what_is_in_flight() {
        let mut lateness = Lateness::default();
        for at_ms in 0..10_000 {
            // The first one stays, and is in front of all that end at once.
            lateness.started(started(at_ms), 8, |other| other.at_ms == 0 || other.at_ms >= at_ms - 4);
            assert!(lateness.0.len() <= 2 * 8 + SPARE);
        }
        assert_eq!(lateness.late(1_000), Some(started(0)));
    }
}
