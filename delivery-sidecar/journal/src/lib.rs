#![doc = include_str!("../README.md")]

mod batch;
mod delivery;
pub mod filesystem;
mod format;
mod halves;
mod history;
mod journal;
mod limits;
mod log;
mod state;
mod store;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
mod types;
mod writer;

#[cfg(test)]
mod tests;

pub use filesystem::{Disk, Filesystem};
pub use history::{History, Kept, Wanted};
pub use journal::{Journal, MEMO_BYTES, PAYLOAD_BYTES, REDELIVER_EVENTS};
pub use types::{
    Accepted, Committed, Cut, DeadLetter, EndpointRecord, EndpointStats, Error, Failure, IdempotencyKey, LastFailure,
    NewEvent, Options, Ordinal, Outcome, OutcomeKind, Overflow, Pending, Recovered, Redelivered, Removed, Seq, Space,
    Standing, Stored, Tidied, Unfinished, Usage,
};
