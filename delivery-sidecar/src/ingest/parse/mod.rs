//! From a request's bytes to checked events. Pure: no clock, no randomness, no I/O; nothing is copied but short texts.
//!
//! - [`split`] finds the events in a body.
//! - [`fields`] finds the fields in an event, without looking into `data` and `metadata`.
//! - [`check`] checks the fields and makes the event of them.

pub(super) mod check;
mod depth;
mod fields;
mod rfc3339;
pub(super) mod split;
#[cfg(test)]
mod tests;
