//! How a sidecar reads what another release's operator wrote.

use crate::fixtures::{PLAIN, Render, endpoint, lookup, webhook};
use posthaste_delivery_config::{
    Interest, Waiting,
    contract::{self, ContractError},
};

fn index() -> serde_json::Value {
    let endpoints = [endpoint("oak", PLAIN)];
    let configuration = Render::new(&webhook("{}"), &endpoints, &lookup()).configuration();
    serde_json::from_str(&configuration.index_json()).unwrap()
}

fn read(value: &serde_json::Value) -> Result<contract::Index, ContractError> {
    contract::read_index(value.to_string().as_bytes())
}

#[test]
fn fields_of_a_later_release_are_passed_over() {
    let mut value = index();
    value["later"] = serde_json::json!({"x": 1});
    value["webhook"]["later"] = serde_json::json!(true);
    assert!(read(&value).is_ok());
}

#[test]
fn optional_fields_of_this_release_may_be_missing() {
    let mut value = index();
    for field in ["parked", "waiting", "tombstones"] {
        value.as_object_mut().unwrap().remove(field);
    }
    for field in ["eventTypes", "suspend", "addressPolicy", "status"] {
        value["webhook"].as_object_mut().unwrap().remove(field);
    }
    let index = read(&value).unwrap();
    assert_eq!((index.webhook.event_types, index.webhook.suspend, index.waiting), (None, false, None));
}

#[test]
fn an_unknown_version_is_refused_whatever_else_it_says() {
    for version in [0_u64, 2, 7, u64::MAX] {
        let error = read(&serde_json::json!({"contractVersion": version})).unwrap_err();
        assert_eq!(error, ContractError::Version { found: version });
        assert!(error.to_string().contains("this sidecar reads 1 to 1"), "{error}");
    }
}

#[test]
fn an_index_without_some_endpoints_still_says_what_the_others_wait_for() {
    let mut index = read(&index()).unwrap();
    index.parked = ["ash", "elm", "fir", "yew"].map(str::to_owned).to_vec();
    let waiting = |interest: Option<&str>, parked: &[u32]| Waiting {
        interest: interest.map(|tenant| Interest { tenant: Some(tenant.to_owned()), event_types: None, filter: None }),
        parked: parked.to_vec(),
    };
    index.waiting = Some(vec![waiting(Some("a"), &[0, 3]), waiting(None, &[1, 2])]);
    let index = index.without(&["elm".to_owned(), "oak".to_owned()].into());
    assert_eq!(index.parked, ["ash", "fir", "yew"]);
    assert_eq!(index.waiting, Some(vec![waiting(Some("a"), &[0, 2]), waiting(None, &[1])]));
    assert!(index.chunks.iter().all(|chunk| chunk.endpoints.is_empty()));
}

#[test]
fn what_is_no_index_is_refused_by_position_and_not_quoted() {
    for text in ["", "hidden", r#"{"contractVersion":1,"revision":{"hidden":1}}"#, "{}"] {
        let error = contract::read_index(text.as_bytes()).unwrap_err();
        assert!(matches!(error, ContractError::Malformed { what: "index", .. }), "{text}: {error}");
        assert!(!error.to_string().contains("hidden"));
    }
}

#[test]
fn a_chunk_of_another_revision_is_told_apart() {
    let endpoints = [endpoint("oak", PLAIN)];
    let configuration = Render::new(&webhook("{}"), &endpoints, &lookup()).configuration();
    let (reference, chunk) = (&configuration.index.chunks[0], configuration.chunks.values().next().unwrap());
    let json = chunk.json.expose();
    assert_eq!(contract::read_chunk(json.as_bytes(), &reference.hash).unwrap().endpoints.len(), 1);
    let changed = json.replace("oak", "elm");
    assert!(matches!(contract::read_chunk(changed.as_bytes(), &reference.hash), Err(ContractError::Hash { .. })));
}
