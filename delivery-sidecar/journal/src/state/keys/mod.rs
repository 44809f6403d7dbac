//! Idempotency keys that are remembered.

use hashbrown::HashTable;

use super::seq_map::SeqMap;
use crate::{IdempotencyKey, halves};

/// Bytes of a key on disk, as it would be written again.
pub(crate) const KEY_BYTES: u64 = 40;

/// A key that is remembered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Known {
    /// In two halves, because a `u128` would be aligned to 16 bytes.
    halves: [u64; 2],
    pub(crate) content: u64,
    pub(crate) expires_ms: i64,
    pub(crate) deliveries: u32,
    /// The id of the segment that has it.
    pub(crate) segment: u32,
}

impl Known {
    pub(crate) fn new(key: &IdempotencyKey, deliveries: u32, segment: u32) -> Self {
        Self { halves: halves::of(key.key), content: key.content, expires_ms: key.expires_ms, deliveries, segment }
    }

    pub(crate) fn key(&self) -> IdempotencyKey {
        let [low, high] = self.halves.map(u128::from);
        IdempotencyKey { key: (high << 64) | low, content: self.content, expires_ms: self.expires_ms }
    }

    fn hash(&self) -> u32 {
        hash(self.halves)
    }
}

/// Keys are hashes already. Both halves count, in case a caller's fill one only.
fn hash([low, high]: [u64; 2]) -> u32 {
    halves::low(low ^ high.rotate_left(29))
}

