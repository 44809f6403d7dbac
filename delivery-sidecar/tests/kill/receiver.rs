//! Takes deliveries, checks their signatures with an independent library, and remembers the ids.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
    sync::Arc,
    time::Duration,
};

use axum::{
    Router,
    body::Bytes,
    extract::{Path, State},
    http::{HeaderMap, StatusCode},
    routing,
};
use standardwebhooks::Webhook;
use tokio::{
    net::TcpListener,
    sync::watch,
    time::{sleep, timeout},
};

use crate::{ANSWER_TAKES, sidecar::KEY};

/// One request in so many is answered 500 the first time, so that there are retries.
const ONE_FAILS_IN: usize = 20;

/// See the module.
pub struct Receiver {
    address: SocketAddr,
    received: Arc<watch::Sender<Received>>,
}

#[derive(Default)]
struct Received {
    requests: usize,
    /// By endpoint and id, how often success was answered.
    succeeded: BTreeMap<(String, String), usize>,
    /// What was wrong with requests.
    wrong: Vec<String>,
}

impl Receiver {
    /// Begins to listen.
    pub async fn start() -> Self {
        let received = Arc::new(watch::Sender::new(Received::default()));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = Router::new().route("/hooks/{stream}", routing::post(receive)).with_state(Arc::clone(&received));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { address, received }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Waits until an endpoint has got all of these ids.
    pub async fn delivered(&self, endpoint: &str, ids: &BTreeSet<String>) {
        let mut received = self.received.subscribe();
        let all = received.wait_for(|received| missing(received, endpoint, ids) == 0);
        if timeout(Duration::from_secs(60), all).await.is_err() {
            let missing = missing(&self.received.borrow(), endpoint, ids);
            panic!("{endpoint} has not got {missing} of {} acknowledged events", ids.len());
        }
        let wrong = self.received.borrow().wrong.clone();
        assert!(wrong.is_empty(), "{wrong:?}");
    }

    /// What an endpoint got.
    pub fn ids(&self, endpoint: &str) -> BTreeSet<String> {
        let received = self.received.borrow();
        let ids = received.succeeded.keys().filter(|(stream, _)| stream == endpoint);
        ids.map(|(_, id)| id.clone()).collect()
    }

    /// How many deliveries succeeded, each counted once.
    pub fn delivered_count(&self) -> usize {
        self.received.borrow().succeeded.len()
    }

    /// How often success was answered to what had succeeded before.
    pub fn repeated(&self) -> usize {
        self.received.borrow().succeeded.values().map(|count| count - 1).sum()
    }
}

fn missing(received: &Received, endpoint: &str, ids: &BTreeSet<String>) -> usize {
    let got = |id: &&String| received.succeeded.contains_key(&(endpoint.to_owned(), (*id).clone()));
    ids.len() - ids.iter().filter(got).count()
}

async fn receive(
    State(shared): State<Arc<watch::Sender<Received>>>,
    Path(stream): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> StatusCode {
    sleep(ANSWER_TAKES).await;
    let mut status = StatusCode::NO_CONTENT;
    shared.send_modify(|received| {
        received.requests += 1;
        match check(&headers, &body) {
            Ok(id) => {
                let key = (stream, id);
                if received.requests.is_multiple_of(ONE_FAILS_IN) && !received.succeeded.contains_key(&key) {
                    status = StatusCode::INTERNAL_SERVER_ERROR;
                } else {
                    *received.succeeded.entry(key).or_default() += 1;
                }
            }
            Err(wrong) => received.wrong.push(wrong),
        }
    });
    status
}

/// The id, if the signature is right and the body is the event of that id.
fn check(headers: &HeaderMap, body: &[u8]) -> Result<String, String> {
    let verifier = Webhook::new(KEY).map_err(|error| error.to_string())?;
    verifier.verify(body, headers).map_err(|error| format!("the signature: {error}"))?;
    let id = headers["webhook-id"].to_str().map_err(|error| error.to_string())?;
    let body: serde_json::Value = serde_json::from_slice(body).map_err(|error| error.to_string())?;
    if body["data"]["of"] == id { Ok(id.to_owned()) } else { Err(format!("the body of {id} is {body}")) }
}
