//! API servers for tests: here one that answers from a script, in [`cluster`] one that keeps what it is told.

pub mod cluster;

use http::{Request, Response};
use http_body_util::BodyExt;
use kube::{Client, client::Body};
use serde_json::{Value, json};
use tokio::task::JoinHandle;

/// A scripted answer.
pub struct Answer(u16, Value);

impl Answer {
    /// An object or list.
    pub fn json(status: u16, body: Value) -> Self {
        Self(status, body)
    }

    /// An error with a reason, such as `Conflict`.
    pub fn error(status: u16, reason: &str) -> Self {
        let body = json!({
            "kind": "Status", "apiVersion": "v1", "status": "Failure",
            "code": status, "reason": reason, "message": format!("scripted {reason}"),
        });
        Self(status, body)
    }

    /// 404.
    pub fn not_found() -> Self {
        Self::error(404, "NotFound")
    }
}

/// A request as it arrived.
#[derive(Debug)]
pub struct Seen {
    /// Method and path.
    pub line: String,
    /// Query string, empty if there is none.
    pub query: String,
    /// Body as JSON; null if there is none.
    pub body: Value,
}

/// The server's side.
pub struct Server(JoinHandle<Vec<Seen>>);

impl Server {
    /// The requests in order, once the client is dropped or all answers are used up.
    pub async fn requests(self) -> Vec<Seen> {
        self.0.await.expect("the scripted API server panicked")
    }
}

/// A client whose requests get the answers in order. A request beyond them fails.
pub fn api_server(answers: impl IntoIterator<Item = Answer>) -> (Client, Server) {
    let (service, mut handle) = tower_test::mock::pair::<Request<Body>, Response<Body>>();
    let answers: Vec<_> = answers.into_iter().collect();
    let task = tokio::spawn(async move {
        let mut seen = Vec::new();
        for Answer(status, body) in answers {
            let Some((request, send)) = handle.next_request().await else { break };
            let (parts, stream) = request.into_parts();
            let bytes = stream.collect().await.expect("request body").to_bytes();
            seen.push(Seen {
                line: format!("{} {}", parts.method, parts.uri.path()),
                query: parts.uri.query().unwrap_or_default().to_owned(),
                body: if bytes.is_empty() { Value::Null } else { serde_json::from_slice(&bytes).expect("JSON body") },
            });
            let response = Response::builder().status(status).body(Body::from(body.to_string().into_bytes()));
            send.send_response(response.expect("a valid response"));
        }
        seen
    });
    (Client::new(service, "default"), Server(task))
}
