//! What goes into the journal and what comes out of it. Times are milliseconds since the Unix epoch, given by the caller.

use std::path::PathBuf;

use bytes::Bytes;

/// Position of an event in the order of acceptance. Never reused.
pub type Seq = u64;

/// Number of an endpoint within one journal. Never reused for another endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Ordinal(pub u32);

/// How a journal is opened.
#[derive(Clone, Debug)]
pub struct Options {
    /// Directory of its files; made when missing.
    pub directory: PathBuf,
    /// How much of the disk it may use, and for what.
    pub space: Space,
    /// Bytes after which a new segment file is begun.
    pub segment_bytes: u64,
    /// Most idempotency keys that are remembered; over it, the oldest are forgotten.
    pub max_idempotency_keys: usize,
    /// Longest time that an outcome waits for others before it is synced.
    pub outcome_delay: std::time::Duration,
}

/// How much of the disk a journal may use, and for what. May change while it is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Space {
    /// Most bytes that its files may use. Over it, [`Error::Full`].
    pub max_bytes: u64,
    /// Most bytes of events that one endpoint may have pending; an endpoint over it is told of by
    /// [`crate::Journal::overflowing`]. An event that several endpoints wait for counts for each.
    pub max_bytes_per_endpoint: u64,
    /// For how long dead letters are kept, in milliseconds.
    pub dead_letter_retention_ms: i64,
    /// Most bytes of events that are kept only because they have dead letters; over it, the oldest dead letters go. At
    /// most half of `max_bytes` counts.
    pub dead_letter_max_bytes: u64,
    /// For how long after their acceptance finished events are kept, in milliseconds, if the space is not needed. 0: not at
    /// all.
    pub history_retention_ms: i64,
}

/// An event to be accepted.
#[derive(Clone, Debug)]
pub struct NewEvent {
    /// Its content, opaque to the journal.
    pub payload: Bytes,
    /// When it was accepted.
    pub accepted_ms: i64,
    /// How repetitions are recognised; `None` when the client gave no id.
    pub idempotency: Option<IdempotencyKey>,
    /// The endpoints that it is for. May be empty: the event is then finished at once.
    pub deliveries: Vec<Ordinal>,
    /// A number that tells the caller which events belong together, opaque to the journal. It is given back without its
    /// event being read.
    pub group: u16,
}

/// How a repetition of an event is recognised.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IdempotencyKey {
    /// Hash of (tenant, source, id).
    pub key: u128,
    /// Hash of the content: the same key with another content is a conflict.
    pub content: u64,
    /// Until when the key is remembered.
    pub expires_ms: i64,
}

/// What became of a [`NewEvent`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Accepted {
    /// Synced under this number.
    New {
        /// Its number.
        seq: Seq,
    },
    /// The same event is there already, and synced.
    Duplicate {
        /// How many deliveries it had.
        deliveries: u32,
    },
    /// Another event with the same key is there already.
    Conflict,
}

/// An event that has just been synced, in order of [`Seq`].
#[derive(Clone, Debug)]
pub struct Committed {
    /// Its number.
    pub seq: Seq,
    /// When it was accepted.
    pub accepted_ms: i64,
    /// The endpoints that it is for.
    pub deliveries: Vec<Ordinal>,
    /// As in [`NewEvent`].
    pub group: u16,
    /// Its content.
    pub payload: Bytes,
}

/// An event as it is read back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// When it was accepted.
    pub accepted_ms: i64,
    /// The endpoints that it was for.
    pub deliveries: Vec<Ordinal>,
    /// Its content.
    pub payload: Bytes,
}

/// The end of one attempt, or of a delivery.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// The event.
    pub seq: Seq,
    /// The endpoint.
    pub endpoint: Ordinal,
    /// When it happened.
    pub at_ms: i64,
    /// How many attempts the delivery has had, this one counted.
    pub attempts: u32,
    /// What happened.
    pub kind: OutcomeKind,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OutcomeKind {
    /// Delivered: the delivery is finished.
    Succeeded {
        /// HTTP status.
        status: u16,
    },
    /// The attempt failed and there will be another.
    Retry {
        /// When the next one is due.
        due_ms: i64,
        /// Why it failed.
        failure: Failure,
    },
    /// Given up: the delivery is finished and its event kept as a dead letter.
    DeadLettered {
        /// Why the last attempt failed.
        failure: Failure,
    },
}

/// Why an attempt failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// HTTP status of the answer, if there was one.
    pub status: Option<u16>,
    /// The kind: one of the reasons of the `Healthy` condition.
    pub reason: String,
    /// For people; at most 256 bytes are kept.
    pub message: String,
}

/// Counts of one endpoint. They come from the journal, so a restart does not reset them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EndpointStats {
    /// Deliveries that succeeded.
    pub delivered: u64,
    /// Attempts that failed.
    pub failed: u64,
    /// Attempts that were not the first of their delivery.
    pub retried: u64,
    /// Deliveries that were given up.
    pub dead_lettered: u64,
    /// Deliveries that were dropped because the endpoint was deleted.
    pub dropped: u64,
    /// Attempts that failed since the last success.
    pub consecutive_failures: u64,
    /// HTTP status of the last answer.
    pub last_status: Option<u16>,
    /// When the last attempt ended.
    pub last_attempt_ms: Option<i64>,
    /// When the last success was.
    pub last_success_ms: Option<i64>,
    /// The last attempt that failed.
    pub last_failure: Option<LastFailure>,
}

