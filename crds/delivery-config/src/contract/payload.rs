//! What is sent to an endpoint.

use serde::{Deserialize, Serialize};

/// What is sent.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[serde(tag = "format", rename_all_fields = "camelCase")]
pub enum Payload {
    /// `{"type": ..., "timestamp": ..., "data": ...}`.
    #[default]
    StandardWebhooks,
    /// A CloudEvent.
    CloudEvents {
        /// How it is put into the request.
        mode: CloudEventsMode,
    },
    /// The event's data.
    Raw,
    /// A JSON text with expressions in its strings.
    Template {
        /// The text.
        template: String,
    },
}

/// How a CloudEvent is put into a request.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq)]
pub enum CloudEventsMode {
    /// As one JSON object.
    Structured,
    /// The data as the body, the attributes as headers.
    Binary,
    /// A JSON array of one object.
    Batched,
}
