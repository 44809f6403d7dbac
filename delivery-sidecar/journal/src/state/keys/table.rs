//! Where in the row a key is.

use hashbrown::HashTable;

use super::row::Row;
use crate::halves;

/// Keys for which a part is made: a little less than what fills 16,384 places. So a part that has all that it may have is
/// nearly full, and one that grows is small.
const PART: usize = 13_000;

/// The low halves of positions by the hashes of keys, in parts that grow one by one: 6 bytes a key when there are as many as
/// there may be.
#[derive(Debug)]
pub(super) struct Table {
    parts: Vec<HashTable<u32>>,
}

/// Keys are hashes already. Both halves count, in case a caller's fill one only.
fn hash([low, high]: [u64; 2]) -> u64 {
    (low ^ high.rotate_left(29)).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

/// The hash of the key at a position of the row.
fn hash_at(row: &Row, position: u64) -> u64 {
    row.key(position).map_or(0, hash)
}

/// The position whose low half is `low`: there are never so many keys that two have the same.
fn whole(oldest: u64, low: u32) -> u64 {
    oldest + u64::from(low.wrapping_sub(halves::low(oldest)))
}

impl Table {
    /// For so many keys at most.
    pub(super) fn new(most: usize) -> Self {
        Self { parts: (0..most.div_ceil(PART).max(1)).map(|_| HashTable::new()).collect() }
    }

    /// A part is chosen by other bits of the hash than a place in it.
    fn part(&self, hash: u64) -> usize {
        let bits = u64::from(halves::low(hash >> 20));
        usize::try_from((bits * self.parts.len() as u64) >> 32).unwrap_or(0)
    }

    /// The position of a key.
    pub(super) fn find(&self, row: &Row, key: [u64; 2]) -> Option<u64> {
        let (hash, oldest) = (hash(key), row.oldest()?);
        let is_it = |low: &u32| row.key(whole(oldest, *low)) == Some(key);
        self.parts[self.part(hash)].find(hash, is_it).map(|low| whole(oldest, *low))
    }

    /// Adds the key at a position of the row.
    pub(super) fn insert(&mut self, row: &Row, position: u64) {
        let hash = hash_at(row, position);
        let oldest = row.oldest().unwrap_or(position);
        let part = self.part(hash);
        self.parts[part].insert_unique(hash, halves::low(position), |low| hash_at(row, whole(oldest, *low)));
    }

    /// Removes a key that is still in the row.
    pub(super) fn remove(&mut self, key: [u64; 2], position: u64) {
        let (hash, low) = (hash(key), halves::low(position));
        let part = self.part(hash);
        if let Ok(entry) = self.parts[part].find_entry(hash, |other| *other == low) {
            entry.remove();
        }
    }

    /// Gives back memory that is not used.
    pub(super) fn shrink(&mut self, row: &Row) {
        let Some(oldest) = row.oldest() else { return self.clear() };
        for part in &mut self.parts {
            part.shrink_to_fit(|low| hash_at(row, whole(oldest, *low)));
        }
    }

    pub(super) fn clear(&mut self) {
        self.parts.fill_with(HashTable::new);
    }
}
