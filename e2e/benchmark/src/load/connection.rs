//! One HTTP/1.1 connection that is kept, by hyper alone.

use std::net::SocketAddr;

use anyhow::{Context, bail};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode, Uri, header};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use tokio::{net::TcpStream, task::JoinHandle};

/// What the requests of a connection have in common.
#[derive(Clone, Debug)]
pub struct Requests {
    /// Where they go.
    pub to: SocketAddr,
    /// The only status that is not an error.
    pub expected: StatusCode,
    path: Uri,
    headers: HeaderMap,
}

impl Requests {
    /// Events for a delivery sidecar.
    pub fn events(to: SocketAddr) -> Self {
        Self::new(to, "/v1/events", StatusCode::ACCEPTED, &[])
    }

    /// Deliveries to a receiver: the headers that a delivery has, with any values of the same length.
    pub fn deliveries(to: SocketAddr) -> Self {
        let headers = [
            ("user-agent", "Posthaste/0.1.0"),
            ("accept", "*/*"),
            ("webhook-id", "b-0000000000"),
            ("webhook-timestamp", "1700000000"),
            ("webhook-signature", "v1,AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="),
        ];
        Self::new(to, "/", StatusCode::OK, &headers)
    }

    fn new(to: SocketAddr, path: &'static str, expected: StatusCode, more: &[(&'static str, &'static str)]) -> Self {
        let mut headers = HeaderMap::new();
        headers.insert(header::HOST, HeaderValue::try_from(to.to_string()).expect("an address is a header value"));
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        for (name, value) in more {
            headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        Self { to, expected, path: Uri::from_static(path), headers }
    }
}

/// See the module. Closed when dropped.
#[derive(Debug)]
pub struct Connection {
    sender: SendRequest<Full<Bytes>>,
    requests: Requests,
    driver: JoinHandle<()>,
}

impl Connection {
    /// Connects.
    pub async fn open(requests: Requests) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(requests.to).await.with_context(|| format!("connect to {}", requests.to))?;
        stream.set_nodelay(true)?;
        let (sender, connection) = handshake(TokioIo::new(stream)).await?;
        // What ends a connection is told to whoever waits for an answer.
        let driver = tokio::spawn(async move { drop(connection.await) });
        Ok(Self { sender, requests, driver })
    }

    /// Posts a body and reads the answer to its end.
    ///
    /// # Errors
    /// Also when the status is not the expected one.
    pub async fn post(&mut self, body: Bytes) -> anyhow::Result<()> {
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = self.requests.path.clone();
        *request.headers_mut() = self.requests.headers.clone();
        let (status, answer) = self.exchange(request).await?;
        if status != self.requests.expected {
            bail!("{} answered {status}: {}", self.requests.to, String::from_utf8_lossy(&answer));
        }
        Ok(())
    }

    /// Gets a path.
    pub async fn get(&mut self, path: &'static str) -> anyhow::Result<(StatusCode, Bytes)> {
        let mut request = Request::new(Full::default());
        *request.uri_mut() = Uri::from_static(path);
        *request.headers_mut() = self.requests.headers.clone();
        self.exchange(request).await
    }

    async fn exchange(&mut self, request: Request<Full<Bytes>>) -> anyhow::Result<(StatusCode, Bytes)> {
        self.sender.ready().await?;
        let response = self.sender.send_request(request).await?;
        let status = response.status();
        Ok((status, response.into_body().collect().await?.to_bytes()))
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.driver.abort();
    }
}
