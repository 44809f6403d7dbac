//! The operator: turns Webhooks and WebhookEndpoints into delivery pods and their configuration, and says in their
//! status how far that is.
//!
//! [`watch`] keeps caches and says what to reconcile, [`controllers`] runs the reconciles, [`webhook`] and [`endpoint`]
//! are what they do. [`apply`] writes children and [`status`] writes statuses: nothing else writes, except [`reviewer`]
//! (one ClusterRoleBinding), [`events`] and the [`lease`].

#![allow(clippy::similar_names, reason = "context and content, change and changes are the right words")]

pub mod admin;
pub mod apply;
pub mod args;
pub mod backoff;
pub mod board;
pub mod budget;
pub mod child_kind;
pub mod children;
pub mod conditions;
pub mod context;
pub mod controllers;
pub mod endpoint;
pub mod events;
pub mod key;
pub mod lease;
pub mod metrics;
pub mod readiness;
pub mod references;
pub mod reviewer;
pub mod run;
pub mod scope;
pub mod status;
mod sync;
#[cfg(test)]
mod testing;
pub mod watch;
pub mod webhook;
