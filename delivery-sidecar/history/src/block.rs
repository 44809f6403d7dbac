//! What is known in memory of a block of rows: enough to pass by those that cannot hold what is looked for.

use crate::{
    row::{Hashes, ROW_BYTES, Row, hash},
    types::{Filter, Key, Status},
};

/// Rows of a block.
pub const BLOCK_ROWS: usize = 1024;
/// Its bytes.
pub const BLOCK_BYTES: usize = BLOCK_ROWS * ROW_BYTES;

/// Some 2 KiB for 1,024 rows of 64 bytes.
#[derive(Clone, Debug)]
pub struct Block {
    /// Rows that are written, from the first on.
    pub rows: usize,
    /// The least and the greatest key.
    pub first: Key,
    pub last: Key,
    /// Its keys ascend.
    pub sorted: bool,
    /// When the first and the last of its events were accepted.
    pub oldest_ms: i64,
    pub newest_ms: i64,
    /// How many rows have each status.
    counts: [u16; Status::ALL.len()],
    /// The endpoints, ids, types and tenants that occur.
    words: Words,
}

/// A Bloom filter: says that a word is not there, or that it may be. With 1,024 rows that have nothing in common, it is
/// wrong in a tenth of the cases.
#[derive(Clone, Debug)]
struct Words(Box<[u64; WORDS]>);

/// 2 KiB.
const WORDS: usize = 256;

/// What a word is, so that the same text as an id and as a type is not the same word.
#[derive(Clone, Copy)]
enum Kind {
    Endpoint = 1,
    Id,
    Type,
    Tenant,
}

impl Words {
    fn new() -> Self {
        Self(Box::new([0; WORDS]))
    }

    fn add(&mut self, kind: Kind, hash: u32) {
        for (word, bit) in Self::places(kind, hash) {
            self.0[word] |= bit;
        }
    }

    fn may_have(&self, kind: Kind, hash: u32) -> bool {
        Self::places(kind, hash).into_iter().all(|(word, bit)| self.0[word] & bit != 0)
    }

    /// Two bits, which the hash spreads over the whole.
    fn places(kind: Kind, hash: u32) -> [(usize, u64); 2] {
        let spread = ((u64::from(hash) << 8) | kind as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        [spread >> 50, (spread >> 36) & 0x3fff].map(|place| {
            let word = usize::try_from(place / 64).unwrap_or(0);
            (word % WORDS, 1 << (place % 64))
        })
    }
}

impl Block {
    pub fn new() -> Self {
        Self {
            rows: 0,
            first: Key { seq: u64::MAX, endpoint: u32::MAX },
            last: Key { seq: 0, endpoint: 0 },
            sorted: true,
            oldest_ms: i64::MAX,
            newest_ms: i64::MIN,
            counts: [0; Status::ALL.len()],
            words: Words::new(),
        }
    }

    pub fn is_full(&self) -> bool {
        self.rows == BLOCK_ROWS
    }

    /// A row is written behind the others.
    pub fn add(&mut self, row: &Row) {
        self.sorted &= self.rows == 0 || self.last < row.key;
        self.rows += 1;
        self.first = self.first.min(row.key);
        self.last = self.last.max(row.key);
        self.oldest_ms = self.oldest_ms.min(row.accepted_ms);
        self.newest_ms = self.newest_ms.max(row.accepted_ms);
        self.counts[usize::from(row.status.code())] += 1;
        let Hashes { id, event_type, tenant } = row.hashes;
        let words =
            [(Kind::Endpoint, row.key.endpoint), (Kind::Id, id), (Kind::Type, event_type), (Kind::Tenant, tenant)];
        for (kind, hash) in words {
            self.words.add(kind, hash);
        }
    }

    /// A row has another status than before.
    pub fn change(&mut self, before: Status, after: Status) {
        self.counts[usize::from(before.code())] -= 1;
        self.counts[usize::from(after.code())] += 1;
    }

    /// How many rows have this status.
    pub fn count(&self, status: Status) -> u16 {
        self.counts[usize::from(status.code())]
    }

    /// Whether something may still happen to one of them by itself.
    pub fn is_unfinished(&self) -> bool {
        self.count(Status::Pending) > 0 || self.count(Status::Retrying) > 0
    }

    /// Whether a key may be in it.
    pub fn may_have(&self, key: Key) -> bool {
        self.first <= key && key <= self.last && self.words.may_have(Kind::Endpoint, key.endpoint)
    }

    /// Whether something that is wanted may be in it.
    pub fn may_match(&self, filter: &Filter) -> bool {
        let status = filter.status.is_none_or(|status| match status {
            // Rows do not say whether an attempt is in progress, or whether an endpoint is still there.
            Status::InFlight => self.is_unfinished(),
            Status::Dropped => self.is_unfinished() || self.count(status) > 0,
            _ => self.count(status) > 0,
        });
        let text = |wanted: &Option<String>, kind: Kind| {
            wanted.as_deref().is_none_or(|text| self.words.may_have(kind, hash(Some(text))))
        };
        status
            && filter.endpoint.is_none_or(|endpoint| self.words.may_have(Kind::Endpoint, endpoint))
            && text(&filter.event, Kind::Id)
            && text(&filter.event_type, Kind::Type)
            && text(&filter.tenant, Kind::Tenant)
            && filter.since_ms.is_none_or(|since| since <= self.newest_ms)
            && filter.until_ms.is_none_or(|until| self.oldest_ms < until)
    }
}
