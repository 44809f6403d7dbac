//! Writes statuses to the API server, by server-side apply as the sidecar's own field manager.
//!
//! The sidecar may only `patch` these statuses, so a look is a patch as well: an empty one, as a dry run, whose answer
//! is the object as it is and which stores nothing.
//!
//! The API server does not compare `metadata.uid` when a status is applied, so a status can reach an object that was
//! made again under the same name. The answer tells: then what was applied is withdrawn (an apply without a status
//! deletes all fields of its manager), and the caller is told to forget the old object.

use std::time::Duration;

use kube::{
    Client, Resource,
    api::{Patch, PatchParams},
    core::{ObjectMeta, Request},
};
use posthaste_crds::{
    DELIVERY_MANAGER,
    v1alpha1::{Webhook, WebhookEndpoint, WebhookEndpointStatus, WebhookStatus},
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::sink::{SinkError, StatusSink};

/// Writes statuses to the API server.
pub struct KubeSink {
    client: Client,
    namespace: String,
    webhook_name: String,
    webhook_uid: String,
}

/// A status as it is applied. The kind's own type would need a spec.
#[derive(Serialize)]
struct Applied<'a, S> {
    #[serde(rename = "apiVersion")]
    api_version: &'a str,
    kind: &'a str,
    metadata: Name<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<&'a S>,
}

#[derive(Serialize)]
struct Name<'a> {
    name: &'a str,
}

/// What is read of an answer. The spec is not: it may be newer than this build.
#[derive(Deserialize)]
struct Answer<S> {
    metadata: ObjectMeta,
    #[serde(default = "none")]
    status: Option<S>,
}

fn none<S>() -> Option<S> {
    None
}

/// The kinds that have a status of ours.
trait Kind: Resource<DynamicType = ()> {
    type Status: Serialize + DeserializeOwned + Sync;
}

impl Kind for Webhook {
    type Status = WebhookStatus;
}

impl Kind for WebhookEndpoint {
    type Status = WebhookEndpointStatus;
}

impl KubeSink {
    /// For the Webhook with this name and UID, and endpoints of the same namespace.
    pub fn new(client: Client, namespace: &str, webhook_name: &str, webhook_uid: &str) -> Self {
        Self {
            client,
            namespace: namespace.into(),
            webhook_name: webhook_name.into(),
            webhook_uid: webhook_uid.into(),
        }
    }

    async fn look<K: Kind>(&self, name: &str, uid: &str) -> Result<Option<K::Status>, SinkError> {
        let params =
            PatchParams { dry_run: true, field_manager: Some(DELIVERY_MANAGER.into()), ..PatchParams::default() };
        let answer = self.patch::<K, _>(name, &params, &Patch::Merge(serde_json::json!({}))).await?;
        if answer.metadata.uid.as_deref() == Some(uid) { Ok(answer.status) } else { Err(SinkError::Replaced) }
    }

    async fn apply<K: Kind>(&self, name: &str, uid: &str, status: &K::Status) -> Result<(), SinkError> {
        let params = PatchParams::apply(DELIVERY_MANAGER).force();
        let (api_version, kind) = (&*K::api_version(&()), &*K::kind(&()));
        let body = |status| Patch::Apply(Applied { api_version, kind, metadata: Name { name }, status });
        let answer = self.patch::<K, _>(name, &params, &body(Some(status))).await?;
        if answer.metadata.uid.as_deref() == Some(uid) {
            return Ok(());
        }
        if let Err(error) = self.patch::<K, _>(name, &params, &body(None)).await {
            tracing::warn!(kind, name, %error, "could not withdraw the status of an earlier object of this name");
        }
        Err(SinkError::Replaced)
    }

    async fn patch<K: Kind, P: Serialize>(
        &self,
        name: &str,
        params: &PatchParams,
        patch: &Patch<P>,
    ) -> Result<Answer<K::Status>, SinkError> {
        let request = Request::new(K::url_path(&(), Some(&self.namespace)))
            .patch_subresource("status", name, params, patch)
            .map_err(|error| SinkError::Refused(error.to_string()))?;
        // As text: on an answer that it cannot parse, the client would log all of it, and a spec may hold secrets.
        let text = self.client.request_text(request).await.map_err(from_kube)?;
        serde_json::from_str(&text).map_err(|error| SinkError::Refused(format!("the answer is not as expected: {error}")))
    }
}

impl StatusSink for KubeSink {
    async fn look_webhook(&self) -> Result<Option<WebhookStatus>, SinkError> {
        self.look::<Webhook>(&self.webhook_name, &self.webhook_uid).await
    }

    async fn apply_webhook(&self, status: &WebhookStatus) -> Result<(), SinkError> {
        self.apply::<Webhook>(&self.webhook_name, &self.webhook_uid, status).await
    }

    async fn look_endpoint(&self, name: &str, uid: &str) -> Result<Option<WebhookEndpointStatus>, SinkError> {
        self.look::<WebhookEndpoint>(name, uid).await
    }

    async fn apply_endpoint(&self, name: &str, uid: &str, status: &WebhookEndpointStatus) -> Result<(), SinkError> {
        self.apply::<WebhookEndpoint>(name, uid, status).await
    }
}

fn from_kube(error: kube::Error) -> SinkError {
    let kube::Error::Api(status) = error else {
        return SinkError::Unavailable { message: error.to_string(), retry_after: None };
    };
    let message = format!("{} {}: {}", status.code, status.reason, status.message);
    match status.code {
        // A bare 404 is a path that the server does not know yet: the CRD is being installed.
        404 if status.reason == "NotFound" => SinkError::Gone,
        400 | 405..=428 | 430..=499 => SinkError::Refused(message),
        // 429 and 5xx, and what may only need time: 401, 403 (a token or a Role that was just changed), 404.
        _ => {
            let seconds = status.details.map_or(0, |details| details.retry_after_seconds);
            let retry_after = (seconds > 0).then(|| Duration::from_secs(seconds.into()));
            SinkError::Unavailable { message, retry_after }
        }
    }
}
