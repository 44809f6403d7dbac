use k8s_openapi::api::core::v1::Service;
use kube::{Resource, runtime::watcher::Event};
use serde_json::{Value, json};

use super::*;
use crate::testing::{Answer, api_server};

fn owner() -> Owner {
    Owner { kind: "Webhook", name: "letters".into(), uid: "w1".into(), webhook: "letters".into() }
}

fn service(uid: Option<&str>, version: &str) -> Value {
    let owners = uid.map(|uid| json!([{"apiVersion": "posthaste.dev/v1alpha1", "kind": "Webhook", "name": "letters", "uid": uid, "controller": true}]));
    json!({
        "apiVersion": "v1", "kind": "Service",
        "metadata": {"name": "letters-ingest", "namespace": "mail", "uid": "s1", "resourceVersion": version, "ownerReferences": owners},
    })
}

fn desired() -> Desired {
    Desired::new(&serde_json::from_value::<Service>(service(Some("w1"), "")).unwrap()).unwrap()
}

struct Fixture {
    client: Client,
    children: Mutex<Children>,
    metrics: Metrics,
}

impl Fixture {
    fn new(client: Client) -> Self {
        Self { client, children: Mutex::default(), metrics: Metrics::default() }
    }

    fn applier(&self) -> Applier<'_> {
        Applier { client: &self.client, children: &self.children, metrics: &self.metrics }
    }

    fn see(&self, service: Value) {
        let event = Event::Apply(serde_json::from_value::<Service>(service).unwrap());
        self.children.lock().unwrap().observe(ChildKind::Service, &event, |object| Observed::ours(object.meta()));
    }
}

#[test]
fn decides_by_the_controller_reference_and_by_what_was_left_behind() {
    let desired = desired();
    let observed = |value: Value| Observed::any(serde_json::from_value::<Service>(value).unwrap().meta());
    let ours = observed(service(Some("w1"), "5"));
    let applied = |hash, version| Applied { hash, version, resource_version: None, webhook: "letters".into() };
    let left = applied(desired.hash, ours.version);
    for (name, observed, applied, decision) in [
        ("missing", None, None, Decision::Create),
        ("deleted by somebody", None, Some(left.clone()), Decision::Create),
        ("ours, not seen since the start", Some(ours.clone()), None, Decision::Apply),
        ("ours and as it was left", Some(ours.clone()), Some(left), Decision::Skip),
        ("edited", Some(ours.clone()), Some(applied(desired.hash, ours.version ^ 1)), Decision::Apply),
        ("should differ now", Some(ours.clone()), Some(applied([1; 32], ours.version)), Decision::Apply),
        ("nobody's", Some(observed(service(None, "5"))), None, Decision::Conflict),
        ("of an earlier Webhook of that name", Some(observed(service(Some("w0"), "5"))), None, Decision::Leftover),
    ] {
        assert_eq!(decide(&owner(), observed.as_ref(), applied.as_ref(), &desired.hash), decision, "{name}");
    }
}

#[tokio::test]
async fn a_service_of_somebody_else_is_never_patched() {
    let (client, server) = api_server([Answer::json(200, service(None, "5"))]);
    let fixture = Fixture::new(client);
    let error = fixture.applier().apply(&owner(), &desired()).await.unwrap_err();
    assert_eq!(error.to_string(), "Service letters-ingest exists and does not belong to this resource");
    let requests = server.requests().await;
    assert_eq!(requests.len(), 1);
    assert_eq!(requests[0].line, "GET /api/v1/namespaces/mail/services/letters-ingest");
}

