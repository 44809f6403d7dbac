use posthaste_delivery_config::resolve::Status;
use serde_json::{Value, json};

use super::*;

fn endpoint(status: &Value) -> WebhookEndpoint {
    serde_json::from_value(json!({
        "apiVersion": "posthaste.dev/v1alpha1", "kind": "WebhookEndpoint",
        "metadata": {"name": "aunt", "namespace": "mail", "uid": "e1", "generation": 2},
        "spec": {"webhookRef": {"name": "letters"}, "target": {"url": "https://aunt.example/post"}}, "status": status,
    }))
    .unwrap()
}

fn reported(generation: i64, programmed: &str) -> Value {
    let condition = |type_: &str, status: &str, reason: &str| {
        json!({"type": type_, "status": status, "reason": reason, "message": "as the sidecar says",
               "observedGeneration": generation, "lastTransitionTime": "2026-01-01T00:00:00Z"})
    };
    let status = if programmed == "Programmed" { "True" } else { "False" };
    json!({
        "conditions": [condition("Programmed", status, programmed), condition("Healthy", "True", "Delivering")],
        "delivery": {"delivered": 12}, "signing": {"activeKeyIDs": ["generated"]},
    })
}

fn verdict() -> Verdict {
    Verdict {
        uid: "e1".into(),
        webhook: "w1".into(),
        generation: 2,
        accepted: Outcome::holds(names::accepted::ACCEPTED, "The endpoint receives events of its Webhook"),
        resolved_refs: Outcome::holds(names::resolved_refs::RESOLVED, "Everything is there"),
        delivering: true,
        signing_secret: Some("aunt-signing".into()),
    }
}

#[test]
fn ready_names_the_first_thing_that_is_missing() {
    let running = endpoint(&reported(2, "Programmed"));
    let refused = |message: &str| Outcome::from(Refusal::new(names::accepted::INVALID, message));
    for (endpoint, verdict, reason, hint) in [
        (&running, verdict(), "Ready", "delivered"),
        (&running, Verdict { accepted: refused("no such thing"), ..verdict() }, "NotAccepted", "no such thing"),
        (&running, Verdict { resolved_refs: refused("no Secret"), ..verdict() }, "UnresolvedRefs", "no Secret"),
        (&running, Verdict { delivering: false, ..verdict() }, "NotProgrammed", "condition Ready says why"),
        (&endpoint(&reported(1, "Programmed")), verdict(), "NotProgrammed", "generation 2"),
        (&endpoint(&reported(2, "InvalidConfiguration")), verdict(), "NotProgrammed", "as the sidecar says"),
        (&endpoint(&Value::Null), verdict(), "NotProgrammed", "generation 2"),
    ] {
        let status = desired(endpoint, &verdict, Timestamp::UNIX_EPOCH);
        let ready = find(status.conditions.as_deref(), names::READY).unwrap();
        assert_eq!((ready.reason.as_str(), ready.status == "True"), (reason, reason == "Ready"), "{}", ready.message);
        assert!(ready.message.contains(hint), "{}", ready.message);
    }
}

#[test]
fn the_body_has_the_operators_fields_and_no_others() {
    insta::assert_yaml_snapshot!(desired(&endpoint(&reported(2, "Programmed")), &verdict(), Timestamp::UNIX_EPOCH));
}

#[test]
fn what_was_written_is_found_equal_whatever_the_sidecar_reports() {
    let before = endpoint(&reported(2, "Programmed"));
    let mut status = desired(&before, &verdict(), Timestamp::UNIX_EPOCH);
    let reported = before.status.unwrap();
    status.conditions.as_mut().unwrap().extend(reported.conditions.unwrap());
    status.delivery = reported.delivery;
    status.signing.as_mut().unwrap().active_key_ids = Some(vec!["generated".into()]);
    let after = endpoint(&serde_json::to_value(status).unwrap());
    assert_eq!(ours(after.status.as_ref()), Some(desired(&after, &verdict(), Timestamp::from_second(1000).unwrap())));
}

#[test]
fn the_sidecars_part_is_released_once_and_leaves_no_counters() {
    let reported = endpoint(&reported(2, "Programmed"));
    let status = released(&reported, &verdict(), Timestamp::UNIX_EPOCH).unwrap();
    insta::assert_yaml_snapshot!(status);
    let after = endpoint(&serde_json::to_value(status).unwrap());
    assert!(released(&after, &verdict(), Timestamp::UNIX_EPOCH).is_none());
    assert!(released(&endpoint(&Value::Null), &verdict(), Timestamp::UNIX_EPOCH).is_none());
}

#[test]
fn what_is_unknown_makes_an_endpoint_unready() {
    let unknown = Outcome { status: Status::Unknown, reason: "WebhookNotFound", message: "later".into() };
    let status =
        desired(&endpoint(&Value::Null), &Verdict { resolved_refs: unknown, ..verdict() }, Timestamp::UNIX_EPOCH);
    assert_eq!(find(status.conditions.as_deref(), names::READY).unwrap().reason, "UnresolvedRefs");
}
