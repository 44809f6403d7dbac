//! What the journal keeps of an endpoint for the engine, and its form there.
//!
//! A byte for the version, then parts: a byte for the kind, and the part. What this build does not know says nothing: the
//! endpoint is then tried as if nothing had been remembered, and answers 410 again, say, if it is still gone.

use std::collections::VecDeque;

use bytes::{Buf, BufMut, Bytes};

use super::{
    exhausted::Exhausted,
    identity::Identity,
    rate::{Entry, Used},
};

const VERSION: u8 = 2;
const GONE: u8 = 1;
const WINDOW: u8 = 2;
const BUCKET: u8 = 3;
const MARKED: u8 = 4;
const STOPPED: u8 = 5;
const USED_UNTIL: u8 = 6;
const ENTRY_BYTES: usize = 12;

/// See the module. [`Used::Unknown`] is not kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Memo {
    /// It answered 410.
    pub gone: Option<Identity>,
    /// A delivery to it was given up.
    pub exhausted: Option<Exhausted>,
    /// What was used of its rate limit when the engine was asked to stop.
    pub used: Used,
    /// All attempts that ended up to this time are in `used`. Kept only with it.
    pub used_until_ms: i64,
}

impl Memo {
    /// As the journal keeps it; empty when there is nothing to remember. At most 856 bytes.
    pub fn to_bytes(&self) -> Bytes {
        let mut bytes = Vec::new();
        if let Some(gone) = self.gone {
            bytes.put_u8(GONE);
            put_identity(&mut bytes, gone);
        }
        match &self.used {
            Used::None | Used::Unknown { .. } => {}
            Used::Window(entries) => {
                bytes.put_u8(WINDOW);
                bytes.put_u8(u8::try_from(entries.len()).unwrap_or(u8::MAX));
                for entry in entries.iter().rev().take(u8::MAX.into()).rev() {
                    bytes.put_i64_le(entry.last_ms);
                    bytes.put_u32_le(entry.count);
                }
            }
            Used::Bucket { full_ns } => {
                bytes.put_u8(BUCKET);
                bytes.put_i128_le(*full_ns);
            }
        }
        if matches!(self.used, Used::Window(_) | Used::Bucket { .. }) {
            bytes.put_u8(USED_UNTIL);
            bytes.put_i64_le(self.used_until_ms);
        }
        match self.exhausted {
            None => {}
            Some(Exhausted::Marked) => bytes.put_u8(MARKED),
            Some(Exhausted::Stopped(of)) => {
                bytes.put_u8(STOPPED);
                put_identity(&mut bytes, of);
            }
        }
        if !bytes.is_empty() {
            bytes.insert(0, VERSION);
        }
        bytes.into()
    }

    /// From a memo, as far as it can be read.
    pub fn from_bytes(memo: &[u8]) -> Self {
        let mut read = Self::default();
        if let Some((&VERSION, mut parts)) = memo.split_first() {
            while read.part(&mut parts).is_some() {}
        }
        read
    }

    fn part(&mut self, bytes: &mut &[u8]) -> Option<()> {
        match bytes.try_get_u8().ok()? {
            GONE => self.gone = Some(identity(bytes)?),
            MARKED => self.exhausted = Some(Exhausted::Marked),
            STOPPED => self.exhausted = Some(Exhausted::Stopped(identity(bytes)?)),
            WINDOW => {
                let count = usize::from(bytes.try_get_u8().ok()?);
                let mut entries = VecDeque::with_capacity(count.min(bytes.len() / ENTRY_BYTES));
                for _ in 0..count {
                    let last_ms = bytes.try_get_i64_le().ok()?;
                    entries.push_back(Entry { first_ms: last_ms, last_ms, count: bytes.try_get_u32_le().ok()? });
                }
                self.used = Used::Window(entries);
            }
            BUCKET => self.used = Used::Bucket { full_ns: bytes.try_get_i128_le().ok()? },
            USED_UNTIL => self.used_until_ms = bytes.try_get_i64_le().ok()?,
            _ => return None,
        }
        Some(())
    }
}

fn put_identity(bytes: &mut Vec<u8>, of: Identity) {
    bytes.put_i64_le(of.generation);
    bytes.put_u64_le(of.url_fingerprint);
}

fn identity(bytes: &mut &[u8]) -> Option<Identity> {
    let generation = bytes.try_get_i64_le().ok()?;
    Some(Identity { generation, url_fingerprint: bytes.try_get_u64_le().ok()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn memos() -> Vec<Memo> {
        let gone = Some(Identity { generation: -7, url_fingerprint: u64::MAX - 1 });
        let entry = |at_ms| Entry { first_ms: at_ms, last_ms: at_ms, count: 3 };
        vec![
            Memo { gone, ..Memo::default() },
            Memo { exhausted: Some(Exhausted::Marked), ..Memo::default() },
            Memo {
                gone,
                exhausted: gone.map(Exhausted::Stopped),
                used: Used::Window((0..66).map(entry).collect()),
                used_until_ms: 99,
            },
            Memo { gone: None, exhausted: None, used: Used::Bucket { full_ns: 1 << 70 }, used_until_ms: 99 },
        ]
    }

    #[test]
    fn is_read_back_as_written_and_fits_into_the_journal() {
        for memo in memos() {
            let bytes = memo.to_bytes();
            assert_eq!(Memo::from_bytes(&bytes), memo);
            assert!(bytes.len() <= 1_024);
        }
        assert!(Memo::default().to_bytes().is_empty());
    }

    #[test]
    fn what_is_cut_or_unknown_says_nothing_and_harms_nothing() {
        assert_eq!(Memo::from_bytes(b""), Memo::default());
        assert_eq!(Memo::from_bytes(&[9; 17]), Memo::default());
        for memo in memos() {
            let bytes = memo.to_bytes();
            for length in 0..bytes.len() {
                let read = Memo::from_bytes(&bytes[..length]);
                assert!(read.gone.is_none() || read.gone == memo.gone);
                assert!(read.exhausted.is_none() || read.exhausted == memo.exhausted);
            }
        }
    }
}
