//! The durable queue of a delivery sidecar: accepted events, the deliveries they became, and what came of them.
//!
//! The journal knows sequence numbers, endpoint ordinals, outcomes and counts. An event's content is opaque bytes to it.

mod types;

pub use types::{
    Accepted, Committed, Cut, DeadLetter, EndpointRecord, EndpointStats, Error, Failure, IdempotencyKey, LastFailure,
    NewEvent, Options, Ordinal, Outcome, OutcomeKind, Pending, Recovered, Seq, Stored, Usage,
};
