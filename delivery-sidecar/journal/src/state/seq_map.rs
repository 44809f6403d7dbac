//! An ordered map from sequence numbers, for numbers that mostly come in order and may be millions.

use std::collections::VecDeque;

use crate::Seq;

const FULL: usize = 256;

/// Sorted chunks. A chunk stores what its numbers exceed its base by, so an entry costs 4 bytes beside its value, and nothing
/// where numbers follow each other without a gap. Chunks that are filled in order have no slack.
#[derive(Debug)]
pub(crate) struct SeqMap<V> {
    chunks: VecDeque<Chunk<V>>,
    length: usize,
}

#[derive(Debug)]
struct Chunk<V> {
    /// At most the first number, and more than the last of the chunk before.
    base: Seq,
    /// Empty while they are 0, 1, 2, ...
    keys: Vec<u32>,
    values: Vec<V>,
}

impl<V> Default for SeqMap<V> {
    fn default() -> Self {
        Self { chunks: VecDeque::new(), length: 0 }
    }
}

impl<V> Chunk<V> {
    fn of(seq: Seq, value: V) -> Self {
        Self { base: seq, keys: Vec::new(), values: vec![value] }
    }

    /// The first of many that come in order.
    fn of_many(seq: Seq, value: V) -> Self {
        let mut chunk = Self { base: seq, keys: Vec::new(), values: Vec::with_capacity(FULL) };
        chunk.values.push(value);
        chunk
    }

    fn len(&self) -> usize {
        self.values.len()
    }

    fn key(&self, seq: Seq) -> Option<u32> {
        u32::try_from(seq.checked_sub(self.base)?).ok()
    }

    /// Where a key is, or would be.
    fn place(&self, key: u32) -> Result<usize, usize> {
        if !self.keys.is_empty() {
            return self.keys.binary_search(&key);
        }
        let at = usize::try_from(key).unwrap_or(usize::MAX);
        if at < self.len() { Ok(at) } else { Err(self.len()) }
    }

    fn find(&self, seq: Seq) -> Option<usize> {
        self.place(self.key(seq)?).ok()
    }

    fn iter(&self) -> impl Iterator<Item = (Seq, &V)> {
        self.values.iter().enumerate().map(|(at, value)| (self.seq(at), value))
    }

    fn seq(&self, at: usize) -> Seq {
        self.base + self.keys.get(at).map_or(at as Seq, |key| Seq::from(*key))
    }

    fn insert(&mut self, at: usize, key: u32, value: V) {
        if self.keys.is_empty() && !(at == self.len() && usize::try_from(key) == Ok(at)) {
            self.write_keys();
        }
        if !self.keys.is_empty() {
            self.keys.insert(at, key);
        }
        self.values.insert(at, value);
    }

    fn remove(&mut self, at: usize) -> V {
        if self.keys.is_empty() && at == 0 {
            self.base += 1;
        } else if self.keys.is_empty() && at + 1 < self.len() {
            self.write_keys();
        }
        if !self.keys.is_empty() {
            self.keys.remove(at);
        }
        self.values.remove(at)
    }

    fn write_keys(&mut self) {
        // Values of no size have room for any number.
        self.keys.reserve_exact(self.values.capacity().min(FULL));
        self.keys.extend((0..).take(self.values.len()));
    }

    /// Gives memory back when half of it is not used.
    fn shrink(&mut self) {
        let capacity = if self.keys.is_empty() { self.values.capacity() } else { self.keys.capacity() };
        if self.len() <= capacity / 2 {
            self.keys.shrink_to_fit();
            self.values.shrink_to_fit();
        }
    }

    fn split_off(&mut self, at: usize) -> Self {
        if self.keys.is_empty() {
            self.write_keys();
        }
        let base = self.seq(at);
        let first = self.keys[at];
        let keys = self.keys.drain(at..).map(|key| key - first).collect();
        Self { base, keys, values: self.values.drain(at..).collect() }
    }
}

