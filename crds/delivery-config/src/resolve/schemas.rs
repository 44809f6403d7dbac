//! The schemas of a Webhook's event types.

use std::collections::BTreeMap;

use posthaste_crds::{conditions::accepted, v1alpha1::Webhook};
use serde_json::Value;

use super::Refusal;
use crate::schema::{EventSchemas, SchemasError};

/// Each schema can be used, and all together are not too large.
pub(super) fn schemas_compile(webhook: &Webhook) -> Result<(), Refusal> {
    let refuse = |error| match error {
        SchemasError::Schema { event_type, error } => {
            let mut types = webhook.spec.event_types.iter().flatten();
            let index = types.position(|known| known.name == event_type).unwrap_or_default();
            let message = format!("eventTypes[{index}].schema ({event_type:?}): {error}");
            Refusal::new(accepted::INVALID_SCHEMA, message)
        }
        SchemasError::TooLarge(message) => Refusal::new(accepted::TOO_LARGE, format!("eventTypes[].schema: {message}")),
    };
    EventSchemas::compile(by_type(webhook)).map(drop).map_err(refuse)
}

/// Schemas by event type.
pub(super) fn by_type(webhook: &Webhook) -> BTreeMap<String, Value> {
    let types = webhook.spec.event_types.iter().flatten();
    types.filter_map(|known| Some((known.name.clone(), known.schema.clone()?))).collect()
}
