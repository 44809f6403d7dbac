//! A small journal, where tests begin.

use std::path::PathBuf;
use std::time::Duration;

use crate::{Options, Space};

/// Its directory.
pub const DIRECTORY: &str = "/journal";
/// When tests begin, in milliseconds since the epoch.
pub const NOW: i64 = 1_800_000_000_000;

/// How it is opened: 1 MiB in small segments, no history, and outcomes that wait until they are asked for.
pub fn options() -> Options {
    Options {
        directory: PathBuf::from(DIRECTORY),
        space: Space {
            max_bytes: 1 << 20,
            max_bytes_per_endpoint: 1 << 20,
            dead_letter_retention_ms: 60_000,
            dead_letter_max_bytes: 512 << 10,
            history_retention_ms: 0,
        },
        segment_bytes: 4 << 10,
        max_idempotency_keys: 1000,
        outcome_delay: Duration::from_hours(1),
    }
}
