//! The symmetric scheme of [Standard Webhooks](https://github.com/standard-webhooks/standard-webhooks), version `v1`:
//! HMAC-SHA256 over `<id>.<timestamp>.<body>`, in base64.

use std::io::Write;

use base64::{Engine, engine::general_purpose::STANDARD};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::SymmetricKey;

/// Name of the header that carries the event's id.
pub const ID_HEADER: &str = "webhook-id";
/// Name of the header that carries the time of the attempt, in seconds since the Unix epoch.
pub const TIMESTAMP_HEADER: &str = "webhook-timestamp";
/// Name of the header that carries the signatures.
pub const SIGNATURE_HEADER: &str = "webhook-signature";

/// Names the scheme before each signature.
const PREFIX: &str = "v1,";
/// Base64 of 32 bytes.
const ENCODED_BYTES: usize = 44;
/// Digits and sign of an `i64`.
const TIMESTAMP_BYTES: usize = 20;

/// The value of [`SIGNATURE_HEADER`]: one signature a key, in the order of the keys, separated by spaces. A receiver
/// accepts the message when any of them verifies, which is what lets keys be changed without a gap. Empty when there
/// are no keys: an unsigned message is the caller's decision, not this function's.
///
/// `timestamp_seconds` is the attempt's time since the Unix epoch, the same number as in [`TIMESTAMP_HEADER`].
pub fn sign<'k>(keys: impl Iterator<Item = &'k SymmetricKey>, id: &str, timestamp_seconds: i64, body: &[u8]) -> String {
    let mut digits = [0; TIMESTAMP_BYTES];
    let timestamp = decimal(timestamp_seconds, &mut digits);

    let (least, most) = keys.size_hint();
    let mut signatures = String::with_capacity(most.unwrap_or(least) * (1 + PREFIX.len() + ENCODED_BYTES));
    for key in keys {
        if !signatures.is_empty() {
            signatures.push(' ');
        }
        signatures.push_str(PREFIX);
        STANDARD.encode_string(authenticate(key, &[id.as_bytes(), b".", timestamp, b".", body]), &mut signatures);
    }
    signatures
}

/// HMAC-SHA256 over the parts as if they were one.
fn authenticate(key: &SymmetricKey, parts: &[&[u8]]) -> [u8; 32] {
    let mut mac = Hmac::<Sha256>::new_from_slice(key.bytes()).expect("HMAC takes keys of any length");
    for part in parts {
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}

/// Writes a number without allocating.
fn decimal(number: i64, digits: &mut [u8; TIMESTAMP_BYTES]) -> &[u8] {
    let mut rest = &mut digits[..];
    write!(rest, "{number}").expect("an i64 has at most 20 characters");
    let used = TIMESTAMP_BYTES - rest.len();
    &digits[..used]
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderValue};
    use proptest::prelude::*;

    use super::*;

    /// The example that the scheme's authors publish with their libraries.
    const KEY: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    const ID: &str = "msg_p5jXN8AQM9LWM0D4loKWxJek";
    const TIMESTAMP: i64 = 1_614_265_330;
    const BODY: &[u8] = br#"{"test": 2432232314}"#;
    const SIGNATURE: &str = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";

    fn key(bytes: &[u8]) -> SymmetricKey {
        SymmetricKey::from_bytes(bytes).unwrap()
    }

    #[test]
    fn the_published_example_is_signed_as_published() {
        let key = SymmetricKey::from_whsec(KEY).unwrap();
        assert_eq!(sign([&key].into_iter(), ID, TIMESTAMP, BODY), SIGNATURE);
    }

    /// RFC 4231, test cases 1, 2 and 6 (a key longer than SHA-256's block).
    #[test]
    fn the_mac_is_that_of_rfc_4231() {
        let cases: [(&[u8], &[u8], &str); 3] = [
            (&[0x0b; 20], b"Hi There", "sDRMYdjbOFNcqK/OrwvxK4gdwgDJgz2nJuk3bC4yz/c="),
            (b"Jefe", b"what do ya want for nothing?", "W9zBRr9gdU5qBCQmCJV1x1oAPwidJzmDnexYuWTsOEM="),
            (
                &[0xaa; 131],
                b"Test Using Larger Than Block-Size Key - Hash Key First",
                "YOQxWR7gtn8Niiaqy/W3f44LxiE3KMUUBUYEDw7jf1Q=",
            ),
        ];
        for (bytes, message, expected) in cases {
            assert_eq!(STANDARD.encode(authenticate(&key(bytes), &[message])), expected);
        }
    }

    #[test]
    fn several_keys_give_several_signatures_in_their_order() {
        let (new, old) = (key(b"the new key"), key(b"the old key"));
        let both = sign([&new, &old].into_iter(), ID, TIMESTAMP, BODY);
        let each = [&new, &old].map(|key| sign([key].into_iter(), ID, TIMESTAMP, BODY));
        assert_eq!(both, each.join(" "));
        assert_eq!(sign(std::iter::empty(), ID, TIMESTAMP, BODY), "");
    }

    #[test]
    fn the_result_is_allocated_once() {
        let key = key(b"a key");
        let signatures = sign([&key, &key, &key].into_iter(), ID, TIMESTAMP, BODY);
        assert_eq!(signatures.len(), 3 * (PREFIX.len() + ENCODED_BYTES) + 2);
        assert!(signatures.capacity() <= 3 * (1 + PREFIX.len() + ENCODED_BYTES));
    }

    #[test]
    fn numbers_are_written_in_full() {
        for number in [0, 1, -1, i64::MAX, i64::MIN] {
            assert_eq!(decimal(number, &mut [0; TIMESTAMP_BYTES]), number.to_string().as_bytes());
        }
    }

    proptest! {
        #[test]
        fn an_independent_library_computes_the_same(
            bytes in proptest::collection::vec(any::<u8>(), 1..=80),
            id in "[!-~]{1,64}",
            timestamp in any::<i64>(),
            body in "\\PC*",
        ) {
            let theirs = standardwebhooks::Webhook::from_bytes(bytes.clone()).unwrap();
            prop_assert_eq!(
                sign([&key(&bytes)].into_iter(), &id, timestamp, body.as_bytes()),
                theirs.sign(&id, timestamp, body.as_bytes()).unwrap()
            );
        }
    }

    #[test]
    fn an_independent_library_verifies_either_of_two_keys() {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
        let now = i64::try_from(now).unwrap();
        let signatures = sign([&key(b"the new key"), &key(b"the old key")].into_iter(), ID, now, BODY);
        let mut headers = HeaderMap::new();
        headers.insert(ID_HEADER, HeaderValue::from_static(ID));
        headers.insert(TIMESTAMP_HEADER, HeaderValue::from(now));
        headers.insert(SIGNATURE_HEADER, signatures.parse().unwrap());

        for (bytes, verifies) in [("the new key", true), ("the old key", true), ("another key", false)] {
            let receiver = standardwebhooks::Webhook::from_bytes(bytes.into()).unwrap();
            assert_eq!(receiver.verify(BODY, &headers).is_ok(), verifies, "{bytes}");
        }
        let receiver = standardwebhooks::Webhook::from_bytes("the new key".into()).unwrap();
        assert!(receiver.verify(b"another body", &headers).is_err());
    }
}
