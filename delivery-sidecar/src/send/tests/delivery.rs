//! What a receiver gets.

use posthaste_delivery_config::SigningKey;

use super::{
    receiver::{Receiver, Then},
    *,
};
use crate::endpoint::fixture::{header, signing_key};

/// The receiver's side: a library that is not ours.
fn library(key: &SigningKey) -> standardwebhooks::Webhook {
    standardwebhooks::Webhook::new(key.key.expose()).unwrap()
}

#[tokio::test]
async fn an_independent_library_verifies_what_arrives() {
    let mut receiver = Receiver::status("204 No Content").await;
    let endpoint = endpoint(&receiver.url("/v1/orders?shop=eu"));
    let event = fixture::event();
    let now = Timestamp::now();
    let report = sender().attempt(Attempt { now, ..fixture::attempt(&endpoint, &event) }).await;
    assert_eq!(report.verdict, Verdict::Succeeded { status: 204 });

    let got = receiver.next();
    assert_eq!(got.line, "POST /v1/orders?shop=eu HTTP/1.1");
    assert_eq!(got.body, br#"{"type":"order.created","timestamp":"2026-01-02T03:04:05.678Z","data":{"total": 1.0}}"#);
    let said = |name: &str| got.headers[name].to_str().unwrap();
    assert_eq!(said("content-type"), "application/json");
    assert_eq!(said("user-agent"), concat!("Posthaste/", env!("CARGO_PKG_VERSION")));
    assert_eq!(said("host"), receiver.address.to_string());
    assert_eq!(said("webhook-id"), "evt-1");
    assert_eq!(said("webhook-timestamp"), now.as_second().to_string());
    library(&signing_key("k1", None)).verify(&got.body, &got.headers).unwrap();
    assert!(library(&signing_key("k2", None)).verify(&got.body, &got.headers).is_err());
}

#[tokio::test]
async fn keys_that_have_not_expired_sign_together() {
    let mut receiver = Receiver::status("200 OK").await;
    let now = Timestamp::now();
    let hour = jiff::SignedDuration::from_hours(1);
    let key = |id, end: Timestamp| signing_key(id, Some(&end.to_string()));
    let keys = vec![signing_key("new", None), key("old", now + hour), key("older", now - hour)];
    let config = config::Endpoint { signing_keys: keys.clone(), ..config_of(&receiver.url("/")) };
    attempt(&sender(), &Endpoint::compile(&config).unwrap()).await;

    let got = receiver.next();
    let verifies = |key| library(key).verify(&got.body, &got.headers).is_ok();
    assert_eq!([true, true, false], [verifies(&keys[0]), verifies(&keys[1]), verifies(&keys[2])]);
}

#[tokio::test]
async fn nothing_is_sent_unsigned() {
    let mut receiver = Receiver::status("200 OK").await;
    let keys = vec![signing_key("old", Some("2020-01-01T00:00:00Z"))];
    let config = config::Endpoint { signing_keys: keys, ..config_of(&receiver.url("/")) };
    let (reason, message) = failure(&sender(), &Endpoint::compile(&config).unwrap()).await;
    assert_eq!(reason, "RenderError");
    assert_eq!(message, "every signing key has expired; add a key, or change its notAfter");
    assert!(receiver.is_done());
}

#[tokio::test]
async fn the_users_headers_are_sent_and_rendered_for_this_attempt() {
    let mut receiver = Receiver::status("200 OK").await;
    let headers = vec![
        header("X-Api-Key", "k ${event.type}", false),
        header("X-Attempt", "${webhook.namespace}/${webhook.name} #${attempt.number}", true),
        header("X-Subject", "${event.subject}", true),
        header("User-Agent", "shop", true),
    ];
    let config = config::Endpoint { headers, ..config_of(&receiver.url("/")) };
    attempt(&sender(), &Endpoint::compile(&config).unwrap()).await;

    let got = receiver.next().headers;
    assert_eq!(got["x-api-key"], "k ${event.type}");
    assert_eq!(got["x-attempt"], "shop/orders #3");
    assert_eq!(got.get("x-subject"), None);
    assert_eq!(got.get_all("user-agent").iter().collect::<Vec<_>>(), ["shop"]);
}

#[tokio::test]
async fn a_header_that_cannot_be_rendered_fails_for_good_and_nothing_is_sent() {
    let mut receiver = Receiver::status("200 OK").await;
    let headers = vec![header("X-Subject", "${event.subject}", true)];
    let endpoint = Endpoint::compile(&config::Endpoint { headers, ..config_of(&receiver.url("/")) }).unwrap();
    let event = crate::event::Event { subject: Some("a\r\nx-admin: s3cret".to_owned()), ..fixture::event() };
    let report = sender().attempt(fixture::attempt(&endpoint, &event)).await;
    let Verdict::Failed { failure, class: FailureClass::Permanent, .. } = report.verdict else { panic!("{report:?}") };
    assert_eq!(failure.reason, "RenderError");
    assert_eq!(failure.message, "header x-subject: the value contains a line break; remove it");
    assert!(receiver.is_done());
}

#[tokio::test]
async fn a_binary_cloud_event_is_sent_with_its_headers_and_signed() {
    let mut receiver = Receiver::status("200 OK").await;
    let config = config::Endpoint {
        payload: config::Payload::CloudEvents { mode: config::CloudEventsMode::Binary },
        headers: vec![header("ce-type", "mine", true), header("X-Total", "${event.data.total}", true)],
        ..config_of(&receiver.url("/"))
    };
    attempt(&sender(), &Endpoint::compile(&config).unwrap()).await;
    let got = receiver.next();
    assert_eq!(got.headers.get_all("ce-type").iter().collect::<Vec<_>>(), ["order.created"], "the format's, once");
    assert_eq!(
        (&got.headers["ce-id"], &got.headers["webhook-id"]),
        (&"evt-1".parse().unwrap(), &"evt-1".parse().unwrap())
    );
    assert_eq!(got.headers["content-type"], "application/json");
    assert_eq!(got.headers["x-total"], "1.0");
    assert_eq!(got.body, b"{\"total\": 1.0}");
}

#[tokio::test]
async fn a_connection_is_used_again_for_its_own_class_only() {
    let mut receiver = Receiver::status("200 OK").await;
    let sender = sender();
    let (url, service) = (endpoint(&receiver.url("/")), service(&receiver.url("/")));
    let mut from = vec![];
    for endpoint in [&url, &url, &service, &service] {
        attempt(&sender, endpoint).await;
        from.push(receiver.next().from);
    }
    assert_eq!(from[0], from[1]);
    assert_eq!(from[2], from[3]);
    assert_ne!(from[1], from[2]);
}

#[tokio::test]
async fn a_name_is_resolved_and_named_to_the_receiver() {
    let mut receiver = Receiver::answering("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok", Then::KeepOpen).await;
    let names = Names::answering(&[&["127.0.0.1"]]);
    let sender = sender_with(&["127.0.0.0/8"], names.clone());
    let host = format!("orders.shop.svc:{}", receiver.address.port());
    let report = attempt(&sender, &endpoint(&format!("http://{host}/"))).await;
    assert_eq!(report.verdict, Verdict::Succeeded { status: 200 });
    assert_eq!(receiver.next().headers["host"], host);
    assert_eq!(names.asked(), ["orders.shop.svc"]);
}

#[tokio::test]
async fn attempts_run_side_by_side() {
    let mut receiver = Receiver::status("200 OK").await;
    let (sender, endpoint) = (Arc::new(sender()), Arc::new(endpoint(&receiver.url("/"))));
    let attempts: Vec<_> = (0..32)
        .map(|_| {
            let (sender, endpoint) = (Arc::clone(&sender), Arc::clone(&endpoint));
            tokio::spawn(async move { attempt(&sender, &endpoint).await })
        })
        .collect();
    for attempt in attempts {
        assert_eq!(attempt.await.unwrap().verdict, Verdict::Succeeded { status: 200 });
        receiver.next();
    }
    assert!(receiver.is_done());
}
