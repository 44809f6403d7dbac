//! A receiver of webhooks that is not ours to fool: it verifies with the published `standardwebhooks` library and
//! shares no code with Posthaste.
//!
//! One process plays many receivers: each stream (`POST /hooks/{stream}`) has its own secrets and behaviour and
//! remembers what it got. For tests only, it can be told how to behave (`PUT /control/{stream}`), asked what it got
//! (`GET /received/{stream}`), and told to post events from inside a cluster (`POST /publish`, `POST /flood`).

mod behaviour;
mod publish;
mod record;

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard},
};

use axum::{
    Json, Router,
    body::Bytes,
    extract::{DefaultBodyLimit, Path, State},
    response::{IntoResponse, Response},
    routing::{get, post, put},
};
use http::{HeaderMap, StatusCode};

pub use behaviour::{Behaviour, Control};
pub use publish::{Flood, FloodResult, Publish, Published};
pub use record::{Delivery, Received, Summary};

use record::Stream;

/// The receivers by stream name. Streams come into being at first use.
#[derive(Clone, Default)]
pub struct Receiver {
    streams: Arc<Mutex<BTreeMap<String, Stream>>>,
    quiet: bool,
}

impl Receiver {
    /// A receiver that prints a line for each delivery, or is quiet.
    pub fn new(quiet: bool) -> Self {
        Self { streams: Arc::default(), quiet }
    }

    /// Sets a stream's secrets and behaviour.
    pub fn control(&self, stream: &str, control: Control) {
        self.lock().entry(stream.to_owned()).or_default().control(control);
    }

    /// What a stream has received.
    pub fn received(&self, stream: &str) -> Received {
        self.lock().entry(stream.to_owned()).or_default().received()
    }

    /// The same without the deliveries themselves.
    pub fn summary(&self, stream: &str) -> Summary {
        self.lock().entry(stream.to_owned()).or_default().summary()
    }

    /// Its HTTP interface: what a receiver has, and no more.
    pub fn router(self) -> Router {
        self.hooks()
    }

    /// Its HTTP interface with the controls that tests need. Whoever reaches it can make it post anywhere.
    pub fn router_with_controls(self) -> Router {
        let controls = Router::new()
            .route("/control/{stream}", put(control))
            .route("/received/{stream}", get(received))
            .route("/summary/{stream}", get(summary))
            .route("/publish", post(publish::publish))
            .route("/flood", post(publish::flood))
            .layer(DefaultBodyLimit::max(32 << 20))
            .with_state(self.clone());
        self.hooks().merge(controls)
    }

    fn hooks(self) -> Router {
        Router::new().route("/healthz", get(|| async { "ok" })).route("/hooks/{stream}", post(receive)).with_state(self)
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Stream>> {
        self.streams.lock().expect("no panic while the lock is held")
    }
}

async fn receive(
    State(receiver): State<Receiver>,
    Path(name): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let (behaviour, line) = {
        let mut streams = receiver.lock();
        let stream = streams.entry(name.clone()).or_default();
        let delivery = stream.receive(&headers, &body);
        (stream.behaviour(), format!("{name}: {delivery}"))
    };
    if !receiver.quiet {
        println!("{line} -> {}", behaviour.status);
    }
    behaviour.respond().await
}

async fn control(
    State(receiver): State<Receiver>,
    Path(stream): Path<String>,
    Json(request): Json<Control>,
) -> StatusCode {
    receiver.control(&stream, request);
    StatusCode::NO_CONTENT
}

async fn received(State(receiver): State<Receiver>, Path(stream): Path<String>) -> Response {
    Json(receiver.received(&stream)).into_response()
}

async fn summary(State(receiver): State<Receiver>, Path(stream): Path<String>) -> Response {
    Json(receiver.summary(&stream)).into_response()
}