#[tokio::test]
async fn creates_without_force_and_then_leaves_the_child_alone() {
    let (client, server) = api_server([Answer::not_found(), Answer::json(201, service(Some("w1"), "5"))]);
    let fixture = Fixture::new(client);
    assert_eq!(fixture.applier().apply(&owner(), &desired()).await.unwrap(), Decision::Create);
    fixture.see(service(Some("w1"), "5"));
    assert_eq!(fixture.applier().apply(&owner(), &desired()).await.unwrap(), Decision::Skip);
    drop(fixture);
    let requests = server.requests().await;
    assert_eq!(requests.len(), 2);
    assert_eq!(requests[1].line, "PATCH /api/v1/namespaces/mail/services/letters-ingest");
    assert_eq!(requests[1].query, "&fieldManager=posthaste-operator");
}

#[tokio::test]
async fn an_edited_child_is_applied_again_with_force() {
    let (client, server) = api_server([Answer::json(200, service(Some("w1"), "7"))]);
    let fixture = Fixture::new(client);
    fixture.see(service(Some("w1"), "6"));
    assert_eq!(fixture.applier().apply(&owner(), &desired()).await.unwrap(), Decision::Apply);
    assert!(server.requests().await[0].query.contains("force=true"));
}

#[tokio::test]
async fn an_object_made_by_somebody_between_check_and_creation_is_a_conflict() {
    let (client, _server) = api_server([Answer::not_found(), Answer::error(409, "Conflict")]);
    let fixture = Fixture::new(client);
    let error = fixture.applier().apply(&owner(), &desired()).await.unwrap_err();
    assert!(matches!(error, ApplyError::Conflict { .. }), "{error}");
}

#[tokio::test]
async fn a_refusal_carries_the_api_servers_words() {
    let (client, _server) = api_server([Answer::not_found(), Answer::error(422, "Invalid")]);
    let fixture = Fixture::new(client);
    let error = fixture.applier().apply(&owner(), &desired()).await.unwrap_err();
    assert_eq!(error.to_string(), "the API server refused Service letters-ingest: scripted Invalid");
}

#[tokio::test]
async fn a_namespace_that_is_being_terminated_is_no_refusal() {
    let terminating = json!({
        "kind": "Status", "apiVersion": "v1", "status": "Failure", "code": 403, "reason": "Forbidden",
        "message": "unable to create new content in namespace mail because it is being terminated",
        "details": {"causes": [{"reason": "NamespaceTerminating", "message": "namespace mail is being terminated"}]},
    });
    let (client, _server) = api_server([Answer::not_found(), Answer::json(403, terminating)]);
    let error = Fixture::new(client).applier().apply(&owner(), &desired()).await.unwrap_err();
    assert!(matches!(error, ApplyError::Terminating { .. }), "{error}");
}

#[tokio::test]
async fn deletes_only_what_it_controls_no_longer_needs_and_can_do_without() {
    let (client, server) = api_server([Answer::json(200, service(Some("w1"), "5"))]);
    let fixture = Fixture::new(client);
    for (kind, name) in [
        (ChildKind::Secret, "letters-delivery-1"),
        (ChildKind::Secret, "letters-delivery-2"),
        (ChildKind::PersistentVolumeClaim, "letters-delivery"),
    ] {
        let mut child = service(Some("w1"), "5");
        child["metadata"]["name"] = name.into();
        let event = Event::Apply(serde_json::from_value::<Service>(child).unwrap());
        fixture.children.lock().unwrap().observe(kind, &event, |object| Observed::ours(object.meta()));
    }
    let applier = fixture.applier();
    applier.delete_orphans(&Owner { uid: "w2".into(), ..owner() }, "mail", []).await.unwrap();
    applier.delete_orphans(&owner(), "mail", [(ChildKind::Secret, "letters-delivery-1")]).await.unwrap();
    let requests = server.requests().await;
    assert_eq!(requests.len(), 1);
    assert_eq!(requests[0].line, "DELETE /api/v1/namespaces/mail/secrets/letters-delivery-2");
    assert_eq!(requests[0].body["preconditions"]["uid"], "s1");
}

#[test]
fn debug_output_shows_no_body() {
    let shown = format!("{:?}", desired());
    assert_eq!(shown, "Service mail/letters-ingest");
}
