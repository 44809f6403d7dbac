//! The keys that sign.

use base64::{
    Engine,
    alphabet::STANDARD,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use posthaste_crds::{
    names,
    v1alpha1::{self, KeyEncoding, SecretKeyRef, WebhookEndpoint},
};
use zeroize::Zeroizing;

use super::{Lookup, Refusal, lookup::invalid_secret};
use crate::{Redacted, SigningKey};

/// Key in an endpoint's `<endpoint>-signing` Secret under which the operator keeps the generated signing key, written
/// as [`KeyEncoding::Whsec`].
pub const GENERATED_KEY: &str = "key";
/// Id of a generated key in status.
pub const GENERATED_KEY_ID: &str = "generated";
/// Shortest key in bytes: 128 bits, below which a key can be guessed.
pub const MIN_KEY_BYTES: usize = 16;
/// Longest key in bytes. HMAC hashes keys over 64 bytes down; more than this is a mistake, such as a certificate.
pub const MAX_KEY_BYTES: usize = 512;

const WHSEC_PREFIX: &str = "whsec_";
/// Standard Base64, padded or not: both are in use for signing keys.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Where the operator has to keep a generated key for this endpoint: `None` if the endpoint names keys of its own.
pub fn generated_key(endpoint: &WebhookEndpoint) -> Option<SecretKeyRef> {
    let given = endpoint.spec.settings.signing.as_ref().is_some_and(|signing| signing.keys.is_some());
    let name = endpoint.metadata.name.as_deref().unwrap_or_default();
    (!given).then(|| SecretKeyRef { name: names::signing_secret(name), key: GENERATED_KEY.to_owned() })
}

/// The keys of an endpoint in order, each decoded or refused.
pub(super) fn resolve<'a>(
    endpoint: &'a WebhookEndpoint,
    lookup: &'a Lookup,
) -> impl Iterator<Item = Result<SigningKey, Refusal>> + 'a {
    let given = endpoint.spec.settings.signing.iter().flat_map(|signing| signing.keys.iter().flatten());
    let generated = generated_key(endpoint).map(|secret_key_ref| v1alpha1::SigningKey {
        id: GENERATED_KEY_ID.to_owned(),
        encoding: KeyEncoding::Whsec,
        secret_key_ref,
        not_after: None,
    });
    let field = |key: &v1alpha1::SigningKey| format!("signing.keys ({:?})", key.id);
    given
        .map(move |key| decode(&field(key), key, lookup))
        .chain(generated.into_iter().map(move |key| decode("signing, generated key", &key, lookup)))
}

fn decode(field: &str, key: &v1alpha1::SigningKey, lookup: &Lookup) -> Result<SigningKey, Refusal> {
    let reference = &key.secret_key_ref;
    let invalid = |must: &str| invalid_secret(field, reference, must);
    let decoded = match key.encoding {
        KeyEncoding::Raw => Zeroizing::new(lookup.secret(field, reference)?.to_vec()),
        KeyEncoding::Base64 => from_base64(lookup.secret_text(field, reference)?)
            .ok_or_else(|| invalid("must be base64, as encoding: Base64 says"))?,
        KeyEncoding::Whsec => {
            let text = lookup.secret_text(field, reference)?;
            let encoded = text.strip_prefix(WHSEC_PREFIX).ok_or_else(|| {
                invalid("must begin with whsec_; for a key without it set encoding: Base64 or encoding: Raw")
            })?;
            from_base64(encoded).ok_or_else(|| invalid("must be whsec_ and then base64"))?
        }
    };
    if !(MIN_KEY_BYTES..=MAX_KEY_BYTES).contains(&decoded.len()) {
        return Err(invalid(&format!("must be a key of {MIN_KEY_BYTES} to {MAX_KEY_BYTES} bytes")));
    }
    Ok(SigningKey {
        id: key.id.clone(),
        key: Redacted::new(BASE64.encode(&*decoded)),
        not_after: key.not_after.as_ref().map(|time| time.0),
    })
}

fn from_base64(text: &str) -> Option<Zeroizing<Vec<u8>>> {
    BASE64.decode(text).ok().map(Zeroizing::new)
}