/// The last attempt that failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LastFailure {
    /// When it ended.
    pub at_ms: i64,
    /// Why.
    pub failure: Failure,
}

/// An endpoint that the journal knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndpointRecord {
    /// Its number.
    pub ordinal: Ordinal,
    /// Its UID.
    pub uid: String,
    /// Its counts.
    pub stats: EndpointStats,
    /// What the engine remembers about it, opaque to the journal; at most 1 KiB.
    pub memo: Bytes,
}

/// A delivery that is not finished.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pending {
    /// The event.
    pub seq: Seq,
    /// The endpoint.
    pub endpoint: Ordinal,
    /// Attempts so far.
    pub attempts: u32,
    /// When the event was accepted.
    pub accepted_ms: i64,
    /// When the next attempt is due; 0 before the first.
    pub due_ms: i64,
    /// As in [`NewEvent`].
    pub group: u16,
    /// It was finished before, and asked for again.
    pub redelivered: bool,
}

/// A delivery that was given up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeadLetter {
    /// The event.
    pub seq: Seq,
    /// The endpoint.
    pub endpoint: Ordinal,
    /// When its event was accepted.
    pub accepted_ms: i64,
    /// When it was given up.
    pub at_ms: i64,
    /// Attempts that it had.
    pub attempts: u32,
}

/// How a delivery stands that is not finished, or is a dead letter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It waits.
    Pending {
        /// Attempts so far.
        attempts: u32,
        /// When the next attempt is due; 0 before the first.
        due_ms: i64,
    },
    /// It was given up.
    Dead {
        /// Attempts that it had.
        attempts: u32,
        /// When it was given up.
        at_ms: i64,
    },
}

/// A delivery of a known endpoint that is not finished, or is a dead letter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unfinished {
    /// The event.
    pub seq: Seq,
    /// When it was accepted.
    pub accepted_ms: i64,
    /// How the delivery stands.
    pub standing: Standing,
}

/// A delivery that was finished and is pending again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Redelivered {
    /// The event.
    pub seq: Seq,
    /// When it was accepted.
    pub accepted_ms: i64,
}

/// What was found when the journal was opened.
#[derive(Clone, Debug, Default)]
pub struct Recovered {
    /// Endpoints, in order of ordinal.
    pub endpoints: Vec<EndpointRecord>,
    /// How many deliveries are not finished. [`crate::Journal::pending_after`] tells which.
    pub pending: u64,
    /// What was cut off the end because a crash had torn it. Never contains anything that was synced.
    pub cut: Option<Cut>,
}

/// The end of a torn file that was cut off.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cut {
    /// The file.
    pub file: PathBuf,
    /// Bytes that were removed.
    pub bytes: u64,
    /// Whole records among them.
    pub records: u64,
}

/// An endpoint that has more bytes pending than it may.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Overflow {
    /// The endpoint.
    pub endpoint: Ordinal,
    /// Its oldest pending deliveries, in order of acceptance.
    pub oldest: Vec<Seq>,
}

/// Bytes in use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Bytes of all files.
    pub used: u64,
    /// Bytes that are still needed: pending events, dead letters, keys, counts.
    pub live: u64,
    /// Most bytes that may be used.
    pub max: u64,
    /// Bytes of the contents of events that are kept for their dead letters alone.
    pub dead_letters: u64,
    /// Bytes of what is finished and whose time to be kept is not over; what is not `live` and not this goes by itself.
    pub history: u64,
    /// What was removed since the journal was opened because its time or space was over.
    pub removed: Removed,
    /// Events are refused because the journal is full or its disk fails.
    pub refusing: bool,
    /// The disk fails, and not because it is full.
    pub failing: bool,
}

/// Dead letters that were removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Removed {
    /// Because they were older than their retention.
    pub too_old: u64,
    /// Because they took more space than they may.
    pub too_many: u64,
}

/// What [`crate::Journal::tidy`] removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tidied {
    /// Idempotency keys that had expired.
    pub keys: u64,
    /// Dead letters that were too old, or the oldest of too many.
    pub dead_letters: u64,
}

/// Why the journal could not do what was asked.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Error {
    /// `max_bytes` or the disk is used up. Nothing was kept; it may work again later.
    #[error("the journal is full")]
    Full,
    /// The disk failed. Nothing was kept; it may work again later.
    #[error("the journal cannot be written: {0}")]
    Io(String),
    /// Another process holds the journal.
    #[error("the journal in {0} is held by another process")]
    Locked(PathBuf),
    /// The files are of a version that this build does not know.
    #[error("{file}: format version {found} is not supported by this build (it knows {supported})")]
    Version {
        /// The file.
        file: PathBuf,
        /// Its version.
        found: u32,
        /// The newest version that is known.
        supported: u32,
    },
    /// A record that was synced is damaged. The journal is not opened, so that nothing is lost silently.
    #[error("{file}: damaged at byte {offset}: {what}")]
    Damaged {
        /// The file.
        file: PathBuf,
        /// Where.
        offset: u64,
        /// What is wrong.
        what: String,
    },
    /// What was given does not fit into the journal, and never will.
    #[error("{what} has {found} bytes; the journal takes {allowed}")]
    Size {
        /// What was given.
        what: &'static str,
        /// Its bytes.
        found: usize,
        /// How many there may be.
        allowed: &'static str,
    },
    /// The journal was closed.
    #[error("the journal is closed")]
    Closed,
}
