use std::{net::SocketAddr, sync::Arc};

use axum::routing::get;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    sync::Notify,
    task::JoinHandle,
};

use super::*;
use crate::shutdown;

/// Long enough never to matter.
const LONG: Duration = Duration::from_mins(10);
const CALM: Limits = Limits { connections: 16, handshake: LONG, header_read: LONG, idle: LONG, grace: LONG };
const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nhost: x\r\n\r\n";

struct Server {
    address: SocketAddr,
    trigger: shutdown::Trigger,
    task: JoinHandle<usize>,
}

async fn start(router: Router, limits: Limits) -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (trigger, shutdown) = shutdown::channel();
    Server { address, trigger, task: tokio::spawn(serve(listener, router, limits, shutdown)) }
}

/// A router whose request tells when it has begun and ends when it is let go.
fn held() -> (Router, Arc<Notify>, Arc<Notify>) {
    let (begun, go) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let handler = {
        let (begun, go) = (begun.clone(), go.clone());
        async move || {
            begun.notify_one();
            go.notified().await;
            "done"
        }
    };
    (Router::new().route("/", get(handler)), begun, go)
}

#[tokio::test]
async fn a_request_in_progress_is_finished_and_its_connection_closed() {
    let (router, begun, go) = held();
    let server = start(router, CALM).await;
    let mut client = TcpStream::connect(server.address).await.unwrap();
    client.write_all(REQUEST).await.unwrap();
    begun.notified().await;

    server.trigger.start();
    go.notify_one();
    let mut answer = String::new();
    client.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("done"), "{answer}");
    assert_eq!(server.task.await.unwrap(), 0);
}

#[tokio::test]
async fn connections_that_do_nothing_do_not_delay_stopping() {
    let server = start(Router::new(), CALM).await;
    let _silent = TcpStream::connect(server.address).await.unwrap();
    let mut kept = TcpStream::connect(server.address).await.unwrap();
    kept.write_all(REQUEST).await.unwrap();
    let mut first = [0; 12];
    kept.read_exact(&mut first).await.unwrap();
    assert_eq!(&first, b"HTTP/1.1 404");

    server.trigger.start();
    assert_eq!(server.task.await.unwrap(), 0);
}

#[tokio::test]
async fn what_is_not_finished_within_the_grace_period_is_cut_off_and_counted() {
    let (router, begun, _go) = held();
    let server = start(router, Limits { grace: Duration::ZERO, ..CALM }).await;
    let mut client = TcpStream::connect(server.address).await.unwrap();
    client.write_all(REQUEST).await.unwrap();
    begun.notified().await;

    server.trigger.start();
    assert_eq!(server.task.await.unwrap(), 1);
    let mut answer = Vec::new();
    let _ = client.read_to_end(&mut answer).await;
    assert!(answer.is_empty());
}

#[tokio::test]
async fn a_client_that_sends_nothing_is_disconnected() {
    let server = start(Router::new(), Limits { idle: Duration::from_millis(1), ..CALM }).await;
    let mut silent = TcpStream::connect(server.address).await.unwrap();
    assert_eq!(silent.read(&mut [0; 1]).await.unwrap(), 0);
}

#[tokio::test]
async fn a_client_that_does_not_finish_its_headers_is_disconnected() {
    let server = start(Router::new(), Limits { header_read: Duration::from_millis(1), ..CALM }).await;
    let mut slow = TcpStream::connect(server.address).await.unwrap();
    slow.write_all(b"POST /v1/events HTTP/1.1\r\nhost:").await.unwrap();
    let mut answer = Vec::new();
    let _ = slow.read_to_end(&mut answer).await;
    let answer = String::from_utf8(answer).unwrap();
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 408"), "{answer}");
}

#[tokio::test]
async fn over_the_limit_a_connection_waits_until_another_ends() {
    let (router, begun, go) = held();
    let server = start(router, Limits { connections: 1, ..CALM }).await;
    let mut first = TcpStream::connect(server.address).await.unwrap();
    first.write_all(REQUEST).await.unwrap();
    begun.notified().await;
    let mut second = TcpStream::connect(server.address).await.unwrap();
    second.write_all(REQUEST).await.unwrap();

    // The second request cannot have begun, so this lets the first one go; the second begins when the first ends.
    go.notify_one();
    let mut head = [0; 12];
    first.read_exact(&mut head).await.unwrap();
    drop(first);
    begun.notified().await;
    go.notify_one();
    second.read_exact(&mut head).await.unwrap();
    assert_eq!(&head, b"HTTP/1.1 200");
}

#[tokio::test]
async fn http_2_is_spoken_to_those_who_know() {
    let server = start(Router::new().route("/", get(async || "done")), CALM).await;
    let client = reqwest_h2();
    let answer = client.get(format!("http://{}/", server.address)).send().await.unwrap();
    assert_eq!(answer.version(), http::Version::HTTP_2);
    assert_eq!(answer.text().await.unwrap(), "done");
}

fn reqwest_h2() -> reqwest::Client {
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder().http2_prior_knowledge().no_proxy().build().unwrap()
}
