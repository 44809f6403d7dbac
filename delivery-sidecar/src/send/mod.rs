//! Sends one attempt and says what came of it. Knows nothing of retries, lanes or the journal.
//!
//! An attempt's way: `request` (render, sign) -> `sender` -> the `clients` -> `guard` (resolve, check every
//! address by the `address_policy`) -> the receiver -> `classify` (what the answer or the error means). The pure
//! parts are `address_policy`, `classify`, `failure`, `request` and `retry_after`.

pub mod address_policy;
pub(crate) mod classify;
mod clients;
pub mod exchange;
pub(crate) mod failure;
mod guard;
mod request;
pub mod resolve;
pub(crate) mod retry_after;
mod sender;
mod system_resolver;
mod timed;

#[cfg(test)]
mod tests;

use std::time::Duration;

pub use crate::render::Attempt;
pub use exchange::Exchange;
pub use retry_after::retry_after;
pub use sender::{MAX_RESPONSE_BYTES, Sender, SetupError};

/// What came of one attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// The verdict.
    pub verdict: Verdict,
    /// How long it took, the response's body included.
    pub elapsed: Duration,
    /// What was sent and what came back.
    pub exchange: Exchange,
}

/// The verdict on one attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// 2xx.
    Succeeded {
        /// HTTP status.
        status: u16,
    },
    /// Anything else.
    Failed {
        /// Why, with one of the reasons of `Healthy`; the message never contains a secret.
        failure: posthaste_journal::Failure,
        /// What the receiver asked for by `Retry-After`, if it did, however long.
        retry_after: Option<Duration>,
        /// What follows from it.
        class: FailureClass,
    },
}

/// What follows from a failed attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FailureClass {
    /// Try again on the schedule.
    Retry,
    /// The receiver is overloaded (408, 429, 502, 503, 504 or a `Retry-After`): try again on the schedule, and later.
    Throttle,
    /// 410: the endpoint wants no more.
    Gone,
    /// Another attempt would end the same (the request cannot be made): give up at once.
    Permanent,
}
