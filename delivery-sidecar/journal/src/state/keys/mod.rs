//! Idempotency keys that are remembered.

mod row;
mod table;

use row::Row;
use table::Table;

use crate::{IdempotencyKey, halves};

/// Bytes of a key on disk, as it would be written again.
pub(crate) const KEY_BYTES: u64 = 40;

/// How far from the order of their expiry keys may be: those who post at the same time are not told apart.
const TOGETHER_MS: i64 = 60_000;

/// A key that is remembered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Known {
    pub(crate) key: u128,
    /// The hash of the content, folded: of four billion conflicts, one is taken for a repetition.
    content: u32,
    pub(crate) expires_ms: i64,
    pub(crate) deliveries: u32,
    /// The id of the segment that has it.
    pub(crate) segment: u32,
}

impl Known {
    pub(crate) fn new(key: &IdempotencyKey, deliveries: u32, segment: u32) -> Self {
        let IdempotencyKey { key, content, expires_ms } = *key;
        Self { key, content: fold(content), expires_ms, deliveries, segment }
    }

    /// Whether an event with this key is the same one.
    pub(crate) fn has_content(&self, content: u64) -> bool {
        self.content == fold(content)
    }

    /// Whether it is this key of this event.
    pub(crate) fn is(&self, key: &IdempotencyKey) -> bool {
        self.key == key.key && self.expires_ms == key.expires_ms && self.has_content(key.content)
    }
}

fn fold(content: u64) -> u32 {
    halves::low(content) ^ halves::high(content)
}

/// Keys in order of their coming, and a table to find them: 32 bytes a key when there are as many as there may be.
#[derive(Debug)]
pub(crate) struct Keys {
    most: usize,
    /// While a journal is opened, keys come out of order, so some more are kept until they can be sorted.
    loading: bool,
    row: Row,
    table: Table,
}

impl Keys {
    /// Remembers at most `most` keys, but far fewer than the table can tell apart.
    pub(crate) fn new(most: usize) -> Self {
        let most = most.min(1 << 30);
        Self { most, loading: true, row: Row::default(), table: Table::new(most) }
    }

    /// What is remembered of a key, expired or not.
    pub(crate) fn get(&self, key: u128) -> Option<Known> {
        self.row.get(self.table.find(&self.row, halves::of(key))?)
    }

    /// Remembers a key. What is forgotten for it (the one that it replaces, or the oldest) goes to `forgotten`.
    pub(crate) fn insert(&mut self, known: &Known, mut forgotten: impl FnMut(Known)) {
        if let Some(before) = self.table.find(&self.row, halves::of(known.key)) {
            self.remove(before, &mut forgotten);
        }
        let position = self.row.push(known);
        self.table.insert(&self.row, position);
        if !self.loading {
            self.trim(forgotten);
        } else if self.row.len() > self.most + self.most / 4 {
            self.sort();
            self.trim(forgotten);
        }
    }

    fn trim(&mut self, mut forgotten: impl FnMut(Known)) {
        while self.row.len() > self.most {
            let Some(oldest) = self.row.oldest() else { return };
            self.remove(oldest, &mut forgotten);
        }
    }

    /// Ends the time in which keys come out of order.
    pub(crate) fn loaded(&mut self, forgotten: impl FnMut(Known)) {
        self.sort();
        self.trim(forgotten);
        self.table.shrink(&self.row);
        self.loading = false;
    }

    fn remove(&mut self, position: u64, forgotten: &mut impl FnMut(Known)) {
        if let Some(known) = self.row.get(position) {
            self.table.remove(halves::of(known.key), position);
            self.row.remove(position);
            forgotten(known);
        }
    }

    /// Says that a key is in another segment now. Returns the one that it was in.
    pub(crate) fn moved(&mut self, key: u128, segment: u32) -> Option<u32> {
        self.row.moved(self.table.find(&self.row, halves::of(key))?, segment)
    }

    /// Forgets expired keys from the oldest on. A key behind one that lives longer stays for that long.
    pub(crate) fn forget_expired(&mut self, now_ms: i64, mut forgotten: impl FnMut(Known)) {
        while let Some(oldest) = self.row.oldest() {
            if self.row.get(oldest).is_some_and(|known| known.expires_ms > now_ms) {
                return;
            }
            self.remove(oldest, &mut forgotten);
        }
    }

