//! The first bytes of a segment.

use super::bytes::Input;

/// Bytes of a header.
pub(crate) const LENGTH: usize = 36;
/// The version that this build writes.
pub(crate) const VERSION: u32 = 3;
/// The oldest version that it reads.
pub(crate) const OLDEST: u32 = 2;

const MAGIC: [u8; 8] = *b"POSTHJNL";

/// What a segment says about itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    /// The version of what is in it.
    pub(crate) version: u32,
    /// Where the checksums of its commits start from.
    pub(crate) salt: u32,
    /// The number of its first commit.
    pub(crate) first: u64,
    /// When it was made.
    pub(crate) created_ms: i64,
}

/// Why a header was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    Version(u32),
    Damaged(&'static str),
}

impl Header {
    pub(crate) fn encode(&self) -> [u8; LENGTH] {
        let mut out = [0; LENGTH];
        out[..8].copy_from_slice(&MAGIC);
        out[8..12].copy_from_slice(&self.version.to_le_bytes());
        out[12..16].copy_from_slice(&self.salt.to_le_bytes());
        out[16..24].copy_from_slice(&self.first.to_le_bytes());
        out[24..32].copy_from_slice(&self.created_ms.to_le_bytes());
        let checksum = crc32c::crc32c(&out[..32]);
        out[32..].copy_from_slice(&checksum.to_le_bytes());
        out
    }

    /// Magic and version stay where they are in all versions, so the version is looked at before anything else.
    pub(crate) fn decode(bytes: &[u8; LENGTH]) -> Result<Self, Refused> {
        let malformed = |_| Refused::Damaged("the header is too short");
        let mut input = Input(bytes);
        if input.array().map_err(malformed)? != MAGIC {
            return Err(Refused::Damaged("this is not a segment of a journal"));
        }
        let version = u32::from_le_bytes(input.array().map_err(malformed)?);
        if !(OLDEST..=VERSION).contains(&version) {
            return Err(Refused::Version(version));
        }
        let header = Self {
            version,
            salt: u32::from_le_bytes(input.array().map_err(malformed)?),
            first: u64::from_le_bytes(input.array().map_err(malformed)?),
            created_ms: i64::from_le_bytes(input.array().map_err(malformed)?),
        };
        if header.encode() == *bytes { Ok(header) } else { Err(Refused::Damaged("the header's checksum is wrong")) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_changed_header_is_refused() {
        let header = Header { version: VERSION, salt: 5, first: 6, created_ms: 7 };
        let bytes = header.encode();
        assert_eq!(Header::decode(&bytes), Ok(header));
        for at in 0..LENGTH {
            let mut changed = bytes;
            changed[at] ^= 0x10;
            assert!(Header::decode(&changed).is_err(), "byte {at}");
        }
    }

    #[test]
    fn an_older_version_is_read_and_others_are_named() {
        for version in [0, 1, 2, 3, 4] {
            let header = Header { version, salt: 5, first: 6, created_ms: 7 };
            let expected = if matches!(version, 2 | 3) { Ok(header) } else { Err(Refused::Version(version)) };
            assert_eq!(Header::decode(&header.encode()), expected);
        }
    }
}
