use k8s_openapi::api::{apps::v1::Deployment, core::v1::Secret};
use serde_json::json;

use super::*;

fn secret(version: &str) -> Secret {
    serde_json::from_value(json!({"metadata": {
        "name": "letters-delivery", "namespace": "mail", "uid": "s1", "resourceVersion": version,
        "labels": {"posthaste.dev/webhook": "letters", "app.kubernetes.io/managed-by": "posthaste"},
        "ownerReferences": [{"apiVersion": "posthaste.dev/v1alpha1", "kind": "Webhook", "name": "letters",
                             "uid": "w1", "controller": true}],
    }}))
    .unwrap()
}

fn deployment(available: i32) -> Deployment {
    serde_json::from_value(json!({
        "metadata": {
            "name": "letters-delivery", "namespace": "mail", "uid": "d1", "generation": 2,
            "resourceVersion": available.to_string(),
            "labels": {"posthaste.dev/webhook": "letters", "app.kubernetes.io/managed-by": "posthaste"},
            "annotations": {"deployment.kubernetes.io/revision": available.to_string()},
        },
        "status": {"observedGeneration": 2, "replicas": 1, "updatedReplicas": 1, "availableReplicas": available},
    }))
    .unwrap()
}

fn see(children: &mut Children, event: &Event<Secret>) -> Vec<Key> {
    children.observe(ChildKind::Secret, event, |object| Observed::ours(object.meta()))
}

#[test]
fn a_change_by_somebody_else_concerns_the_webhook_and_the_echo_of_an_apply_does_not() {
    let mut children = Children::default();
    let letters = [Key::new("mail", "letters")];
    assert_eq!(see(&mut children, &Event::Apply(secret("1"))), letters);
    let echo = secret("2");
    let applied =
        Applied { hash: [0; 32], version: version(echo.meta()), resource_version: None, webhook: "letters".into() };
    children.record(ChildKind::Secret, Key::of(&echo), applied);
    assert!(see(&mut children, &Event::Apply(echo)).is_empty());
    assert_eq!(see(&mut children, &Event::Apply(secret("3"))), letters);
    assert_eq!(see(&mut children, &Event::Delete(secret("4"))), letters);
}

#[test]
fn a_child_that_vanished_while_the_watch_was_away_concerns_its_webhook() {
    let mut children = Children::default();
    see(&mut children, &Event::Apply(secret("1")));
    assert!(see(&mut children, &Event::Init).is_empty());
    assert_eq!(see(&mut children, &Event::InitDone), [Key::new("mail", "letters")]);
    assert!(children.get(ChildKind::Secret, &Key::new("mail", "letters-delivery")).is_none());
}

#[test]
fn a_relist_without_news_concerns_nobody() {
    let mut children = Children::default();
    see(&mut children, &Event::Apply(secret("1")));
    see(&mut children, &Event::Init);
    see(&mut children, &Event::InitApply(secret("1")));
    assert!(see(&mut children, &Event::InitDone).is_empty());
}

#[test]
fn objects_of_others_are_not_kept_and_losing_our_marks_counts_as_a_change() {
    let mut children = Children::default();
    let mut foreign = secret("1");
    foreign.metadata.labels = None;
    foreign.metadata.owner_references = None;
    assert!(see(&mut children, &Event::Apply(foreign.clone())).is_empty());
    see(&mut children, &Event::Apply(secret("2")));
    assert_eq!(see(&mut children, &Event::Apply(foreign)), [Key::new("mail", "letters")]);
}

#[test]
fn a_rollout_is_news_although_the_deployment_itself_is_unchanged() {
    let mut children = Children::default();
    let mut see =
        |available| children.observe(ChildKind::Deployment, &Event::Apply(deployment(available)), Observed::deployment);
    assert_eq!(see(0).len(), 1);
    assert!(see(0).is_empty());
    assert_eq!(see(1).len(), 1);
    assert_eq!(version(deployment(0).meta()), version(deployment(1).meta()));
}

#[test]
fn lists_what_an_owner_controls() {
    let mut children = Children::default();
    see(&mut children, &Event::Apply(secret("1")));
    assert_eq!(children.controlled_by("mail", "w1").len(), 1);
    assert!(children.controlled_by("mail", "w2").is_empty());
    assert!(children.controlled_by("other", "w1").is_empty());
}