    /// Brings keys into order of their expiry: those that were copied to a later segment are read later than they came.
    fn sort(&mut self) {
        let mut latest = i64::MIN;
        let mut is_in_order = |known: Known| {
            latest = latest.max(known.expires_ms);
            known.expires_ms >= latest.saturating_sub(TOGETHER_MS)
        };
        if self.row.iter().all(&mut is_in_order) {
            return;
        }
        let mut all: Vec<Known> = self.row.iter().collect();
        all.sort_by_key(|known| known.expires_ms);
        self.row = Row::default();
        self.table.clear();
        for known in all {
            let position = self.row.push(&known);
            self.table.insert(&self.row, position);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(key: u128, expires_ms: i64) -> Known {
        Known::new(&IdempotencyKey { key, content: 1, expires_ms }, 2, 3)
    }

    fn filled(most: usize, keys: &[(u128, i64)]) -> (Keys, Vec<u128>) {
        let (mut table, mut forgotten) = (Keys::new(most), Vec::new());
        table.loaded(|_| {});
        for (key, expires_ms) in keys {
            table.insert(&known(*key, *expires_ms), |known| forgotten.push(known.key));
        }
        (table, forgotten)
    }

    #[test]
    fn over_the_limit_the_oldest_is_forgotten() {
        let (keys, forgotten) = filled(2, &[(1, 10), (2, 10), (3, 10)]);
        assert_eq!(forgotten, [1]);
        assert!(keys.get(1).is_none());
        assert_eq!(keys.get(3), Some(known(3, 10)));
        assert_eq!(keys.row.len(), 2);
    }

    #[test]
    fn a_key_that_comes_again_is_the_youngest() {
        let (keys, forgotten) = filled(2, &[(1, 10), (2, 10), (1, 20), (3, 30)]);
        assert_eq!(forgotten, [1, 2]);
        assert_eq!(keys.get(1), Some(known(1, 20)));
    }

    #[test]
    fn expired_keys_are_forgotten_from_the_oldest_on() {
        let (mut keys, _) = filled(9, &[(1, 10), (2, 11), (3, 30), (4, 12)]);
        let mut forgotten = Vec::new();
        keys.forget_expired(12, |known| forgotten.push(known.key));
        assert_eq!(forgotten, [1, 2]);
    }

    #[test]
    fn no_key_is_remembered_when_none_may_be() {
        let (keys, forgotten) = filled(0, &[(1, 10)]);
        assert_eq!(forgotten, [1]);
        assert_eq!(keys.row.len(), 0);
    }

    #[test]
    fn keys_that_come_out_of_order_are_forgotten_in_order() {
        let (mut keys, mut forgotten) = (Keys::new(3), Vec::new());
        for key in [70, 80, 90, 10, 20, 60, 75] {
            keys.insert(&known(key, i64::try_from(key).unwrap() * TOGETHER_MS), |known| forgotten.push(known.key));
        }
        assert_eq!(forgotten, [10, 20, 60, 70], "over the limit it does not wait");
        keys.loaded(|_| {});
        assert!([75, 80, 90].iter().all(|key| keys.get(*key).is_some()));
    }

    #[test]
    fn keys_that_differ_in_one_half_are_told_apart_after_sorting_and_growing() {
        let all: Vec<_> = (0..5000_u32).map(|n| (u128::from(n + 1) << (n % 2 * 64), i64::from(n % 97))).collect();
        let (mut keys, _) = filled(10_000, &all);
        keys.loaded(|_| {});
        for (key, expires_ms) in &all {
            assert_eq!(keys.get(*key), Some(known(*key, *expires_ms)));
        }
        assert_eq!(keys.moved(1, 8), Some(3));
        assert_eq!(keys.get(1).map(|known| known.segment), Some(8));
    }

    #[test]
    fn a_conflict_is_told_from_a_repetition() {
        let key = IdempotencyKey { key: 1, content: 0x1234_5678_9abc_def0, expires_ms: 5 };
        let known = Known::new(&key, 2, 3);
        assert!(known.is(&key) && known.has_content(key.content));
        for other in [key.content + 1, key.content ^ (1 << 63), 0] {
            assert!(!known.has_content(other));
        }
        assert!(!known.is(&IdempotencyKey { expires_ms: 6, ..key }) && !known.is(&IdempotencyKey { key: 2, ..key }));
    }
}