/// The table takes its bucket from the low bits and its tag from the high ones.
fn spread(hash: u32) -> u64 {
    u64::from(hash).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

/// In the table: where the key is, and its hash, so that the table grows without looking at keys.
#[derive(Clone, Copy, Debug)]
struct Slot {
    hash: u32,
    /// The low bits of the key's position.
    position: u32,
}

/// Keys in order of their coming, and a table to find them: about 60 bytes a key.
#[derive(Debug)]
pub(crate) struct Keys {
    most: usize,
    /// While a journal is opened, keys come out of order, so up to twice as many are kept until they can be sorted.
    loading: bool,
    order: SeqMap<Known>,
    next: u64,
    table: HashTable<Slot>,
}

impl Keys {
    /// Remembers at most `most` keys, but far fewer than a slot can tell apart.
    pub(crate) fn new(most: usize) -> Self {
        Self { most: most.min(1 << 30), loading: true, order: SeqMap::default(), next: 0, table: HashTable::new() }
    }

    fn position(&self, wanted: [u64; 2]) -> Option<u64> {
        let hash = hash(wanted);
        let (oldest, _) = self.order.first()?;
        let whole = |slot: &Slot| oldest + u64::from(slot.position.wrapping_sub(halves::low(oldest)));
        let same =
            |slot: &Slot| slot.hash == hash && self.order.get(whole(slot)).is_some_and(|known| known.halves == wanted);
        self.table.find(spread(hash), same).map(whole)
    }

    /// What is remembered of a key, expired or not.
    pub(crate) fn get(&self, key: u128) -> Option<&Known> {
        self.order.get(self.position(halves::of(key))?)
    }

    /// Remembers a key. What is forgotten for it (the one that it replaces, or the oldest) goes to `forgotten`.
    pub(crate) fn insert(&mut self, known: Known, mut forgotten: impl FnMut(Known)) {
        if let Some(before) = self.position(known.halves) {
            forgotten(self.remove(before));
        }
        self.append(known);
        if !self.loading {
            self.trim(forgotten);
        } else if self.order.len() > 2 * self.most {
            self.sort();
            self.trim(forgotten);
        }
    }

    fn append(&mut self, known: Known) {
        let position = halves::low(self.next);
        self.order.insert(self.next, known);
        self.next += 1;
        self.table.insert_unique(spread(known.hash()), Slot { hash: known.hash(), position }, |slot| spread(slot.hash));
    }

    fn trim(&mut self, mut forgotten: impl FnMut(Known)) {
        while self.order.len() > self.most {
            let Some((oldest, _)) = self.order.first() else { return };
            forgotten(self.remove(oldest));
        }
    }

    /// Ends the time in which keys come out of order.
    pub(crate) fn loaded(&mut self, forgotten: impl FnMut(Known)) {
        self.sort();
        self.trim(forgotten);
        self.loading = false;
    }

    fn remove(&mut self, position: u64) -> Known {
        let known = self.order.remove(position).expect("the position was just found");
        let low = halves::low(position);
        if let Ok(entry) = self.table.find_entry(spread(known.hash()), |slot| slot.position == low) {
            entry.remove();
        }
        known
    }

    /// Says that a key is in another segment now. Returns the one that it was in.
    pub(crate) fn moved(&mut self, key: u128, segment: u32) -> Option<u32> {
        let position = self.position(halves::of(key))?;
        let known = self.order.get_mut(position)?;
        Some(std::mem::replace(&mut known.segment, segment))
    }

    /// Forgets expired keys from the oldest on. A key behind one that lives longer stays for that long.
    pub(crate) fn forget_expired(&mut self, now_ms: i64, mut forgotten: impl FnMut(Known)) {
        while let Some((oldest, known)) = self.order.first() {
            if known.expires_ms > now_ms {
                return;
            }
            forgotten(self.remove(oldest));
        }
    }

    /// Brings keys into order of their expiry: those that were copied to a later segment are read later than they came.
    fn sort(&mut self) {
        if self.order.iter().map(|(_, known)| known.expires_ms).is_sorted() {
            return;
        }
        let mut all: Vec<Known> = self.order.iter().map(|(_, known)| *known).collect();
        all.sort_by_key(|known| known.expires_ms);
        (self.order, self.next) = (SeqMap::default(), 0);
        self.table.clear();
        for known in all {
            self.append(known);
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
            table.insert(known(*key, *expires_ms), |known| forgotten.push(known.key().key));
        }
        (table, forgotten)
    }

    #[test]
    fn over_the_limit_the_oldest_is_forgotten() {
        let (keys, forgotten) = filled(2, &[(1, 10), (2, 10), (3, 10)]);
        assert_eq!(forgotten, [1]);
        assert!(keys.get(1).is_none());
        assert_eq!(keys.get(3), Some(&known(3, 10)));
        assert_eq!(keys.order.len(), 2);
    }

    #[test]
    fn a_key_that_comes_again_is_the_youngest() {
        let (keys, forgotten) = filled(2, &[(1, 10), (2, 10), (1, 20), (3, 30)]);
        assert_eq!(forgotten, [1, 2]);
        assert_eq!(keys.get(1), Some(&known(1, 20)));
    }

    #[test]
    fn expired_keys_are_forgotten_from_the_oldest_on() {
        let (mut keys, _) = filled(9, &[(1, 10), (2, 11), (3, 30), (4, 12)]);
        let mut forgotten = Vec::new();
        keys.forget_expired(12, |known| forgotten.push(known.key().key));
        assert_eq!(forgotten, [1, 2]);
    }

    #[test]
    fn no_key_is_remembered_when_none_may_be() {
        let (keys, forgotten) = filled(0, &[(1, 10)]);
        assert_eq!(forgotten, [1]);
        assert_eq!(keys.order.len(), 0);
    }

    #[test]
    fn keys_that_come_out_of_order_are_forgotten_in_order() {
        let (mut keys, mut forgotten) = (Keys::new(3), Vec::new());
        for key in [70, 80, 90, 10, 20, 60, 75] {
            keys.insert(known(key, i64::try_from(key).unwrap()), |known| forgotten.push(known.key().key));
        }
        assert_eq!(forgotten, [10, 20, 60, 70], "over twice the limit it does not wait");
        keys.loaded(|_| {});
        assert!([75, 80, 90].iter().all(|key| keys.get(*key).is_some()));
    }

    #[test]
    fn keys_that_differ_in_one_half_are_told_apart_after_sorting_and_growing() {
        let all: Vec<_> = (0..5000_u32).map(|n| (u128::from(n + 1) << (n % 2 * 64), i64::from(n % 97))).collect();
        let (mut keys, _) = filled(10_000, &all);
        keys.loaded(|_| {});
        for (key, expires_ms) in &all {
            assert_eq!(keys.get(*key), Some(&known(*key, *expires_ms)));
        }
        assert_eq!(keys.moved(1, 8), Some(3));
        assert_eq!(keys.get(1).map(|known| known.segment), Some(8));
    }
}
