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
        Self { client, namespace: namespace.into(), webhook_name: webhook_name.into(), webhook_uid: webhook_uid.into() }
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
        serde_json::from_str(&text)
            .map_err(|error| SinkError::Refused(format!("the answer is not as expected: {error}")))
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

#[cfg(test)]
mod tests {
    use std::pin::pin;

    use http::{Request as HttpRequest, Response};
    use http_body_util::BodyExt;
    use kube::client::Body;
    use posthaste_delivery_config::StatusMode;
    use serde_json::{Value, json};
    use tower_test::mock::Handle;

    use super::*;
    use crate::report::{
        health::judge,
        status::{self, Transitions},
        testing::view,
    };

    type Server = Handle<HttpRequest<Body>, Response<Body>>;

    const ENDPOINT_PATH: &str = "/apis/posthaste.dev/v1alpha1/namespaces/shop/webhookendpoints/acme/status";

    fn sink() -> (KubeSink, Server) {
        let (service, server) = tower_test::mock::pair::<HttpRequest<Body>, Response<Body>>();
        (KubeSink::new(Client::new(service, "default"), "shop", "orders", "uid-orders"), server)
    }

    fn endpoint_status() -> WebhookEndpointStatus {
        let view = view("a");
        let now = "2026-01-01T00:00:00Z".parse().unwrap();
        status::endpoint(&view, judge(&view), StatusMode::Off, &Transitions::default(), now)
    }

    /// Takes the next request apart, into "method path query", content type and body; answers it.
    async fn serve(server: &mut Server, code: u16, answer: Value) -> (String, String, Value) {
        let (request, send) = server.next_request().await.expect("a request");
        let (parts, body) = request.into_parts();
        let line = format!("{} {}", parts.method, parts.uri);
        let content_type = parts.headers["content-type"].to_str().unwrap().to_owned();
        let body = body.collect().await.unwrap().to_bytes();
        let answer = Response::builder().status(code).body(Body::from(answer.to_string().into_bytes())).unwrap();
        send.send_response(answer);
        (line, content_type, serde_json::from_slice(&body).unwrap())
    }

    /// An object as the API server answers it, with a spec that this build does not know.
    fn object(uid: &str, status: &Value) -> Value {
        json!({"metadata": {"name": "acme", "uid": uid}, "spec": {"unheardOf": true}, "status": status})
    }

    #[tokio::test]
    async fn an_endpoint_is_applied_with_force_by_the_sidecars_field_manager() {
        let (sink, server) = sink();
        let mut server = pin!(server);
        let status = endpoint_status();
        let (result, (line, content_type, body)) = tokio::join!(
            sink.apply_endpoint("acme", "uid-1", &status),
            serve(&mut server, 200, object("uid-1", &json!({}))),
        );
        assert_eq!(result, Ok(()));
        assert_eq!(line, format!("PATCH {ENDPOINT_PATH}?&force=true&fieldManager=posthaste-delivery"));
        assert_eq!(content_type, "application/apply-patch+yaml");
        assert_eq!(
            body,
            json!({
                "apiVersion": "posthaste.dev/v1alpha1",
                "kind": "WebhookEndpoint",
                "metadata": {"name": "acme"},
                "status": {
                    "configuration": {"revision": "r1"},
                    "signing": {"activeKeyIDs": ["k1"]},
                    "conditions": [{"type": "Programmed", "status": "True", "reason": "Programmed",
                        "message": "The configuration runs.", "observedGeneration": 1,
                        "lastTransitionTime": "2026-01-01T00:00:00Z"}],
                },
            })
        );
    }

    #[tokio::test]
    async fn the_webhook_is_applied_by_its_name() {
        let (sink, server) = sink();
        let mut server = pin!(server);
        let status = WebhookStatus { targets_omitted: Some(3), ..WebhookStatus::default() };
        let (result, (line, _, body)) =
            tokio::join!(sink.apply_webhook(&status), serve(&mut server, 200, object("uid-orders", &json!({}))),);
        assert_eq!(result, Ok(()));
        assert!(
            line.starts_with("PATCH /apis/posthaste.dev/v1alpha1/namespaces/shop/webhooks/orders/status?"),
            "{line}"
        );
        assert_eq!((&body["kind"], &body["status"]), (&json!("Webhook"), &json!({"targetsOmitted": 3})));
    }

