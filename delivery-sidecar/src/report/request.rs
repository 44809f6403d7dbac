//! One request to the sink, from what it carries to what the planner learns from it.

use std::{sync::Arc, time::Duration};

use posthaste_crds::v1alpha1::{WebhookEndpointStatus, WebhookStatus};
use tokio::time::{Instant, timeout};

use super::{
    metrics::{Kind, Operation, RequestLabels, RequestResult},
    planner::{Answer, Shown, Ticket},
    shown,
    sink::{SinkError, StatusSink},
    status::Transitions,
};

/// Longest time that an answer is waited for.
const TIMEOUT: Duration = Duration::from_secs(10);

/// A request to the sink.
pub enum Request {
    /// See [`StatusSink::look_webhook`].
    LookWebhook,
    /// See [`StatusSink::apply_webhook`].
    ApplyWebhook {
        /// What to apply.
        status: Box<WebhookStatus>,
        /// What it displays.
        shown: Shown,
    },
    /// See [`StatusSink::look_endpoint`].
    LookEndpoint {
        /// Its name.
        name: Arc<str>,
        /// Its UID.
        uid: Arc<str>,
    },
    /// See [`StatusSink::apply_endpoint`].
    ApplyEndpoint {
        /// Its name.
        name: Arc<str>,
        /// Its UID.
        uid: Arc<str>,
        /// What to apply.
        status: Box<WebhookEndpointStatus>,
        /// What it displays.
        shown: Shown,
    },
}

/// A request that has ended.
pub struct Done {
    /// Whose turn it was.
    pub ticket: Ticket,
    /// Name of the endpoint; empty for the Webhook.
    pub name: Arc<str>,
    /// What came of it.
    pub result: Result<Answer, SinkError>,
    /// How it is counted.
    pub labels: RequestLabels,
    /// How long it took.
    pub elapsed: Duration,
}

impl Request {
    /// Sends the request and waits for the answer, but not for long.
    pub async fn perform<S: StatusSink>(self, sink: Arc<S>, ticket: Ticket) -> Done {
        let start = Instant::now();
        let (kind, operation) = match &self {
            Self::LookWebhook => (Kind::Webhook, Operation::Look),
            Self::ApplyWebhook { .. } => (Kind::Webhook, Operation::Apply),
            Self::LookEndpoint { .. } => (Kind::WebhookEndpoint, Operation::Look),
            Self::ApplyEndpoint { .. } => (Kind::WebhookEndpoint, Operation::Apply),
        };
        let name = match &self {
            Self::LookWebhook | Self::ApplyWebhook { .. } => "".into(),
            Self::LookEndpoint { name, .. } | Self::ApplyEndpoint { name, .. } => Arc::clone(name),
        };
        let result = timeout(TIMEOUT, self.send(&*sink)).await.unwrap_or_else(|_| {
            Err(SinkError::Unavailable { message: format!("no answer within {TIMEOUT:?}"), retry_after: None })
        });
        let labels = RequestLabels { kind, operation, result: label(&result) };
        Done { ticket, name, result, labels, elapsed: start.elapsed() }
    }

    async fn send<S: StatusSink>(self, sink: &S) -> Result<Answer, SinkError> {
        match self {
            Self::LookWebhook => {
                let status = sink.look_webhook().await?;
                Ok(Answer::Looked(status.as_ref().and_then(|status| {
                    Some(Shown { digest: shown::webhook_found(status)?, since: Transitions::of_webhook(status) })
                })))
            }
            Self::LookEndpoint { name, uid } => {
                let status = sink.look_endpoint(&name, &uid).await?;
                Ok(Answer::Looked(status.as_ref().and_then(|status| {
                    Some(Shown { digest: shown::endpoint_found(status)?, since: Transitions::of_endpoint(status) })
                })))
            }
            Self::ApplyWebhook { status, shown } => sink.apply_webhook(&status).await.map(|()| Answer::Written(shown)),
            Self::ApplyEndpoint { name, uid, status, shown } => {
                sink.apply_endpoint(&name, &uid, &status).await.map(|()| Answer::Written(shown))
            }
        }
    }
}

impl From<&SinkError> for Answer {
    fn from(error: &SinkError) -> Self {
        match error {
            SinkError::Gone => Self::Gone,
            SinkError::Replaced => Self::Replaced,
            SinkError::Unavailable { retry_after, .. } => Self::Unavailable(*retry_after),
            SinkError::Refused(_) => Self::Refused,
        }
    }
}

fn label(result: &Result<Answer, SinkError>) -> RequestResult {
    match result {
        Ok(_) => RequestResult::Success,
        Err(SinkError::Gone) => RequestResult::Gone,
        Err(SinkError::Replaced) => RequestResult::Replaced,
        Err(SinkError::Unavailable { .. }) => RequestResult::Unavailable,
        Err(SinkError::Refused(_)) => RequestResult::Refused,
    }
}
