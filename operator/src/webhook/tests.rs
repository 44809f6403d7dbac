//! Whole reconciles against a small cluster: which requests are made, and in which order.

use clap::Parser;
use k8s_openapi::api::{apps::v1::Deployment, core::v1::Secret};
use kube::runtime::watcher::Event;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::*;
use crate::{
    args::Args,
    children::{Children, Observed},
    context::{Meta, Shared},
    references::{ReferenceKind, References},
    scope::Scope,
    testing::cluster::Cluster,
    watch::{Queues, Writers},
};

struct World {
    cluster: Cluster,
    context: Arc<Context>,
    writers: Writers,
    queues: Queues,
}

impl World {
    fn new() -> Self {
        let cluster = Cluster::default();
        let arguments =
            ["posthaste-operator", "--delivery-image", "i", "--namespace", "postoffice", "--pod-name", "sorter-1"];
        let settings = Args::parse_from(arguments).settings();
        let shared = Shared::new(cluster.client(), settings, Arc::default(), "tester", 1);
        let (context, writers, queues) = Context::new(Arc::new(shared), Scope::Cluster, 0);
        Self { cluster, context, writers, queues }
    }

    fn webhook(&mut self, spec: &Value, status: &Value) {
        let webhook = json!({
            "apiVersion": "posthaste.dev/v1alpha1", "kind": "Webhook",
            "metadata": {"name": "letters", "namespace": "mail", "uid": "w1", "generation": 1},
            "spec": spec, "status": status,
        });
        self.cluster.put("/apis/posthaste.dev/v1alpha1/namespaces/mail/webhooks/letters", webhook.clone());
        self.writers.webhooks.apply_watcher_event(&Event::Apply(serde_json::from_value(webhook).unwrap()));
    }

    fn endpoint(&mut self, name: &str) {
        let endpoint = json!({
            "apiVersion": "posthaste.dev/v1alpha1", "kind": "WebhookEndpoint",
            "metadata": {"name": name, "namespace": "mail", "uid": format!("uid-{name}"), "generation": 1},
            "spec": {"webhookRef": {"name": "letters"}, "target": {"url": format!("https://{name}.example/post")}},
        });
        self.writers.endpoints.apply_watcher_event(&Event::Apply(serde_json::from_value(endpoint).unwrap()));
    }

    async fn reconcile(&self) -> Vec<String> {
        lock(&self.context.reconciled).clear();
        let webhook = self.context.webhooks.get(&Key::new("mail", "letters").object_ref()).unwrap();
        reconcile(webhook, Arc::clone(&self.context)).await.unwrap();
        let requests = self.cluster.requests();
        requests.into_iter().map(|request| request.line.replace("/namespaces/mail", "")).collect()
    }

    /// What the watches would bring of what was applied.
    fn watch(&self) -> Vec<Key> {
        let mut concerned = Vec::new();
        for (part, kind) in [
            ("/serviceaccounts/", ChildKind::ServiceAccount),
            ("/roles/", ChildKind::Role),
            ("/rolebindings/", ChildKind::RoleBinding),
            ("/secrets/", ChildKind::Secret),
            ("/persistentvolumeclaims/", ChildKind::PersistentVolumeClaim),
            ("/services/", ChildKind::Service),
            ("/networkpolicies/", ChildKind::NetworkPolicy),
        ] {
            for event in self.events::<Meta<Secret>>(part) {
                concerned
                    .extend(lock(&self.context.children).observe(kind, &event, |object| Observed::ours(object.meta())));
                if kind == ChildKind::Secret {
                    concerned.extend(lock(&self.context.references).observe(ReferenceKind::Secret, &event));
                }
            }
        }
        for event in self.events::<Deployment>("/deployments/") {
            lock(&self.context.children).observe(ChildKind::Deployment, &event, Observed::deployment);
        }
        concerned
    }

    fn events<K: DeserializeOwned>(&self, part: &str) -> Vec<Event<K>> {
        let objects = self.cluster.objects(part).into_iter();
        objects.map(|object| Event::Apply(serde_json::from_value(object).unwrap())).collect()
    }
}

fn position(requests: &[String], part: &str) -> usize {
    requests.iter().position(|line| line.contains(part)).unwrap_or_else(|| panic!("no {part} in {requests:#?}"))
}

#[tokio::test]
async fn a_new_webhook_gets_its_children_in_an_order_that_never_names_what_is_not_there() {
    let mut world = World::new();
    world.webhook(&json!({}), &Value::Null);
    world.endpoint("aunt");
    let requests = world.reconcile().await;
    let written: Vec<_> = requests.iter().filter(|line| line.starts_with("PATCH")).cloned().collect();
    let key = position(&written, "/secrets/aunt-signing");
    let chunk = position(&written, "/secrets/letters-delivery-");
    let index = written.iter().position(|line| line.ends_with("/secrets/letters-delivery")).unwrap();
    let pod = position(&written, "/deployments/letters-delivery");
    let status = position(&written, "/webhooks/letters/status");
    assert!(key < chunk && chunk < index && index < pod && pod < status, "{written:#?}");
    for child in [
        "/serviceaccounts/letters-delivery",
        "/roles/letters-delivery",
        "/rolebindings/letters-delivery",
        "/roles/letters-publisher",
        "/persistentvolumeclaims/letters-delivery",
        "/services/letters-ingest",
        "/networkpolicies/letters-delivery",
    ] {
        assert!(position(&written, child) < pod, "{written:#?}");
    }
    assert_eq!(world.queues.endpoints.try_recv().unwrap(), Key::new("mail", "aunt"));
    assert!(lock(&world.context.board).get(&Key::new("mail", "aunt")).unwrap().delivering);
}

