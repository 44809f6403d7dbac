//! Manifests that several tests start from.

use posthaste_crds::v1alpha1::Webhook;

use super::Namespace;

/// A secret that tests give to endpoints and receivers.
pub const SECRET_1: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";
/// Another.
pub const SECRET_2: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// A Webhook that delivers at once and tries again soon, on a journal that goes with its pod.
pub fn webhook(name: &str) -> String {
    format!(
        "
apiVersion: posthaste.dev/v1alpha1
kind: Webhook
metadata: {{name: {name}}}
spec:
  journal: {{storage: {{emptyDir: {{}}}}}}
  defaults:
    delivery: {{timeout: 5s, retry: {{schedule: [1s, 1s, 1s, 2s, 2s, 5s, 5s, 10s, 10s, 30s, 30s, 60s], jitter: 0}}}}
"
    )
}

/// An endpoint that delivers to the receiver's stream of its own name, signed with [`SECRET_1`] (see [`keys`]).
/// `more` are further lines of its spec, each indented by two spaces.
pub fn endpoint(webhook: &str, name: &str, more: &str) -> String {
    format!(
        "
---
apiVersion: posthaste.dev/v1alpha1
kind: WebhookEndpoint
metadata: {{name: {name}}}
spec:
  webhookRef: {{name: {webhook}}}
  target: {{serviceRef: {{name: receiver, port: 9000, path: /hooks/{name}}}}}
  signing: {{keys: [{{id: k1, secretKeyRef: {{name: keys, key: k1}}}}]}}
{more}
"
    )
}

/// The Secret `keys` with [`SECRET_1`] as `k1` and [`SECRET_2`] as `k2`.
pub fn keys() -> String {
    format!(
        "
---
apiVersion: v1
kind: Secret
metadata: {{name: keys}}
stringData: {{k1: {SECRET_1}, k2: {SECRET_2}}}
"
    )
}

impl Namespace {
    /// Applies a [`webhook`], the [`keys`] and further manifests, and waits until the Webhook is ready.
    pub async fn start_webhook(&self, name: &str, more: &str) -> Webhook {
        self.apply(&format!("{}{}{more}", webhook(name), keys())).await;
        self.wait_for(&format!("webhook/{name}"), "Ready").await;
        self.webhooks().get(name).await.expect("it was just there")
    }
}
