//! What became of deliveries can be found out, and deliveries made again, over HTTP.

use std::{path::Path, time::Duration};

use http::StatusCode;
use serde_json::{Value, json};

use super::{Configuration, Process, endpoint_at};
use crate::{api, run::testing::Receiver};

/// An answer.
struct Answer {
    status: u16,
    headers: http::HeaderMap,
    body: Value,
}

impl Process {
    async fn get(&self, path: &str) -> Answer {
        self.call("GET", path, None).await
    }

    async fn call(&self, method: &str, path: &str, body: Option<&Value>) -> Answer {
        let url = format!("http://{}{path}", self.delivery.address());
        let mut request = reqwest::Client::new().request(method.parse().unwrap(), url);
        if let Some(body) = body {
            request = request.header("content-type", "application/json").body(body.to_string());
        }
        let response = request.timeout(Duration::from_secs(30)).send().await.unwrap();
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let text = response.text().await.unwrap();
        Answer { status, headers, body: serde_json::from_str(&text).unwrap_or(Value::Null) }
    }

    async fn items(&self, query: &str) -> Vec<Value> {
        let answer = self.get(&format!("/v1/deliveries?{query}")).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        answer.body["items"].as_array().unwrap().clone()
    }

    /// Waits for as many deliveries as are wanted.
    async fn until(&self, query: &str, count: usize) -> Vec<Value> {
        let look = async {
            loop {
                let items = self.items(query).await;
                if items.len() == count {
                    return items;
                }
            }
        };
        let Ok(items) = tokio::time::timeout(Duration::from_secs(30), look).await else {
            panic!("in vain; there are {:?}", self.items("").await)
        };
        items
    }

    async fn problem(&self, method: &str, path: &str, body: Option<&Value>, status: u16, name: &str) -> Value {
        let answer = self.call(method, path, body).await;
        assert_eq!((answer.status, &*problem_name(&answer.body)), (status, name), "{}", answer.body);
        assert_eq!(answer.headers["content-type"], "application/problem+json");
        answer.body
    }
}

fn problem_name(body: &Value) -> String {
    body["type"].as_str().unwrap_or_default().replace("urn:posthaste:problem:", "")
}

fn texts<'a>(items: &'a [Value], field: &str) -> Vec<&'a str> {
    items.iter().map(|item| item[field].as_str().unwrap()).collect()
}

/// With a history of an hour.
fn kept(mut configuration: Configuration) -> Configuration {
    configuration.webhook.history_retention_ms = 3_600_000;
    configuration
}

async fn start(directory: &Path, receiver: &Receiver) -> Process {
    let mut second = endpoint_at("second", receiver.url());
    second.event_types = Some(vec!["order.paid".to_owned()]);
    Process::start(directory, &kept(Configuration::new(vec![endpoint_at("acme", receiver.url()), second]))).await
}

#[tokio::test]
async fn every_attempt_of_a_delivery_can_be_looked_at_also_after_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    let receiver = Receiver::start(|n| if n == 0 { StatusCode::IM_A_TEAPOT } else { StatusCode::OK }).await;
    let process = start(directory.path(), &receiver).await;
    process.post_id("one").await;
    receiver.delivered(1).await;
    let items = process.until("status=succeeded", 1).await;
    let path = format!("/v1/deliveries/{}", items[0]["id"].as_str().unwrap());
    let before = process.get(&path).await.body;
    process.stop().await;

    let process = start(directory.path(), &receiver).await;
    let detail = process.get(&path).await.body;
    assert_eq!(detail, before);
    assert_eq!(detail["eventId"], "one");
    assert_eq!((&detail["endpoint"]["name"], &detail["endpoint"]["uid"]), (&json!("acme"), &json!("uid-acme")));
    assert_eq!((&detail["status"], &detail["attemptCount"]), (&json!("succeeded"), &json!(2)));
    let attempts = detail["attempts"].as_array().unwrap();
    assert_eq!(attempts.len(), 2);
    let (failed, succeeded) = (&attempts[0], &attempts[1]);
    assert_eq!((&failed["response"]["status"], &failed["error"]["reason"]), (&json!(418), &json!("ClientError")));
    assert_eq!((&succeeded["response"]["status"], &succeeded["error"]), (&json!(200), &Value::Null));
    assert_eq!(failed["request"]["method"], "POST");
    let headers = failed["request"]["headers"].as_array().unwrap();
    assert!(headers.contains(&json!({"name": "webhook-id", "value": "one"})), "{headers:?}");
    let duration = |attempt: &Value, name: &str| attempt["durations"][name].as_f64();
    assert!(duration(failed, "connectMs").is_some(), "{failed}");
    assert!(duration(failed, "firstByteMs") <= duration(failed, "totalMs"), "{failed}");
    process.stop().await;
}

