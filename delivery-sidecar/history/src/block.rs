//! What is known in memory of a block of rows: enough to pass by those that cannot hold what is looked for.

use crate::{
    row::{Hashes, ROW_BYTES, Row, hash},
    types::{Filter, Key, Status},
};

/// Rows of a block.
pub const BLOCK_ROWS: usize = 1024;
/// Its bytes.
pub const BLOCK_BYTES: usize = BLOCK_ROWS * ROW_BYTES;

/// Some 150 bytes for 1,024 rows.
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
    /// A bit for each endpoint, type and tenant that occurs; others share it.
    endpoints: u128,
    types: u128,
    tenants: u128,
}

fn bit(hash: u32) -> u128 {
    1 << (hash % 128)
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
            endpoints: 0,
            types: 0,
            tenants: 0,
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
        let Hashes { event_type, tenant, .. } = row.hashes;
        self.endpoints |= bit(row.key.endpoint);
        self.types |= bit(event_type);
        self.tenants |= bit(tenant);
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
        self.first <= key && key <= self.last && self.endpoints & bit(key.endpoint) != 0
    }

    /// Whether something that is wanted may be in it.
    pub fn may_match(&self, filter: &Filter) -> bool {
        let status = filter.status.is_none_or(|status| match status {
            // Rows do not say whether an attempt is in progress, or whether an endpoint is still there.
            Status::InFlight => self.is_unfinished(),
            Status::Dropped => self.is_unfinished() || self.count(status) > 0,
            _ => self.count(status) > 0,
        });
        let text = |wanted: &Option<String>, bits: u128| {
            wanted.as_deref().is_none_or(|text| bits & bit(hash(Some(text))) != 0)
        };
        status
            && filter.endpoint.is_none_or(|endpoint| self.endpoints & bit(endpoint) != 0)
            && text(&filter.event_type, self.types)
            && text(&filter.tenant, self.tenants)
            && filter.since_ms.is_none_or(|since| since <= self.newest_ms)
            && filter.until_ms.is_none_or(|until| self.oldest_ms < until)
    }
}
