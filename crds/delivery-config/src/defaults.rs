//! What holds where neither an endpoint nor its Webhook says anything.
//!
//! These are no defaults in the schema: a defaulted field would hide that it can be inherited.

use std::time::Duration;

/// Time limit of one whole attempt.
pub const TIMEOUT: Duration = Duration::from_secs(15);
/// Delays before the second, third, ... attempt: 5s, 5m, 30m, 2h, 5h, 10h, 14h, 20h, 24h.
pub const RETRY_SCHEDULE: [Duration; 9] = [
    Duration::from_secs(5),
    Duration::from_mins(5),
    Duration::from_mins(30),
    Duration::from_hours(2),
    Duration::from_hours(5),
    Duration::from_hours(10),
    Duration::from_hours(14),
    Duration::from_hours(20),
    Duration::from_hours(24),
];
/// By up to how many percent a delay is lengthened at random.
pub const JITTER_PERCENT: u32 = 10;
/// For how long a delivery may be attempted, or wait for it, in milliseconds: 100h.
pub const MAX_AGE_MS: u64 = 100 * 3_600_000;
/// Longest time that a `Retry-After` is heard as.
pub const RETRY_AFTER_MAX: Duration = Duration::from_hours(24);
/// Attempts in flight to one endpoint.
pub const CONCURRENCY: u32 = 8;
/// Failed attempts in a row that open an endpoint's circuit.
pub const BREAKER_FAILURES: u32 = 10;
/// How long a circuit stays open at first.
pub const BREAKER_OPEN_FOR: Duration = Duration::from_secs(30);
/// How long a circuit stays open at most.
pub const BREAKER_OPEN_FOR_MAX: Duration = Duration::from_mins(15);
/// Largest event in bytes.
pub const MAX_PAYLOAD_BYTES: u32 = 262_144;
/// For how long an event's id is remembered.
pub const IDEMPOTENCY_WINDOW: Duration = Duration::from_hours(24);
/// Attempts in flight over all endpoints of a Webhook.
pub const IN_FLIGHT: u32 = 1024;
/// Endpoints of a Webhook that receive events.
pub const ENDPOINTS: u32 = 10_000;
/// Size of the journal's volume claim, in bytes.
pub const VOLUME_BYTES: u64 = 10 << 30;
/// Size limit of the journal's emptyDir, in bytes.
pub const EMPTY_DIR_BYTES: u64 = 1 << 30;

/// [`MAX_AGE_MS`] for what was rendered without it.
pub(crate) const fn max_age_ms() -> u64 {
    MAX_AGE_MS
}

/// [`RETRY_AFTER_MAX`] for what was rendered without it.
pub(crate) const fn retry_after_max_ms() -> u64 {
    RETRY_AFTER_MAX.as_secs() * 1_000
}
/// Bytes of events that may be pending for one endpoint.
pub const ENDPOINT_BYTES: u64 = 1 << 30;
/// How long deliveries that were given up are kept.
pub const DEAD_LETTER_RETENTION: Duration = Duration::from_hours(168);
/// How long finished events are kept if the space is not needed.
pub const HISTORY_RETENTION: Duration = Duration::from_hours(72);
/// Bytes of events that are kept for dead letters alone.
pub const DEAD_LETTER_BYTES: u64 = 1 << 30;

/// Bytes that the journal may use on a volume of this size: four fifths, so that the volume never runs full.
pub const fn journal_bytes(volume: u64) -> u64 {
    volume / 5 * 4
}

/// A part of a journal of `journal` bytes that is `wanted` bytes unless the journal is small.
pub const fn part_of_journal(wanted: u64, journal: u64) -> u64 {
    let most = journal / 8;
    if wanted < most { wanted } else { most }
}
