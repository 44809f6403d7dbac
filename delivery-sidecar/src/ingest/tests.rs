//! The router as a client sees it, with a journal in memory.

use std::{
    collections::HashMap,
    sync::{
        Mutex,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use axum::{
    body::Body,
    http::{HeaderMap, StatusCode, header},
};
use futures::{FutureExt, future::BoxFuture};
use http_body_util::BodyExt;
use posthaste_delivery_config::{Authentication, RateLimit};
use serde_json::{Value, json};
use tower::ServiceExt;

use super::{
    auth::{Caller, Denied, Right},
    *,
};
use crate::{event::Event, shutdown};

const JSON: &str = "application/json";
const NDJSON: &str = "application/x-ndjson";

/// Keeps events in memory, each for two endpoints, unless it is told to fail.
#[derive(Default)]
struct Journal {
    kept: Mutex<Vec<Event>>,
    keys: Mutex<HashMap<u128, u64>>,
    failure: Mutex<Option<AcceptError>>,
}

impl AcceptEvents for Journal {
    fn accept(&self, batch: Vec<Prepared>) -> BoxFuture<'_, Result<Vec<Kept>, AcceptError>> {
        let keep = |Prepared { event, idempotency, .. }: Prepared| {
            if let Some(key) = idempotency {
                let mut keys = self.keys.lock().unwrap();
                match keys.get(&key.key) {
                    Some(content) if *content == key.content => return Kept::Duplicate { deliveries: 2 },
                    Some(_) => return Kept::Conflict,
                    None => drop(keys.insert(key.key, key.content)),
                }
            }
            self.kept.lock().unwrap().push(event);
            Kept::New { deliveries: 2 }
        };
        let answer = match self.failure.lock().unwrap().clone() {
            Some(failure) => Err(failure),
            None => Ok(batch.into_iter().map(keep).collect()),
        };
        std::future::ready(answer).boxed()
    }
}

/// Lets in the bearer of `good`.
struct Gate;

impl Authorizer for Gate {
    fn authorize<'a>(&'a self, token: Option<&'a str>, right: Right) -> BoxFuture<'a, Result<Caller, Denied>> {
        assert_eq!((right.verb, right.subresource), ("create", "events"));
        let decision = match token {
            Some("good") => Ok(Caller { user: "u".into() }),
            Some("known") => Err(Denied::Forbidden("User \"u\" may not.".into())),
            Some("slow") => Err(Denied::Unavailable("Nobody could be asked.".into())),
            _ => Err(Denied::Unauthenticated("Who are you?".into())),
        };
        std::future::ready(decision).boxed()
    }
}

struct Setup {
    journal: Arc<Journal>,
    settings: Settings,
    limits: Limits,
    now_ms: Arc<AtomicI64>,
    trigger: shutdown::Trigger,
    ingest: Ingest,
}

fn setup() -> Setup {
    let journal = Arc::new(Journal::default());
    let settings = Settings {
        authentication: Authentication::None,
        catalogue: None,
        max_payload_bytes: 1000,
        idempotency_window_ms: 1000,
        event_rate: None,
    };
    let now_ms = Arc::new(AtomicI64::new(1_700_000_000_000));
    let (trigger, shutdown) = shutdown::channel();
    let ingest = Ingest {
        settings: Arc::new(ArcSwap::from_pointee(settings.clone())),
        authorizer: Arc::new(Gate),
        journal: journal.clone(),
        clock: {
            let now_ms = now_ms.clone();
            Arc::new(move || Timestamp::from_millisecond(now_ms.load(Ordering::Relaxed)).unwrap())
        },
        new_id: Arc::new(|_| "made".into()),
        limits: Limits::default(),
        shutdown,
        metrics: Metrics::new(),
    };
    Setup { journal, settings, limits: Limits::default(), now_ms, trigger, ingest }
}

impl Setup {
    fn set(&mut self, change: impl FnOnce(&mut Settings)) {
        change(&mut self.settings);
        self.ingest.settings.store(Arc::new(self.settings.clone()));
    }

    fn limit(&mut self, change: impl FnOnce(&mut Limits)) {
        change(&mut self.limits);
        self.ingest.limits = self.limits;
    }

    fn client(&self) -> Client {
        Client(router(self.ingest.clone()))
    }

    fn kept(&self) -> Vec<Event> {
        self.journal.kept.lock().unwrap().clone()
    }
}

struct Client(Router);

#[derive(Debug)]
struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: Value,
}

impl Client {
    async fn send(&self, request: http::request::Builder, body: impl Into<Body>) -> Answer {
        let response = self.0.clone().oneshot(request.body(body.into()).unwrap()).await.unwrap();
        let (head, body) = response.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        Answer { status: head.status, headers: head.headers, body: serde_json::from_slice(&body).unwrap() }
    }

