//! The receiver as a pod, talked to through the API server's proxy, which works on any cluster.

use http::{Method, Request, header};
use serde::{Serialize, de::DeserializeOwned};

use super::{Namespace, eventually, eventually_for};
use crate::receiver::{Behaviour, Control, Flood, FloodResult, Publish, Published, Received, Summary};

/// A receiver pod with the controls that tests need, and its Service at port 9000.
pub struct ReceiverPod<'a> {
    namespace: &'a Namespace,
    name: &'static str,
}

const MANIFEST: &str = r"
apiVersion: v1
kind: Pod
metadata: {name: NAME, labels: {app: NAME}}
spec:
  automountServiceAccountToken: false
  securityContext: {runAsNonRoot: true, seccompProfile: {type: RuntimeDefault}}
  containers:
    - name: receiver
      image: localhost/posthaste-receiver:dev
      imagePullPolicy: IfNotPresent
      args: [--test-controls]
      ports: [{name: http, containerPort: 9000}]
      readinessProbe: {httpGet: {path: /healthz, port: http}, periodSeconds: 1}
      securityContext: {allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, capabilities: {drop: [ALL]}}
---
apiVersion: v1
kind: Service
metadata: {name: NAME}
spec:
  selector: {app: NAME}
  ports: [{name: http, port: 9000, targetPort: http}]
";

impl<'a> ReceiverPod<'a> {
    /// Starts it as `receiver` and waits until it answers.
    pub async fn start(namespace: &'a Namespace) -> Self {
        Self::start_as(namespace, "receiver").await
    }

    /// Starts it under another name and waits until it answers.
    pub async fn start_as(namespace: &'a Namespace, name: &'static str) -> Self {
        namespace.apply(&MANIFEST.replace("NAME", name)).await;
        namespace.wait_for(&format!("pod/{name}"), "Ready").await;
        let receiver = Self { namespace, name };
        eventually("the receiver answers through its Service", async || {
            receiver.call::<(), Summary>(Method::GET, "summary/none", None).await
        })
        .await;
        receiver
    }

    /// Sets a stream's secrets.
    pub async fn secrets(&self, stream: &str, secrets: &[&str]) {
        let secrets = Some(secrets.iter().map(|&secret| secret.to_owned()).collect());
        self.control(stream, &Control { secrets, behaviour: None }).await;
    }

    /// Sets how a stream answers.
    pub async fn behave(&self, stream: &str, behaviour: Behaviour) {
        self.control(stream, &Control { secrets: None, behaviour: Some(behaviour) }).await;
    }

    async fn control(&self, stream: &str, control: &Control) {
        self.send(Method::PUT, &format!("control/{stream}"), Some(control)).await.expect("the receiver can be told");
    }

    /// What a stream has received.
    pub async fn received(&self, stream: &str) -> Received {
        self.call::<(), _>(Method::GET, &format!("received/{stream}"), None).await.expect("the receiver answers")
    }

    /// How much a stream has received.
    pub async fn summary(&self, stream: &str) -> Summary {
        self.call::<(), _>(Method::GET, &format!("summary/{stream}"), None).await.expect("the receiver answers")
    }

    /// Waits until a stream has acknowledged so many different events.
    pub async fn wait_for(&self, stream: &str, acknowledged: u64) -> Summary {
        let patience = std::time::Duration::from_secs(120);
        eventually_for(patience, &format!("{acknowledged} events at {stream}"), async || {
            let summary = self.summary(stream).await;
            if summary.acknowledged >= acknowledged { Ok(summary) } else { Err(format!("{summary:?}")) }
        })
        .await
    }

    /// Posts to a Webhook's ingest Service from inside the cluster.
    pub async fn post(&self, webhook: &str, token: Option<&str>, content_type: &str, body: &str) -> Published {
        let request = Publish {
            url: posthaste_crds::names::ingest_url(webhook, &self.namespace.name),
            method: None,
            token: token.map(str::to_owned),
            content_type: content_type.to_owned(),
            body: body.to_owned(),
            trust: None,
        };
        self.call(Method::POST, "publish", Some(&request)).await.expect("the receiver relays")
    }

    /// Posts JSON to a Webhook's ingest Service over TLS on a new connection, trusting one certificate only. Status 0 when
    /// there was no answer.
    pub async fn post_https(&self, webhook: &str, certificate: &str, body: &str) -> Published {
        let request = Publish {
            url: posthaste_crds::names::ingest_https_url(webhook, &self.namespace.name),
            method: None,
            token: None,
            content_type: "application/json".to_owned(),
            body: body.to_owned(),
            trust: Some(certificate.to_owned()),
        };
        self.call(Method::POST, "publish", Some(&request)).await.expect("the receiver relays")
    }

    /// Asks a Webhook's deliveries API from inside the cluster. `path` begins with `/v1`; an empty `body` is none.
    pub async fn api(&self, webhook: &str, token: Option<&str>, method: &Method, path: &str, body: &str) -> Published {
        let url = posthaste_crds::names::ingest_url(webhook, &self.namespace.name).replace("/v1/events", path);
        let request = Publish {
            url,
            method: Some(method.to_string()),
            token: token.map(str::to_owned),
            content_type: "application/json".to_owned(),
            body: body.to_owned(),
            trust: None,
        };
        self.call(Method::POST, "publish", Some(&request)).await.expect("the receiver relays")
    }

    /// Posts one event as JSON, which must be accepted, and gives back the answer.
    pub async fn publish(&self, webhook: &str, token: &str, event: &serde_json::Value) -> serde_json::Value {
        self.publish_text(webhook, token, &event.to_string()).await
    }

    /// The same with the event as text.
    pub async fn publish_text(&self, webhook: &str, token: &str, event: &str) -> serde_json::Value {
        // A Service that has just got its pod may refuse connections for a moment, until the node's proxy has heard of it.
        let answer = eventually("the ingest Service can be reached", async || {
            let answer = self.post(webhook, Some(token), "application/json", event).await;
            if answer.status == 0 { Err(answer.body) } else { Ok(answer) }
        })
        .await;
        assert_eq!(answer.status, 202, "{}", answer.body);
        serde_json::from_str(&answer.body).expect("the answer is JSON")
    }

    /// Posts many events, each until it is accepted.
    pub async fn flood(&self, flood: &Flood) -> FloodResult {
        self.call(Method::POST, "flood", Some(flood)).await.expect("the receiver floods")
    }

    async fn call<B: Serialize, R: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: Option<&B>,
    ) -> Result<R, String> {
        let answer = self.send(method, path, body).await?;
        serde_json::from_str(&answer).map_err(|error| format!("{error}: {answer}"))
    }

    async fn send<B: Serialize>(&self, method: Method, path: &str, body: Option<&B>) -> Result<String, String> {
        let uri = format!("/api/v1/namespaces/{}/services/{}:http/proxy/{path}", self.namespace.name, self.name);
        let body = body.map_or_else(Vec::new, |body| serde_json::to_vec(body).expect("JSON can be written"));
        let request = Request::builder()
            .method(method)
            .uri(uri)
            .header(header::CONTENT_TYPE, "application/json")
            .body(body)
            .expect("the request is well-formed");
        self.namespace.client.request_text(request).await.map_err(|error| error.to_string())
    }
}
