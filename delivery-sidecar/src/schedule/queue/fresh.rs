//! Deliveries that wait for their first attempt, in order of acceptance, as small as they can be: a dead endpoint may have a
//! million.

use std::collections::VecDeque;

use posthaste_journal::Seq;

use super::{Waiting, in_seconds};

/// Most deliveries of a piece.
const PIECE: usize = 256;

/// A queue of [`Waiting`] that all are [`Waiting::is_fresh`]: 10 bytes each, and 6 where numbers have no gap.
#[derive(Debug, Default)]
pub struct Fresh {
    pieces: VecDeque<Piece>,
    /// How many of the first piece have been taken.
    taken: usize,
    length: usize,
}

/// Some that follow each other, each by how far it is from the first.
#[derive(Debug)]
struct Piece {
    seq: Seq,
    accepted_ms: i64,
    /// Empty while they are 0, 1, 2, ...
    seqs: Vec<u32>,
    times: Vec<u32>,
    groups: Vec<u16>,
}

impl Piece {
    fn of(waiting: &Waiting) -> Self {
        let (seqs, times, groups) = (Vec::new(), Vec::new(), Vec::new());
        Self { seq: waiting.seq, accepted_ms: waiting.due_ms, seqs, times, groups }
    }

    /// False when it is full, or the delivery is too far from its first.
    fn push(&mut self, waiting: &Waiting) -> bool {
        let seq = waiting.seq.checked_sub(self.seq).and_then(|seq| u32::try_from(seq).ok());
        let time = waiting.due_ms.checked_sub(self.accepted_ms).and_then(|time| u32::try_from(time).ok());
        let (Some(seq), Some(time)) = (seq, time) else { return false };
        if self.len() == PIECE {
            return false;
        }
        let has_gap = usize::try_from(seq) != Ok(self.len());
        if has_gap && self.seqs.is_empty() {
            self.seqs.extend((0..).take(self.times.len()));
        }
        if has_gap || !self.seqs.is_empty() {
            self.seqs.push(seq);
        }
        self.times.push(time);
        self.groups.push(waiting.group);
        true
    }

    fn len(&self) -> usize {
        self.times.len()
    }

    fn get(&self, at: usize) -> Option<Waiting> {
        let due_ms = self.accepted_ms + i64::from(*self.times.get(at)?);
        let (seq, group) = (self.seq + self.seqs.get(at).map_or(at as Seq, |seq| Seq::from(*seq)), self.groups[at]);
        Some(Waiting { due_ms, seq, accepted_s: in_seconds(due_ms), attempts: 0, group })
    }
}

impl Fresh {
    /// Adds a delivery that was accepted after all others.
    pub fn push_back(&mut self, waiting: Waiting) {
        self.length += 1;
        if self.pieces.back_mut().is_some_and(|last| last.push(&waiting)) {
            return;
        }
        let mut piece = Piece::of(&waiting);
        piece.push(&waiting);
        self.pieces.push_back(piece);
    }

    /// The first.
    pub fn front(&self) -> Option<Waiting> {
        self.pieces.front()?.get(self.taken)
    }

    /// Takes the first.
    pub fn pop_front(&mut self) -> Option<Waiting> {
        let first = self.front()?;
        self.taken += 1;
        self.length -= 1;
        if self.pieces.front().is_some_and(|piece| self.taken == piece.len()) {
            self.taken = 0;
            self.pieces.pop_front();
            if self.pieces.len() < self.pieces.capacity() / 4 {
                self.pieces.shrink_to(self.pieces.len() * 2);
            }
        }
        Some(first)
    }

    /// Takes the first if it is as wanted.
    pub fn pop_front_if(&mut self, is_wanted: impl Fn(&Waiting) -> bool) -> Option<Waiting> {
        if self.front().is_some_and(|first| is_wanted(&first)) { self.pop_front() } else { None }
    }