#[tokio::test]
async fn deliveries_are_listed_by_what_is_asked_for_page_by_page() {
    let directory = tempfile::tempdir().unwrap();
    let receiver = Receiver::healthy().await;
    let process = start(directory.path(), &receiver).await;
    process.post_id("1").await;
    for (id, tenant) in [("2", "a"), ("3", "b")] {
        process.post(&format!(r#"{{"id": "{id}", "type": "order.paid", "tenant": "{tenant}", "data": 1}}"#)).await;
    }
    receiver.delivered(5).await;
    process.drained().await;
    let all = process.until("status=succeeded", 5).await;
    assert_eq!(texts(&all, "eventId"), ["3", "3", "2", "2", "1"]);
    for (query, expected) in [
        ("endpoint=second", vec!["3", "2"]),
        ("tenant=a&endpoint=acme", vec!["2"]),
        ("event=3&type=order.paid&endpoint=acme", vec!["3"]),
        ("type=order.pai", vec![]),
        ("status=deadLettered", vec![]),
        ("until=2020-01-01T00:00:00Z", vec![]),
        ("since=2020-01-01T00:00:00Z&endpoint=second", vec!["3", "2"]),
    ] {
        assert_eq!(texts(&process.items(query).await, "eventId"), expected, "{query}");
    }
    let (mut cursor, mut paged) = (String::new(), Vec::new());
    loop {
        let page = process.get(&format!("/v1/deliveries?limit=2{cursor}")).await.body;
        paged.extend(page["items"].as_array().unwrap().clone());
        process.post(r#"{"type": "order.created", "data": 1}"#).await;
        let Some(next) = page["nextCursor"].as_str() else { break };
        cursor = format!("&cursor={next}");
    }
    assert_eq!(paged, all);
    let problem = process.problem("GET", "/v1/deliveries?limit=0", None, 400, "invalid-parameter").await;
    assert!(problem["detail"].as_str().unwrap().contains("\"limit\""), "{problem}");
    process.problem("GET", "/v1/deliveries?endpoint=nobody", None, 404, "endpoint-not-found").await;
    process.problem("GET", "/v1/deliveries/7-7", None, 404, "delivery-not-found").await;
    process.problem("GET", "/v1/nothing", None, 404, "not-found").await;
    process.problem("DELETE", "/v1/deliveries", None, 405, "method-not-allowed").await;
    process.stop().await;
}

#[tokio::test]
async fn a_delivery_waits_is_given_up_is_asked_for_again_and_each_is_seen() {
    let directory = tempfile::tempdir().unwrap();
    let receiver = Receiver::start(|_| StatusCode::INTERNAL_SERVER_ERROR).await;
    let process = start(directory.path(), &receiver).await;
    process.post_id("one").await;
    let dead = process.until("status=deadLettered", 1).await;
    assert_eq!((&dead[0]["attemptCount"], &dead[0]["lastStatusCode"]), (&json!(4), &json!(500)));
    let again = format!("/v1/deliveries/{}/redeliver", dead[0]["id"].as_str().unwrap());
    receiver.answers(|_| StatusCode::OK);
    let answer = process.call("POST", &again, None).await;
    assert_eq!((answer.status, &answer.body["id"]), (202, &dead[0]["id"]));
    receiver.delivered(1).await;
    let succeeded = process.until("status=succeeded", 1).await;
    assert_eq!(succeeded[0]["attemptCount"], 5);
    process.problem("POST", "/v1/deliveries/99-0/redeliver", None, 404, "delivery-not-found").await;
    process.stop().await;

    let mut configuration = kept(Configuration::new(vec![endpoint_at("acme", receiver.url())]));
    configuration.webhook.suspend = true;
    let process = Process::start(directory.path(), &configuration).await;
    assert_eq!(process.call("POST", &again, None).await.body["status"], "pending");
    process.problem("POST", &again, None, 409, "already-pending").await;
    assert_eq!(process.items("status=pending").await.len(), 1);
    process.stop().await;
}

#[tokio::test]
async fn a_replay_goes_on_by_itself_and_tells_how_far_it_is() {
    let directory = tempfile::tempdir().unwrap();
    let receiver = Receiver::healthy().await;
    let process = start(directory.path(), &receiver).await;
    for id in ["1", "2", "3"] {
        process.post_id(id).await;
    }
    receiver.delivered(3).await;
    process.drained().await;
    process.until("status=succeeded", 3).await;
    process.stop().await;

    let process = start(directory.path(), &receiver).await;
    for (mode, status, matched) in [
        ("All", json!("deadLettered"), 0),
        ("Missing", Value::Null, 0),
        ("Failed", Value::Null, 0),
        ("All", json!("succeeded"), 3),
    ] {
        let body = json!({"mode": mode, "status": status, "since": "2020-01-01T00:00:00Z"});
        let begun = process.call("POST", "/v1/endpoints/acme/replay", Some(&body)).await;
        assert_eq!(begun.status, 202, "{}", begun.body);
        let location = begun.headers["location"].to_str().unwrap().to_owned();
        assert_eq!(location, format!("/v1/replays/{}", begun.body["id"].as_str().unwrap()));
        let ended = async {
            loop {
                let replay = process.get(&location).await.body;
                if replay["state"] != "running" {
                    return replay;
                }
            }
        };
        let replay = tokio::time::timeout(Duration::from_secs(30), ended).await.expect("it ends");
        assert_eq!((&replay["state"], &replay["matched"]), (&json!("completed"), &json!(matched)), "{mode}");
    }
    receiver.delivered(6).await;
    let wrong = json!({"mode": "Some"});
    let problem = process.problem("POST", "/v1/endpoints/acme/replay", Some(&wrong), 422, "invalid-body").await;
    assert_eq!(problem["errors"][0]["pointer"], "/mode");
    process.problem("GET", "/v1/replays/none", None, 404, "replay-not-found").await;
    process.stop().await;
}

#[tokio::test]
async fn a_test_event_is_sent_once_and_its_answer_says_what_happened() {
    let directory = tempfile::tempdir().unwrap();
    let receiver = Receiver::start(|n| if n == 0 { StatusCode::UNAUTHORIZED } else { StatusCode::OK }).await;
    let process = start(directory.path(), &receiver).await;
    let refused = process.call("POST", "/v1/endpoints/second/test", None).await;
    assert_eq!((refused.status, &refused.body["delivered"]), (200, &json!(false)), "{}", refused.body);
    assert_eq!(refused.body["attempt"]["error"]["reason"], "AuthError");
    let body = json!({"type": "anything.at.all", "data": {"order": 4711}});
    let taken = process.call("POST", "/v1/endpoints/second/test", Some(&body)).await;
    assert_eq!(taken.body["delivered"], true);
    let received = receiver.received();
    assert_eq!(received.len(), 2, "it is not tried again");
    assert_eq!(received[1].id, taken.body["eventId"].as_str().unwrap());
    let sent: Value = serde_json::from_str(&received[1].body).unwrap();
    assert_eq!((&sent["type"], &sent["data"]), (&body["type"], &body["data"]));
    assert!(process.items("").await.is_empty(), "it leaves no trace");
    process.problem("POST", "/v1/endpoints/nobody/test", None, 404, "endpoint-not-found").await;
    process.stop().await;
}

#[tokio::test]
async fn the_document_is_served_and_every_operation_of_it_is_there() {
    let directory = tempfile::tempdir().unwrap();
    let receiver = Receiver::healthy().await;
    let process = start(directory.path(), &receiver).await;
    let served = process.get("/openapi.json").await.body;
    assert_eq!(served, api::document());
    for (path, operations) in served["paths"].as_object().unwrap() {
        for method in operations.as_object().unwrap().keys() {
            let path = path.replace("{name}", "nobody").replace("{id}", "1-1");
            let answer = process.call(&method.to_uppercase(), &path, Some(&json!({"mode": "All"}))).await;
            assert!(!matches!(&*problem_name(&answer.body), "not-found" | "method-not-allowed"), "{method} {path}");
        }
    }
    process.stop().await;
}
