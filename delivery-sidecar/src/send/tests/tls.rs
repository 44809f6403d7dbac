//! TLS: who is trusted, and HTTP/2.

use std::net::SocketAddr;

use http_body_util::{BodyExt, Full};
use hyper::{body::Incoming, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto,
};
use rustls::{ServerConfig, crypto::ring, pki_types::PrivateKeyDer};
use tokio::{net::TcpListener, sync::mpsc};
use tokio_rustls::TlsAcceptor;

use super::{
    receiver::{Receiver, Then},
    *,
};
use crate::endpoint::fixture::signing_key;

struct SecureReceiver {
    address: SocketAddr,
    certificate: rustls::pki_types::CertificateDer<'static>,
    requests: mpsc::UnboundedReceiver<(http::request::Parts, bytes::Bytes)>,
}

impl SecureReceiver {
    /// One with a certificate for this name, made by `change`, that answers 200 over what ALPN agrees on.
    async fn start(name: &str, alpn: &[&str], change: impl FnOnce(&mut rcgen::CertificateParams)) -> Self {
        let mut params = rcgen::CertificateParams::new([name.to_owned()]).unwrap();
        change(&mut params);
        let key = rcgen::KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap().der().clone();
        let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.clone()], PrivateKeyDer::try_from(key.serialize_der()).unwrap())
            .unwrap();
        config.alpn_protocols = alpn.iter().map(|protocol| protocol.as_bytes().to_vec()).collect();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (send, requests) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (acceptor, send) = (acceptor.clone(), send.clone());
                tokio::spawn(async move {
                    let Ok(stream) = acceptor.accept(stream).await else { return };
                    let answer = service_fn(move |request: http::Request<Incoming>| {
                        let send = send.clone();
                        async move {
                            let (head, body) = request.into_parts();
                            let body = body.collect().await?.to_bytes();
                            let _ = send.send((head, body));
                            Ok::<_, hyper::Error>(http::Response::new(Full::new(bytes::Bytes::from("ok"))))
                        }
                    });
                    // The sender may go whenever it likes.
                    let _ =
                        auto::Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(stream), answer).await;
                });
            }
        });
        Self { address, certificate, requests }
    }

    fn roots(&self) -> RootCertStore {
        let mut roots = RootCertStore::empty();
        roots.add(self.certificate.clone()).unwrap();
        roots
    }

    fn url(&self, host: &str) -> String {
        format!("https://{host}:{}/", self.address.port())
    }
}

fn loopback() -> Names {
    Names::answering(&[&["127.0.0.1"]])
}

async fn tls_failure(sender: &Sender, url: &str) -> String {
    let (reason, message) = failure(sender, &endpoint(url)).await;
    assert_eq!(reason, "TLSError", "{message}");
    message
}

#[tokio::test]
async fn http_2_and_1_1_are_spoken_as_the_receiver_offers() {
    for (alpn, version) in [
        (&["h2", "http/1.1"][..], http::Version::HTTP_2),
        (&["http/1.1"], http::Version::HTTP_11),
        (&[], http::Version::HTTP_11),
    ] {
        let mut receiver = SecureReceiver::start("receiver.example", alpn, |_| {}).await;
        let sender = sender_trusting(receiver.roots(), loopback());
        let report = attempt(&sender, &endpoint(&receiver.url("receiver.example"))).await;
        assert_eq!(report.verdict, Verdict::Succeeded { status: 200 });
        let (head, body) = receiver.requests.try_recv().unwrap();
        assert_eq!(head.version, version);
        let library = standardwebhooks::Webhook::new(signing_key("k1", None).key.expose()).unwrap();
        library.verify(&body, &head.headers).unwrap();
    }
}

#[tokio::test]
async fn a_certificate_that_nobody_known_signed_is_refused() {
    let mut receiver = SecureReceiver::start("receiver.example", &["h2"], |_| {}).await;
    let sender = sender_with(&["127.0.0.0/8"], loopback());
    let message = tls_failure(&sender, &receiver.url("receiver.example")).await;
    assert_eq!(message, "certificate is signed by an unknown authority");
    assert!(receiver.requests.try_recv().is_err());
}

#[tokio::test]
async fn a_certificate_for_another_host_is_refused() {
    let receiver = SecureReceiver::start("receiver.example", &["h2"], |_| {}).await;
    let sender = sender_trusting(receiver.roots(), loopback());
    for host in ["s3cret.example", "127.0.0.1"] {
        assert_eq!(tls_failure(&sender, &receiver.url(host)).await, "certificate is not for this host");
    }
}

#[tokio::test]
async fn a_certificate_out_of_its_time_is_refused() {
    let expired = SecureReceiver::start("receiver.example", &[], |params| {
        params.not_before = rcgen::date_time_ymd(2020, 1, 1);
        params.not_after = rcgen::date_time_ymd(2021, 1, 1);
    })
    .await;
    let sender = sender_trusting(expired.roots(), loopback());
    assert_eq!(tls_failure(&sender, &expired.url("receiver.example")).await, "certificate expired");

    let early = SecureReceiver::start("receiver.example", &[], |params| {
        params.not_before = rcgen::date_time_ymd(4000, 1, 1);
    })
    .await;
    let sender = sender_trusting(early.roots(), loopback());
    assert_eq!(tls_failure(&sender, &early.url("receiver.example")).await, "certificate not valid yet");
}

#[tokio::test]
async fn a_port_that_does_not_speak_tls_is_a_tls_error() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://{}/", listener.local_addr().unwrap());
    tokio::spawn(async move {
        let mut open = vec![];
        while let Ok((mut stream, _)) = listener.accept().await {
            let _ = tokio::io::AsyncWriteExt::write_all(&mut stream, b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
            // Kept open: the sender decides by what it read.
            open.push(stream);
        }
    });
    assert_eq!(tls_failure(&sender(), &url).await, "the receiver does not speak TLS");
}

#[tokio::test]
async fn a_handshake_that_is_hung_up_on_is_a_tls_error() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://{}/", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            // All of the sender's greeting is read, so that the end is an end and no reset.
            let _ = tokio::io::AsyncReadExt::read(&mut stream, &mut [0; 16 * 1024]).await;
        }
    });
    assert_eq!(tls_failure(&sender(), &url).await, "the connection was closed during the TLS handshake");
}

#[tokio::test]
async fn a_handshake_that_stalls_is_a_timeout() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://{}/", listener.local_addr().unwrap());
    let (reason, _) = failure(&sender(), &impatient(&url, 100)).await;
    assert_eq!(reason, "Timeout");
}

#[tokio::test]
async fn plain_http_is_not_mistaken_for_tls() {
    let receiver = Receiver::answering("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n", Then::KeepOpen).await;
    assert_eq!(attempt(&sender(), &endpoint(&receiver.url("/"))).await.verdict, Verdict::Succeeded { status: 200 });
}
