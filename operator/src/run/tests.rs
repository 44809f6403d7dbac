//! The whole operator against a small cluster: watches, controllers, statuses. The clock is paused, so that waits cost
//! no time and "for ten minutes" is exact.

use clap::Parser;
use serde_json::json;
use tokio::{task::JoinHandle, time::sleep};

use super::*;
use crate::testing::cluster::Cluster;

const WEBHOOK: &str = "/apis/posthaste.dev/v1alpha1/namespaces/mail/webhooks/letters";
const ENDPOINT: &str = "/apis/posthaste.dev/v1alpha1/namespaces/mail/webhookendpoints/aunt";
const DEPLOYMENT: &str = "/apis/apps/v1/namespaces/mail/deployments/letters-delivery";
const SERVICE: &str = "/api/v1/namespaces/mail/services/letters-ingest";

struct Operator {
    cluster: Cluster,
    stop: watch::Sender<bool>,
    task: JoinHandle<anyhow::Result<()>>,
}

impl Operator {
    fn start(cluster: &Cluster) -> Self {
        let base = ["posthaste-operator", "--delivery-image", "i", "--namespace", "mail", "--pod-name", "sorter-1"];
        let arguments = base.into_iter().chain(["--watch-namespaces", "mail"]);
        let args = Args::parse_from(arguments);
        let (stop, mut stopped) = watch::channel(false);
        let client = cluster.client();
        let task = tokio::spawn(async move {
            work(&args, &client, &Arc::default(), &Readiness::default(), None, &mut stopped).await
        });
        Self { cluster: cluster.clone(), stop, task }
    }

    async fn stop(self) {
        self.stop.send(true).unwrap();
        self.task.await.unwrap().unwrap();
    }

    /// What the kubelet and the delivery sidecar would do.
    async fn deliver(&self) {
        self.cluster.until("the Deployment is there", |cluster| cluster.get(DEPLOYMENT).is_some()).await;
        self.cluster.edit(DEPLOYMENT, |deployment| {
            let generation = deployment["metadata"]["generation"].clone();
            deployment["status"] =
                json!({"observedGeneration": generation, "replicas": 1, "updatedReplicas": 1, "availableReplicas": 1});
        });
        for path in [WEBHOOK, ENDPOINT] {
            if self.cluster.get(path).is_some() {
                let status = json!({"conditions": [condition("Programmed", "True", "Programmed")], "configuration": {"revision": "1"}});
                self.cluster.apply_status(path, "posthaste-delivery", status);
            }
        }
    }

    async fn until(&self, path: &str, type_: &str, condition: &str) {
        let is_so = |cluster: &Cluster| cluster.condition(path, type_).as_deref() == Some(condition);
        self.cluster.until(&format!("{path} is {type_}={condition}"), is_so).await;
    }
}

fn condition(type_: &str, status: &str, reason: &str) -> serde_json::Value {
    json!({"type": type_, "status": status, "reason": reason, "message": "", "observedGeneration": 1,
           "lastTransitionTime": "2026-01-01T00:00:00Z"})
}

fn put_webhook(cluster: &Cluster, uid: &str) {
    let webhook =
        json!({"apiVersion": "posthaste.dev/v1alpha1", "kind": "Webhook", "metadata": {"uid": uid}, "spec": {}});
    cluster.put(WEBHOOK, webhook);
}

fn put_endpoint(cluster: &Cluster, settings: &serde_json::Value) {
    let mut spec = json!({"webhookRef": {"name": "letters"}, "target": {"url": "https://aunt.example/post"}});
    spec.as_object_mut().unwrap().extend(settings.as_object().unwrap().clone());
    let endpoint = json!({"apiVersion": "posthaste.dev/v1alpha1", "kind": "WebhookEndpoint", "metadata": {"uid": "e1"}, "spec": spec});
    cluster.put(ENDPOINT, endpoint);
}

async fn delivering() -> Operator {
    let cluster = Cluster::default();
    put_webhook(&cluster, "w1");
    put_endpoint(&cluster, &json!({}));
    let operator = Operator::start(&cluster);
    operator.deliver().await;
    operator.until(WEBHOOK, "Ready", "True/Ready").await;
    operator.until(ENDPOINT, "Ready", "True/Ready").await;
    operator
}

#[tokio::test(start_paused = true)]
async fn a_webhook_and_its_endpoint_become_ready_and_then_nothing_is_asked_or_written() {
    let operator = delivering().await;
    let status = operator.cluster.get(WEBHOOK).unwrap()["status"].clone();
    assert_eq!(status["attachedEndpoints"], 1);
    assert_eq!(status["address"]["url"], "http://letters-ingest.mail.svc/v1/events");
    assert_eq!(operator.cluster.get(ENDPOINT).unwrap()["status"]["signing"]["secretName"], "aunt-signing");
    sleep(Duration::from_secs(2)).await;
    operator.cluster.requests();
    sleep(Duration::from_mins(10)).await;
    assert_eq!(operator.cluster.asked(), Vec::<String>::new());
    operator.stop().await;
}

