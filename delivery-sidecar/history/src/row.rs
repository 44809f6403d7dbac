//! A delivery as a row of 64 bytes, which is written over when something happens to it.

use crate::{
    place::Place,
    types::{EventText, Key, Status},
};

/// Bytes of a row.
pub const ROW_BYTES: usize = 64;

/// Tells a row from space that was never written.
const MARK: u8 = 0xd1;

/// See the module.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row {
    pub key: Key,
    pub accepted_ms: i64,
    pub updated_ms: i64,
    /// The record of its event.
    pub event: Place,
    /// The record of its last attempt, which says where the one before is.
    pub last: Place,
    pub hashes: Hashes,
    pub attempts: u16,
    /// HTTP status of the last answer; 0 for none.
    pub code: u16,
    pub status: Status,
}

/// What rows are filtered by without reading their events. Equal texts have equal hashes, and others rarely.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Hashes {
    pub id: u32,
    pub event_type: u32,
    pub tenant: u32,
}

/// The hash of a text; 0 is that of none.
pub fn hash(text: Option<&str>) -> u32 {
    text.map_or(0, |text| crc32c::crc32c(text.as_bytes()).max(1))
}

impl Hashes {
    pub fn of(event: &EventText) -> Self {
        Self {
            id: hash(Some(&event.id)),
            event_type: hash(Some(&event.event_type)),
            tenant: hash(event.tenant.as_deref()),
        }
    }
}

impl Row {
    pub fn to_bytes(self) -> [u8; ROW_BYTES] {
        let mut bytes = [0; ROW_BYTES];
        bytes[0..8].copy_from_slice(&self.key.seq.to_le_bytes());
        bytes[8..12].copy_from_slice(&self.key.endpoint.to_le_bytes());
        bytes[12..14].copy_from_slice(&self.attempts.to_le_bytes());
        bytes[14..16].copy_from_slice(&self.code.to_le_bytes());
        bytes[16..24].copy_from_slice(&self.accepted_ms.to_le_bytes());
        bytes[24..32].copy_from_slice(&self.updated_ms.to_le_bytes());
        bytes[32..40].copy_from_slice(&self.event.to_bytes());
        bytes[40..48].copy_from_slice(&self.last.to_bytes());
        bytes[48..52].copy_from_slice(&self.hashes.id.to_le_bytes());
        bytes[52..56].copy_from_slice(&self.hashes.event_type.to_le_bytes());
        bytes[56..60].copy_from_slice(&self.hashes.tenant.to_le_bytes());
        bytes[60] = self.status.code();
        bytes[63] = MARK;
        bytes
    }

    /// `None` where no row was written.
    pub fn from_bytes(bytes: &[u8; ROW_BYTES]) -> Option<Self> {
        if bytes[63] != MARK {
            return None;
        }
        Some(Self {
            key: key(bytes),
            attempts: u16::from_le_bytes(part(bytes, 12)),
            code: u16::from_le_bytes(part(bytes, 14)),
            accepted_ms: i64::from_le_bytes(part(bytes, 16)),
            updated_ms: i64::from_le_bytes(part(bytes, 24)),
            event: Place::from_bytes(part(bytes, 32)),
            last: Place::from_bytes(part(bytes, 40)),
            hashes: Hashes {
                id: u32::from_le_bytes(part(bytes, 48)),
                event_type: u32::from_le_bytes(part(bytes, 52)),
                tenant: u32::from_le_bytes(part(bytes, 56)),
            },
            status: Status::from_code(bytes[60])?,
        })
    }
}

/// The key of a row, without the rest.
pub fn key(bytes: &[u8; ROW_BYTES]) -> Key {
    Key { seq: u64::from_le_bytes(part(bytes, 0)), endpoint: u32::from_le_bytes(part(bytes, 8)) }
}

fn part<const N: usize>(bytes: &[u8; ROW_BYTES], at: usize) -> [u8; N] {
    std::array::from_fn(|index| bytes[at + index])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_and_empty_space_is_no_row() {
        let row = Row {
            key: Key { seq: u64::MAX - 3, endpoint: 77 },
            accepted_ms: -1,
            updated_ms: i64::MAX,
            event: Place { file: 1, offset: 2 },
            last: Place { file: 3, offset: u32::MAX },
            hashes: Hashes { id: 1, event_type: 2, tenant: 3 },
            attempts: 9,
            code: 503,
            status: Status::Dropped,
        };
        assert_eq!(Row::from_bytes(&row.to_bytes()), Some(row));
        assert_eq!(key(&row.to_bytes()), row.key);
        assert_eq!(Row::from_bytes(&[0; ROW_BYTES]), None);
    }

    #[test]
    fn no_text_has_a_hash_of_its_own() {
        assert_eq!(hash(None), 0);
        assert_ne!(hash(Some("")), 0);
        assert_ne!(hash(Some("a")), hash(Some("b")));
    }
}
