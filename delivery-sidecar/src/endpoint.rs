//! An endpoint, ready for delivering to: everything that can be parsed once is parsed here.

mod compile;
#[cfg(test)]
pub(crate) mod fixture;
mod shared;

use std::{fmt, sync::Arc, time::Duration};

use posthaste_delivery_config::{CloudEventsMode, DeliveryPolicy, TargetKind};
use posthaste_expressions::{JsonTemplate, TextTemplate};

pub use shared::Shared;

/// An endpoint with its URL parsed, its keys decoded and its templates compiled. `Debug` shows what may be logged.
pub struct Endpoint {
    /// Its identity.
    pub uid: Arc<str>,
    /// Its name.
    pub name: Arc<str>,
    /// The generation that this was made from.
    pub generation: i64,
    /// A name for people.
    pub display_name: Option<String>,
    /// Values for templates.
    pub parameters: std::collections::BTreeMap<String, String>,
    /// Only events of this tenant.
    pub tenant: Option<String>,
    /// Patterns of event types; `None` matches all.
    pub event_types: Option<Vec<String>>,
    /// Where deliveries go. Never log it: it may be a secret.
    pub url: url::Url,
    /// What may be shown of the URL.
    pub display_url: Option<String>,
    /// Which rules its address is checked by.
    pub kind: TargetKind,
    /// Headers: name and template, or literal.
    pub headers: Vec<(http::HeaderName, HeaderSource)>,
    /// What is sent.
    pub payload: Payload,
    /// Keys in order.
    pub keys: Vec<Key>,
    /// Limit of one attempt.
    pub timeout: Duration,
    /// How deliveries are attempted.
    pub delivery: DeliveryPolicy,
    /// New events are matched.
    pub enabled: bool,
    /// Deliveries wait.
    pub suspend: bool,
    /// Hash of the URL, to notice when it changes without a new generation (`urlFrom`).
    pub url_fingerprint: u64,
}

/// Where a header's value comes from.
pub enum HeaderSource {
    /// The same each time.
    Literal(http::HeaderValue),
    /// Rendered at each attempt.
    Template(TextTemplate),
}

/// What is sent.
#[derive(Debug)]
pub enum Payload {
    /// `{"type": ..., "timestamp": ..., "data": ...}`.
    StandardWebhooks,
    /// A CloudEvent.
    CloudEvents(CloudEventsMode),
    /// The event's data.
    Raw,
    /// A JSON text of the user's.
    Template(Arc<JsonTemplate>),
}

/// A key that signs.
#[derive(Debug)]
pub struct Key {
    /// Its name in status.
    pub id: String,
    /// It.
    pub key: posthaste_signing::SymmetricKey,
    /// From this time on it does not sign, in milliseconds since the epoch.
    pub not_after_ms: Option<i64>,
}

impl Endpoint {
    /// The keys that sign at this time (milliseconds since the Unix epoch), in order.
    pub fn active_keys(&self, now_ms: i64) -> impl Iterator<Item = &Key> {
        self.keys.iter().filter(move |key| key.is_active(now_ms))
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Endpoint")
            .field("uid", &self.uid)
            .field("name", &self.name)
            .field("generation", &self.generation)
            .field("display_url", &self.display_url)
            .finish_non_exhaustive()
    }
}

impl Key {
    /// Whether it signs at this time, in milliseconds since the Unix epoch. At `not_after_ms` it no longer does.
    pub fn is_active(&self, now_ms: i64) -> bool {
        self.not_after_ms.is_none_or(|end| now_ms < end)
    }
}
