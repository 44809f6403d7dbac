//! Whether a certificate and a key can be used together: asked by whoever writes the configuration, so that the operator
//! can say it, and by whoever serves with them.

use std::sync::Arc;

use rustls::{
    Error, InconsistentKeys,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    sign::CertifiedKey,
};

use crate::TlsPair;

/// Why a pair cannot be used. Shows nothing of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PairError {
    /// `tls.crt` holds no certificate, or is damaged.
    #[error("tls.crt must hold certificates in PEM, the server's own first")]
    Certificates,
    /// `tls.key` holds no key, or one that is protected by a passphrase.
    #[error("tls.key must hold a private key in PEM, without a passphrase")]
    Key,
    /// The key is of a kind that is not known.
    #[error("tls.key must be an RSA key of at least 2048 bits, or an ECDSA P-256 or P-384 or Ed25519 key")]
    KeyKind,
    /// They do not belong together.
    #[error("tls.key is not the key of the first certificate in tls.crt")]
    Mismatch,
}

impl TlsPair {
    /// The pair as TLS needs it.
    ///
    /// # Errors
    /// See [`PairError`]. Names and validity of the certificate are the client's to judge.
    pub fn certified_key(&self) -> Result<Arc<CertifiedKey>, PairError> {
        let certificates = CertificateDer::pem_slice_iter(self.certificates.as_bytes()).collect::<Result<Vec<_>, _>>();
        let certificates = certificates.map_err(|_| PairError::Certificates)?;
        if certificates.is_empty() {
            return Err(PairError::Certificates);
        }
        let key = PrivateKeyDer::from_pem_slice(self.private_key.expose().as_bytes()).map_err(|_| PairError::Key)?;
        let provider = ring::default_provider();
        let key = provider.key_provider.load_private_key(key).map_err(|_| PairError::KeyKind)?;
        let certified = CertifiedKey::new(certificates, key);
        match certified.keys_match() {
            // Of some keys the public part cannot be told from the private one; a handshake would show it.
            Ok(()) | Err(Error::InconsistentKeys(InconsistentKeys::Unknown)) => Ok(Arc::new(certified)),
            Err(Error::InconsistentKeys(_)) => Err(PairError::Mismatch),
            Err(_) => Err(PairError::Certificates),
        }
    }
}