    #[tokio::test]
    async fn a_look_is_a_dry_run_that_changes_nothing() {
        let (sink, server) = sink();
        let mut server = pin!(server);
        let there = json!({"delivery": {"delivered": 7}, "observedGeneration": 2});
        let (result, (line, content_type, body)) =
            tokio::join!(sink.look_endpoint("acme", "uid-1"), serve(&mut server, 200, object("uid-1", &there)),);
        assert_eq!(line, format!("PATCH {ENDPOINT_PATH}?&dryRun=All&fieldManager=posthaste-delivery"));
        assert_eq!((content_type.as_str(), body), ("application/merge-patch+json", json!({})));
        assert_eq!(serde_json::to_value(result.unwrap()).unwrap(), there);
    }

    #[tokio::test]
    async fn an_object_without_a_status_shows_nothing() {
        let (sink, server) = sink();
        let mut server = pin!(server);
        let answer = json!({"metadata": {"uid": "uid-orders"}});
        let (result, _) = tokio::join!(sink.look_webhook(), serve(&mut server, 200, answer));
        assert_eq!(result, Ok(None));
    }

    #[tokio::test]
    async fn a_status_that_reached_a_newer_object_is_withdrawn() {
        let (sink, server) = sink();
        let mut server = pin!(server);
        let status = endpoint_status();
        let (result, (line, body)) = tokio::join!(sink.apply_endpoint("acme", "uid-1", &status), async {
            serve(&mut server, 200, object("uid-2", &json!({}))).await;
            let (line, _, body) = serve(&mut server, 200, object("uid-2", &json!({}))).await;
            (line, body)
        });
        assert_eq!(result, Err(SinkError::Replaced));
        assert_eq!(line, format!("PATCH {ENDPOINT_PATH}?&force=true&fieldManager=posthaste-delivery"));
        assert_eq!(
            body,
            json!({"apiVersion": "posthaste.dev/v1alpha1", "kind": "WebhookEndpoint", "metadata": {"name": "acme"}})
        );
    }

    #[tokio::test]
    async fn a_newer_object_that_is_looked_at_is_left_alone() {
        let (sink, server) = sink();
        let mut server = pin!(server);
        let (result, _) =
            tokio::join!(sink.look_endpoint("acme", "uid-1"), serve(&mut server, 200, object("uid-2", &json!({}))),);
        assert_eq!(result, Err(SinkError::Replaced));
    }

    /// What an error answer means.
    async fn error(code: u16, reason: &str, details: Value) -> SinkError {
        let (sink, server) = sink();
        let mut server = pin!(server);
        let answer = json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code, "reason": reason,
            "message": "because", "details": details});
        let (result, _) = tokio::join!(sink.look_webhook(), serve(&mut server, code, answer));
        result.unwrap_err()
    }

    #[tokio::test]
    async fn errors_are_told_apart_by_what_helps() {
        assert_eq!(error(404, "NotFound", json!({})).await, SinkError::Gone);
        for (code, reason) in [(400, "BadRequest"), (409, "Conflict"), (422, "Invalid")] {
            let error = error(code, reason, json!({})).await;
            assert_eq!(error, SinkError::Refused(format!("{code} {reason}: because")));
        }
        for code in [401, 403, 429, 500, 503] {
            let error = error(code, "Reason", json!({})).await;
            assert!(matches!(error, SinkError::Unavailable { retry_after: None, .. }), "{code}: {error:?}");
        }
        let error = error(429, "TooManyRequests", json!({"retryAfterSeconds": 7})).await;
        assert!(matches!(error, SinkError::Unavailable { retry_after: Some(seven), .. } if seven.as_secs() == 7));
    }

    #[tokio::test]
    async fn a_path_that_is_not_served_yet_is_not_an_object_that_is_gone() {
        let (sink, server) = sink();
        let mut server = pin!(server);
        let (result, _) = tokio::join!(sink.look_webhook(), serve(&mut server, 404, json!("404 page not found")));
        assert!(matches!(result, Err(SinkError::Unavailable { .. })), "{result:?}");
    }
}
