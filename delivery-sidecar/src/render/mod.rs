//! Renders what is sent: the body of an event and the headers that a user configured. Pure: the time comes with the
//! [`Attempt`]. Renders neither the signature nor what belongs to the connection.

mod body;
mod cloud_events;
#[cfg(test)]
pub(crate) mod fixture;
mod headers;
mod scope;

use jiff::Timestamp;
use posthaste_expressions::EvalError;

use crate::{endpoint::Endpoint, event::Event};

pub use body::{Body, body};
pub use headers::{InvalidHeaderValue, MAX_HEADER_BYTES, header_value, headers};

/// One attempt to deliver one event to one endpoint.
#[derive(Clone, Copy)]
pub struct Attempt<'a> {
    /// Where to.
    pub endpoint: &'a Endpoint,
    /// What.
    pub event: &'a Event,
    /// Name of the Webhook.
    pub webhook_name: &'a str,
    /// Its namespace.
    pub webhook_namespace: &'a str,
    /// Counted from 1.
    pub number: u32,
    /// When it begins; its timestamp and signature are of this time.
    pub now: Timestamp,
}

/// Why an event cannot be rendered for an endpoint. Another attempt with the same configuration would end the same.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RenderError {
    /// A header's template gave what a header cannot carry. The value itself is not told.
    #[error("header {name}: {problem}")]
    Header {
        /// Name of the header.
        name: http::HeaderName,
        /// What is wrong with it.
        problem: InvalidHeaderValue,
    },
    /// A header's template has no value.
    #[error("header {name}, {error}")]
    HeaderTemplate {
        /// Name of the header.
        name: http::HeaderName,
        /// Where, and why.
        error: EvalError,
    },
    /// The body's template has no value.
    #[error("payload.template, {0}")]
    Template(EvalError),
}
