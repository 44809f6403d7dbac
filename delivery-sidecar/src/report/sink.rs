//! Where statuses go.

use std::{sync::Arc, time::Duration};

use posthaste_crds::v1alpha1::{WebhookEndpointStatus, WebhookStatus};

/// Where statuses go: the API server, or the memory of a standalone process.
///
/// Each object is looked at once before it is first applied: what it displays already need not be written again, and
/// its conditions keep the times of their last transitions. An applied status is always the sidecar's whole set of
/// fields; what it omits is deleted.
pub trait StatusSink: Send + Sync + 'static {
    /// What the Webhook's status is; the fields of others may be in it.
    fn look_webhook(&self) -> impl Future<Output = Result<Option<WebhookStatus>, SinkError>> + Send;

    /// Replaces the sidecar's fields in the Webhook's status.
    fn apply_webhook(&self, status: &WebhookStatus) -> impl Future<Output = Result<(), SinkError>> + Send;

    /// What an endpoint's status is; the fields of others may be in it.
    fn look_endpoint(
        &self,
        name: &str,
        uid: &str,
    ) -> impl Future<Output = Result<Option<WebhookEndpointStatus>, SinkError>> + Send;

    /// Replaces the sidecar's fields in an endpoint's status.
    fn apply_endpoint(
        &self,
        name: &str,
        uid: &str,
        status: &WebhookEndpointStatus,
    ) -> impl Future<Output = Result<(), SinkError>> + Send;
}

/// Why a status was not looked at or applied.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SinkError {
    /// There is no such object.
    #[error("it does not exist (any more)")]
    Gone,
    /// The object with this name has another UID; nothing of ours is left in its status.
    #[error("another object has its name")]
    Replaced,
    /// It may work later: the server is overloaded, does not answer, or does not let us yet.
    #[error("{message}")]
    Unavailable {
        /// What happened.
        message: String,
        /// How long the server asked to wait.
        retry_after: Option<Duration>,
    },
    /// The server does not want this status.
    #[error("{0}")]
    Refused(String),
}

impl<S: StatusSink> StatusSink for Arc<S> {
    fn look_webhook(&self) -> impl Future<Output = Result<Option<WebhookStatus>, SinkError>> + Send {
        S::look_webhook(self)
    }

    fn apply_webhook(&self, status: &WebhookStatus) -> impl Future<Output = Result<(), SinkError>> + Send {
        S::apply_webhook(self, status)
    }

    fn look_endpoint(
        &self,
        name: &str,
        uid: &str,
    ) -> impl Future<Output = Result<Option<WebhookEndpointStatus>, SinkError>> + Send {
        S::look_endpoint(self, name, uid)
    }

    fn apply_endpoint(
        &self,
        name: &str,
        uid: &str,
        status: &WebhookEndpointStatus,
    ) -> impl Future<Output = Result<(), SinkError>> + Send {
        S::apply_endpoint(self, name, uid, status)
    }
}
