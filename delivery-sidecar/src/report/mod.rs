//! Writes what is displayed to the status of the Webhook and its endpoints, within the status budget.
//!
//! The engine puts what it knows on the [`Board`]; the [`Reporter`] shows it. In between, pure: [`health`] judges a
//! receiver, [`digest`] says what of it is displayed, the [`planner`] decides whose turn it is under the [`budget`],
//! and [`status`] builds the whole set of fields that the sidecar owns. Only a [`StatusSink`] does I/O.
//!
//! What keeps the API server safe:
//! - A write happens only when something displayed other than a time has changed. An idle webhook writes nothing.
//! - The board holds one view per endpoint and the latest wins, so a stalled API server costs no memory.
//! - A restart writes nothing that is there already: each object is looked at once before its first write (see
//!   [`StatusSink`]), which also keeps the transition times of conditions over restarts.
//! - Answers that are slow, 429 or 5xx pause all writes, longer each time.
//!
//! This module never reads the journal, never decides what the engine does, and is the only writer of these fields
//! while this process holds the journal's lock.

pub mod board;
pub mod budget;
pub mod digest;
pub mod health;
pub mod kube_sink;
pub mod memory_sink;
pub mod metrics;
pub mod planner;
pub mod reporter;
mod request;
pub mod shown;
pub mod sink;
pub mod status;
#[cfg(test)]
mod testing;
pub mod totals;
pub mod view;

pub use board::Board;
pub use kube_sink::KubeSink;
pub use memory_sink::MemorySink;
pub use metrics::ReportMetrics;
pub use reporter::Reporter;
pub use sink::{SinkError, StatusSink};
pub use view::{EndpointView, IntakeState, WebhookView};
