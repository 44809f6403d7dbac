//! The router as a client sees it, with a journal in memory.

mod events;
mod pressure;
mod requests;

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
use posthaste_delivery_config::{Authentication, RateLimit, Redacted};
use serde_json::Value;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};
use tower::ServiceExt;

use super::{
    auth::{Caller, Denied, Right},
    *,
};
use crate::{event::Event, serve, shutdown};

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
        bearer_keys: BearerKeys::default(),
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
