//! What becomes of events, alone and in batches.

use axum::http::{StatusCode, header};
use jiff::Timestamp;
use posthaste_delivery_config::schema::EventSchemas;
use serde_json::json;
use uuid::Uuid;

use super::{super::uuid_v7, Arc, Catalogue, JSON, NDJSON, event, setup};

#[tokio::test]
async fn one_event_is_kept_as_it_came_and_answered_with_202() {
    let setup = setup();
    let answer = setup.client().post(JSON, event("e1")).await;
    assert_eq!(answer.status, StatusCode::ACCEPTED);
    assert_eq!(answer.header(header::CONTENT_TYPE), JSON);
    assert_eq!(answer.body, json!({"id": "e1", "deliveries": 2}));
    let kept = setup.kept();
    assert_eq!(kept[0].data, r#"{"total": 1.0}"#);
    assert_eq!(kept[0].time, "2023-11-14T22:13:20.000Z");
}

#[tokio::test]
async fn an_event_without_id_is_given_one_and_told_so() {
    let setup = setup();
    let answer = setup.client().post(JSON, r#"{"type":"a","data":1}"#).await;
    assert_eq!(answer.body, json!({"id": "made", "deliveries": 2}));
}

#[tokio::test]
async fn a_repetition_is_answered_with_200_and_kept_once() {
    let setup = setup();
    let client = setup.client();
    client.post(JSON, event("e1")).await;
    let answer = client.post(JSON, event("e1")).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(answer.body, json!({"id": "e1", "deliveries": 2, "duplicate": true}));
    assert_eq!(setup.kept().len(), 1);
}

#[tokio::test]
async fn another_event_under_the_same_id_is_a_conflict() {
    let setup = setup();
    let client = setup.client();
    client.post(JSON, event("e1")).await;
    let answer = client.post(JSON, r#"{"id":"e1","type":"order.created","data":2}"#).await;
    assert!(answer.problem(409, "id-conflict").contains("\"e1\""));
}

#[tokio::test]
async fn events_without_id_are_never_repetitions() {
    let setup = setup();
    let client = setup.client();
    for _ in 0..2 {
        assert_eq!(client.post(JSON, r#"{"type":"a","data":1}"#).await.status, StatusCode::ACCEPTED);
    }
    assert_eq!(setup.kept().len(), 2);
}

#[tokio::test]
async fn a_batch_that_is_kept_whole_is_answered_with_202_in_order() {
    let setup = setup();
    let client = setup.client();
    client.post(JSON, event("b")).await;
    let answer = client.post(JSON, format!("[{}, {}]", event("a"), event("b"))).await;
    assert_eq!(answer.status, StatusCode::ACCEPTED);
    assert_eq!(
        answer.body,
        json!({"results": [
            {"id": "a", "status": 202, "deliveries": 2},
            {"id": "b", "status": 200, "deliveries": 2, "duplicate": true},
        ]})
    );
}

#[tokio::test]
async fn in_a_batch_only_what_is_wrong_is_refused() {
    let setup = setup();
    let large = format!(r#"{{"type":"a","data":"{}"}}"#, "x".repeat(1000));
    let body = format!(r#"[{}, {{"typ":"a","data":1}}, 7, {large}, {}, {}]"#, event("a"), event("b"), event("b"));
    let answer = setup.client().post(JSON, body).await;
    assert_eq!(answer.status, StatusCode::MULTI_STATUS);
    assert_eq!(answer.header(header::CONTENT_TYPE), JSON);
    let results = answer.body["results"].as_array().unwrap();
    let statuses: Vec<_> = results.iter().map(|result| result["status"].as_u64().unwrap()).collect();
    assert_eq!(statuses, [202, 422, 422, 413, 202, 200]);
    let pointers: Vec<_> =
        results[1]["problem"]["errors"].as_array().unwrap().iter().map(|error| &error["pointer"]).collect();
    assert_eq!(pointers, ["/typ", "/type"]);
    assert_eq!(results[2]["problem"]["detail"], "The event must be a JSON object, not a number.");
    assert_eq!(results[3]["problem"]["type"], "urn:posthaste:problem:event-too-large");
    let ids: Vec<_> = setup.kept().into_iter().map(|event| event.id).collect();
    assert_eq!(ids, ["a", "b"]);
}

#[tokio::test]
async fn a_batch_of_which_nothing_is_kept_is_a_problem_with_results() {
    let setup = setup();
    let answer = setup.client().post(JSON, r#"[{"type":"a"},{"data":1}]"#).await;
    answer.problem(422, "nothing-kept");
    assert_eq!(answer.body["results"][1]["problem"]["errors"][0]["pointer"], "/type");
}

#[tokio::test]
async fn ndjson_is_a_batch_whose_refusals_name_their_line() {
    let setup = setup();
    let body = format!("{}\n\n{{\"type\":\n{}\n{{\"type\":\"a\"}}\n", event("a"), event("b"));
    let answer = setup.client().post(NDJSON, body).await;
    assert_eq!(answer.status, StatusCode::MULTI_STATUS);
    let results = &answer.body["results"];
    assert_eq!(results[0], json!({"id": "a", "status": 202, "deliveries": 2}));
    assert_eq!((&results[1]["status"], &results[1]["line"]), (&json!(400), &json!(3)));
    assert_eq!(results[1]["problem"]["type"], "urn:posthaste:problem:malformed-json");
    assert_eq!(results[2]["status"], 202);
    assert_eq!((&results[3]["status"], &results[3]["line"]), (&json!(422), &json!(5)));
    assert_eq!(setup.kept().len(), 2);
}

#[tokio::test]
async fn an_empty_batch_is_nothing_to_do() {
    let setup = setup();
    let client = setup.client();
    for (content_type, body) in [(JSON, "[]"), (NDJSON, "\n"), (NDJSON, "")] {
        let answer = client.post(content_type, body).await;
        assert_eq!((answer.status, answer.body), (StatusCode::ACCEPTED, json!({"results": []})));
    }
}

#[tokio::test]
async fn a_body_that_is_not_json_is_refused_as_a_whole() {
    let setup = setup();
    let client = setup.client();
    for body in ["", "{", "[{},", r#"{"type":"a","data":1} x"#] {
        client.post(JSON, body).await.problem(400, "malformed-json");
    }
    assert!(setup.kept().is_empty());
}

#[tokio::test]
async fn a_wrong_event_is_refused_with_every_field_named() {
    let setup = setup();
    let answer = setup.client().post(JSON, r#"{"tpye":"a","time":"today"}"#).await;
    answer.problem(422, "invalid-event");
    let pointers: Vec<_> = answer.body["errors"].as_array().unwrap().iter().map(|error| &error["pointer"]).collect();
    assert_eq!(pointers, ["/tpye", "/type", "/time", "/data"]);
}

#[tokio::test]
async fn a_type_outside_the_catalogue_is_refused_until_the_catalogue_has_it() {
    let mut setup = setup();
    setup.set(|settings| settings.catalogue = Some(Catalogue::new(["order.paid".to_owned()])));
    let client = setup.client();
    let answer = client.post(JSON, event("e1")).await;
    assert!(answer.problem(422, "invalid-event").starts_with("/type \"order.created\" is not in"));
    setup.set(|settings| settings.catalogue = Some(Catalogue::new(["order.created".to_owned()])));
    assert_eq!(client.post(JSON, event("e1")).await.status, StatusCode::ACCEPTED);
}

/// A catalogue in which the data of `order.created` has a schema.
fn with_schema(schema: serde_json::Value) -> Catalogue {
    let schemas = EventSchemas::compile([("order.created".to_owned(), schema)].into()).unwrap();
    Catalogue::with_schemas(["order.created", "order.paid"].map(str::to_owned), Arc::new(schemas))
}

#[tokio::test]
async fn data_that_does_not_fit_its_schema_is_refused_with_every_place_named() {
    let mut setup = setup();
    let schema =
        json!({"required": ["id"], "properties": {"total": {"minimum": 2}, "lines": {"items": {"type": "string"}}}});
    setup.set(|settings| settings.catalogue = Some(with_schema(schema)));
    let client = setup.client();
    let answer = client.post(JSON, r#"{"id":"","type":"order.created","data":{"total":1,"lines":["a",2]}}"#).await;
    assert_eq!(answer.problem(422, "invalid-event"), "4 fields are wrong; errors names them.");
    let mut errors: Vec<_> =
        answer.body["errors"].as_array().unwrap().iter().map(|error| error["pointer"].as_str().unwrap()).collect();
    errors.sort_unstable();
    assert_eq!(errors, ["/data", "/data/lines/1", "/data/total", "/id"]);
    let answer = client.post(JSON, r#"{"type":"order.created","data":{"id":1,"total":1}}"#).await;
    assert_eq!(answer.problem(422, "invalid-event"), "/data/total must be at least 2.");
    assert!(setup.kept().is_empty());
    // Other types have other schemas, or none.
    assert_eq!(client.post(JSON, r#"{"type":"order.paid","data":{"total":1}}"#).await.status, StatusCode::ACCEPTED);
    let fits = r#"{"type":"order.created","data":{"id":1,"total":2.0,"lines":[]}}"#;
    assert_eq!(client.post(JSON, fits).await.status, StatusCode::ACCEPTED);
    assert_eq!(setup.kept()[1].data, r#"{"id":1,"total":2.0,"lines":[]}"#, "byte for byte");
}

#[tokio::test]
async fn in_a_batch_only_the_events_are_refused_whose_data_does_not_fit() {
    let mut setup = setup();
    setup.set(|settings| settings.catalogue = Some(with_schema(json!({"type": "object"}))));
    let body = r#"{"id":"a","type":"order.created","data":{}}
        {"id":"b","type":"order.created","data":[]}
        {"id":"c","type":"order.created","data":{"x":1e999}}
        {"id":"d","type":"order.paid","data":[]}"#;
    let answer = setup.client().post(NDJSON, body).await;
    assert_eq!(answer.status, StatusCode::MULTI_STATUS);
    let results = answer.body["results"].as_array().unwrap();
    assert_eq!(
        results.iter().map(|result| result["status"].as_u64().unwrap()).collect::<Vec<_>>(),
        [202, 422, 422, 202]
    );
    assert_eq!(
        results[1]["problem"]["errors"],
        json!([{"pointer": "/data", "detail": "must be an object, not an array"}])
    );
    assert_eq!(results[2]["problem"]["errors"][0]["pointer"], "/data");
    assert_eq!(results[2]["line"], 3);
}

#[tokio::test]
async fn what_is_said_of_data_in_which_everything_is_wrong_is_bounded() {
    let mut setup = setup();
    setup.set(|settings| {
        settings.catalogue = Some(with_schema(json!({"items": {"type": "string"}})));
        settings.max_payload_bytes = 1 << 20;
    });
    let data = format!("[{}1]", "1,".repeat(100_000));
    let answer = setup.client().post(JSON, format!(r#"{{"type":"order.created","data":{data}}}"#)).await;
    answer.problem(422, "invalid-event");
    assert_eq!(answer.body["errors"].as_array().unwrap().len(), 16);
    assert!(answer.body.to_string().len() < 4_000);
}

#[test]
fn ids_are_uuids_of_version_7_that_sort_by_time() {
    let new_id = uuid_v7();
    let ids: Vec<_> = (0..100).map(|ms| new_id(Timestamp::from_millisecond(1_700_000_000_000 + ms).unwrap())).collect();
    assert!(ids.is_sorted());
    assert!(ids.iter().all(|id| Uuid::parse_str(id).unwrap().get_version_num() == 7));
}
