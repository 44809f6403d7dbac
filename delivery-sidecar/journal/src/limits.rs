//! How much may be written before what happens.

use crate::Space;

/// Smallest segment, whatever the options say.
const LEAST_SEGMENT: u64 = 4 << 10;
/// Largest segment, so that places in it fit into 32 bits with room to spare.
const MOST_SEGMENT: u64 = 1 << 30;

/// Finished events that are kept at most, because opening a journal reads the records of each.
const MOST_HISTORY: u64 = 1_000_000;

/// An event that is not finished, and each of its deliveries that wait, take a place of this size: memory is needed for each,
/// however small it is on disk. An event of 1 KiB for one endpoint takes no more than its bytes.
const PLACE_BYTES: u64 = 512;

/// Bounds in bytes, from the options.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Limits {
    /// Most bytes of all files.
    pub(crate) max: u64,
    /// Bytes after which a segment ends. Between 1/256 of `max` (each file is kept open) and 1/16 (space comes back by
    /// whole segments).
    pub(crate) segment: u64,
    /// Most bytes that are pending for one endpoint.
    pub(crate) per_endpoint: u64,
    /// Most bytes of events that are kept for dead letters alone.
    pub(crate) dead_letters: u64,
    /// Most events that are not finished and deliveries that wait, together.
    pub(crate) places: u64,
    /// For how long dead letters are kept, in milliseconds.
    pub(crate) dead_letter_retention_ms: i64,
    /// For how long finished events are kept if the space is not needed, in milliseconds.
    pub(crate) history_retention_ms: i64,
    /// Most finished events that are kept.
    pub(crate) history_events: u64,
}

impl Limits {
    /// For segments of about `segment_bytes`.
    pub(crate) fn new(space: &Space, segment_bytes: u64) -> Self {
        let max = space.max_bytes;
        Self {
            max,
            segment: segment_bytes.max(max / 256).min(max / 16).clamp(LEAST_SEGMENT, MOST_SEGMENT),
            per_endpoint: space.max_bytes_per_endpoint.min(max),
            dead_letters: space.dead_letter_max_bytes.min(max / 2),
            places: max / PLACE_BYTES,
            dead_letter_retention_ms: space.dead_letter_retention_ms,
            history_retention_ms: space.history_retention_ms,
            history_events: MOST_HISTORY,
        }
    }

    /// What an endpoint that was over [`Self::per_endpoint`] is brought down to: clearly below, so that a stream of new
    /// events makes few sweeps.
    pub(crate) fn per_endpoint_after(&self) -> u64 {
        self.per_endpoint - self.per_endpoint / 16
    }

    /// Files may grow to this size by events. The rest is for outcomes and for copies made by cleaning, without which a
    /// full journal could never become less full.
    pub(crate) fn most_for_events(&self) -> u64 {
        self.max.saturating_sub((self.max / 8).max(3 * self.segment))
    }

    /// Above this size of the files, finished events are not kept: four fifths of what is for events, so that what is
    /// accepted meanwhile finds space while the oldest of them go.
    pub(crate) fn most_with_history(&self) -> u64 {
        self.most_for_events() / 5 * 4
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits(max_bytes: u64, segment_bytes: u64) -> Limits {
        let space = Space {
            max_bytes,
            max_bytes_per_endpoint: u64::MAX,
            dead_letter_retention_ms: 0,
            dead_letter_max_bytes: u64::MAX,
            history_retention_ms: 0,
        };
        Limits::new(&space, segment_bytes)
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

    #[test]
    fn dead_letters_never_get_more_than_half() {
        assert_eq!(limits(8 << 30, 64 << 20).dead_letters, 4 << 30);
    }
}
