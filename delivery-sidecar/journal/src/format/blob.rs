//! An event's content as it is read back: checksum, the endpoints that it was for, payload.
//!
//! It checks itself, because [`crate::Journal::read`] reads it alone. The checksum starts from the event's number, so that
//! another event's blob is not taken for this one.

use bytes::Bytes;

use super::bytes::{Input, Malformed, put_ordinals};
use crate::{Ordinal, Seq};

const CHECKSUM: usize = 4;

/// Appends a blob and returns its length.
pub(crate) fn put(out: &mut Vec<u8>, seq: Seq, deliveries: &[Ordinal], payload: &[u8]) -> usize {
    let start = out.len();
    out.extend_from_slice(&[0; CHECKSUM]);
    put_ordinals(out, deliveries);
    out.extend_from_slice(payload);
    let checksum = checksum(seq, &out[start + CHECKSUM..]);
    out[start..start + CHECKSUM].copy_from_slice(&checksum.to_le_bytes());
    out.len() - start
}

/// The length that a blob would have.
pub(crate) fn length(deliveries: &[Ordinal], payload: &[u8]) -> usize {
    let mut ordinals = Vec::new();
    put_ordinals(&mut ordinals, deliveries);
    CHECKSUM + ordinals.len() + payload.len()
}

fn checksum(seq: Seq, content: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(&seq.to_le_bytes()), content)
}

/// Whether a blob is what was written for this event.
pub(crate) fn is_intact(seq: Seq, blob: &[u8]) -> bool {
    let mut input = Input(blob);
    input.array().is_ok_and(|stored| u32::from_le_bytes(stored) == checksum(seq, input.0))
}

/// Gives a blob the checksum of its content.
#[cfg(any(test, feature = "testing"))]
pub(crate) fn repair_checksum(seq: Seq, blob: &mut [u8]) {
    if let Some((stored, content)) = blob.split_at_mut_checked(CHECKSUM) {
        stored.copy_from_slice(&checksum(seq, content).to_le_bytes());
    }
}

/// Endpoints and payload of an intact blob.
pub(crate) fn open(seq: Seq, blob: &Bytes) -> Result<(Vec<Ordinal>, Bytes), Malformed> {
    if !is_intact(seq, blob) {
        return Err(Malformed("the event's checksum is wrong"));
    }
    let mut input = Input(&blob[CHECKSUM..]);
    let deliveries = input.ordinals()?;
    let payload = blob.slice(blob.len() - input.0.len()..);
    Ok((deliveries, payload))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_blob_opens_for_its_own_event_only() {
        let mut out = vec![9];
        let deliveries = vec![Ordinal(3), Ordinal(900)];
        let length = put(&mut out, 7, &deliveries, b"content");
        let blob = Bytes::from(out).slice(1..);
        assert_eq!(blob.len(), length);
        assert_eq!(super::length(&deliveries, b"content"), length);
        assert_eq!(open(7, &blob), Ok((deliveries, Bytes::from_static(b"content"))));
        assert!(open(8, &blob).is_err());
        for at in 0..blob.len() {
            let mut flipped = blob.to_vec();
            flipped[at] ^= 4;
            assert!(!is_intact(7, &flipped), "byte {at}");
        }
        assert!(open(7, &Bytes::new()).is_err());
    }
}
