//! What the end-to-end tests share: a receiver that verifies with an independent library, and the cluster.

pub mod cluster;
pub mod demo;
pub mod receiver;

/// A client that trusts this certificate, in PEM, and no other.
///
/// # Errors
/// When it is none.
pub fn trusting_client(certificate: &str) -> reqwest::Result<reqwest::Client> {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let certificate = reqwest::Certificate::from_pem(certificate.as_bytes())?;
    reqwest::Client::builder().no_proxy().tls_certs_only([certificate]).build()
}

/// A client for plain HTTP: it trusts no certificate and needs none on the machine.
pub fn plain_client() -> reqwest::Client {
    // reqwest wants a crypto provider even for plain HTTP; a second installation is refused, which is fine.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder()
        .no_proxy()
        .tls_certs_only([])
        .build()
        .expect("a client without special settings can be built")
}
