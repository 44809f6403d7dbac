//! `POST /v1/events` with any body and any media types.

use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;
use axum::{
    body::Body,
    http::{Request, header},
};
use bytes::Bytes;
use futures::{FutureExt, future::BoxFuture};
use http_body_util::BodyExt;
use jiff::Timestamp;
use posthaste_delivery_config::Authentication;
use posthaste_delivery_sidecar::{
    event::Event,
    ingest::{self, AcceptError, AcceptEvents, Catalogue, Ingest, Kept, Limits, Prepared, Settings, auth::NoApiServer},
    shutdown,
    telemetry::Metrics,
};
use serde_json::value::RawValue;
use tower::ServiceExt;

use crate::{Choices, wait};

const MAX_PAYLOAD: usize = 4096;
const MAX_EVENTS: usize = 16;

/// Keeps all.
#[derive(Default)]
struct Memory(Mutex<Vec<Event>>);

impl AcceptEvents for Memory {
    fn accept(&self, batch: Vec<Prepared>) -> BoxFuture<'_, Result<Vec<Kept>, AcceptError>> {
        let kept = batch.iter().map(|_| Kept::New { deliveries: 1 }).collect();
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend(batch.into_iter().map(|prepared| prepared.event));
        std::future::ready(Ok(kept)).boxed()
    }
}

/// The first byte of an input says what the request is: JSON, NDJSON (1), or what the first line says (2); with an `Accept`
/// header that is the next line (4); to a Webhook with a catalogue (8). The rest is the body.
pub fn ingest(input: &[u8]) {
    let mut choices = Choices(input);
    let flags = choices.byte();
    let content_type = match flags & 3 {
        0 => b"application/json".as_slice(),
        1 => b"application/x-ndjson",
        _ => choices.line(),
    };
    let mut request = Request::post("/v1/events").header(header::CONTENT_TYPE, content_type);
    if flags & 4 != 0 {
        request = request.header(header::ACCEPT, choices.line());
    }
    let body = Bytes::copy_from_slice(choices.0);
    // Not every line is a header's value.
    let Ok(request) = request.body(Body::from(body.clone())) else { return };

    let kept = Arc::new(Memory::default());
    let catalogue = (flags & 8 != 0).then(|| Catalogue::new(vec!["order.created".into(), "order.paid".into()]));
    let (_trigger, shutdown) = shutdown::channel();
    let ingest = Ingest {
        settings: Arc::new(ArcSwap::from_pointee(Settings {
            authentication: Authentication::None,
            catalogue,
            max_payload_bytes: MAX_PAYLOAD,
            idempotency_window_ms: 1000,
            event_rate: None,
        })),
        authorizer: Arc::new(NoApiServer),
        journal: kept.clone(),
        clock: Arc::new(|| Timestamp::UNIX_EPOCH),
        new_id: Arc::new(|_| "made".into()),
        limits: Limits { events: MAX_EVENTS, ..Limits::default() },
        shutdown,
        metrics: Metrics::new(),
    };
    let (status, answer) = wait(async {
        let response = ingest::router(ingest).oneshot(request).await.expect("the router always answers");
        let (head, body) = response.into_parts();
        (head.status.as_u16(), body.collect().await.expect("an answer in memory").to_bytes())
    });

    assert!(matches!(status, 200 | 202 | 207 | 400 | 406 | 409 | 413 | 415 | 422), "status {status}");
    let answer: serde_json::Value = serde_json::from_slice(&answer).expect("answers are JSON");
    assert!(answer.is_object(), "{answer}");
    let kept = std::mem::take(&mut *kept.0.lock().unwrap_or_else(PoisonError::into_inner));
    assert!(kept.len() <= MAX_EVENTS);
    for event in &kept {
        check(event, &body);
    }
}

/// What holds for every event that is kept.
fn check(event: &Event, body: &[u8]) {
    assert!((1..=256).contains(&event.id.len()) && event.id.bytes().all(|byte| byte.is_ascii_graphic()));
    assert!((1..=128).contains(&event.event_type.len()));
    for json in [Some(&event.data), event.metadata.as_ref()].into_iter().flatten() {
        assert!(json.len() <= MAX_PAYLOAD);
        assert!(body.windows(json.len()).any(|window| window == *json), "it is as it came");
        serde_json::from_slice::<Box<RawValue>>(json).expect("it is JSON");
    }
    assert_eq!(Event::decode(event.encode()).as_ref(), Ok(event), "it comes back from the journal");
}