    /// Moves what is wanted of the events up to `last` to `taken`. Looks at no others.
    pub fn take(&mut self, last: Seq, is_wanted: impl Fn(&Waiting) -> bool, taken: &mut Vec<Waiting>) {
        let mut left = Self::default();
        while let Some(waiting) = self.pop_front_if(|waiting| waiting.seq <= last) {
            if is_wanted(&waiting) {
                taken.push(waiting);
            } else {
                left.push_back(waiting);
            }
        }
        if left.length == 0 {
            return;
        }
        // Pieces are taken from their beginning only at the front, where these go.
        if self.taken > 0
            && let Some(mut piece) = self.pieces.pop_front()
        {
            if piece.seqs.is_empty() {
                piece.seq += self.taken as Seq;
            } else {
                piece.seqs.drain(..self.taken);
            }
            piece.times.drain(..self.taken);
            piece.groups.drain(..self.taken);
            self.pieces.push_front(piece);
        }
        left.length += self.length;
        left.pieces.append(&mut self.pieces);
        *self = left;
    }

    /// How many wait.
    pub fn len(&self) -> usize {
        self.length
    }

    /// Whether none waits.
    pub fn is_empty(&self) -> bool {
        self.length == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waiting(seq: Seq, accepted_ms: i64) -> Waiting {
        let group = u16::try_from(seq % 7).unwrap();
        Waiting { due_ms: accepted_ms, seq, accepted_s: in_seconds(accepted_ms), attempts: 0, group }
    }

    fn all(queue: &mut Fresh) -> Vec<Waiting> {
        std::iter::from_fn(|| queue.pop_front()).collect()
    }

    #[test]
    fn what_is_put_in_comes_out_however_far_apart_it_is() {
        let near = (1..1_000).map(|seq| waiting(seq, 1_800_000_000_000 + i64::try_from(seq % 10).unwrap()));
        let far = [waiting(1 << 40, 1_800_000_000_000), waiting(1 << 41, 1_900_000_000_000), waiting(1 << 42, -7)];
        let wanted: Vec<Waiting> = near.chain(far).collect();
        let mut queue = Fresh::default();
        for waiting in &wanted {
            queue.push_back(*waiting);
        }
        assert_eq!((queue.len(), queue.front()), (wanted.len(), Some(wanted[0])));
        assert_eq!(all(&mut queue), wanted);
        assert!(queue.is_empty() && queue.pieces.is_empty());
    }

    #[test]
    fn what_is_taken_out_of_the_front_leaves_the_rest_in_order() {
        for popped in [0, 1, 255, 256, 300] {
            let mut queue = Fresh::default();
            for seq in 0..1_000 {
                queue.push_back(waiting(seq, 5));
            }
            for _ in 0..popped {
                queue.pop_front();
            }
            let mut taken = Vec::new();
            queue.take(700, |waiting| waiting.seq % 3 == 0, &mut taken);
            assert!(taken.iter().map(|waiting| waiting.seq).eq((popped..=700).filter(|seq| seq % 3 == 0)));
            assert_eq!(queue.len(), 1_000 - usize::try_from(popped).unwrap() - taken.len());
            let left = (popped..1_000).filter(|seq| *seq > 700 || seq % 3 != 0);
            assert!(all(&mut queue).iter().map(|waiting| waiting.seq).eq(left));
        }
    }

    #[test]
    fn pieces_are_filled_and_go_when_they_are_empty() {
        let mut queue = Fresh::default();
        for seq in 0..100_000 {
            queue.push_back(waiting(seq, 5));
        }
        assert!(queue.pieces.iter().all(|piece| piece.times.capacity() <= PIECE && piece.seqs.capacity() == 0));
        assert_eq!(queue.pieces.len(), 100_000_usize.div_ceil(PIECE));
        while queue.len() > 1 {
            queue.pop_front();
        }
        assert!(queue.pieces.len() == 1 && queue.pieces.capacity() < 10);
    }
}
