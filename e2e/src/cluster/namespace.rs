//! A namespace for one test.

use std::{
    panic::{AssertUnwindSafe, resume_unwind},
    time::{SystemTime, UNIX_EPOCH},
};

use futures::FutureExt;
use kube::{Api, Client, api::ObjectMeta};
use posthaste_crds::v1alpha1::{Webhook, WebhookEndpoint};
use serde_json::Value;

use super::{Output, eventually, eventually_for, kubectl};

/// A namespace that one test has for itself.
pub struct Namespace {
    /// Its name.
    pub name: String,
    /// A client with the rights of the cluster's administrator.
    pub client: Client,
}

/// Runs a test in a namespace of its own. The namespace is described when the test fails, and deleted in any case.
pub async fn in_namespace(hint: &str, test: impl AsyncFnOnce(&Namespace)) {
    let namespace = Namespace::create(hint).await;
    let result = AssertUnwindSafe(test(&namespace)).catch_unwind().await;
    if result.is_err() {
        namespace.describe().await;
    }
    namespace.kubectl(&["delete", "namespace", &namespace.name, "--wait=false"]).await;
    if let Err(panic) = result {
        resume_unwind(panic);
    }
}

impl Namespace {
    async fn create(hint: &str) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = Client::try_default().await.expect("KUBECONFIG names a cluster");
        let unique = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_nanos() % 100_000_000;
        let name = format!("{hint}-{unique}");
        let labels = [("pod-security.kubernetes.io/enforce".to_owned(), "restricted".to_owned())].into();
        let object = k8s_openapi::api::core::v1::Namespace {
            metadata: ObjectMeta { name: Some(name.clone()), labels: Some(labels), ..ObjectMeta::default() },
            ..Default::default()
        };
        Api::all(client.clone()).create(&Default::default(), &object).await.expect("a namespace can be made");
        let namespace = Self { name, client };
        // Pods are refused until the controller manager has made the default account.
        eventually("the default ServiceAccount", async || {
            let output = namespace.kubectl(&["get", "serviceaccount", "default"]).await;
            if output.success { Ok(()) } else { Err(output.stderr) }
        })
        .await;
        namespace
    }

    /// Runs `kubectl` in this namespace.
    pub async fn kubectl(&self, args: &[&str]) -> Output {
        self.kubectl_with(args, "").await
    }

    /// Runs `kubectl` in this namespace with standard input.
    pub async fn kubectl_with(&self, args: &[&str], input: &str) -> Output {
        let mut all = vec!["--namespace", &self.name];
        all.extend(args);
        kubectl(&all, input).await
    }

    /// Applies manifests, as a user does.
    #[track_caller]
    pub fn apply(&self, manifests: &str) -> impl Future<Output = ()> {
        let manifests = manifests.to_owned();
        async move {
            self.kubectl_with(&["apply", "-f", "-"], &manifests).await.ok();
        }
    }

    /// Merges a patch into an object: `patch("wh/orders", json)`.
    pub async fn patch(&self, object: &str, patch: &Value) {
        self.kubectl(&["patch", object, "--type=merge", "-p", &patch.to_string()]).await.ok();
    }

    /// An object as JSON: `get("deployment/orders-delivery")`; `None` when it is not there.
    pub async fn get(&self, object: &str) -> Option<Value> {
        let output = self.kubectl(&["get", object, "-o", "json"]).await;
        output.success.then(|| serde_json::from_str(&output.stdout).expect("kubectl prints JSON"))
    }

    /// Webhooks in this namespace.
    pub fn webhooks(&self) -> Api<Webhook> {
        Api::namespaced(self.client.clone(), &self.name)
    }

    /// Endpoints in this namespace.
    pub fn endpoints(&self) -> Api<WebhookEndpoint> {
        Api::namespaced(self.client.clone(), &self.name)
    }

    /// Waits as a user does: `kubectl wait --for=condition=<condition>`, and for the current generation.
    pub async fn wait_for(&self, object: &str, condition: &str) {
        let output = self.kubectl(&["wait", object, &format!("--for=condition={condition}"), "--timeout=120s"]).await;
        assert!(output.success, "{object} is not {condition}: {}", output.stderr);
    }

    /// Waits until a condition of an object has this status and reason, and gives back its message.
    pub async fn wait_for_reason(&self, object: &str, condition: &str, status: &str, reason: &str) -> String {
        let what = format!("{object}: {condition}={status}/{reason}");
        eventually_for(std::time::Duration::from_secs(90), &what, async || {
            let found = self.condition(object, condition).await;
            match found {
                Some(found) if found["status"] == status && found["reason"] == reason => {
                    Ok(found["message"].as_str().unwrap_or_default().to_owned())
                }
                found => Err(format!("{found:?}")),
            }
        })
        .await
    }

    /// A condition of an object.
    pub async fn condition(&self, object: &str, condition: &str) -> Option<Value> {
        let object = self.get(object).await?;
        object["status"]["conditions"].as_array()?.iter().find(|found| found["type"] == condition).cloned()
    }

    /// A token of a ServiceAccount of this namespace for an audience.
    pub async fn token(&self, account: &str, audience: &str) -> String {
        self.kubectl(&["create", "token", account, "--audience", audience]).await.ok().trim().to_owned()
    }

    /// A ServiceAccount that may publish events of a Webhook, and its token.
    pub async fn publisher(&self, account: &str, webhook: &str) -> String {
        self.account(account, &posthaste_crds::names::publisher(webhook)).await
    }

    /// A ServiceAccount that is bound to a Role, and its token.
    pub async fn account(&self, account: &str, role: &str) -> String {
        self.kubectl(&["create", "serviceaccount", account]).await.ok();
        let subject = format!("--serviceaccount={}:{account}", self.name);
        let role = format!("--role={role}");
        self.kubectl(&["create", "rolebinding", &format!("{account}-may"), &role, &subject]).await.ok();
        self.token(account, posthaste_crds::TOKEN_AUDIENCE).await
    }

    /// UIDs of the delivery pods of a Webhook that run.
    pub async fn delivery_pods(&self, webhook: &str) -> Vec<String> {
        let selector = posthaste_crds::names::selector(webhook);
        let path = "jsonpath={range .items[*]}{.metadata.uid}{\"\\n\"}{end}";
        let output = self.kubectl(&["get", "pods", "-l", &selector, "-o", path]).await.ok();
        output.lines().map(str::to_owned).collect()
    }

    /// The API server's URL and a file with its CA certificate.
    pub async fn server(&self) -> (String, String) {
        let view = ["config", "view", "--minify", "--raw", "-o"];
        let read = async |path: &str| kubectl(&[&view[..], &[path]].concat(), "").await.ok();
        let server = read("jsonpath={.clusters[0].cluster.server}").await;
        let ca =
            read("go-template={{index (index .clusters 0).cluster \"certificate-authority-data\" | base64decode}}")
                .await;
        let file = std::env::temp_dir().join(format!("posthaste-e2e-ca-{}.pem", std::process::id()));
        std::fs::write(&file, ca).expect("a temporary file can be written");
        (server, file.to_str().expect("a temporary path is UTF-8").to_owned())
    }

    /// Patches the status of `<plural>/<name>` with another's token, without reading it first as `kubectl` would.
    /// Gives back the HTTP status and the answer.
    pub async fn patch_status_with(&self, token: &str, object: &str, patch: &str) -> (u16, String) {
        let mut config = kube::Config::infer().await.expect("KUBECONFIG names a cluster");
        config.auth_info = kube::config::AuthInfo { token: Some(token.to_owned().into()), ..Default::default() };
        let client = Client::try_from(config).expect("the configuration is complete");
        let uri = format!("/apis/posthaste.dev/v1alpha1/namespaces/{}/{object}/status", self.name);
        let request = http::Request::patch(uri)
            .header(http::header::CONTENT_TYPE, "application/merge-patch+json")
            .body(patch.as_bytes().to_vec())
            .expect("the request is well-formed");
        match client.request_text(request).await {
            Ok(answer) => (200, answer),
            Err(kube::Error::Api(status)) => (status.code, status.message.clone()),
            Err(error) => (0, error.to_string()),
        }
    }

    /// Prints what someone who looks into a failure wants to see.
    async fn describe(&self) {
        for args in [
            &["get", "webhooks,webhookendpoints,pods,deployments,services,events", "-o", "wide"][..],
            &["get", "webhooks,webhookendpoints", "-o", "yaml"],
            &["logs", "-l", posthaste_crds::labels::WEBHOOK, "--tail=60", "--prefix"],
        ] {
            let output = self.kubectl(args).await;
            eprintln!("== kubectl {}\n{}{}", args.join(" "), output.stdout, output.stderr);
        }
        let operator = ["--namespace", super::OPERATOR_NAMESPACE, "logs", "deployment/posthaste", "--tail=60"];
        let output = kubectl(&operator, "").await;
        eprintln!("== the operator's log\n{}{}", output.stdout, output.stderr);
    }
}
