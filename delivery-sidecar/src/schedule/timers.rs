//! When lanes that wait for a time are to be looked at again: at most one entry a lane.

use std::collections::BTreeSet;

use posthaste_journal::Ordinal;

/// See the module.
#[derive(Debug, Default)]
pub struct Timers(BTreeSet<(i64, Ordinal)>);

impl Timers {
    /// Moves a lane's entry from one time to another; `None` is no entry.
    pub fn reset(&mut self, ordinal: Ordinal, old: Option<i64>, new: Option<i64>) {
        if old != new {
            if let Some(at_ms) = old {
                self.0.remove(&(at_ms, ordinal));
            }
            if let Some(at_ms) = new {
                self.0.insert((at_ms, ordinal));
            }
        }
    }

    /// The earliest time.
    pub fn next_ms(&self) -> Option<i64> {
        self.0.first().map(|(at_ms, _)| *at_ms)
    }

    /// A lane whose time has come.
    pub fn due(&self, now_ms: i64) -> Option<Ordinal> {
        self.0.first().filter(|(at_ms, _)| *at_ms <= now_ms).map(|(_, ordinal)| *ordinal)
    }
}
