//! Whether connections are encrypted, and with which certificate. Swapped as a whole: new connections are made by what is
//! in force, and those that are there keep what they began with.

use std::sync::Arc;

use posthaste_delivery_config::{IngestTls, PairError};
use rustls::{
    ServerConfig,
    crypto::ring,
    server::{ClientHello, ResolvesServerCert},
    sign::CertifiedKey,
};

/// What a new connection speaks.
#[derive(Clone, Debug, Default)]
pub enum Encryption {
    /// Plain HTTP.
    #[default]
    Plain,
    /// HTTPS: TLS 1.2 or 1.3, and HTTP/2 or HTTP/1.1 as ALPN agrees on.
    Tls(Arc<ServerConfig>),
    /// It should be HTTPS, and there is no certificate: connections are closed. Plain HTTP would give away what was meant
    /// to be hidden.
    Unavailable,
}

impl Encryption {
    /// What a configuration asks for.
    ///
    /// # Errors
    /// When the pair cannot be used.
    pub fn new(tls: Option<&IngestTls>) -> Result<Self, PairError> {
        match tls.map(|tls| &tls.pair) {
            None => Ok(Self::Plain),
            Some(None) => Ok(Self::Unavailable),
            Some(Some(pair)) => Ok(Self::Tls(Arc::new(server(pair.certified_key()?)))),
        }
    }
}

fn server(certificate: Arc<CertifiedKey>) -> ServerConfig {
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("the provider has suites for both versions")
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(Always(certificate)));
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    config
}

/// The one certificate, whatever name a client asks for: it may come by any of the Service's names, or by an address.
#[derive(Debug)]
struct Always(Arc<CertifiedKey>);

impl ResolvesServerCert for Always {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0))
    }
}
