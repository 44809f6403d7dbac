//! What a request as a whole may be refused for, and what is told about it.

use super::{super::expand::testing, *};

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

    let answer = client.send(compressed(JSON, "br"), event("e1")).await;
    answer.problem(415, "unsupported-media-type");
    assert_eq!(answer.header(header::ACCEPT_ENCODING), "gzip, zstd, identity");

    let html = Request::post("/v1/events").header(header::CONTENT_TYPE, JSON).header(header::ACCEPT, "text/html");
    client.send(html, event("e1")).await.problem(406, "not-acceptable");
}

fn compressed(content_type: &str, coding: &str) -> http::request::Builder {
    Request::post("/v1/events").header(header::CONTENT_TYPE, content_type).header(header::CONTENT_ENCODING, coding)
}

#[tokio::test]
async fn compressed_bodies_are_taken_as_if_they_had_come_as_they_are() {
    let setup = setup();
    let client = setup.client();
    let answer = client.send(compressed(JSON, "gzip"), testing::gzip(event("e1").as_bytes())).await;
    assert_eq!(answer.status, StatusCode::ACCEPTED, "{answer:?}");
    let lines = format!("{}\n{}\n", event("e2"), event("e3"));
    let answer = client.send(compressed(NDJSON, "zstd"), testing::zstd(lines.as_bytes())).await;
    assert_eq!(answer.status, StatusCode::ACCEPTED, "{answer:?}");
    let kept = setup.kept();
    assert_eq!(kept.iter().map(|event| event.id.as_str()).collect::<Vec<_>>(), ["e1", "e2", "e3"]);
    assert!(kept.iter().all(|event| event.data == "{\"total\": 1.0}"));
}

#[tokio::test]
async fn the_limits_hold_for_what_a_compressed_body_expands_to() {
    let mut setup = setup();
    setup.limit(|limits| (limits.body_bytes, limits.events) = (2000, 2));
    let client = setup.client();
    let large = format!(r#"{{"type":"a","data":"{}"}}"#, "x".repeat(1000));
    client.send(compressed(JSON, "gzip"), testing::gzip(large.as_bytes())).await.problem(413, "event-too-large");
    let bomb = testing::zstd(&vec![b' '; 10 << 20]);
    assert!(bomb.len() < 2000);
    client.send(compressed(JSON, "zstd"), bomb).await.problem(413, "body-too-large");
    client.send(compressed(JSON, "gzip"), testing::gzip(b"[1,2,3]")).await.problem(413, "too-many-events");
}

#[tokio::test]
async fn a_body_that_is_not_what_its_encoding_says_is_a_problem() {
    let setup = setup();
    let client = setup.client();
    for coding in ["gzip", "zstd"] {
        let answer = client.send(compressed(JSON, coding), event("e1")).await;
        assert!(answer.problem(400, "malformed-encoding").contains("cannot be expanded"));
    }
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
async fn bearer_keys_are_several_at_once_and_rotated_without_a_restart() {
    // SHA-256 of "0123456789abcdef" and of "fedcba9876543210".
    const OLD: &str = "9f9f5111f7b27a781f1f1ddde5ebc2dd2b796bfc7365c9c28b548e564176929f";
    const NEW: &str = "3465f6e6975baa864ca957f0914ecda9bf7eb601ac31ac20a5dc3d329279a843";
    let keys = |hashes: &[&str]| BearerKeys::new(&hashes.iter().map(|hash| Redacted::new(*hash)).collect::<Vec<_>>());
    let mut setup = setup();
    setup.set(|settings| settings.authentication = Authentication::BearerKeys);
    let client = setup.client();
    let status = async |key: &str, id: &str| client.post_as(key, event(id)).await.status.as_u16();

    client.post_as("0123456789abcdef", event("e1")).await.problem(503, "authorization-unavailable");
    setup.set(|settings| settings.bearer_keys = keys(&[OLD]));
    let answer = client.post(JSON, event("e1")).await;
    assert!(answer.problem(401, "unauthenticated").contains("has no key"));
    assert_eq!(answer.header(header::WWW_AUTHENTICATE), "Bearer");
    assert_eq!([status("0123456789abcdef", "e1").await, status("fedcba9876543210", "e1").await], [202, 401]);
    setup.set(|settings| settings.bearer_keys = keys(&[OLD, NEW]));
    assert_eq!([status("0123456789abcdef", "e2").await, status("fedcba9876543210", "e3").await], [202, 202]);
    setup.set(|settings| settings.bearer_keys = keys(&[NEW]));
    assert_eq!([status("0123456789abcdef", "e4").await, status("fedcba9876543210", "e4").await], [401, 202]);
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
    assert!(setup.ingest.metrics.render().contains("posthaste_journal_errors_total 2\n"));
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
async fn a_client_that_waits_with_its_body_is_answered_without_it() {
    let setup = setup();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut stream = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    tokio::spawn(serve::serve(listener, router(setup.ingest.clone()), serve::Limits::default(), setup.ingest.shutdown));
    stream
        .write_all(b"POST /v1/events HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 99999999\r\nexpect: 100-continue\r\n\r\n")
        .await
        .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 413") && answer.contains("body-too-large"), "{answer}");
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
