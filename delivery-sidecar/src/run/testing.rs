//! The world around a delivery in tests: a producer, and a receiver on this machine that verifies with an independent
//! library and remembers what it got.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, StatusCode},
    routing,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::watch,
    time::timeout,
};

use crate::config::testing::KEY;

/// Answers the nth request, from 0.
type Answer = dyn Fn(usize) -> StatusCode + Send + Sync;

/// See the module.
#[derive(Clone)]
pub struct Receiver {
    address: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    answer: Mutex<Arc<Answer>>,
    received: watch::Sender<Vec<Received>>,
}

/// What was received.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Received {
    /// `webhook-id`.
    pub id: String,
    /// All headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: String,
    /// What was answered.
    pub status: StatusCode,
}

impl Receiver {
    /// Listens, and answers with what `answer` says.
    pub async fn start(answer: impl Fn(usize) -> StatusCode + Send + Sync + 'static) -> Self {
        let shared =
            Arc::new(Shared { answer: Mutex::new(Arc::new(answer)), received: watch::Sender::new(Vec::new()) });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = Router::new().fallback(routing::post(receive)).with_state(Arc::clone(&shared));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { address, shared }
    }

    /// Answers 204 to all.
    pub async fn healthy() -> Self {
        Self::start(|_| StatusCode::NO_CONTENT).await
    }

    /// Answers otherwise from now on.
    pub fn answers(&self, answer: impl Fn(usize) -> StatusCode + Send + Sync + 'static) {
        *self.shared.answer.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(answer);
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// An URL of it.
    pub fn url(&self) -> String {
        format!("http://{}/hook", self.address)
    }

    /// What was received so far.
    pub fn received(&self) -> Vec<Received> {
        self.shared.received.borrow().clone()
    }

    /// Waits until what was received is as wanted.
    pub async fn until(&self, wanted: impl Fn(&[Received]) -> bool) -> Vec<Received> {
        let mut received = self.shared.received.subscribe();
        let result = timeout(Duration::from_secs(30), received.wait_for(|all| wanted(all))).await;
        let Ok(received) = result else { panic!("in vain; received: {:?}", self.received()) };
        received.unwrap().clone()
    }

    /// Waits for so many requests that were answered 2xx.
    pub async fn delivered(&self, count: usize) -> Vec<Received> {
        let succeeded = |received: &&Received| received.status.is_success();
        let all = self.until(|received| received.iter().filter(succeeded).count() >= count).await;
        all.into_iter().filter(|received| received.status.is_success()).collect()
    }
}

async fn receive(State(shared): State<Arc<Shared>>, headers: HeaderMap, body: Bytes) -> StatusCode {
    let verifier = standardwebhooks::Webhook::new(&format!("whsec_{KEY}")).unwrap();
    if let Err(error) = verifier.verify(&body, &headers) {
        panic!("the signature is wrong: {error}");
    }
    let id = headers["webhook-id"].to_str().unwrap().to_owned();
    let answer = Arc::clone(&*shared.answer.lock().unwrap_or_else(PoisonError::into_inner));
    let mut status = StatusCode::OK;
    shared.received.send_modify(|received| {
        status = answer(received.len());
        received.push(Received { id, headers, body: String::from_utf8(body.to_vec()).unwrap(), status });
    });
    status
}

/// Posts an event and returns status and body of the answer.
pub async fn post(to: SocketAddr, event: &str) -> (StatusCode, String) {
    let mut stream = TcpStream::connect(to).await.unwrap();
    let length = event.len();
    let request = format!(
        "POST /v1/events HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n\
         content-length: {length}\r\nconnection: close\r\n\r\n{event}"
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
    let body = answer.split_once("\r\n\r\n").map(|(_, body)| body.to_owned()).unwrap_or_default();
    (status, body)
}
