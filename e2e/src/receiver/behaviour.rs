//! How a stream answers.

use std::time::Duration;

use axum::{body::Body, response::Response};
use http::{StatusCode, header};
use serde::{Deserialize, Serialize};

/// A change of a stream; what is left out stays as it is.
#[derive(Serialize, Deserialize, Clone, Debug, Default)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Control {
    /// Secrets (`whsec_...`) that a signature may be made with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secrets: Option<Vec<String>>,
    /// How to answer from now on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub behaviour: Option<Behaviour>,
}

/// How a stream answers.
#[derive(Serialize, Deserialize, Clone, Debug)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct Behaviour {
    /// HTTP status.
    pub status: u16,
    /// Wait before answering, in milliseconds.
    pub delay_ms: u64,
    /// `Location` header.
    pub location: Option<String>,
    /// `Retry-After` header.
    pub retry_after: Option<String>,
}

impl Default for Behaviour {
    fn default() -> Self {
        Self { status: 200, delay_ms: 0, location: None, retry_after: None }
    }
}

impl Behaviour {
    /// Answers only with this status.
    pub fn status(status: u16) -> Self {
        Self { status, ..Self::default() }
    }

    pub(super) async fn respond(self) -> Response {
        if self.delay_ms > 0 {
            tokio::time::sleep(Duration::from_millis(self.delay_ms)).await;
        }
        let mut response =
            Response::builder().status(StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR));
        if let Some(location) = self.location {
            response = response.header(header::LOCATION, location);
        }
        if let Some(retry_after) = self.retry_after {
            response = response.header(header::RETRY_AFTER, retry_after);
        }
        response.body(Body::empty()).expect("headers set by a test are valid")
    }
}
