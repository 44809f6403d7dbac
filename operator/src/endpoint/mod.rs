//! The reconcile of an endpoint: its status, from what its Webhook's reconcile found out and what its sidecar reports.
//!
//! Kept apart from the Webhook's, so that ten thousand endpoints that become programmed cost ten thousand small
//! comparisons and not ten thousand looks at all of them; and so that one status that cannot be written holds up none of
//! the others.

pub mod signing_key;
pub mod update_status;

use std::sync::Arc;

use jiff::Timestamp;
use kube::{Resource, core::DeserializeGuard, runtime::controller::Action};
use posthaste_crds::{conditions::accepted, v1alpha1::WebhookEndpoint};
use posthaste_delivery_config::resolve::{self, Lookup, Outcome, Parent, Status};

use crate::{backoff, board::Verdict, context::Context, key::Key, sync::lock, watch::webhook_of};

/// Why a reconcile has to be tried again.
#[derive(Debug, thiserror::Error)]
#[error("cannot write the status: {0}")]
pub struct Error(#[source] kube::Error);

/// Reconciles. An error is tried again after a growing wait.
pub async fn reconcile(
    guarded: Arc<DeserializeGuard<WebhookEndpoint>>,
    context: Arc<Context>,
) -> Result<Action, Error> {
    let key = Key::of(&*guarded);
    let endpoint = match &guarded.0 {
        Ok(endpoint) => endpoint,
        Err(invalid) => {
            tracing::error!(endpoint = %key, error = %invalid, "an endpoint cannot be read; was it written for a newer version?");
            return Ok(Action::await_change());
        }
    };
    if guarded.meta().deletion_timestamp.is_some() {
        return Ok(Action::await_change());
    }
    let webhook_exists =
        webhook_of(&guarded).is_some_and(|webhook| context.webhooks.get(&webhook.object_ref()).is_some());
    let verdict = if webhook_exists {
        let verdict = lock(&context.board).get(&key);
        // Without a verdict on this very generation, the Webhook's reconcile is yet to come, and will ask for this one.
        match verdict.filter(|verdict| is_about(verdict, endpoint)) {
            Some(verdict) => verdict,
            None => return Ok(Action::await_change()),
        }
    } else {
        without_webhook(endpoint)
    };
    update_status::update_status(&context, &key, endpoint, &verdict, Timestamp::now()).await.map_err(Error)?;
    context.endpoint_failures.forget(&key);
    Ok(Action::await_change())
}

fn is_about(verdict: &Verdict, endpoint: &WebhookEndpoint) -> bool {
    Some(&verdict.uid) == endpoint.metadata.uid.as_ref() && Some(verdict.generation) == endpoint.metadata.generation
}

/// The verdict on an endpoint whose Webhook does not exist. What it refers to is not looked up: it may not matter.
fn without_webhook(endpoint: &WebhookEndpoint) -> Verdict {
    Verdict {
        uid: endpoint.metadata.uid.clone().unwrap_or_default(),
        webhook: String::new(),
        generation: endpoint.metadata.generation.unwrap_or(0),
        accepted: resolve::verdict(Parent::Missing, endpoint, &Lookup::default()).accepted,
        resolved_refs: Outcome {
            status: Status::Unknown,
            reason: accepted::WEBHOOK_NOT_FOUND,
            message: "Looked up once the Webhook exists".to_owned(),
        },
        delivering: false,
        signing_secret: None,
    }
}

/// How long to wait after an error.
pub fn retry(context: &Context, key: &Key, error: &Error) -> Action {
    let failures = context.endpoint_failures.failed(key.clone());
    let wait = backoff::delay(failures, rand::random());
    tracing::warn!(endpoint = %key, %error, ?wait, "a reconcile failed");
    Action::requeue(wait)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_endpoint_without_its_webhook_says_which_is_missing() {
        let endpoint: WebhookEndpoint = serde_json::from_value(json!({
            "apiVersion": "posthaste.dev/v1alpha1", "kind": "WebhookEndpoint",
            "metadata": {"name": "aunt", "namespace": "mail", "uid": "e1", "generation": 3},
            "spec": {"webhookRef": {"name": "letters"}, "target": {"url": "https://aunt.example/post"}},
        }))
        .unwrap();
        let verdict = without_webhook(&endpoint);
        assert!(is_about(&verdict, &endpoint) && !verdict.delivering);
        assert_eq!((verdict.accepted.status, verdict.accepted.reason), (Status::False, "WebhookNotFound"));
        assert!(verdict.accepted.message.contains("letters"), "{}", verdict.accepted.message);
    }
}
