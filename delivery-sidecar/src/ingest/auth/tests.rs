//! The authorizer against a scripted API server.

use std::{
    sync::atomic::{AtomicI64, Ordering},
    time::Duration,
};

use axum::http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::BodyExt;
use jiff::Timestamp;
use kube::{Client, client::Body};
use serde_json::{Value, json};
use tower_test::mock::{self, Handle, SendResponse};

use super::*;
use crate::{ingest::Clock, telemetry::Metrics};

const TOKEN: &str = "header.claims.signature";

/// The API server's side of the client.
struct ApiServer(Handle<Request<Body>, Response<Body>>);

impl ApiServer {
    /// The next request: its path, its body, and where the answer goes.
    async fn next(&mut self) -> (String, Value, SendResponse<Response<Body>>) {
        let (request, answer) = self.0.next_request().await.expect("a request");
        assert_eq!(request.method(), Method::POST);
        let path = request.uri().path().to_owned();
        let body = request.into_body().collect().await.unwrap().to_bytes();
        (path, serde_json::from_slice(&body).unwrap(), answer)
    }

    /// Answers a TokenReview.
    async fn token(&mut self, status: Value) {
        let (path, mut body, answer) = self.next().await;
        assert_eq!(path, "/apis/authentication.k8s.io/v1/tokenreviews");
        assert_eq!(body["spec"], json!({"token": TOKEN, "audiences": ["posthaste.dev"]}));
        body["status"] = status;
        answer.send_response(Response::new(body.to_string().into_bytes().into()));
    }

    /// Answers a LocalSubjectAccessReview and returns what it asked.
    async fn access(&mut self, allowed: bool) -> Value {
        let (path, mut body, answer) = self.next().await;
        assert_eq!(path, "/apis/authorization.k8s.io/v1/namespaces/shop/localsubjectaccessreviews");
        let spec = body["spec"].clone();
        body["status"] = json!({ "allowed": allowed });
        answer.send_response(Response::new(body.to_string().into_bytes().into()));
        spec
    }

    async fn fails(&mut self) {
        let (_, _, answer) = self.next().await;
        let status = json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": 500,
            "reason": "InternalError", "message": "etcd is away"});
        let mut response = Response::new(status.to_string().into_bytes().into());
        *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
        answer.send_response(response);
    }
}

struct Setup {
    authorizer: ServiceAccountAuthorizer,
    server: ApiServer,
    now_ms: Arc<AtomicI64>,
    metrics: Metrics,
}

fn setup() -> Setup {
    let (service, handle) = mock::pair::<Request<Body>, Response<Body>>();
    let now_ms = Arc::new(AtomicI64::new(1_700_000_000_000));
    let clock: Clock = {
        let now_ms = now_ms.clone();
        Arc::new(move || Timestamp::from_millisecond(now_ms.load(Ordering::Relaxed)).unwrap())
    };
    let metrics = Metrics::new();
    let client = Client::new(service, "default");
    let authorizer = ServiceAccountAuthorizer::new(client, "shop", "orders", clock, metrics.clone());
    Setup { authorizer, server: ApiServer(handle), now_ms, metrics }
}

fn known_user() -> Value {
    json!({"authenticated": true, "audiences": ["posthaste.dev"], "user": {
        "username": "system:serviceaccount:shop:checkout", "uid": "u-1",
        "groups": ["system:serviceaccounts"], "extra": {"pod": ["checkout-1"]}}})
}

async fn authorize(authorizer: &ServiceAccountAuthorizer) -> Result<Caller, Denied> {
    authorizer.authorize(Some(TOKEN), PUBLISH).await
}

#[tokio::test]
async fn a_known_user_with_the_right_is_let_in_and_remembered_for_a_minute() {
    let Setup { authorizer, mut server, now_ms, metrics } = setup();
    let api = async {
        server.token(known_user()).await;
        let asked = server.access(true).await;
        assert_eq!(
            asked,
            json!({"user": "system:serviceaccount:shop:checkout", "uid": "u-1", "groups": ["system:serviceaccounts"],
                "extra": {"pod": ["checkout-1"]}, "resourceAttributes": {"namespace": "shop", "verb": "create",
                "group": "posthaste.dev", "resource": "webhooks", "subresource": "events", "name": "orders"}})
        );
    };
    let (decision, ()) = tokio::join!(authorize(&authorizer), api);
    let caller = Ok(Caller { user: "system:serviceaccount:shop:checkout".into() });
    assert_eq!(decision, caller);

    now_ms.fetch_add(59_999, Ordering::Relaxed);
    assert_eq!(authorize(&authorizer).await, caller);

    now_ms.fetch_add(1, Ordering::Relaxed);
    let api = async {
        server.token(known_user()).await;
        server.access(false).await;
    };
    let (decision, ()) = tokio::join!(authorize(&authorizer), api);
    assert!(matches!(decision, Err(Denied::Forbidden(_))), "{decision:?}");
    let text = metrics.render();
    for line in [
        r#"posthaste_auth_reviews_total{result="allowed"} 1"#,
        r#"posthaste_auth_reviews_total{result="forbidden"} 1"#,
        "posthaste_auth_cache_hits_total 1",
    ] {
        assert!(text.contains(line), "{line}");
    }
}

