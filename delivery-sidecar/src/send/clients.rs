//! The HTTP clients: one a class of targets, with a pool of connections of its own. A connection that was opened under
//! the rules for a Service is so never used for a URL.

use std::{sync::Arc, time::Duration};

use posthaste_delivery_config::TargetKind;
use reqwest::{Client, redirect};
use rustls::{ClientConfig, RootCertStore, crypto::ring};

use super::{address_policy::AddressPolicy, guard::Guard, resolve::Resolve, timed::TimedLayer};

/// Longest time for a name, a TCP connection and a TLS handshake together, within the attempt's own limit.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// For how long a connection is kept for another attempt. Just below five seconds, after which common servers close
/// theirs: a request sent into a closing connection would count as a failure.
const POOL_IDLE: Duration = Duration::from_secs(4);
/// Most idle connections to one host.
const POOL_IDLE_PER_HOST: usize = 32;
/// How often a shared HTTP/2 connection is asked whether it still lives, and how long it may take to answer. Otherwise
/// all attempts over a dead one would use up their time.
const PING_EVERY: Duration = Duration::from_secs(15);
const PING_TIMEOUT: Duration = Duration::from_secs(10);
/// Bytes of responses that an HTTP/2 receiver may send before they are read: of one, and of all on a connection.
const STREAM_WINDOW_BYTES: u32 = 64 * 1024;
const CONNECTION_WINDOW_BYTES: u32 = 1024 * 1024;

/// The clients of a sender.
pub struct Clients {
    url: Client,
    service: Client,
}

impl Clients {
    /// Clients that connect to what the resolver finds and the policy permits, and trust these roots.
    pub fn new(
        resolver: &Arc<dyn Resolve>,
        policy: &Arc<AddressPolicy>,
        roots: RootCertStore,
    ) -> Result<Self, ClientsError> {
        let tls = tls(roots)?;
        let client = |kind| {
            let guard = Guard::new(Arc::clone(resolver), Arc::clone(policy), kind);
            client(guard, tls.clone())
        };
        Ok(Self { url: client(TargetKind::Url)?, service: client(TargetKind::Service)? })
    }

    /// The client for targets of this kind.
    pub fn of(&self, kind: TargetKind) -> &Client {
        match kind {
            TargetKind::Url => &self.url,
            TargetKind::Service => &self.service,
        }
    }
}

/// Why there are no clients.
#[derive(Debug, thiserror::Error)]
pub enum ClientsError {
    /// The TLS library refuses its settings.
    #[error("TLS cannot be set up: {0}")]
    Tls(#[from] rustls::Error),
    /// The HTTP client refuses its settings.
    #[error("the HTTP client cannot be set up: {0}")]
    Client(#[from] reqwest::Error),
}

/// The roots that are compiled in: the image has no others.
pub fn bundled_roots() -> RootCertStore {
    RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() }
}

fn tls(roots: RootCertStore) -> Result<ClientConfig, rustls::Error> {
    let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}

/// The client sends a request again by itself only when an HTTP/2 receiver said that it has not looked at it.
fn client(guard: Guard, tls: ClientConfig) -> reqwest::Result<Client> {
    Client::builder()
        .tls_backend_preconfigured(tls)
        .dns_resolver(guard)
        .connector_layer(TimedLayer)
        .redirect(redirect::Policy::none())
        .no_proxy()
        .referer(false)
        .connect_timeout(CONNECT_TIMEOUT)
        .pool_idle_timeout(POOL_IDLE)
        .pool_max_idle_per_host(POOL_IDLE_PER_HOST)
        .http2_keep_alive_interval(PING_EVERY)
        .http2_keep_alive_timeout(PING_TIMEOUT)
        .http2_initial_stream_window_size(STREAM_WINDOW_BYTES)
        .http2_initial_connection_window_size(CONNECTION_WINDOW_BYTES)
        .build()
}
