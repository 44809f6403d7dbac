//! What a Webhook's own fields refer to: the keys that producers send, and the certificate that they are shown.
//!
//! A reference that is missing or cannot be used hinders nothing else of the Webhook: it stays accepted and its endpoints
//! are delivered to. Condition `ResolvedRefs` says what is missing.

use posthaste_crds::{
    conditions::resolved_refs,
    v1alpha1::{SecretKeyRef, Webhook},
};

use super::{
    Lookup, Outcome, References, Refusal,
    keys::{MAX_KEY_BYTES, MIN_KEY_BYTES},
    lookup::{invalid_secret, without_line_end},
    outcome::all,
};
use crate::{IngestTls, Redacted, TlsPair, hash};

/// Most keys of producers that are used.
pub const MAX_BEARER_KEYS: usize = 64;

/// Keys of a Secret of type `kubernetes.io/tls`.
const CERTIFICATES: &str = "tls.crt";
const PRIVATE_KEY: &str = "tls.key";
/// A chain of a dozen large certificates.
const MAX_CERTIFICATES_BYTES: usize = 64 * 1024;
/// An RSA key of 8192 bits takes some 6 KiB.
const MAX_PRIVATE_KEY_BYTES: usize = 16 * 1024;

/// What the `ingest` of a Webhook refers to.
pub fn ingest_references(webhook: &Webhook) -> References {
    let mut references = References::default();
    references.whole_secrets.extend(bearer_keys_secret(webhook).map(str::to_owned));
    let key = |name: &str, key: &str| SecretKeyRef { name: name.to_owned(), key: key.to_owned() };
    let pair = tls_secret(webhook).map(|name| [key(name, CERTIFICATES), key(name, PRIVATE_KEY)]);
    references.secrets.extend(pair.into_iter().flatten());
    references
}

/// Condition `ResolvedRefs` of a Webhook. All of [`ingest_references`] must have been looked up.
pub fn resolved_refs(webhook: &Webhook, lookup: &Lookup) -> Outcome {
    let (_, mut refusals) = bearer_keys(webhook, lookup);
    if let Some(Err(refusal)) = tls_pair(webhook, lookup) {
        let Refusal { reason, message } = refusal;
        let message = format!("{message} (the last good certificate, if there was one, stays in use)");
        refusals.push(Refusal { reason, message });
    }
    if refusals.is_empty() {
        return Outcome::holds(resolved_refs::RESOLVED, "Everything that the Webhook refers to is there");
    }
    all(&refusals).into()
}

fn bearer_keys_secret(webhook: &Webhook) -> Option<&str> {
    let keys = webhook.spec.ingest.as_ref()?.bearer_keys.as_ref()?;
    Some(&keys.secret_ref.name)
}

/// Hashes of the keys that can be used, and what is wrong with the others. Without the Secret there are no keys: what was
/// deleted to lock producers out must lock them out.
pub(super) fn bearer_keys(webhook: &Webhook, lookup: &Lookup) -> (Vec<Redacted>, Vec<Refusal>) {
    const FIELD: &str = "ingest.bearerKeys.secretRef";
    let Some(name) = bearer_keys_secret(webhook) else { return (Vec::new(), Vec::new()) };
    let entries = match lookup.whole_secret(FIELD, name) {
        Ok(entries) => entries,
        Err(refusal) => return (Vec::new(), vec![refusal]),
    };
    let invalid = |message: String| Refusal::new(resolved_refs::INVALID_VALUE, format!("{FIELD}: {message}"));
    let (mut hashes, mut refusals) = (Vec::new(), Vec::new());
    if entries.is_empty() {
        refusals.push(invalid(format!("Secret {name:?} is empty; each of its entries is one key")));
    }
    if entries.len() > MAX_BEARER_KEYS {
        refusals.push(invalid(format!(
            "Secret {name:?} has {} entries; only the first {MAX_BEARER_KEYS} in order of name are used",
            entries.len()
        )));
    }
    for (entry, bytes) in entries.iter().take(MAX_BEARER_KEYS) {
        match str::from_utf8(bytes).map(without_line_end) {
            Ok(key) if is_key(key) => hashes.push(Redacted::new(hash::sha256_hex(key.as_bytes()))),
            _ => {
                let reference = SecretKeyRef { name: name.to_owned(), key: entry.clone() };
                let must = format!(
                    "must be {MIN_KEY_BYTES} to {MAX_KEY_BYTES} visible ASCII characters without spaces, such as what `openssl rand -hex 32` prints"
                );
                refusals.push(invalid_secret(FIELD, &reference, &must));
            }
        }
    }
    hashes.sort_by(|a, b| a.expose().cmp(b.expose()));
    (hashes, refusals)
}

/// What the sidecar serves with: the pair that is named, or while it cannot be used, the one before.
pub(super) fn tls(webhook: &Webhook, lookup: &Lookup, previous: Option<&IngestTls>) -> Option<IngestTls> {
    let before = || previous.and_then(|previous| previous.pair.clone());
    tls_pair(webhook, lookup).map(|pair| IngestTls { pair: pair.ok().or_else(before) })
}

/// The pair that is named, if one is.
fn tls_pair(webhook: &Webhook, lookup: &Lookup) -> Option<Result<TlsPair, Refusal>> {
    tls_secret(webhook).map(|name| read_pair(name, lookup))
}

fn tls_secret(webhook: &Webhook) -> Option<&str> {
    let tls = webhook.spec.ingest.as_ref()?.tls.as_ref()?;
    Some(&tls.secret_ref.name)
}

fn read_pair(name: &str, lookup: &Lookup) -> Result<TlsPair, Refusal> {
    const FIELD: &str = "ingest.tls.secretRef";
    let text = |key: &str, most: usize| {
        let reference = SecretKeyRef { name: name.to_owned(), key: key.to_owned() };
        let text = lookup.secret_text(FIELD, &reference)?;
        if text.len() > most {
            return Err(invalid_secret(FIELD, &reference, &format!("must be at most {most} bytes")));
        }
        Ok(text)
    };
    let pair = TlsPair {
        certificates: text(CERTIFICATES, MAX_CERTIFICATES_BYTES)?.to_owned(),
        private_key: Redacted::new(text(PRIVATE_KEY, MAX_PRIVATE_KEY_BYTES)?),
    };
    let unusable = |error| Refusal::new(resolved_refs::INVALID_VALUE, format!("{FIELD}: in Secret {name:?}, {error}"));
    pair.certified_key().map_err(unusable)?;
    Ok(pair)
}

fn is_key(text: &str) -> bool {
    (MIN_KEY_BYTES..=MAX_KEY_BYTES).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
}
