//! The hashes of the contract.

use sha2::{Digest, Sha256};

/// Hex digits of a revision: 64 bits, enough to tell any two revisions of one Webhook apart.
pub(crate) const REVISION_DIGITS: usize = 16;

/// SHA-256 in hex.
pub(crate) fn sha256_hex(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

/// A short hash that differs between keys even for equal content, so that revisions tell nothing about secrets to who
/// does not know the key. Each part is hashed before it is joined, so that no boundary can be shifted.
pub(crate) fn revision(key: &str, content: &[u8]) -> String {
    let mut hash = Sha256::new_with_prefix(Sha256::digest(key.as_bytes()));
    hash.update(Sha256::digest(content));
    let mut digits = hex(&hash.finalize());
    digits.truncate(REVISION_DIGITS);
    digits
}

/// Which of `count` parts a UID belongs to, the same in every release.
pub(crate) fn bucket(uid: &str, count: u8) -> u8 {
    let digest = Sha256::digest(uid.as_bytes());
    let number = digest.iter().take(8).fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
    u8::try_from(number % u64::from(count)).unwrap_or_default()
}

fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    bytes
        .iter()
        .flat_map(|byte| [DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]])
        .map(char::from)
        .collect()
}
