//! What an event type says about the data of its events: JSON Schema 2020-12, compiled once and checked for each event.
//!
//! Both sides of a schema may be hostile: whoever writes a Webhook must not be able to stop or stall the operator, which
//! everyone shares, and whoever posts events must not be able to stop or stall a delivery pod. So:
//!
//! - Before anything is compiled, bounds measures the schema without following it into recursion, and refuses what
//!   is too large, refers outside of itself, or would never end.
//! - Patterns are matched by automata of bounded size, in time that grows with the text and not faster.
//! - Validators see data through a meter and find nothing more when it has run out, whatever the schema multiplies.
//!
//! Pure: nothing is fetched, and there is no clock; the bounds are steps and bytes.

mod bounds;
mod catalogue;
mod meter;
mod misfit;
mod patterns;

use std::fmt;

use jsonschema::{Draft, ValidationError, Validator, error::ValidationErrorKind};
use serde_json::Value;

pub use bounds::{MAX_DEPTH, MAX_PATTERN_BYTES, MAX_SCHEMA_BYTES, MAX_SUBSCHEMAS};
pub use catalogue::{EventSchemas, MAX_PATTERN_MEMORY, MAX_SCHEMAS_BYTES, SchemasError};
pub use misfit::{MAX_VIOLATIONS, Misfit, Violation};

use self::meter::{Meter, Metered};

/// Why a schema cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SchemaError {
    /// JSON pointer (RFC 6901) of the place within the schema; empty for the whole.
    pub pointer: String,
    /// What is wrong there and what would be right.
    pub message: String,
}

impl fmt::Display for SchemaError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.pointer.as_str() {
            "" => f.write_str(&self.message),
            pointer => write!(f, "at {pointer:?}: {}", self.message),
        }
    }
}

impl std::error::Error for SchemaError {}

/// A schema that data can be checked by.
pub struct EventSchema {
    validator: Validator<Metered>,
    patterns: patterns::Cost,
}

impl EventSchema {
    /// Compiles a schema.
    ///
    /// # Guarantees
    /// Ends after a number of steps that is bounded by [`MAX_SCHEMA_BYTES`] and [`MAX_SUBSCHEMAS`], and fetches nothing.
    ///
    /// # Errors
    /// What is no schema of JSON Schema 2020-12; what is over a bound; references to anything outside of the schema;
    /// references that lead back to themselves without going deeper into the data; patterns with look-around or
    /// back-references.
    pub fn compile(schema: &Value) -> Result<Self, SchemaError> {
        let patterns = bounds::inspect(schema)?;
        let cost = patterns::cost(&patterns);
        let [.., largest] = patterns::SIZES;
        let validator = jsonschema::options_for::<Metered>()
            .with_draft(Draft::Draft202012)
            .with_pattern_options(patterns::options(largest))
            .should_validate_formats(false)
            .build(schema)
            .map_err(|error| not_a_schema(&error))?;
        let unusable = || refused("", "has a pattern that cannot be used");
        Ok(Self { validator, patterns: cost.ok_or_else(unusable)? })
    }

    /// Bytes of memory that matching its patterns may take.
    pub fn pattern_memory(&self) -> usize {
        self.patterns.memory
    }

    /// Checks data, given as its JSON text.
    ///
    /// # Guarantees
    /// Ends after a number of steps that grows with the length of the text only.
    ///
    /// # Errors
    /// Data that does not fit, with the first [`MAX_VIOLATIONS`] reasons; data that cannot be read, or not be checked
    /// within the bounds.
    pub fn check(&self, data: &[u8]) -> Result<(), Misfit> {
        let value: Value = serde_json::from_slice(data).map_err(|error| Misfit::unreadable(&error))?;
        if bounds::is_deeper_than(&value, bounds::MAX_DATA_DEPTH) {
            return Err(Misfit::too_deep());
        }
        let meter = Meter::to_decide(data.len(), self.patterns.per_byte);
        let fits = self.validator.is_valid(meter.look_at(&value));
        if meter.ran_out() {
            return Err(Misfit::too_much());
        }
        if fits {
            return Ok(());
        }
        let meter = Meter::to_explain(data.len(), self.patterns.per_byte);
        Err(Misfit::explained(self.validator.iter_errors(meter.look_at(&value))))
    }
}

impl fmt::Debug for EventSchema {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EventSchema").finish_non_exhaustive()
    }
}

fn refused(pointer: &str, message: impl Into<String>) -> SchemaError {
    SchemaError { pointer: pointer.to_owned(), message: message.into() }
}

/// What the meta-schema refuses, or what cannot be compiled.
fn not_a_schema(error: &ValidationError) -> SchemaError {
    let [.., largest] = patterns::SIZES;
    let message = match error.kind() {
        ValidationErrorKind::Format { format } if format == "regex" => format!(
            "is no pattern that can be used: it must be a regular expression without look-around and back-references, \
             and need at most {largest} bytes when it is compiled"
        ),
        _ => misfit::in_words(error),
    };
    refused(&error.instance_path().to_string(), message)
}
