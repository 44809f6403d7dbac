use std::sync::Arc;

use serde_json::{Value, json};

use super::*;
use crate::{
    key::Key,
    references::{Reference, ReferenceKind},
};

fn webhook(spec: &Value) -> Webhook {
    serde_json::from_value(json!({
        "apiVersion": "posthaste.dev/v1alpha1", "kind": "Webhook",
        "metadata": {"name": "letters", "namespace": "mail", "uid": "w1", "generation": 1}, "spec": spec,
    }))
    .unwrap()
}

fn endpoint(name: &str, uid: &str, owners: &Value) -> WebhookEndpoint {
    serde_json::from_value(json!({
        "apiVersion": "posthaste.dev/v1alpha1", "kind": "WebhookEndpoint",
        "metadata": {"name": name, "namespace": "mail", "uid": uid, "generation": 1, "ownerReferences": owners},
        "spec": {"webhookRef": {"name": "letters"}, "target": {"url": "https://aunt.example/post"}},
    }))
    .unwrap()
}

fn key_secret(name: &str) -> (Reference, Content) {
    let secret = json!({"metadata": {"name": name, "namespace": "mail"}, "data": {"key": "d2hzZWNfQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUE="}});
    let reference = (ReferenceKind::Secret, Key::new("mail", name));
    (reference, Content::Secret(Arc::new(serde_json::from_value(secret).unwrap())))
}

struct Case {
    webhook: Webhook,
    endpoints: Vec<WebhookEndpoint>,
    neighbours: Vec<WebhookEndpoint>,
    unreadable: HashSet<String>,
    keys: Keys,
    previous: Option<Index>,
}

impl Case {
    fn new(spec: &Value, endpoints: Vec<WebhookEndpoint>) -> Self {
        Self {
            webhook: webhook(spec),
            neighbours: endpoints.clone(),
            endpoints,
            unreadable: HashSet::new(),
            keys: Keys::default(),
            previous: None,
        }
    }

    fn judge(&self) -> Rendered {
        let names = self.endpoints.iter().filter_map(|endpoint| endpoint.metadata.name.as_deref());
        let contents = names.map(|name| key_secret(&format!("{name}-signing"))).collect();
        validate(&Input {
            webhook: &self.webhook,
            endpoints: &self.endpoints.iter().collect::<Vec<_>>(),
            neighbours: &self.neighbours.iter().collect::<Vec<_>>(),
            unreadable: &self.unreadable,
            contents: &contents,
            keys: &self.keys,
            previous: self.previous.as_ref(),
            salt: "salt",
            address_policy: &AddressPolicy::default(),
            status: &StatusBudget::default(),
            now: Timestamp::UNIX_EPOCH,
        })
    }
}

#[test]
fn an_endpoint_with_its_key_is_attached() {
    let rendered = Case::new(&json!({}), vec![endpoint("aunt", "e1", &json!([]))]).judge();
    assert!(rendered.webhook.is_true() && rendered.endpoints[0].attached, "{rendered:?}");
    assert_eq!(rendered.attached(), 1);
}

#[test]
fn a_key_of_somebody_elses_is_not_used_and_the_endpoint_says_so() {
    let mut case = Case::new(&json!({}), vec![endpoint("aunt", "e1", &json!([])), endpoint("uncle", "e2", &json!([]))]);
    case.keys.taken.insert("e1".into(), "aunt-signing".into());
    let rendered = case.judge();
    let (aunt, uncle) = (&rendered.endpoints[0], &rendered.endpoints[1]);
    assert_eq!((aunt.accepted.reason, aunt.attached), ("NameConflict", false));
    assert!(aunt.accepted.message.contains("aunt-signing"), "{}", aunt.accepted.message);
    assert!(uncle.attached);
}

#[test]
fn an_endpoint_that_cannot_be_read_does_not_pass_for_deleted() {
    let mut case = Case::new(&json!({}), vec![endpoint("aunt", "e1", &json!([])), endpoint("uncle", "e2", &json!([]))]);
    case.previous = case.judge().configuration.map(|configuration| configuration.index);
    case.endpoints.pop();
    let tombstones = |case: &Case| case.judge().configuration.unwrap().index.tombstones.len();
    assert_eq!(tombstones(&case), 1);
    case.unreadable.insert("e2".into());
    assert_eq!(tombstones(&case), 0);
}

#[test]
fn an_inline_name_that_is_taken_by_an_endpoint_of_another_webhook_is_a_conflict() {
    let spec = json!({"endpoints": [{"name": "archive", "target": {"url": "https://archive.example/in"}}]});
    let mut case = Case::new(&spec, vec![endpoint("aunt", "e1", &json!([]))]);
    let mut foreign = endpoint("letters-archive", "x", &json!([]));
    foreign.spec.webhook_ref.name = "cards".into();
    case.neighbours.push(foreign);
    let rendered = case.judge();
    assert_eq!(rendered.webhook.reason, "NameConflict");
    assert!(rendered.configuration.is_none());
    assert_eq!(rendered.endpoints[0].accepted.reason, "WebhookNotAccepted");
}

#[test]
fn an_inline_endpoint_of_a_deleted_webhook_of_the_same_name_is_no_conflict() {
    let spec = json!({"endpoints": [{"name": "archive", "target": {"url": "https://archive.example/in"}}]});
    let mut case = Case::new(&spec, vec![]);
    let owner = json!([{"apiVersion": "posthaste.dev/v1alpha1", "kind": "Webhook", "name": "letters", "uid": "w0", "controller": true}]);
    case.neighbours.push(endpoint("letters-archive", "x", &owner));
    assert!(case.judge().webhook.is_true());
}
