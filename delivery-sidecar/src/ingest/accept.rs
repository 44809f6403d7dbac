//! The seam between ingest and what keeps events. Ingest checks events; whoever implements [`AcceptEvents`] decides
//! which endpoints they are for and journals them.

use futures::future::BoxFuture;
use posthaste_journal::IdempotencyKey;

use crate::event::Event;

/// Keeps checked events durably.
///
/// # Guarantees that ingest relies on
/// - When the future resolves to `Ok`, every event that is not a [`Kept::Conflict`] has been synced, and there is one
///   [`Kept`] for each [`Prepared`], in the same order.
/// - When it resolves to `Err`, no event of the batch was kept, or the caller may send all of them again without harm
///   (those with an idempotency key are then found to be duplicates).
/// - A key that occurs twice in one batch is treated as if the two had come one after the other.
/// - Dropping the future is harmless: the batch is then kept or not kept, and nothing waits for an answer.
pub trait AcceptEvents: Send + Sync + 'static {
    /// Keeps a batch. Ingest never calls it with an empty one.
    fn accept(&self, batch: Vec<Prepared>) -> BoxFuture<'_, Result<Vec<Kept>, AcceptError>>;
}

/// An event that passed every check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prepared {
    /// The event, its id and time filled in.
    pub event: Event,
    /// When it was accepted, in milliseconds since the Unix epoch.
    pub accepted_ms: i64,
    /// How a repetition is recognised; `None` when the client gave no id.
    pub idempotency: Option<IdempotencyKey>,
}

/// What became of one event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kept {
    /// Synced.
    New {
        /// To how many endpoints it goes.
        deliveries: u32,
    },
    /// The same event had been kept before; nothing is delivered again.
    Duplicate {
        /// To how many endpoints the first one goes or went.
        deliveries: u32,
    },
    /// Another event with the same tenant, source and id had been kept before.
    Conflict,
}

/// Why nothing could be kept. All of these may work again later.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AcceptError {
    /// The journal's space is used up.
    #[error("the journal is full")]
    Full,
    /// The journal's disk fails. The text is for the log, not for the client.
    #[error("the journal cannot be written: {0}")]
    Failing(String),
    /// The process is stopping.
    #[error("the process is stopping")]
    Stopping,
}

impl From<posthaste_journal::Error> for AcceptError {
    fn from(error: posthaste_journal::Error) -> Self {
        match error {
            posthaste_journal::Error::Full => Self::Full,
            posthaste_journal::Error::Closed => Self::Stopping,
            other => Self::Failing(other.to_string()),
        }
    }
}
