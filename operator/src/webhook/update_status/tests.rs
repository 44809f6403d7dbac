use serde_json::{Value, json};

use super::*;

fn webhook(status: &Value) -> Webhook {
    serde_json::from_value(json!({
        "apiVersion": "posthaste.dev/v1alpha1", "kind": "Webhook",
        "metadata": {"name": "letters", "namespace": "mail", "generation": 4}, "spec": {}, "status": status,
    }))
    .unwrap()
}

fn programmed(generation: i64, reason: &str) -> Value {
    let status = match reason {
        "Programmed" => "True",
        "NotDelivering" => "Unknown",
        _ => "False",
    };
    json!({"conditions": [{
        "type": "Programmed", "status": status, "reason": reason, "message": "as the sidecar says",
        "observedGeneration": generation, "lastTransitionTime": "2026-01-01T00:00:00Z",
    }]})
}

fn refusing(reason: &str) -> Value {
    let mut status = programmed(4, "Programmed");
    status["conditions"].as_array_mut().unwrap().push(json!({
        "type": "AcceptingEvents", "status": "False", "reason": reason, "message": "what would help",
        "observedGeneration": 4, "lastTransitionTime": "2026-01-01T00:00:00Z",
    }));
    status
}

fn complete() -> Rollout {
    Rollout { generation: 2, observed_generation: 2, replicas: 1, updated: 1, available: 1, problem: None }
}

fn findings() -> Findings {
    Findings {
        accepted: Outcome::holds(names::accepted::ACCEPTED, "The Webhook is valid"),
        resolved_refs: Outcome::holds(names::resolved_refs::RESOLVED, "All is there"),
        attached: Some(3),
        rollout: Some(complete()),
        delivering: true,
    }
}

fn ready_of(webhook: &Webhook, findings: &Findings) -> (String, String, String) {
    let status = desired(webhook, findings, Timestamp::UNIX_EPOCH);
    let ready = find(status.conditions.as_deref(), names::READY).unwrap().clone();
    (ready.status, ready.reason, ready.message)
}

#[test]
fn ready_names_the_first_thing_that_is_missing() {
    let running = webhook(&programmed(4, "Programmed"));
    let refused = Refusal::new(names::accepted::NAME_CONFLICT, "Service is taken");
    let missing = Refusal::new(names::resolved_refs::SECRET_NOT_FOUND, "there is no Secret");
    let stuck = Rollout { available: 0, problem: Some("quota is used up".into()), ..complete() };
    let unready = || Findings { rollout: Some(Rollout { available: 0, ..complete() }), ..findings() };
    let mut scaled = running.clone();
    scaled.spec.replicas = 0;
    for (webhook, findings, status, reason, hint) in [
        (&running, findings(), "True", "Ready", "accepted and delivered"),
        (&running, Findings { accepted: refused.into(), ..findings() }, "False", "NotAccepted", "Service is taken"),
        (&scaled, findings(), "False", "ScaledToZero", "set it to 1"),
        (&running, Findings { resolved_refs: missing.into(), ..findings() }, "False", "UnresolvedRefs", "no Secret"),
        (&running, Findings { rollout: None, ..findings() }, "False", "DeploymentNotReady", "letters-delivery"),
        (&running, Findings { rollout: Some(stuck), ..findings() }, "False", "DeploymentNotReady", "quota is used up"),
        (&webhook(&programmed(3, "Programmed")), findings(), "False", "NotProgrammed", "generation 4"),
        (&webhook(&programmed(4, "InvalidConfiguration")), findings(), "False", "NotProgrammed", "as the sidecar says"),
        (&webhook(&Value::Null), findings(), "False", "NotProgrammed", "generation 4"),
        (&webhook(&refusing("JournalFull")), unready(), "False", "JournalFull", "what would help"),
        (&webhook(&refusing("JournalFailing")), unready(), "False", "JournalFailing", "what would help"),
    ] {
        let (found_status, found_reason, message) = ready_of(webhook, &findings);
        assert_eq!((found_status.as_str(), found_reason.as_str()), (status, reason), "{message}");
        assert!(message.contains(hint), "{message}");
    }
}

#[test]
fn a_rollout_is_complete_when_only_current_pods_are_left_and_available() {
    assert!(is_complete(&complete(), 1));
    for incomplete in [
        Rollout { generation: 3, ..complete() },
        Rollout { replicas: 2, ..complete() },
        Rollout { updated: 0, ..complete() },
        Rollout { available: 0, ..complete() },
    ] {
        assert!(!is_complete(&incomplete, 1), "{incomplete:?}");
    }
}

#[test]
fn the_body_has_the_operators_fields_and_no_others() {
    let status = desired(&webhook(&programmed(4, "Programmed")), &findings(), Timestamp::UNIX_EPOCH);
    insta::assert_yaml_snapshot!(status);
}

#[test]
fn the_address_says_whether_it_is_https() {
    let mut webhook = webhook(&Value::Null);
    webhook.spec.ingest = Some(serde_json::from_value(json!({"tls": {"secretRef": {"name": "letters-tls"}}})).unwrap());
    let address = desired(&webhook, &findings(), Timestamp::UNIX_EPOCH).address.unwrap();
    assert_eq!(address.url.unwrap(), "https://letters-ingest.mail.svc/v1/events");
}

#[test]
fn what_was_written_is_found_equal_whatever_the_sidecar_adds() {
    let before = webhook(&programmed(4, "Programmed"));
    let mut status = desired(&before, &findings(), Timestamp::UNIX_EPOCH);
    status.conditions.as_mut().unwrap().extend(before.status.unwrap().conditions.unwrap());
    status.targets_omitted = Some(5);
    let after = webhook(&serde_json::to_value(status).unwrap());
    let again = desired(&after, &findings(), Timestamp::from_second(1000).unwrap());
    assert_eq!(ours(after.status.as_ref()), Some(again));
}

#[test]
fn a_count_that_was_not_found_out_stays() {
    let webhook = webhook(&json!({"attachedEndpoints": 7}));
    let status = desired(&webhook, &Findings { attached: None, ..findings() }, Timestamp::UNIX_EPOCH);
    assert_eq!(status.attached_endpoints, Some(7));
}

#[test]
fn the_sidecars_part_is_released_once_and_only_if_there_is_one() {
    let released_of = |status: &Value| released(&webhook(status), Timestamp::UNIX_EPOCH);
    let status = released_of(&programmed(4, "Programmed")).unwrap();
    let conditions = status.conditions.clone().unwrap();
    assert_eq!(
        (conditions.len(), conditions[0].status.as_str(), conditions[0].reason.as_str()),
        (1, "Unknown", "NotDelivering")
    );
    assert_eq!(serde_json::to_value(status).unwrap().as_object().unwrap().len(), 1);
    assert!(released_of(&programmed(4, "NotDelivering")).is_none());
    assert!(released_of(&Value::Null).is_none());
}
