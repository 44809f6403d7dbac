//! How much may be written before what happens.

use crate::Options;

/// Smallest segment, whatever the options say.
const LEAST_SEGMENT: u64 = 4 << 10;
/// Largest segment, so that places in it fit into 32 bits with room to spare.
const MOST_SEGMENT: u64 = 1 << 30;

/// Bounds in bytes, from the options.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Limits {
    /// Most bytes of all files.
    pub(crate) max: u64,
    /// Bytes after which a segment ends. Between 1/256 of `max` (each file is kept open) and 1/16 (space comes back by
    /// whole segments).
    pub(crate) segment: u64,
    /// Most bytes of events that are kept for dead letters alone.
    pub(crate) dead_letters: u64,
}

impl Limits {
    pub(crate) fn new(options: &Options) -> Self {
        let max = options.max_bytes;
        let segment = options.segment_bytes.max(max / 256).min(max / 16).clamp(LEAST_SEGMENT, MOST_SEGMENT);
        Self { max, segment, dead_letters: options.dead_letter_max_bytes }
    }

    /// Files may grow to this size by events. The rest is for outcomes and for copies made by cleaning, without which a
    /// full journal could never become less full.
    pub(crate) fn most_for_events(&self) -> u64 {
        self.max.saturating_sub((self.max / 8).max(3 * self.segment))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn limits(max_bytes: u64, segment_bytes: u64) -> Limits {
        Limits::new(&Options {
            directory: "/".into(),
            max_bytes,
            segment_bytes,
            max_idempotency_keys: 0,
            dead_letter_retention_ms: 0,
            dead_letter_max_bytes: 0,
            outcome_delay: Duration::ZERO,
        })
    }

    #[test]
    fn segments_are_neither_too_many_nor_too_large() {
        assert_eq!(limits(8 << 30, 64 << 20).segment, 64 << 20);
        assert_eq!(limits(64 << 30, 64 << 20).segment, 256 << 20);
        assert_eq!(limits(256 << 20, 64 << 20).segment, 16 << 20);
        assert_eq!(limits(1 << 40, 64 << 20).segment, 1 << 30);
    }

    #[test]
    fn an_eighth_is_kept_for_outcomes_and_cleaning() {
        assert_eq!(limits(8 << 30, 64 << 20).most_for_events(), 7 << 30);
    }
}
