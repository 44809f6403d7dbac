//! Schemas of event types: what is refused, what is said about data, and that nothing can stop or stall the process.

mod bombs;
mod same;
mod words;

use posthaste_delivery_config::schema::{EventSchema, Misfit};
use serde_json::Value;

/// What is said about data, as "pointer detail".
fn said(schema: &Value, data: &str) -> Vec<String> {
    let schema = EventSchema::compile(schema).unwrap();
    let Err(Misfit { violations }) = schema.check(data.as_bytes()) else { return Vec::new() };
    violations.iter().map(|violation| format!("{} {}", violation.pointer, violation.detail)).collect()
}

/// Why a schema is refused, as "pointer message".
fn refusal(schema: &Value) -> String {
    let error = EventSchema::compile(schema).unwrap_err();
    format!("{} {}", error.pointer, error.message)
}
