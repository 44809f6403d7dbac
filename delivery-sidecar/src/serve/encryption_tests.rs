//! TLS: what is spoken, and what happens to connections when the certificate changes.

use std::net::SocketAddr;

use axum::routing::get;
use posthaste_delivery_config::{IngestTls, Redacted, TlsPair};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    task::JoinHandle,
};

use super::*;
use crate::shutdown::{self, Trigger};

struct Server {
    address: SocketAddr,
    encryption: Arc<ArcSwap<Encryption>>,
    _trigger: Trigger,
    _task: JoinHandle<usize>,
}

impl Server {
    async fn start(encryption: Encryption, limits: Limits) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let encryption = Arc::new(ArcSwap::from_pointee(encryption));
        let router = Router::new().route("/", get(async || "done"));
        let (trigger, shutdown) = shutdown::channel();
        let task = tokio::spawn(serve_encrypted(listener, router, Arc::clone(&encryption), limits, shutdown));
        Self { address, encryption, _trigger: trigger, _task: task }
    }

    /// A client that trusts this certificate and comes here by the name that is in it.
    fn client(&self, certificate: &str) -> reqwest::ClientBuilder {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let certificate = reqwest::Certificate::from_pem(certificate.as_bytes()).unwrap();
        reqwest::Client::builder().tls_certs_only([certificate]).resolve(NAME, self.address).no_proxy()
    }

    fn url(&self) -> String {
        format!("https://{NAME}:{}/", self.address.port())
    }
}

const NAME: &str = "orders-ingest.shop.svc";

fn pair() -> TlsPair {
    let made = rcgen::generate_simple_self_signed([NAME.to_owned()]).unwrap();
    TlsPair { certificates: made.cert.pem(), private_key: Redacted::new(made.signing_key.serialize_pem()) }
}

fn with(pair: &TlsPair) -> Encryption {
    Encryption::new(Some(&IngestTls { pair: Some(pair.clone()) })).unwrap()
}

#[tokio::test]
async fn alpn_agrees_on_http_2_or_http_1_1() {
    let pair = pair();
    let server = Server::start(with(&pair), Limits::default()).await;
    let any = server.client(&pair.certificates).build().unwrap();
    assert_eq!(any.get(server.url()).send().await.unwrap().version(), http::Version::HTTP_2);
    let old = server.client(&pair.certificates).http1_only().build().unwrap();
    assert_eq!(old.get(server.url()).send().await.unwrap().version(), http::Version::HTTP_11);
}

#[tokio::test]
async fn tls_1_2_is_spoken_and_nothing_older_is_offered() {
    let pair = pair();
    let server = Server::start(with(&pair), Limits::default()).await;
    let client = server.client(&pair.certificates).tls_version_max(reqwest::tls::Version::TLS_1_2).build().unwrap();
    assert_eq!(client.get(server.url()).send().await.unwrap().status(), 200);
    // A ClientHello of TLS 1.0 is answered with an alert.
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    let hello = [&[22, 3, 1, 0, 45, 1, 0, 0, 41, 3, 1][..], &[7; 32], &[0, 0, 2, 0, 47, 1, 0]].concat();
    stream.write_all(&hello).await.unwrap();
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    assert_eq!(answer.first(), Some(&21), "{answer:?}");
}

#[tokio::test]
async fn a_new_certificate_is_for_new_connections_and_drops_none() {
    let (old, new) = (pair(), pair());
    let server = Server::start(with(&old), Limits::default()).await;
    let (before, after) = (server.client(&old.certificates).build().unwrap(), server.client(&new.certificates));
    assert_eq!(before.get(server.url()).send().await.unwrap().status(), 200);
    assert!(after.build().unwrap().get(server.url()).send().await.is_err(), "it trusts the new one only");

    server.encryption.store(Arc::new(with(&new)));
    let after = server.client(&new.certificates).build().unwrap();
    assert_eq!(after.get(server.url()).send().await.unwrap().status(), 200);
    assert_eq!(before.get(server.url()).send().await.unwrap().status(), 200, "its connection is still there");
    let another = server.client(&old.certificates).build().unwrap();
    assert!(another.get(server.url()).send().await.is_err(), "a new connection gets the new one");
}

#[tokio::test]
async fn plain_http_is_not_answered_where_https_is_spoken() {
    for encryption in [with(&pair()), Encryption::new(Some(&IngestTls { pair: None })).unwrap()] {
        let server = Server::start(encryption, Limits::default()).await;
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        let mut answer = Vec::new();
        let asked = stream.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await;
        let read = stream.read_to_end(&mut answer).await;
        assert!(!answer.starts_with(b"HTTP"), "{asked:?} {read:?} {answer:?}");
    }
}

#[tokio::test]
async fn a_handshake_that_does_not_come_is_given_up() {
    let limits = Limits { handshake: Duration::from_millis(1), ..Limits::default() };
    let server = Server::start(with(&pair()), limits).await;
    let mut silent = TcpStream::connect(server.address).await.unwrap();
    assert_eq!(silent.read(&mut [0; 1]).await.unwrap(), 0);
}