#[tokio::test(start_paused = true)]
async fn counters_of_the_sidecar_cause_no_request() {
    let operator = delivering().await;
    sleep(Duration::from_secs(2)).await;
    operator.cluster.requests();
    for delivered in 1..20 {
        let conditions =
            json!([condition("Programmed", "True", "Programmed"), condition("Healthy", "True", "Delivering")]);
        let status =
            json!({"conditions": conditions, "configuration": {"revision": "1"}, "delivery": {"delivered": delivered}});
        operator.cluster.apply_status(ENDPOINT, "posthaste-delivery", status.clone());
        operator.cluster.apply_status(WEBHOOK, "posthaste-delivery", status);
        sleep(Duration::from_secs(10)).await;
    }
    assert_eq!(operator.cluster.asked(), Vec::<String>::new());
    operator.stop().await;
}

#[tokio::test(start_paused = true)]
async fn an_endpoint_whose_webhook_goes_says_so_and_heals_when_it_comes_back() {
    let operator = delivering().await;
    operator.cluster.delete(WEBHOOK);
    operator.until(ENDPOINT, "Accepted", "False/WebhookNotFound").await;
    operator.until(ENDPOINT, "Programmed", "Unknown/NotDelivering").await;
    operator.until(ENDPOINT, "Healthy", "Unknown/NotDelivering").await;
    // Garbage collection.
    for child in operator.cluster.objects("/letters-") {
        let name = child["metadata"]["name"].as_str().unwrap().to_owned();
        for collection in ["secrets", "services", "serviceaccounts", "persistentvolumeclaims"] {
            operator.cluster.delete(&format!("/api/v1/namespaces/mail/{collection}/{name}"));
        }
        operator.cluster.delete(&format!("/apis/apps/v1/namespaces/mail/deployments/{name}"));
        operator.cluster.delete(&format!("/apis/networking.k8s.io/v1/namespaces/mail/networkpolicies/{name}"));
        for collection in ["roles", "rolebindings"] {
            operator.cluster.delete(&format!("/apis/rbac.authorization.k8s.io/v1/namespaces/mail/{collection}/{name}"));
        }
    }
    put_webhook(&operator.cluster, "w2");
    operator.until(ENDPOINT, "Accepted", "True/Accepted").await;
    operator.deliver().await;
    operator.until(ENDPOINT, "Ready", "True/Ready").await;
    operator.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_missing_secret_is_named_and_its_appearance_heals_without_a_poll() {
    let cluster = Cluster::default();
    put_webhook(&cluster, "w1");
    let key = json!({"id": "k", "encoding": "Raw", "secretKeyRef": {"name": "seal", "key": "k"}});
    put_endpoint(&cluster, &json!({"signing": {"keys": [key]}}));
    let operator = Operator::start(&cluster);
    operator.until(ENDPOINT, "ResolvedRefs", "False/SecretNotFound").await;
    sleep(Duration::from_secs(2)).await;
    cluster.requests();
    sleep(Duration::from_mins(10)).await;
    assert_eq!(cluster.asked(), Vec::<String>::new());
    let secret = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"uid": "s"}, "data": {"k": "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}});
    cluster.put("/api/v1/namespaces/mail/secrets/seal", secret);
    operator.until(ENDPOINT, "ResolvedRefs", "True/ResolvedRefs").await;
    operator.stop().await;
}

#[tokio::test(start_paused = true)]
async fn children_that_somebody_edited_or_deleted_are_put_right() {
    let operator = delivering().await;
    operator.cluster.edit(SERVICE, |service| service["spec"]["ports"][0]["port"] = json!(8443));
    let port = |cluster: &Cluster| cluster.get(SERVICE).map(|service| service["spec"]["ports"][0]["port"].clone());
    operator.cluster.until("the port is put right", |cluster| port(cluster) == Some(json!(80))).await;
    for path in [SERVICE, DEPLOYMENT, "/api/v1/namespaces/mail/secrets/letters-delivery"] {
        operator.cluster.delete(path);
        operator.cluster.until("it is made again", |cluster| cluster.get(path).is_some()).await;
    }
    operator.stop().await;
}

#[tokio::test(start_paused = true)]
async fn an_inline_endpoint_is_made_and_removed_with_its_entry() {
    let cluster = Cluster::default();
    put_webhook(&cluster, "w1");
    let operator = Operator::start(&cluster);
    let inline = "/apis/posthaste.dev/v1alpha1/namespaces/mail/webhookendpoints/letters-archive";
    let entry = json!([{"name": "archive", "target": {"url": "https://archive.example/in"}}]);
    operator.cluster.until("the Deployment is there", |cluster| cluster.get(DEPLOYMENT).is_some()).await;
    cluster.edit(WEBHOOK, |webhook| webhook["spec"]["endpoints"] = entry);
    operator.until(inline, "Accepted", "True/Accepted").await;
    cluster.edit(WEBHOOK, |webhook| webhook["spec"] = json!({}));
    cluster.until("it is removed", |cluster| cluster.get(inline).is_none()).await;
    operator.stop().await;
}

#[tokio::test(start_paused = true)]
async fn replicas_zero_releases_what_the_sidecar_wrote() {
    let operator = delivering().await;
    operator.cluster.edit(WEBHOOK, |webhook| webhook["spec"]["replicas"] = json!(0));
    operator.until(WEBHOOK, "Ready", "False/ScaledToZero").await;
    operator.until(WEBHOOK, "Programmed", "Unknown/NotDelivering").await;
    operator.until(ENDPOINT, "Programmed", "Unknown/NotDelivering").await;
    assert!(operator.cluster.get(WEBHOOK).unwrap()["status"]["configuration"].is_null());
    operator.stop().await;
}
