//! The contract between the operator and a delivery sidecar, and the pure function that makes it.
//!
//! The operator writes a Webhook's configuration into Secrets: chunks `<webhook>-delivery-0..63` (an endpoint is in the
//! chunk that its UID hashes to) and an index `<webhook>-delivery`. Chunks are written first, the index last; the
//! sidecar reads the index, then the chunks whose hash changed, and keeps its last good configuration on a mismatch.
//! Within a contract version there are only additions, and a sidecar reads its own version and the one before.
//!
//! Nothing here does I/O: the operator and the standalone mode of the sidecar both call [`render()`] with what they
//! looked up.

pub mod contract;
pub mod defaults;
mod hash;
pub mod render;
pub mod resolve;
pub mod schema;
pub mod secret;
pub mod template;
mod tls;

pub use contract::{
    AddressPolicy, Authentication, CONTRACT_VERSION, Chunk, ChunkRef, CircuitBreaker, DeadLetter, DeliveryOrdering,
    DeliveryPolicy, DeliveryRate, Endpoint, HeaderValue, Index, IngestTls, Interest, Limits, OnExhausted, RateLimit,
    RetryPolicy, SigningKey, StatusBudget, StatusMode, Target, TargetKind, TlsPair, Tombstone, Waiting, WebhookConfig,
};
pub use render::{Rendered, render};
pub use secret::Redacted;
pub use tls::PairError;
