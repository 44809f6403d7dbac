//! The schema of an event type with any data.

use posthaste_delivery_config::schema::{EventSchema, MAX_VIOLATIONS, Misfit};

use crate::Choices;

/// The first line of an input is a schema, the rest is data.
pub fn schema(input: &[u8]) {
    let mut choices = Choices(input);
    let Ok(schema) = serde_json::from_slice(choices.line()) else { return };
    let compiled = match EventSchema::compile(&schema) {
        Ok(compiled) => compiled,
        Err(error) => {
            assert!(error.pointer.is_empty() || error.pointer.starts_with('/'), "{error}");
            assert!(!error.message.is_empty() && error.message.len() < 3_000, "{error}");
            return;
        }
    };
    let Err(misfit) = compiled.check(choices.0) else { return };
    assert_eq!(compiled.check(choices.0), Err(misfit.clone()), "it is the same each time");
    let Misfit { violations } = misfit;
    assert!((1..=MAX_VIOLATIONS).contains(&violations.len()));
    for violation in violations {
        assert!(violation.pointer.is_empty() || violation.pointer.starts_with('/'), "{violation:?}");
        assert!(!violation.detail.is_empty() && violation.detail.len() < 4_000, "{violation:?}");
    }
}
