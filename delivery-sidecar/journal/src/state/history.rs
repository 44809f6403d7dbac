//! Finished events that are kept: what there is of them in the files, as long as nothing else needs the space.
//!
//! Nothing in memory is about one of them. Files go in order of their age, so what is kept is always what is latest.

use super::State;

impl State {
    /// What was accepted until then has had its time. Nothing has not, if nothing is to be kept.
    fn expired_until_ms(&self) -> i64 {
        match self.limits.history_retention_ms {
            0 => i64::MAX,
            retention => self.now_ms.saturating_sub(retention),
        }
    }

    /// Whether finished events give way to others: the files are large, the disk is full, or they are too many.
    pub(crate) fn history_gives_way(&self) -> bool {
        let finished = self.segments.events().saturating_sub(self.events.len() as u64);
        self.is_disk_full()
            || self.segments.used() + self.asked > self.limits.most_with_history()
            || finished > self.limits.history_events
    }

    /// Bytes that are needed by nothing, and not to be kept either.
    pub(crate) fn spare_garbage(&self) -> u64 {
        if self.history_gives_way() {
            self.segments.garbage()
        } else {
            self.segments.garbage_until(self.expired_until_ms())
        }
    }

    /// Whether the finished events of the oldest segment are not to be kept.
    pub(crate) fn is_oldest_spare(&self) -> bool {
        let has_expired = |latest_ms| latest_ms <= self.expired_until_ms();
        self.segments.oldest().is_some_and(|oldest| has_expired(oldest.latest_ms)) || self.history_gives_way()
    }

    /// Bytes that are kept of what is finished.
    pub(super) fn history_bytes(&self) -> u64 {
        self.segments.garbage_after(self.expired_until_ms())
    }
}
