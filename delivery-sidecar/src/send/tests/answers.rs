//! What is made of answers, and of what is none.

use std::time::Duration;

use super::{
    receiver::{Receiver, Then},
    *,
};
use crate::send::{MAX_RESPONSE_BYTES, resolve::ResolveError};

async fn verdict_on(answer: impl Into<Vec<u8>>, then: Then) -> Verdict {
    let receiver = Receiver::answering(answer, then).await;
    attempt(&sender(), &endpoint(&receiver.url("/hook?token=s3cret"))).await.verdict
}

/// The failure of an attempt that is to be retried.
async fn failure_on(answer: impl Into<Vec<u8>>, then: Then) -> posthaste_journal::Failure {
    match verdict_on(answer, then).await {
        Verdict::Failed { failure, class: FailureClass::Retry, .. } => failure,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_redirect_is_a_failure_and_not_followed() {
    let mut elsewhere = Receiver::status("200 OK").await;
    for status in ["301 Moved Permanently", "302 Found", "303 See Other", "307 Temporary Redirect", "308 Gone on"] {
        let location = elsewhere.url("/");
        let answer = format!("HTTP/1.1 {status}\r\nlocation: {location}\r\ncontent-length: 0\r\n\r\n");
        let failure = failure_on(answer, Then::KeepOpen).await;
        assert_eq!(failure.reason, "Redirected", "{status}");
    }
    assert!(elsewhere.is_done());
}

#[tokio::test]
async fn gone_and_throttled_have_their_consequences() {
    let gone = verdict_on("HTTP/1.1 410 Gone\r\ncontent-length: 0\r\n\r\n", Then::KeepOpen).await;
    assert!(matches!(gone, Verdict::Failed { class: FailureClass::Gone, .. }), "{gone:?}");

    let busy = "HTTP/1.1 503 Service Unavailable\r\nretry-after: 120\r\ncontent-length: 0\r\n\r\n";
    let Verdict::Failed { failure, retry_after, class } = verdict_on(busy, Then::KeepOpen).await else { panic!() };
    assert_eq!((failure.status, failure.message.as_str()), (Some(503), "HTTP 503 Service Unavailable"));
    assert_eq!((retry_after, class), (Some(Duration::from_mins(2)), FailureClass::Throttle));
}

#[tokio::test]
async fn each_status_has_its_consequence() {
    for (line, class) in [
        ("200 OK", None),
        ("201 Created", None),
        ("202 Accepted", None),
        ("204 No Content", None),
        ("299 Fine", None),
        ("304 Not Modified", Some(FailureClass::Retry)),
        ("400 Bad Request", Some(FailureClass::Retry)),
        ("401 Unauthorized", Some(FailureClass::Retry)),
        ("404 Not Found", Some(FailureClass::Retry)),
        ("408 Request Timeout", Some(FailureClass::Throttle)),
        ("410 Gone", Some(FailureClass::Gone)),
        ("429 Too Many Requests", Some(FailureClass::Throttle)),
        ("500 Internal Server Error", Some(FailureClass::Retry)),
        ("501 Not Implemented", Some(FailureClass::Retry)),
        ("502 Bad Gateway", Some(FailureClass::Throttle)),
        ("503 Service Unavailable", Some(FailureClass::Throttle)),
        ("504 Gateway Timeout", Some(FailureClass::Throttle)),
        ("500 Later\r\nretry-after: 7", Some(FailureClass::Throttle)),
    ] {
        let head = format!("HTTP/1.1 {line}\r\n");
        let head =
            if line.starts_with("204") || line.starts_with("304") { head } else { head + "content-length: 0\r\n" };
        let found = match verdict_on(head + "\r\n", Then::KeepOpen).await {
            Verdict::Succeeded { .. } => None,
            Verdict::Failed { class, .. } => Some(class),
        };
        assert_eq!(found, class, "{line}");
    }
}

#[tokio::test]
async fn a_date_in_retry_after_is_counted_from_the_answer() {
    let receiver = Receiver::answering(
        "HTTP/1.1 429 Too Many Requests\r\nretry-after: Fri, 02 Jan 2026 05:00:00 GMT\r\ncontent-length: 0\r\n\r\n",
        Then::KeepOpen,
    )
    .await;
    let (endpoint, event) = (endpoint(&receiver.url("/")), fixture::event());
    // The attempt is of 04:00:00.5.
    let report = sender().attempt(fixture::attempt(&endpoint, &event)).await;
    let Verdict::Failed { retry_after: Some(wait), .. } = report.verdict else { panic!("{report:?}") };
    assert!(wait <= Duration::from_millis(3_599_500), "{wait:?}");
    assert!(wait + report.elapsed >= Duration::from_millis(3_599_500), "{wait:?}");
}

#[tokio::test]
async fn no_answer_is_a_timeout() {
    let receiver = Receiver::answering("", Then::Stall).await;
    let (reason, message) = failure(&sender(), &impatient(&receiver.url("/"), 100)).await;
    assert_eq!((reason.as_str(), message.as_str()), ("Timeout", "no response within 100ms"));
}

#[tokio::test]
async fn half_a_head_is_a_timeout() {
    let receiver = Receiver::answering("HTTP/1.1 200 OK\r\ncontent-le", Then::Stall).await;
    assert_eq!(failure(&sender(), &impatient(&receiver.url("/"), 100)).await.0, "Timeout");
}

#[tokio::test]
async fn a_body_that_stalls_is_a_timeout_although_the_status_was_good() {
    let receiver = Receiver::answering("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf", Then::Stall).await;
    let report = attempt(&sender(), &impatient(&receiver.url("/"), 2_000)).await;
    let Verdict::Failed { failure, class: FailureClass::Retry, .. } = report.verdict else { panic!("{report:?}") };
    assert_eq!((failure.status, failure.reason.as_str()), (Some(200), "Timeout"));
    assert_eq!(failure.message, "the response's body did not end within 2s");
}

#[tokio::test]
async fn a_bad_status_counts_even_when_its_body_stalls_or_breaks_off() {
    for then in [Then::Stall, Then::Close, Then::Reset] {
        let receiver = Receiver::answering("HTTP/1.1 410 Gone\r\ncontent-length: 10\r\n\r\nhalf", then).await;
        let report = attempt(&sender(), &impatient(&receiver.url("/"), 2_000)).await;
        assert!(matches!(report.verdict, Verdict::Failed { class: FailureClass::Gone, .. }), "{report:?}");
    }
}

#[tokio::test]
async fn a_body_without_end_is_left_unread_and_its_connection_closed() {
    let head = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nffffffff\r\n";
    let mut receiver = Receiver::answering(head, Then::Flood(b'x')).await;
    let (sender, endpoint) = (sender(), endpoint(&receiver.url("/")));
    // It would last for longer than the test if it were read.
    for _ in 0..2 {
        assert_eq!(attempt(&sender, &endpoint).await.verdict, Verdict::Succeeded { status: 200 });
    }
    assert_ne!(receiver.next().from, receiver.next().from);
}

#[tokio::test]
async fn a_body_of_just_the_limit_is_read_and_its_connection_used_again() {
    let mut answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {MAX_RESPONSE_BYTES}\r\n\r\n").into_bytes();
    answer.resize(answer.len() + MAX_RESPONSE_BYTES, b'x');
    let mut receiver = Receiver::answering(answer, Then::KeepOpen).await;
    let (sender, endpoint) = (sender(), endpoint(&receiver.url("/")));
    for _ in 0..2 {
        assert_eq!(attempt(&sender, &endpoint).await.verdict, Verdict::Succeeded { status: 200 });
    }
    assert_eq!(receiver.next().from, receiver.next().from);
}

#[tokio::test]
async fn a_head_without_end_is_a_bounded_error() {
    let failure = failure_on("HTTP/1.1 200 OK\r\nx-long: ", Then::Flood(b'x')).await;
    assert_eq!(
        (failure.reason.as_str(), failure.message.as_str()),
        ("ServerError", "the response's head is too large")
    );
}

#[tokio::test]
async fn what_breaks_off_or_is_no_http_is_the_servers_error() {
    for (answer, then, message) in [
        ("", Then::Close, "the connection was closed before the response was complete"),
        ("HTTP/1.1 200 OK\r\nconte", Then::Close, "the connection was closed before the response was complete"),
        (
            "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf",
            Then::Close,
            "the connection broke before the response was complete",
        ),
        ("SSH-2.0-OpenSSH_9.9\r\n", Then::Close, "the response is not HTTP"),
        ("HTTP/1.1 200 OK\r\ncontent-length: s3cret\r\n\r\n", Then::Close, "the response is not HTTP"),
    ] {
        let failure = failure_on(answer, then).await;
        assert_eq!((failure.reason.as_str(), failure.message.as_str()), ("ServerError", message), "{answer:?}");
    }
}

#[tokio::test]
async fn a_reset_is_the_servers_error() {
    for answer in ["", "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf"] {
        let failure = failure_on(answer, Then::Reset).await;
        assert_eq!(failure.reason, "ServerError", "{failure:?}");
    }
}

#[tokio::test]
async fn a_closed_port_is_a_connect_error() {
    let closed = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let (reason, message) = failure(&sender(), &endpoint(&format!("http://{closed}/s3cret"))).await;
    assert_eq!((reason.as_str(), message.as_str()), ("ConnectError", "connection refused"));
}

#[tokio::test]
async fn a_name_that_does_not_resolve_is_a_dns_error() {
    for error in [
        ResolveError::NotFound,
        ResolveError::NoAddress,
        ResolveError::NoAnswer,
        ResolveError::Invalid,
        ResolveError::Refused("Server Failure"),
    ] {
        let sender = sender_with(&[], Names::failing(error));
        let (reason, message) = failure(&sender, &endpoint("https://s3cret.example/")).await;
        assert_eq!((reason, message), ("DNSError".to_owned(), error.to_string()));
    }
}

#[tokio::test]
async fn a_name_without_addresses_is_a_dns_error() {
    let sender = sender_with(&[], Names::answering(&[&[]]));
    assert_eq!(failure(&sender, &endpoint("https://s3cret.example/")).await.0, "DNSError");
}
