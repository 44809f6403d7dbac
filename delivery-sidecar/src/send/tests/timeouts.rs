//! `timeout` is the time of the whole attempt, whatever uses it up. What stalls right away and what stalls in the TLS
//! handshake is in `answers` and `tls`.

use std::net::SocketAddr;

use futures::{FutureExt, future::BoxFuture};
use tokio::net::{TcpSocket, TcpStream};

use super::{
    receiver::{Receiver, Then},
    *,
};
use crate::send::{
    MAX_RESPONSE_BYTES,
    resolve::{Resolve, ResolveError},
};

#[tokio::test]
async fn a_head_that_comes_byte_by_byte_is_a_timeout() {
    let receiver = Receiver::answering("HTTP/1.1 200 OK\r\nx-slow: ", Then::Drip(b'x')).await;
    let (reason, message) = failure(&sender(), &impatient(&receiver.url("/"), 300)).await;
    assert_eq!((reason.as_str(), message.as_str()), ("Timeout", "no response within 300ms"));
}

#[tokio::test]
async fn a_body_that_comes_byte_by_byte_is_a_timeout() {
    for length in ["content-length: 60000\r\n\r\n", "transfer-encoding: chunked\r\n\r\nea60\r\n"] {
        let receiver = Receiver::answering(format!("HTTP/1.1 200 OK\r\n{length}"), Then::Drip(b'x')).await;
        let (reason, message) = failure(&sender(), &impatient(&receiver.url("/"), 300)).await;
        assert_eq!((reason.as_str(), message.as_str()), ("Timeout", "the response's body did not end within 300ms"));
    }
}

/// A port whose queue of connections is full: the kernel answers no further one.
async fn full_port() -> (SocketAddr, impl Sized) {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let listener = socket.listen(1).unwrap();
    let address = listener.local_addr().unwrap();
    let queued = [TcpStream::connect(address).await.unwrap(), TcpStream::connect(address).await.unwrap()];
    (address, (listener, queued))
}

#[tokio::test]
async fn a_connection_that_is_not_answered_is_a_timeout() {
    let (address, _full) = full_port().await;
    let (reason, _) = failure(&sender(), &impatient(&format!("http://{address}/"), 300)).await;
    assert_eq!(reason, "Timeout");
}

/// A resolver that never answers.
struct Silent;

impl Resolve for Silent {
    fn resolve<'a>(&'a self, _host: &'a str) -> BoxFuture<'a, Result<Vec<std::net::IpAddr>, ResolveError>> {
        std::future::pending().boxed()
    }
}

#[tokio::test]
async fn a_name_that_is_not_answered_is_a_timeout() {
    let sender = Sender::with_resolver(&policy(&[]), Silent).unwrap();
    let (reason, _) = failure(&sender, &impatient("https://hooks.example/", 100)).await;
    assert_eq!(reason, "Timeout");
}

#[tokio::test]
async fn a_body_over_the_limit_is_cut_and_its_connection_not_used_again() {
    // The rest never comes: whoever waited for it would fail.
    let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", MAX_RESPONSE_BYTES * 2);
    let mut answer = head.into_bytes();
    answer.resize(answer.len() + MAX_RESPONSE_BYTES + 1, b'x');
    let mut receiver = Receiver::answering(answer, Then::KeepOpen).await;
    let (sender, endpoint) = (sender(), endpoint(&receiver.url("/")));
    for _ in 0..2 {
        assert_eq!(attempt(&sender, &endpoint).await.verdict, Verdict::Succeeded { status: 200 });
    }
    assert_ne!(receiver.next().from, receiver.next().from);
}