#[tokio::test]
async fn when_nothing_has_changed_nothing_is_asked_and_nothing_written() {
    let mut world = World::new();
    world.webhook(&json!({}), &Value::Null);
    world.endpoint("aunt");
    world.reconcile().await;
    assert!(world.watch().is_empty(), "the echoes of our own writes must lead to no reconcile");
    // The status as the API server has it after the first reconcile.
    let webhook = world.context.webhooks.get(&Key::new("mail", "letters").object_ref()).unwrap();
    let findings = Findings {
        accepted: posthaste_delivery_config::resolve::Outcome::holds("Accepted", "The Webhook is valid"),
        resolved_refs: posthaste_delivery_config::resolve::Outcome::holds(
            "ResolvedRefs",
            "Everything that the Webhook refers to is there",
        ),
        attached: Some(1),
        rollout: rollout(&world.context, &Key::new("mail", "letters"), webhook.0.as_ref().unwrap()),
        delivering: true,
    };
    let status = update_status::desired(webhook.0.as_ref().unwrap(), &findings, jiff::Timestamp::UNIX_EPOCH);
    world.webhook(&json!({}), &serde_json::to_value(status).unwrap());
    assert_eq!(world.reconcile().await, Vec::<String>::new());
}

#[tokio::test]
async fn a_name_that_is_taken_leaves_everything_as_it_was_and_is_told() {
    let mut world = World::new();
    world.webhook(&json!({}), &Value::Null);
    world.endpoint("aunt");
    let path = "/api/v1/namespaces/mail/services/letters-ingest";
    world.cluster.put(path, json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "letters-ingest", "namespace": "mail", "uid": "x"}}));
    let requests = world.reconcile().await;
    let written: Vec<_> = requests.iter().filter(|line| !line.starts_with("GET")).collect();
    // The endpoint's own key is the endpoint's; of the Webhook's children there is none.
    assert_eq!(written.len(), 3, "{written:#?}");
    assert!(written[0].ends_with("/secrets/aunt-signing"));
    assert!(written[1].ends_with("/webhooks/letters/status"));
    assert!(written[2].starts_with("POST") && written[2].ends_with("/events"));
    let verdict = lock(&world.context.board).get(&Key::new("mail", "aunt")).unwrap();
    assert_eq!((verdict.accepted.reason, verdict.delivering), ("WebhookNotAccepted", false));
}

#[tokio::test]
async fn an_inline_endpoint_whose_name_is_taken_is_a_name_conflict() {
    let mut world = World::new();
    world.webhook(
        &json!({"endpoints": [{"name": "aunt", "target": {"url": "https://aunt.example/post"}}]}),
        &Value::Null,
    );
    let path = "/apis/posthaste.dev/v1alpha1/namespaces/mail/webhookendpoints/letters-aunt";
    world.cluster.put(
        path,
        json!({
            "apiVersion": "posthaste.dev/v1alpha1", "kind": "WebhookEndpoint",
            "metadata": {"name": "letters-aunt", "namespace": "mail", "uid": "x"},
        }),
    );
    world.reconcile().await;
    let webhook = world.cluster.get("/apis/posthaste.dev/v1alpha1/namespaces/mail/webhooks/letters").unwrap();
    let conditions = webhook["status"]["conditions"].as_array().unwrap();
    let accepted = conditions.iter().find(|condition| condition["type"] == "Accepted").unwrap();
    assert_eq!((&accepted["status"], &accepted["reason"]), (&json!("False"), &json!("NameConflict")));
    assert!(accepted["message"].as_str().unwrap().contains("letters-aunt"), "{accepted}");
}

#[tokio::test]
async fn a_key_that_exists_is_never_made_again() {
    let mut world = World::new();
    world.webhook(&json!({}), &Value::Null);
    world.endpoint("aunt");
    world.reconcile().await;
    let before = world.cluster.objects("/secrets/aunt-signing");
    // As after a restart: nothing is remembered.
    *lock(&world.context.references) = References::default();
    *lock(&world.context.children) = Children::default();
    let requests = world.reconcile().await;
    assert!(!requests.iter().any(|line| line.starts_with("PATCH") && line.contains("aunt-signing")), "{requests:#?}");
    assert_eq!(world.cluster.objects("/secrets/aunt-signing"), before);
}

#[tokio::test]
async fn a_webhook_that_is_being_deleted_gets_nothing_new() {
    let mut world = World::new();
    let webhook = json!({
        "apiVersion": "posthaste.dev/v1alpha1", "kind": "Webhook",
        "metadata": {"name": "letters", "namespace": "mail", "uid": "w1", "deletionTimestamp": "2026-01-01T00:00:00Z"},
        "spec": {},
    });
    world.writers.webhooks.apply_watcher_event(&Event::Apply(serde_json::from_value(webhook).unwrap()));
    assert_eq!(world.reconcile().await, Vec::<String>::new());
}

#[tokio::test]
async fn a_series_of_changes_is_taken_together() {
    let mut world = World::new();
    world.webhook(&json!({}), &Value::Null);
    world.reconcile().await;
    let webhook = world.context.webhooks.get(&Key::new("mail", "letters").object_ref()).unwrap();
    let action = reconcile(webhook, Arc::clone(&world.context)).await.unwrap();
    assert_ne!(action, Action::await_change());
    assert!(world.cluster.requests().is_empty());
}
