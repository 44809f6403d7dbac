//! The schemas of all event types of a Webhook.

use std::{collections::BTreeMap, fmt};

use serde_json::Value;

use super::{EventSchema, SchemaError};

/// Most bytes of all schemas and the names of their types together, as JSON. They are in the configuration's index, beside the names of up to 512
/// types and the identities of up to 12,288 endpoints.
pub const MAX_SCHEMAS_BYTES: usize = 128 * 1024;
/// What stands around the name of a type and its schema in JSON: quotes, a colon, a comma.
const AROUND: usize = 4;
/// Most bytes of memory that all patterns together may take.
pub const MAX_PATTERN_MEMORY: usize = 32 << 20;

/// Compiled schemas by event type, and what they were compiled from. Equal when that is.
#[derive(Default)]
pub struct EventSchemas {
    source: BTreeMap<String, Value>,
    compiled: BTreeMap<String, EventSchema>,
}

/// Why the schemas of a Webhook cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SchemasError {
    /// One of them.
    Schema {
        /// The event type that it is of.
        event_type: String,
        /// What is wrong with it.
        error: SchemaError,
    },
    /// All together. Says what would be right.
    TooLarge(String),
}

impl fmt::Display for SchemasError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Schema { event_type, error } => write!(f, "the schema of {event_type:?}: {error}"),
            Self::TooLarge(message) => f.write_str(message),
        }
    }
}

impl std::error::Error for SchemasError {}

impl EventSchemas {
    /// Compiles schemas, given by event type.
    ///
    /// # Errors
    /// The first that cannot be used, as [`EventSchema::compile`]; over [`MAX_SCHEMAS_BYTES`] or [`MAX_PATTERN_MEMORY`]
    /// together.
    pub fn compile(source: BTreeMap<String, Value>) -> Result<Self, SchemasError> {
        let (mut compiled, mut bytes, mut memory) = (BTreeMap::new(), 0_usize, 0_usize);
        for (event_type, schema) in &source {
            let one = EventSchema::compile(schema)
                .map_err(|error| SchemasError::Schema { event_type: event_type.clone(), error })?;
            // Not before it is compiled, which begins by bounding it. What follows it is not compiled in vain.
            bytes = bytes.saturating_add(event_type.len() + AROUND + crate::render::json(schema).len());
            memory = memory.saturating_add(one.pattern_memory());
            if bytes > MAX_SCHEMAS_BYTES {
                return Err(SchemasError::TooLarge(format!(
                    "all schemas together have more than {MAX_SCHEMAS_BYTES} bytes as JSON; make them shorter, or use a second Webhook"
                )));
            }
            if memory > MAX_PATTERN_MEMORY {
                return Err(SchemasError::TooLarge(format!(
                    "the patterns of all schemas together may take more than {MAX_PATTERN_MEMORY} bytes of memory when they are matched; use fewer or simpler ones"
                )));
            }
            compiled.insert(event_type.clone(), one);
        }
        Ok(Self { source, compiled })
    }

    /// What they were compiled from.
    pub fn source(&self) -> &BTreeMap<String, Value> {
        &self.source
    }

    /// The schema of an event type, if it has one.
    pub fn get(&self, event_type: &str) -> Option<&EventSchema> {
        self.compiled.get(event_type)
    }
}

impl PartialEq for EventSchemas {
    fn eq(&self, other: &Self) -> bool {
        self.source == other.source
    }
}

impl Eq for EventSchemas {}

impl fmt::Debug for EventSchemas {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("EventSchemas").field(&self.source).finish()
    }
}
