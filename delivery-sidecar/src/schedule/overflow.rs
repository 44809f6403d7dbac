//! What is recorded of a delivery that is given up because its endpoint has too much pending.

use posthaste_journal::{Failure, Ordinal, Outcome, OutcomeKind};

use super::queue::Waiting;

/// The reason in the journal. Not one of `Healthy`: nothing was attempted, so nothing is said of the receiver.
pub const OVERFLOW: &str = "Overflow";

/// The end of a delivery that waited. Its attempts stay as they were, which says that none was made now.
pub fn outcome(endpoint: Ordinal, waiting: &Waiting, now_ms: i64) -> Outcome {
    let message = "the endpoint had more pending than journal.maxBytesPerEndpoint".to_owned();
    let failure = Failure { status: None, reason: OVERFLOW.to_owned(), message };
    Outcome {
        seq: waiting.seq,
        endpoint,
        at_ms: now_ms,
        attempts: waiting.attempts.into(),
        kind: OutcomeKind::DeadLettered { failure },
    }
}
