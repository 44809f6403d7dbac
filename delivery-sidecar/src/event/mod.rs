//! An event as it was accepted, and its form in the journal.

mod codec;

pub use codec::DecodeError;

use bytes::Bytes;

/// An accepted event. In spirit a CloudEvent; see docs/design for the meaning of the fields.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Unique per (tenant, source); also the `webhook-id`. At most 256 visible ASCII characters.
    pub id: String,
    /// Its type, such as `order.created`.
    pub event_type: String,
    /// Who produced it.
    pub source: Option<String>,
    /// What it is about.
    pub subject: Option<String>,
    /// Whose it is.
    pub tenant: Option<String>,
    /// The producer's time, verbatim, or ours: RFC 3339 with milliseconds and `Z`.
    pub time: String,
    /// The JSON text of `data`, byte for byte as it came.
    pub data: Bytes,
    /// The JSON text of `metadata`, if there was any.
    pub metadata: Option<Bytes>,
}