    async fn post(&self, content_type: &str, body: impl Into<Body>) -> Answer {
        self.send(Request::post("/v1/events").header(header::CONTENT_TYPE, content_type), body).await
    }

    async fn post_as(&self, token: &str, body: impl Into<Body>) -> Answer {
        let request = Request::post("/v1/events")
            .header(header::CONTENT_TYPE, JSON)
            .header(header::AUTHORIZATION, format!("Bearer {token}"));
        self.send(request, body).await
    }
}

impl Answer {
    /// Checks that it is a problem document of a kind, and returns its detail.
    fn problem(&self, status: u16, name: &str) -> &str {
        assert_eq!(self.status.as_u16(), status, "{self:?}");
        assert_eq!(self.headers[header::CONTENT_TYPE], "application/problem+json");
        assert_eq!(self.body["type"], format!("urn:posthaste:problem:{name}"), "{self:?}");
        assert_eq!(self.body["status"], status);
        assert!(self.body["title"].is_string());
        self.body["detail"].as_str().unwrap()
    }

    fn header(&self, name: header::HeaderName) -> &str {
        self.headers[name].to_str().unwrap()
    }
}

fn event(id: &str) -> String {
    format!(r#"{{"id":"{id}","type":"order.created","data":{{"total": 1.0}}}}"#)
}

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

#[tokio::test]
async fn sizes_are_bounded() {
    let mut setup = setup();
    setup.limit(|limits| (limits.body_bytes, limits.events) = (2000, 2));
    let client = setup.client();
    let large = format!(r#"{{"type":"a","data":"{}"}}"#, "x".repeat(1000));
    client.post(JSON, large).await.problem(413, "event-too-large");
    client.post(JSON, "x".repeat(2001)).await.problem(413, "body-too-large");
    let detail = client.post(JSON, "[1,2,3]").await;
    assert!(detail.problem(413, "too-many-events").contains("at most 2"));
    client.post(NDJSON, "1\n2\n3\n").await.problem(413, "too-many-events");
}

#[tokio::test]
async fn paths_methods_and_media_types_that_are_not_there_are_problems() {
    let setup = setup();
    let client = setup.client();
    let answer = client.send(Request::get("/v1/event"), Body::empty()).await;
    assert!(answer.problem(404, "not-found").contains("/v1/event;"));

    let answer = client.send(Request::get("/v1/events"), Body::empty()).await;
    answer.problem(405, "method-not-allowed");
    assert_eq!(answer.header(header::ALLOW), "POST");

    let answer = client.post("text/plain", event("e1")).await;
    assert!(answer.problem(415, "unsupported-media-type").contains("application/json, application/x-ndjson"));
    assert_eq!(answer.headers["accept-post"], "application/json, application/x-ndjson");

    let gzip = Request::post("/v1/events").header(header::CONTENT_TYPE, JSON).header(header::CONTENT_ENCODING, "gzip");
    let answer = client.send(gzip, event("e1")).await;
    answer.problem(415, "unsupported-media-type");
    assert_eq!(answer.header(header::ACCEPT_ENCODING), "identity");

    let html = Request::post("/v1/events").header(header::CONTENT_TYPE, JSON).header(header::ACCEPT, "text/html");
    client.send(html, event("e1")).await.problem(406, "not-acceptable");
}

#[tokio::test]
async fn only_callers_with_the_right_are_let_in() {
    let mut setup = setup();
    setup.set(|settings| settings.authentication = Authentication::ServiceAccount);
    let client = setup.client();

    let answer = client.post(JSON, event("e1")).await;
    answer.problem(401, "unauthenticated");
    assert_eq!(answer.header(header::WWW_AUTHENTICATE), "Bearer");
    client.post_as("bad", event("e1")).await.problem(401, "unauthenticated");
    assert_eq!(client.post_as("known", event("e1")).await.problem(403, "forbidden"), "User \"u\" may not.");
    let answer = client.post_as("slow", event("e1")).await;
    answer.problem(503, "authorization-unavailable");
    assert_eq!(answer.header(header::RETRY_AFTER), "2");
    assert!(setup.kept().is_empty());

    assert_eq!(client.post_as("good", event("e1")).await.status, StatusCode::ACCEPTED);
}

#[tokio::test]
async fn authentication_is_switched_by_the_configuration_without_a_restart() {
    let mut setup = setup();
    let client = setup.client();
    assert_eq!(client.post(JSON, event("e1")).await.status, StatusCode::ACCEPTED);
    setup.set(|settings| settings.authentication = Authentication::ServiceAccount);
    client.post(JSON, event("e2")).await.problem(401, "unauthenticated");
    setup.set(|settings| settings.authentication = Authentication::None);
    assert_eq!(client.post(JSON, event("e3")).await.status, StatusCode::ACCEPTED);
}

#[tokio::test]
async fn over_the_event_rate_nothing_of_a_request_is_kept() {
    let mut setup = setup();
    setup.set(|settings| settings.event_rate = Some(RateLimit { limit: 3, per_ms: 6000 }));
    let client = setup.client();
    let batch = |ids: [&str; 2]| format!("[{},{}]", event(ids[0]), event(ids[1]));
    assert_eq!(client.post(JSON, batch(["a", "b"])).await.status, StatusCode::ACCEPTED);

    let answer = client.post(JSON, batch(["c", "d"])).await;
    assert!(answer.problem(429, "rate-limited").contains("3 events in 6000 ms"));
    assert_eq!(answer.header(header::RETRY_AFTER), "2");
    assert_eq!(setup.kept().len(), 2);

    setup.now_ms.fetch_add(2000, Ordering::Relaxed);
    assert_eq!(client.post(JSON, batch(["c", "d"])).await.status, StatusCode::ACCEPTED);
    let four = format!("[{},{},{},{}]", event("e"), event("f"), event("g"), event("h"));
    assert!(client.post(JSON, four).await.problem(413, "too-many-events").contains("can never pass at once"));
}

#[tokio::test]
async fn what_is_wrong_or_not_kept_does_not_use_up_the_event_rate() {
    let mut setup = setup();
    setup.set(|settings| settings.event_rate = Some(RateLimit { limit: 1, per_ms: 6000 }));
    let client = setup.client();
    client.post(JSON, "{}").await.problem(422, "invalid-event");
    *setup.journal.failure.lock().unwrap() = Some(AcceptError::Full);
    client.post(JSON, event("e1")).await.problem(503, "journal-full");
    *setup.journal.failure.lock().unwrap() = None;
    assert_eq!(client.post(JSON, event("e1")).await.status, StatusCode::ACCEPTED);
}

#[tokio::test]
async fn what_cannot_be_kept_may_be_sent_again_later() {
    let setup = setup();
    let client = setup.client();
    for (failure, name, retry) in [
        (AcceptError::Full, "journal-full", "15"),
        (AcceptError::Failing("sda1: I/O error".into()), "journal-failing", "5"),
        (AcceptError::Stopping, "stopping", "5"),
    ] {
        *setup.journal.failure.lock().unwrap() = Some(failure);
        for body in [event("e1"), format!("[{}, 7]", event("e1"))] {
            let answer = client.post(JSON, body).await;
            assert!(!answer.problem(503, name).contains("sda1"));
            assert_eq!(answer.header(header::RETRY_AFTER), retry);
        }
    }
}

#[tokio::test]
async fn a_process_that_stops_takes_nothing() {
    let setup = setup();
    let client = setup.client();
    setup.trigger.start();
    let answer = client.post(JSON, event("e1")).await;
    answer.problem(503, "stopping");
    assert_eq!(answer.header(header::RETRY_AFTER), "5");
    assert!(setup.kept().is_empty());
}

#[tokio::test]
async fn with_too_much_in_progress_clients_are_asked_to_come_back() {
    let mut setup = setup();
    setup.limit(|limits| limits.requests = 0);
    let answer = setup.client().post(JSON, event("e1")).await;
    answer.problem(503, "overloaded");
    assert_eq!(answer.header(header::RETRY_AFTER), "1");
}

#[tokio::test]
async fn a_body_that_does_not_come_is_given_up() {
    let mut setup = setup();
    setup.limit(|limits| limits.body_time = Duration::from_millis(1));
    let never = Body::from_stream(futures::stream::pending::<Result<&str, std::convert::Infallible>>());
    setup.client().post(JSON, never).await.problem(408, "body-timeout");
}

#[tokio::test]
async fn what_happens_is_counted() {
    let setup = setup();
    let client = setup.client();
    client.post(JSON, format!("[{},{},{{}}]", event("a"), event("a"))).await;
    client.post(JSON, "{").await;
    let text = setup.ingest.metrics.render();
    for line in [
        r#"posthaste_ingest_events_total{result="accepted"} 1"#,
        r#"posthaste_ingest_events_total{result="duplicate"} 1"#,
        r#"posthaste_ingest_events_total{result="invalid"} 2"#,
        "posthaste_ingest_deliveries_total 2",
        r#"posthaste_ingest_problems_total{problem="malformed-json"} 1"#,
        r#"posthaste_ingest_request_duration_seconds_count{status="2xx"} 1"#,
        r#"posthaste_ingest_request_duration_seconds_count{status="4xx"} 1"#,
    ] {
        assert!(text.lines().any(|l| l == line), "{line} is missing in\n{text}");
    }
}

#[test]
fn ids_are_uuids_of_version_7_that_sort_by_time() {
    let new_id = uuid_v7();
    let ids: Vec<_> = (0..100).map(|ms| new_id(Timestamp::from_millisecond(1_700_000_000_000 + ms).unwrap())).collect();
    assert!(ids.is_sorted());
    assert!(ids.iter().all(|id| Uuid::parse_str(id).unwrap().get_version_num() == 7));
}
