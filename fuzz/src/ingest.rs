//! `POST /v1/events` with any body and any media types.

use std::{
    io::Read,
    sync::{Arc, Mutex, PoisonError},
};

use arc_swap::ArcSwap;
use axum::{
    body::Body,
    http::{Request, header},
};
use futures::{FutureExt, future::BoxFuture};
use http_body_util::BodyExt;
use jiff::Timestamp;
use posthaste_delivery_config::Authentication;
use posthaste_delivery_sidecar::{
    event::Event,
    ingest::{
        self, AcceptError, AcceptEvents, BearerKeys, Catalogue, Ingest, Kept, Limits, Prepared, Settings,
        auth::NoApiServer,
    },
    shutdown,
    telemetry::Metrics,
};
use serde_json::value::RawValue;
use tower::ServiceExt;

use crate::{Choices, wait};

const MAX_PAYLOAD: usize = 4096;
const MAX_EVENTS: usize = 16;
const MAX_BODY: usize = 64 * 1024;

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
/// header that is the next line (4); to a Webhook with a catalogue (8); with a body that is said to be gzip (16) or zstd (32),
/// which it is when it is compressed here (64). The rest is the body.
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
    let coding = match flags & 0x30 {
        0x10 => Some("gzip"),
        0x20 => Some("zstd"),
        _ => None,
    };
    if let Some(coding) = coding {
        request = request.header(header::CONTENT_ENCODING, coding);
    }
    let sent = match coding.filter(|_| flags & 64 != 0) {
        Some(coding) => compress(coding, choices.0),
        None => choices.0.to_vec(),
    };
    let body = coding.map_or_else(|| sent.clone(), |coding| expand(coding, &sent));
    // Not every line is a header's value.
    let Ok(request) = request.body(Body::from(sent)) else { return };

    let kept = Arc::new(Memory::default());
    let catalogue = (flags & 8 != 0).then(|| Catalogue::new(vec!["order.created".into(), "order.paid".into()]));
    let (_trigger, shutdown) = shutdown::channel();
    let ingest = Ingest {
        settings: Arc::new(ArcSwap::from_pointee(Settings {
            authentication: Authentication::None,
            bearer_keys: BearerKeys::default(),
            catalogue,
            max_payload_bytes: MAX_PAYLOAD,
            idempotency_window_ms: 1000,
            event_rate: None,
        })),
        authorizer: Arc::new(NoApiServer),
        journal: kept.clone(),
        clock: Arc::new(|| Timestamp::UNIX_EPOCH),
        new_id: Arc::new(|_| "made".into()),
        limits: Limits { events: MAX_EVENTS, body_bytes: MAX_BODY, ..Limits::default() },
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

fn compress(coding: &str, body: &[u8]) -> Vec<u8> {
    let mut compressed = Vec::new();
    if coding == "gzip" {
        let mut encoder = flate2::read::GzEncoder::new(body, flate2::Compression::fast());
        encoder.read_to_end(&mut compressed).expect("it reads from memory");
        return compressed;
    }
    zstd::encode_all(body, 1).expect("it reads from memory")
}

/// What a body expands to by another way, as far as it does and may be taken.
fn expand(coding: &str, body: &[u8]) -> Vec<u8> {
    let mut expanded = Vec::new();
    let most = MAX_BODY as u64;
    // What it has read when it fails is left in `expanded`.
    let _ = match coding {
        "gzip" => flate2::bufread::MultiGzDecoder::new(body).take(most).read_to_end(&mut expanded),
        _ => zstd::Decoder::new(body).and_then(|decoder| decoder.take(most).read_to_end(&mut expanded)),
    };
    expanded
}
