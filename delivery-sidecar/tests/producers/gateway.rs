//! What is between a producer and the sidecar: passes requests on, or fails as it is told.

use std::{
    convert::Infallible,
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Instant,
};

use bytes::Bytes;
use http::{Request, Response, header};
use http_body_util::{BodyExt, Full};
use hyper::{body::Incoming, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};

/// What is done with one request.
#[derive(Clone, Copy, Debug)]
pub enum Step {
    /// It is answered with this status and `Retry-After`, and not passed on.
    Answer(u16, Option<u64>),
    /// It is passed on, and then the connection is closed without an answer.
    ForwardAndHangUp,
    /// It is passed on.
    Forward,
}

/// A request that came.
#[derive(Clone, Debug)]
pub struct Came {
    /// When its body was complete.
    pub at: Instant,
    /// Its body.
    pub body: Bytes,
}

#[derive(Default)]
struct Seen {
    requests: Vec<Came>,
    forwarded: Vec<u16>,
}

/// See the module.
pub struct Gateway {
    address: SocketAddr,
    seen: Arc<Mutex<Seen>>,
}

impl Gateway {
    /// Does one step a request, in order, and after the last one answers 500.
    pub async fn start(upstream: SocketAddr, steps: Vec<Step>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let seen = Arc::new(Mutex::new(Seen::default()));
        let state = (upstream, Arc::new(steps), Arc::clone(&seen));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let state = state.clone();
                let service = service_fn(move |request| handle(request, state.clone()));
                // Hanging up is an error of the service.
                let connection =
                    hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service);
                tokio::spawn(connection);
            }
        });
        Self { address, seen }
    }

    pub fn url(&self) -> String {
        format!("http://{}/v1/events", self.address)
    }

    /// What came.
    pub fn requests(&self) -> Vec<Came> {
        self.seen.lock().unwrap().requests.clone()
    }

    /// What the sidecar answered.
    pub fn forwarded(&self) -> Vec<u16> {
        self.seen.lock().unwrap().forwarded.clone()
    }
}

type State = (SocketAddr, Arc<Vec<Step>>, Arc<Mutex<Seen>>);

#[derive(Debug, thiserror::Error)]
#[error("hung up")]
struct HungUp;

async fn handle(request: Request<Incoming>, state: State) -> Result<Response<Full<Bytes>>, HungUp> {
    let (upstream, steps, seen) = state;
    let (head, body) = request.into_parts();
    let body = body.collect().await.map_err(|_| HungUp)?.to_bytes();
    let number = {
        let requests = &mut seen.lock().unwrap().requests;
        requests.push(Came { at: Instant::now(), body: body.clone() });
        requests.len() - 1
    };
    let answer = |status: u16| Response::builder().status(status);
    match steps.get(number) {
        None => Ok(answer(500).body(Full::default()).unwrap()),
        Some(Step::Answer(status, after)) => {
            let builder =
                after.iter().fold(answer(*status), |builder, after| builder.header(header::RETRY_AFTER, *after));
            Ok(builder.body(Full::from("no")).unwrap())
        }
        Some(step) => {
            let (status, text) = forward(upstream, head, body).await;
            seen.lock().unwrap().forwarded.push(status);
            match step {
                Step::ForwardAndHangUp => Err(HungUp),
                _ => Ok(answer(status).body(Full::from(text)).unwrap()),
            }
        }
    }
}

async fn forward(upstream: SocketAddr, mut head: http::request::Parts, body: Bytes) -> (u16, Bytes) {
    // What belongs to the producer's connection.
    head.headers.remove(header::CONNECTION);
    head.headers.remove(header::ACCEPT_ENCODING);
    let stream = TcpStream::connect(upstream).await.unwrap();
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    let request = Request::from_parts(head, Full::<Bytes>::from(body).map_err(|never: Infallible| match never {}));
    let response = sender.send_request(request).await.unwrap();
    let status = response.status().as_u16();
    (status, response.into_body().collect().await.unwrap().to_bytes())
}
