//! Serves a router on a listener, with HTTP/1.1 and HTTP/2 (by prior knowledge, or over TLS by ALPN), until the process is
//! asked to stop.
//!
//! What a client can hold is bounded: the number of connections, the time to send headers and to be silent, the size of
//! headers. Handlers bound the time and size of bodies.

mod encryption;
mod idle;

use std::{pin::pin, sync::Arc, time::Duration};

use arc_swap::ArcSwap;
use axum::Router;
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto,
    service::TowerToHyperService,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    task::JoinSet,
    time::{sleep, timeout},
};
use tokio_rustls::TlsAcceptor;
use tracing::{debug, info, warn};

pub use self::encryption::Encryption;
use self::idle::IdleTimeout;
use crate::shutdown::Shutdown;

/// Bounds on connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Most connections at a time. More wait in the listener's backlog.
    pub connections: usize,
    /// Longest time of a TLS handshake.
    pub handshake: Duration,
    /// Longest time from the end of a request, or of connecting, until the next request's headers are complete
    /// (HTTP/1.1).
    pub header_read: Duration,
    /// A connection on which nothing was read for so long is closed. Must be longer than a request may take.
    pub idle: Duration,
    /// Longest time to finish requests when the process is asked to stop.
    pub grace: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 1024,
            handshake: Duration::from_secs(10),
            header_read: Duration::from_mins(1),
            idle: Duration::from_secs(90),
            grace: Duration::from_secs(20),
        }
    }
}

/// Serves until `shutdown`, then takes no new connections, lets requests in progress finish for at most
/// [`Limits::grace`], and returns the number of connections that were cut off after it.
pub async fn serve(listener: TcpListener, router: Router, limits: Limits, shutdown: Shutdown) -> usize {
    serve_encrypted(listener, router, Arc::default(), limits, shutdown).await
}

/// The same, with each new connection speaking what `encryption` says at that moment.
pub async fn serve_encrypted(
    listener: TcpListener,
    router: Router,
    encryption: Arc<ArcSwap<Encryption>>,
    limits: Limits,
    shutdown: Shutdown,
) -> usize {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            () = shutdown.wait() => break,
            Some(_) = connections.join_next() => {}
            stream = accept(&listener), if connections.len() < limits.connections => {
                let encryption = encryption.load_full();
                connections.spawn(connection(stream, encryption, router.clone(), limits, shutdown.clone()));
            }
        }
    }
    drop(listener);
    info!(connections = connections.len(), "no new connections; finishing requests");
    let finished = timeout(limits.grace, async { while connections.join_next().await.is_some() {} }).await;
    let cut_off = connections.len();
    if finished.is_err() {
        warn!(connections = cut_off, "grace period is over; cutting connections off");
    }
    cut_off
}

/// The next connection. Failures are logged and waited out: most are of the client's making or lack of descriptors.
async fn accept(listener: &TcpListener) -> TcpStream {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                // Answers are small; waiting to fill a packet would only delay them.
                let _ = stream.set_nodelay(true);
                return stream;
            }
            Err(error) => {
                warn!(%error, "cannot accept a connection");
                sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

async fn connection(
    stream: TcpStream,
    encryption: Arc<Encryption>,
    router: Router,
    limits: Limits,
    shutdown: Shutdown,
) {
    let stream = IdleTimeout::new(stream, limits.idle);
    match &*encryption {
        Encryption::Plain => exchange(stream, router, limits, shutdown).await,
        Encryption::Tls(config) => {
            let handshake = timeout(limits.handshake, TlsAcceptor::from(Arc::clone(config)).accept(stream));
            let accepted = tokio::select! {
                accepted = handshake => accepted,
                () = shutdown.wait() => return,
            };
            match accepted {
                Ok(Ok(stream)) => exchange(stream, router, limits, shutdown).await,
                Ok(Err(error)) => debug!(%error, "TLS handshake failed"),
                Err(_) => debug!("TLS handshake took too long"),
            }
        }
        Encryption::Unavailable => debug!("connection closed: there is no certificate"),
    }
}

/// Requests and answers of one connection.
async fn exchange<S>(stream: S, router: Router, limits: Limits, shutdown: Shutdown)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let io = TokioIo::new(stream);
    let builder = builder(limits);
    let mut connection = pin!(builder.serve_connection(io, TowerToHyperService::new(router)));
    let early = tokio::select! {
        result = connection.as_mut() => Some(result),
        () = shutdown.wait() => None,
    };
    let result = if let Some(result) = early {
        result
    } else {
        connection.as_mut().graceful_shutdown();
        connection.await
    };
    if let Err(error) = result {
        // Clients that go away or are too slow; nothing is wrong on this side.
        debug!(error, "connection ended");
    }
}

fn builder(limits: Limits) -> auto::Builder<TokioExecutor> {
    const MAX_HEADER_BYTES: u16 = 32 * 1024;
    const UNREAD_BYTES: u32 = 64 * 1024;
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.header_read)
        .max_buf_size(usize::from(MAX_HEADER_BYTES) * 2);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_header_list_size(MAX_HEADER_BYTES.into())
        .max_concurrent_streams(128)
        // What a client may send before it is read, and so what a connection can make this process hold: about as much as
        // one of HTTP/1.1.
        .initial_stream_window_size(UNREAD_BYTES)
        .initial_connection_window_size(UNREAD_BYTES)
        .keep_alive_interval(limits.idle / 3)
        .keep_alive_timeout(limits.idle / 3);
    builder
}

#[cfg(test)]
mod encryption_tests;
#[cfg(test)]
mod tests;
