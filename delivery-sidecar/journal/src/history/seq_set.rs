//! A set of events that mostly come in order and may be all that there are: about a bit for each.

use std::collections::BTreeMap;

use crate::Seq;

const WORDS: usize = 32;
const BITS: u64 = 64 * WORDS as u64;

/// Numbers, in pieces of 2,048.
#[derive(Debug, Default)]
pub(super) struct SeqSet(BTreeMap<u64, [u64; WORDS]>);

/// Piece, word and bit of a number.
fn place(seq: Seq) -> (u64, usize, u64) {
    let word = usize::try_from(seq % BITS / 64).expect("there are few words");
    (seq / BITS, word, 1 << (seq % 64))
}

impl SeqSet {
    pub(super) fn contains(&self, seq: Seq) -> bool {
        let (piece, word, bit) = place(seq);
        self.0.get(&piece).is_some_and(|words| words[word] & bit != 0)
    }

    /// False when it was there.
    pub(super) fn insert(&mut self, seq: Seq) -> bool {
        let (piece, word, bit) = place(seq);
        let words = self.0.entry(piece).or_default();
        let is_new = words[word] & bit == 0;
        words[word] |= bit;
        is_new
    }

    /// False when it was not there.
    pub(super) fn remove(&mut self, seq: Seq) -> bool {
        let (piece, word, bit) = place(seq);
        let Some(words) = self.0.get_mut(&piece) else { return false };
        let was_there = words[word] & bit != 0;
        words[word] &= !bit;
        was_there
    }
}

/// How many copies of each event are still ahead: a set for the first of each, one for the second, and so on. There is more
/// than one where an event was made pending again, or a crash has kept what had been copied.
#[derive(Debug, Default)]
pub(super) struct Copies(Vec<SeqSet>);

impl Copies {
    pub(super) fn add(&mut self, seq: Seq) {
        if self.0.iter_mut().any(|set| set.insert(seq)) {
            return;
        }
        let mut set = SeqSet::default();
        set.insert(seq);
        self.0.push(set);
    }

    /// Passes one. True when it was the last.
    pub(super) fn pass(&mut self, seq: Seq) -> bool {
        let passed = self.0.iter_mut().rev().any(|set| set.remove(seq));
        passed && !self.0.first().is_some_and(|first| first.contains(seq))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_has_what_was_put_in() {
        let mut set = SeqSet::default();
        for seq in [1, 63, 64, 2_047, 2_048, u64::MAX] {
            assert!(!set.contains(seq) && !set.remove(seq));
            assert!(set.insert(seq));
            assert!(!set.insert(seq));
            assert!(set.contains(seq));
        }
        assert!(set.remove(64) && !set.contains(64) && set.contains(63));
    }

    #[test]
    fn the_last_of_many_copies_is_known() {
        let mut copies = Copies::default();
        for seq in [1, 2, 1, 3, 1] {
            copies.add(seq);
        }
        let passed = [2, 1, 1, 3, 1, 1, 9].map(|seq| copies.pass(seq));
        assert_eq!(passed, [true, false, false, true, true, false, false]);
    }
}
