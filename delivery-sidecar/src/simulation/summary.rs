//! How much has happened, to see that a scene is worth its time.

use std::ops::AddAssign;

/// See the module.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Attempts.
    pub attempts: u64,
    /// Crashes, and processes that were asked to stop.
    pub restarts: u64,
    /// Deliveries that succeeded.
    pub delivered: u64,
    /// Deliveries that were given up.
    pub dead_lettered: u64,
    /// Deliveries whose endpoint was deleted.
    pub dropped: u64,
    /// Deliveries that were given up for their age, or because their endpoint had too much pending.
    pub withheld: u64,
    /// Dead letters that were removed.
    pub removed: u64,
    /// Deliveries that were made pending again.
    pub again: u64,
    /// Posts that were refused because the journal was full or its disk failed.
    pub refused: u64,
    /// Posts that were recognised as repetitions or conflicts.
    pub repeated: u64,
    /// Events that were kept although nobody heard of it.
    pub survived: u64,
}

impl AddAssign for Summary {
    fn add_assign(&mut self, other: Self) {
        let Self {
            attempts,
            restarts,
            delivered,
            dead_lettered,
            dropped,
            withheld,
            removed,
            again,
            refused,
            repeated,
            survived,
        } = other;
        self.attempts += attempts;
        self.restarts += restarts;
        self.delivered += delivered;
        self.dead_lettered += dead_lettered;
        self.dropped += dropped;
        self.withheld += withheld;
        self.removed += removed;
        self.again += again;
        self.refused += refused;
        self.repeated += repeated;
        self.survived += survived;
    }
}
