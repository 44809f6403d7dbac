//! What the Webhook's configuration says about ingest. Swapped as a whole when the configuration changes; a request
//! sees the settings of the moment at which it began.

use std::sync::Arc;

use posthaste_delivery_config::{Authentication, RateLimit, WebhookConfig, schema::EventSchemas};

use super::{auth::BearerKeys, catalogue::Catalogue};

/// The settings.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// Who may post events.
    pub authentication: Authentication,
    /// The keys of [`Authentication::BearerKeys`].
    pub bearer_keys: BearerKeys,
    /// The event types that are accepted; `None` accepts any well-formed type.
    pub catalogue: Option<Catalogue>,
    /// Most bytes of one event's JSON text.
    pub max_payload_bytes: usize,
    /// For how long ids are remembered, in milliseconds.
    pub idempotency_window_ms: i64,
    /// Most accepted events per time.
    pub event_rate: Option<RateLimit>,
}

impl Settings {
    /// Those of a configuration whose schemas are compiled.
    pub fn new(config: &WebhookConfig, schemas: &Arc<EventSchemas>) -> Self {
        let catalogue = |types| Catalogue::with_schemas(types, Arc::clone(schemas));
        Self {
            authentication: config.authentication,
            bearer_keys: BearerKeys::new(&config.bearer_keys),
            catalogue: config.event_types.clone().map(catalogue),
            max_payload_bytes: config.max_payload_bytes as usize,
            idempotency_window_ms: i64::try_from(config.idempotency_window_ms).unwrap_or(i64::MAX),
            event_rate: config.limits.event_rate,
        }
    }
}
