//! A receiver that reads a request and then writes the bytes it was told to, good HTTP or not.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    time::Duration,
};

use http::{HeaderMap, HeaderName, HeaderValue};
use tokio::{
    io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
    sync::mpsc,
    task::JoinHandle,
};

/// What a receiver does with a connection once it has answered.
#[derive(Clone, Copy)]
pub enum Then {
    /// Waits for the next request.
    KeepOpen,
    /// Closes it.
    Close,
    /// Breaks it with a TCP reset.
    Reset,
    /// Says no more and keeps it open.
    Stall,
    /// Goes on writing this byte for as long as anyone listens.
    Flood(u8),
    /// The same, one byte every few milliseconds.
    Drip(u8),
}

/// A request as it came.
pub struct Received {
    pub line: String,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
    /// The sender's port, which tells connections apart.
    pub from: SocketAddr,
}

/// A running receiver; it ends when it is dropped.
pub struct Receiver {
    pub address: SocketAddr,
    received: mpsc::UnboundedReceiver<Received>,
    task: JoinHandle<()>,
}

impl Receiver {
    /// One that answers every request with these bytes.
    pub async fn answering(answer: impl Into<Vec<u8>>, then: Then) -> Self {
        Self::answering_at(Ipv4Addr::LOCALHOST, answer, then).await
    }

    /// One on another address.
    pub async fn answering_at(address: impl Into<IpAddr>, answer: impl Into<Vec<u8>>, then: Then) -> Self {
        let listener = TcpListener::bind((address.into(), 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let (send, received) = mpsc::unbounded_channel();
        let answer = answer.into();
        let task = tokio::spawn(async move {
            while let Ok((stream, from)) = listener.accept().await {
                tokio::spawn(serve(stream, from, answer.clone(), then, send.clone()));
            }
        });
        Self { address, received, task }
    }

    /// One that answers with this status and an empty body.
    pub async fn status(line: &str) -> Self {
        Self::answering(format!("HTTP/1.1 {line}\r\ncontent-length: 0\r\n\r\n"), Then::KeepOpen).await
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// The next request that came. Only for requests that have been answered.
    pub fn next(&mut self) -> Received {
        self.received.try_recv().expect("a request was received")
    }

    /// Whether there is no further request.
    pub fn is_done(&mut self) -> bool {
        self.received.try_recv().is_err()
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(
    stream: TcpStream,
    from: SocketAddr,
    answer: Vec<u8>,
    then: Then,
    send: mpsc::UnboundedSender<Received>,
) {
    let mut stream = BufReader::new(stream);
    while let Some(request) = read(&mut stream, from).await {
        let _ = send.send(request);
        // The sender may have gone, which is the sender's affair.
        let _ = stream.write_all(&answer).await;
        match then {
            Then::KeepOpen => {}
            Then::Close => return,
            Then::Reset => return stream.get_ref().set_zero_linger().unwrap(),
            Then::Stall => return std::future::pending().await,
            Then::Drip(byte) => {
                while stream.write_all(&[byte]).await.is_ok() {
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
            }
            Then::Flood(byte) => while stream.write_all(&[byte; 1024]).await.is_ok() {},
        }
    }
}

/// One request, or nothing when the connection ends.
async fn read(
    stream: &mut (impl AsyncRead + AsyncWrite + AsyncBufReadExt + Unpin),
    from: SocketAddr,
) -> Option<Received> {
    let line = read_line(stream).await?;
    let mut headers = HeaderMap::new();
    loop {
        let header = read_line(stream).await?;
        if header.is_empty() {
            break;
        }
        let (name, value) = header.split_once(": ").unwrap();
        headers.append(name.parse::<HeaderName>().unwrap(), HeaderValue::from_str(value).unwrap());
    }
    let length = headers.get("content-length")?.to_str().ok()?.parse().ok()?;
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await.ok()?;
    Some(Received { line, headers, body, from })
}

async fn read_line(stream: &mut (impl AsyncBufReadExt + Unpin)) -> Option<String> {
    let mut line = String::new();
    let read = stream.read_line(&mut line).await.ok()?;
    (read > 0).then(|| line.trim_end().to_owned())
}
