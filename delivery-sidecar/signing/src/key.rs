//! Symmetric keys and the ways in which they are written down.

use base64::{
    Engine,
    alphabet::STANDARD,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use zeroize::{ZeroizeOnDrop, Zeroizing};

/// Most bytes of a key. HMAC hashes a longer key to 32 bytes anyway; what is longer is not a key but a mistake, such
/// as a whole certificate.
pub const MAX_KEY_BYTES: usize = 1024;

/// What Standard Webhooks writes before a symmetric key in base64.
const WHSEC: &str = "whsec_";

/// Base64 of the standard alphabet, with or without padding: both are found in the wild.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// A symmetric key. `Debug` hides it; its memory is cleared when it is dropped.
#[derive(Clone, ZeroizeOnDrop)]
pub struct SymmetricKey(Vec<u8>);

/// Why something is not a key. Says nothing of the key itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// Not a single byte.
    #[error("the key is empty")]
    Empty,
    /// More than [`MAX_KEY_BYTES`].
    #[error("the key is longer than {MAX_KEY_BYTES} bytes")]
    TooLong,
    /// Without the prefix of a Standard Webhooks key.
    #[error("the key does not begin with whsec_")]
    NoPrefix,
    /// Not base64 of the standard alphabet.
    #[error("the key is not base64 (of the alphabet with + and /)")]
    NotBase64,
}

impl SymmetricKey {
    /// A key of these very bytes: 1 to [`MAX_KEY_BYTES`].
    ///
    /// # Errors
    /// [`KeyError::Empty`] and [`KeyError::TooLong`].
    pub fn from_bytes(bytes: impl Into<Vec<u8>>) -> Result<Self, KeyError> {
        let key = Self(bytes.into());
        match key.0.len() {
            0 => Err(KeyError::Empty),
            1..=MAX_KEY_BYTES => Ok(key),
            _ => Err(KeyError::TooLong),
        }
    }

    /// A key written in base64, padded or not. White space around it is ignored, since `kubectl create secret
    /// --from-file` keeps the line break at a file's end.
    ///
    /// # Errors
    /// [`KeyError::NotBase64`], and those of [`Self::from_bytes`].
    pub fn from_base64(text: &str) -> Result<Self, KeyError> {
        let text = text.trim_ascii();
        if text.len() > base64::encoded_len(MAX_KEY_BYTES, true).unwrap_or(usize::MAX) {
            return Err(KeyError::TooLong);
        }
        let mut bytes = Zeroizing::new(vec![0; base64::decoded_len_estimate(text.len())]);
        let length = BASE64.decode_slice(text, &mut bytes).map_err(|_| KeyError::NotBase64)?;
        Self::from_bytes(&bytes[..length])
    }

    /// A key as Standard Webhooks writes it: `whsec_` and then base64, as [`Self::from_base64`] reads it.
    ///
    /// # Errors
    /// [`KeyError::NoPrefix`], and those of [`Self::from_base64`].
    pub fn from_whsec(text: &str) -> Result<Self, KeyError> {
        Self::from_base64(text.trim_ascii().strip_prefix(WHSEC).ok_or(KeyError::NoPrefix)?)
    }

    /// The bytes, for the schemes of this crate only.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.0
    }
}

impl std::fmt::Debug for SymmetricKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("[redacted]")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WRITTEN: &str = "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

    #[test]
    fn the_three_spellings_of_a_key_are_the_same_key() {
        let bytes = base64::engine::general_purpose::STANDARD.decode(WRITTEN).unwrap();
        let raw = SymmetricKey::from_bytes(bytes).unwrap();
        assert_eq!(raw.bytes(), SymmetricKey::from_base64(WRITTEN).unwrap().bytes());
        assert_eq!(raw.bytes(), SymmetricKey::from_whsec(&format!("whsec_{WRITTEN}")).unwrap().bytes());
    }

    #[test]
    fn padding_and_the_space_around_do_not_matter() {
        for text in ["a2V5cw==", "a2V5cw", "a2V5cw==\n", "  a2V5cw\r\n"] {
            assert_eq!(SymmetricKey::from_base64(text).unwrap().bytes(), b"keys", "{text:?}");
        }
        assert_eq!(SymmetricKey::from_whsec("whsec_a2V5cw==\n").unwrap().bytes(), b"keys");
    }

    #[test]
    fn what_is_not_a_key_is_refused_with_the_reason() {
        let longest = base64::engine::general_purpose::STANDARD.encode([7; MAX_KEY_BYTES]);
        assert!(SymmetricKey::from_base64(&longest).is_ok());
        let too_long = base64::engine::general_purpose::STANDARD.encode([7; MAX_KEY_BYTES + 1]);
        for (result, expected) in [
            (SymmetricKey::from_bytes([]), KeyError::Empty),
            (SymmetricKey::from_bytes([7; MAX_KEY_BYTES + 1]), KeyError::TooLong),
            (SymmetricKey::from_base64(""), KeyError::Empty),
            (SymmetricKey::from_base64("not base64"), KeyError::NotBase64),
            (SymmetricKey::from_base64("_-__"), KeyError::NotBase64),
            (SymmetricKey::from_base64(&too_long), KeyError::TooLong),
            (SymmetricKey::from_base64(&"a".repeat(1 << 20)), KeyError::TooLong),
            (SymmetricKey::from_whsec(WRITTEN), KeyError::NoPrefix),
            (SymmetricKey::from_whsec("whsec_"), KeyError::Empty),
        ] {
            assert_eq!(result.unwrap_err(), expected);
        }
    }

    #[test]
    fn debug_hides_the_key() {
        assert_eq!(format!("{:?}", SymmetricKey::from_bytes(*b"secret").unwrap()), "[redacted]");
    }
}