#[tokio::test]
async fn without_the_right_the_answer_names_user_right_and_role() {
    let Setup { authorizer, mut server, .. } = setup();
    let api = async {
        server.token(known_user()).await;
        server.access(false).await;
    };
    let (decision, ()) = tokio::join!(authorize(&authorizer), api);
    let Err(Denied::Forbidden(detail)) = decision else { panic!("{decision:?}") };
    assert_eq!(
        &*detail,
        "User \"system:serviceaccount:shop:checkout\" may not create webhooks/events of the Webhook \"orders\" in \
         namespace \"shop\". A RoleBinding to the Role \"orders-publisher\" there gives this right."
    );
}

#[tokio::test]
async fn a_token_that_is_not_known_or_not_for_us_is_unauthenticated() {
    let other_audience = json!({"authenticated": true, "audiences": ["https://kubernetes.default.svc"],
        "user": {"username": "system:serviceaccount:shop:checkout"}});
    let no_audience = json!({"authenticated": true, "user": {"username": "admin"}});
    let no_user = json!({"authenticated": true, "audiences": ["posthaste.dev"]});
    for status in [json!({"authenticated": false}), json!({"error": "expired"}), other_audience, no_audience, no_user] {
        let Setup { authorizer, mut server, .. } = setup();
        let (decision, ()) = tokio::join!(authorize(&authorizer), server.token(status));
        assert!(matches!(decision, Err(Denied::Unauthenticated(_))), "{decision:?}");
    }
}

#[tokio::test]
async fn a_refusal_is_remembered_for_ten_seconds() {
    let Setup { authorizer, mut server, now_ms, .. } = setup();
    let (first, ()) = tokio::join!(authorize(&authorizer), server.token(json!({"authenticated": false})));
    now_ms.fetch_add(9_999, Ordering::Relaxed);
    assert_eq!(authorize(&authorizer).await, first);

    now_ms.fetch_add(1, Ordering::Relaxed);
    let api = async {
        server.token(known_user()).await;
        server.access(true).await;
    };
    let (decision, ()) = tokio::join!(authorize(&authorizer), api);
    assert!(decision.is_ok());
}

#[tokio::test]
async fn an_api_server_in_trouble_is_not_the_callers_fault_and_soon_asked_again() {
    let Setup { authorizer, mut server, now_ms, .. } = setup();
    let (decision, ()) = tokio::join!(authorize(&authorizer), server.fails());
    assert!(matches!(decision, Err(Denied::Unavailable(_))), "{decision:?}");

    now_ms.fetch_add(1_000, Ordering::Relaxed);
    let api = async {
        server.token(known_user()).await;
        server.fails().await;
    };
    let (decision, ()) = tokio::join!(authorize(&authorizer), api);
    let Err(Denied::Unavailable(detail)) = decision else { panic!("{decision:?}") };
    assert!(!detail.contains("etcd"), "{detail}");
}

#[tokio::test]
async fn requests_with_the_same_token_wait_for_one_review() {
    let Setup { authorizer, mut server, metrics, .. } = setup();
    let callers = futures::future::join_all((0..50).map(|_| authorize(&authorizer)));
    let api = async {
        server.token(known_user()).await;
        server.access(true).await;
    };
    let (decisions, ()) = tokio::join!(callers, api);
    assert!(decisions.iter().all(Result::is_ok));
    assert!(metrics.render().contains(r#"posthaste_auth_reviews_total{result="allowed"} 1"#));
}

#[tokio::test]
async fn a_review_ends_and_is_remembered_when_the_caller_has_gone() {
    let Setup { authorizer, mut server, .. } = setup();
    let gone = tokio::spawn({
        let authorizer = authorizer.clone();
        async move { authorize(&authorizer).await }
    });
    server.token(known_user()).await;
    gone.abort();
    assert!(gone.await.unwrap_err().is_cancelled());
    let (decision, _) = tokio::join!(authorize(&authorizer), server.access(true));
    assert!(decision.is_ok());
}

#[tokio::test]
async fn an_api_server_that_does_not_answer_is_given_up() {
    let Setup { authorizer, server, .. } = setup();
    let decision = authorize(&authorizer.with_review_time(Duration::from_millis(1))).await;
    assert!(matches!(decision, Err(Denied::Unavailable(_))), "{decision:?}");
    drop(server);
}

#[tokio::test]
async fn without_a_token_nobody_is_asked() {
    let Setup { authorizer, server, .. } = setup();
    drop(server);
    let long = "x".repeat(20_000);
    for token in [None, Some(""), Some(long.as_str())] {
        let decision = authorizer.authorize(token, PUBLISH).await;
        assert!(matches!(decision, Err(Denied::Unauthenticated(_))), "{decision:?}");
    }
}

#[test]
fn bearer_tokens_are_found_whatever_the_case_of_the_scheme() {
    let headers = |value| HeaderMap::from_iter([(header::AUTHORIZATION, HeaderValue::from_static(value))]);
    for value in ["Bearer abc", "bearer  abc", "BEARER abc "] {
        assert_eq!(bearer(&headers(value)), Some("abc"), "{value}");
    }
    for value in ["Basic abc", "Bearer", "abc", "BearerX abc"] {
        assert_eq!(bearer(&headers(value)), None, "{value}");
    }
    assert_eq!(bearer(&HeaderMap::new()), None);
}