impl<V> SeqMap<V> {
    pub(crate) fn len(&self) -> usize {
        self.length
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// The chunk in which a number is, if it is anywhere.
    fn chunk(&self, seq: Seq) -> Option<usize> {
        // Mostly what is new is asked for.
        if self.chunks.back().is_some_and(|last| last.base <= seq) {
            return Some(self.chunks.len() - 1);
        }
        self.chunks.partition_point(|chunk| chunk.base <= seq).checked_sub(1)
    }

    pub(crate) fn get(&self, seq: Seq) -> Option<&V> {
        let chunk = &self.chunks[self.chunk(seq)?];
        Some(&chunk.values[chunk.find(seq)?])
    }

    pub(crate) fn get_mut(&mut self, seq: Seq) -> Option<&mut V> {
        let at = self.chunk(seq)?;
        let chunk = &mut self.chunks[at];
        let found = chunk.find(seq)?;
        Some(&mut chunk.values[found])
    }

    pub(crate) fn first(&self) -> Option<(Seq, &V)> {
        self.iter().next()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (Seq, &V)> {
        self.chunks.iter().flat_map(Chunk::iter)
    }

    /// Those from a number on. Does not look at those before.
    pub(crate) fn iter_from(&self, from: Seq) -> impl Iterator<Item = (Seq, &V)> {
        let chunk = self.chunk(from).unwrap_or(0);
        self.chunks.range(chunk..).flat_map(Chunk::iter).skip_while(move |(seq, _)| *seq < from)
    }

    /// Puts a value in, in place of the one that was there.
    pub(crate) fn insert(&mut self, seq: Seq, value: V) -> Option<V> {
        let Some(at) = self.chunk(seq) else {
            self.chunks.push_front(Chunk::of(seq, value));
            self.length += 1;
            return None;
        };
        let chunk = &mut self.chunks[at];
        let Some(key) = chunk.key(seq) else {
            self.chunks.insert(at + 1, Chunk::of(seq, value));
            self.length += 1;
            return None;
        };
        let place = match chunk.place(key) {
            Ok(found) => return Some(std::mem::replace(&mut chunk.values[found], value)),
            Err(place) => place,
        };
        self.length += 1;
        if chunk.len() < FULL {
            chunk.insert(place, key, value);
        } else if place == FULL {
            // Numbers that come in order leave full chunks behind, not halves.
            self.chunks.insert(at + 1, Chunk::of_many(seq, value));
        } else {
            let upper = chunk.split_off(FULL / 2);
            self.chunks.insert(at + 1, upper);
            self.length -= 1;
            return self.insert(seq, value);
        }
        None
    }

    pub(crate) fn remove(&mut self, seq: Seq) -> Option<V> {
        let at = self.chunk(seq)?;
        let chunk = &mut self.chunks[at];
        let found = chunk.find(seq)?;
        let value = chunk.remove(found);
        self.length -= 1;
        if chunk.len() == 0 {
            self.chunks.remove(at);
        } else if chunk.len() <= FULL / 4 {
            self.merge(at);
        }
        // Only the last is about to get more.
        if at + 1 < self.chunks.len() {
            self.chunks[at].shrink();
        }
        Some(value)
    }

    /// Takes the next chunk into this one when both are nearly empty.
    fn merge(&mut self, at: usize) {
        let Some(next) = self.chunks.get(at + 1) else { return };
        let chunk = &self.chunks[at];
        let fits = chunk.len() + next.len() <= FULL / 2 && chunk.key(next.seq(next.len() - 1)).is_some();
        if !fits {
            return;
        }
        let Some(next) = self.chunks.remove(at + 1) else { return };
        let chunk = &mut self.chunks[at];
        if chunk.keys.is_empty() {
            chunk.write_keys();
        }
        let shift = next.base - chunk.base;
        let keys = (0..next.len()).filter_map(|at| u32::try_from(next.seq(at) - next.base + shift).ok());
        chunk.keys.extend(keys);
        chunk.values.extend(next.values);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    /// Near numbers, so that chunks fill, split and merge, and far ones that do not fit into a chunk's range.
    fn number() -> impl Strategy<Value = Seq> {
        prop_oneof![9 => 0_u64..2000, 1 => (0_u64..4).prop_map(|far| far << 33)]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]

        #[test]
        fn it_is_an_ordered_map(operations in prop::collection::vec((number(), 0_u8..5), 0..3000)) {
            let mut map = SeqMap::default();
            let mut model = BTreeMap::new();
            for (value, (seq, kind)) in operations.into_iter().enumerate() {
                if kind < 3 {
                    prop_assert_eq!(map.insert(seq, value), model.insert(seq, value));
                } else {
                    // The first above a number, so that most removals find something.
                    let seq = model.range(seq..).next().map_or(seq, |(seq, _)| *seq);
                    prop_assert_eq!(map.remove(seq), model.remove(&seq));
                }
                prop_assert_eq!(map.len(), model.len());
                prop_assert_eq!(map.get(seq), model.get(&seq));
            }
            prop_assert!(map.iter().map(|(seq, value)| (seq, *value)).eq(model.iter().map(|(seq, value)| (*seq, *value))));
            for from in [0, 77, 1_500, 1 << 33, u64::MAX] {
                let found = map.iter_from(from).map(|(seq, value)| (seq, *value));
                prop_assert!(found.eq(model.range(from..).map(|(seq, value)| (*seq, *value))));
            }
            prop_assert_eq!(map.first().map(|(seq, _)| seq), model.keys().next().copied());
            for seq in model.keys().copied().collect::<Vec<_>>() {
                prop_assert_eq!(map.get_mut(seq).copied(), model.get(&seq).copied());
                map.remove(seq);
            }
            prop_assert!(map.is_empty() && map.chunks.is_empty());
        }
    }

    #[test]
    fn numbers_in_order_fill_chunks() {
        let mut map = SeqMap::default();
        (0..10_000).for_each(|seq| {
            map.insert(seq, ());
        });
        assert_eq!(map.chunks.len(), 10_000_usize.div_ceil(FULL));
        assert!(map.chunks.iter().all(|chunk| chunk.keys.capacity() == 0), "without a gap they are not written down");
        (0..700).for_each(|seq| assert!(map.remove(seq).is_some()));
        assert!(map.chunks.iter().all(|chunk| chunk.keys.capacity() == 0), "nor while the first go");
        assert!((700..10_000).eq(map.iter().map(|(seq, ())| seq)));
    }
}
