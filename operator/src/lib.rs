//! The operator: turns Webhooks and WebhookEndpoints into delivery pods and their configuration, and says in their
//! status how far that is.

#![allow(clippy::similar_names, reason = "context and content, change and changes are the right words")]

pub mod admin;
pub mod args;
pub mod backoff;
pub mod budget;
pub mod conditions;
pub mod key;
pub mod lease;
pub mod metrics;
pub mod readiness;
pub mod scope;
mod sync;
#[cfg(test)]
mod testing;
