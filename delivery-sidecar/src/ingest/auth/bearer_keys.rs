//! Authorization by one of several keys, of which only hashes are known. No client and no clock.

use posthaste_delivery_config::Redacted;
use sha2::{Digest, Sha256};
use subtle::{Choice, ConstantTimeEq};

use super::Denied;

/// The keys that producers may send. `Debug` shows how many.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct BearerKeys {
    hashes: Vec<[u8; 32]>,
}

impl BearerKeys {
    /// From hashes as the configuration has them: SHA-256 in hex. A text that is none is a key that nobody has.
    pub fn new(hashes: &[Redacted]) -> Self {
        Self { hashes: hashes.iter().filter_map(|hash| from_hex(hash.expose())).collect() }
    }

    /// Lets in whoever sends one of the keys. Takes the same time whichever key it is and however much of one is right.
    ///
    /// # Errors
    /// `Unavailable` when there are no keys at all, so that producers keep their events until there are some.
    pub fn check(&self, key: Option<&str>) -> Result<(), Denied> {
        if self.hashes.is_empty() {
            return Err(Denied::Unavailable(
                "There are no keys to compare with: the Secret that spec.ingest.bearerKeys names is missing, or no entry \
                 of it can be used. Nothing was kept; try again."
                    .into(),
            ));
        }
        let key = key.filter(|key| !key.is_empty()).ok_or_else(|| {
            Denied::Unauthenticated(
                "The request has no key. Send Authorization: Bearer with one of the keys that the Webhook's owner gives out.".into(),
            )
        })?;
        let sent: [u8; 32] = Sha256::digest(key.as_bytes()).into();
        let known = self.hashes.iter().fold(Choice::from(0), |known, hash| known | hash.ct_eq(&sent));
        if known.into() {
            Ok(())
        } else {
            Err(Denied::Unauthenticated("The key is not one that is valid here.".into()))
        }
    }
}

impl std::fmt::Debug for BearerKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "BearerKeys({})", self.hashes.len())
    }
}

fn from_hex(text: &str) -> Option<[u8; 32]> {
    let mut hash = [0; 32];
    if text.len() != 2 * hash.len() || !text.is_ascii() {
        return None;
    }
    for (index, byte) in hash.iter_mut().enumerate() {
        *byte = u8::from_str_radix(text.get(2 * index..2 * index + 2)?, 16).ok()?;
    }
    Some(hash)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// SHA-256 of `0123456789abcdef` and of `fedcba9876543210`, as sha256sum prints them.
    const HASHES: [&str; 2] = [
        "9f9f5111f7b27a781f1f1ddde5ebc2dd2b796bfc7365c9c28b548e564176929f",
        "3465f6e6975baa864ca957f0914ecda9bf7eb601ac31ac20a5dc3d329279a843",
    ];

    fn keys() -> BearerKeys {
        BearerKeys::new(&HASHES.map(Redacted::new))
    }

    #[test]
    fn each_of_several_keys_is_let_in_and_nothing_else() {
        let keys = keys();
        for key in ["0123456789abcdef", "fedcba9876543210"] {
            assert_eq!(keys.check(Some(key)), Ok(()), "{key}");
        }
        for key in [None, Some(""), Some("0123456789abcde"), Some("0123456789abcdef0"), Some(HASHES[0])] {
            assert!(matches!(keys.check(key), Err(Denied::Unauthenticated(_))), "{key:?}");
        }
    }

    #[test]
    fn without_any_key_producers_are_asked_to_come_back() {
        for none in [BearerKeys::default(), BearerKeys::new(&["nonsense", ""].map(Redacted::new))] {
            assert!(matches!(none.check(Some("0123456789abcdef")), Err(Denied::Unavailable(_))));
        }
    }

    #[test]
    fn neither_keys_nor_hashes_are_shown() {
        assert_eq!(format!("{:?}", keys()), "BearerKeys(2)");
    }
}
