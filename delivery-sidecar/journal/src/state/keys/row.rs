//! Keys in a row, in the order in which they came.

use std::collections::VecDeque;

use super::Known;
use crate::halves;

/// Most keys of a piece: their marks are bytes, and one of these says that a key is gone.
const PIECE: usize = 255;
const GONE: u8 = 255;

/// Each key has a position, which is never used again. About 26 bytes a key.
#[derive(Debug, Default)]
pub(super) struct Row {
    pieces: VecDeque<Piece>,
    /// How many of the first piece are gone, up to the first that is not.
    gone: usize,
    next: u64,
    length: usize,
}

/// Some keys that came after each other. What they have in common is kept once.
#[derive(Debug)]
struct Piece {
    /// The position of its first.
    first: u64,
    /// When that expires; the others so much later or earlier.
    expires_ms: i64,
    keys: Vec<[u64; 2]>,
    contents: Vec<u32>,
    expiries: Vec<i32>,
    /// Into `places`.
    marks: Vec<u8>,
    /// Segments and numbers of deliveries.
    places: Vec<(u32, u32)>,
}

impl Piece {
    fn new(first: u64, expires_ms: i64) -> Self {
        let (keys, contents, expiries) = (Vec::new(), Vec::new(), Vec::new());
        Self { first, expires_ms, keys, contents, expiries, marks: Vec::new(), places: Vec::new() }
    }

    /// False when it is full, or the key expires at quite another time than its first.
    fn push(&mut self, known: &Known) -> bool {
        let expiry = known.expires_ms.checked_sub(self.expires_ms).and_then(|expiry| i32::try_from(expiry).ok());
        let Some(expiry) = expiry.filter(|_| self.keys.len() < PIECE) else { return false };
        self.keys.push(halves::of(known.key));
        self.contents.push(known.content);
        self.expiries.push(expiry);
        self.marks.push(GONE);
        self.mark(self.marks.len() - 1, (known.segment, known.deliveries));
        true
    }

    fn mark(&mut self, at: usize, place: (u32, u32)) {
        let found = self.places.iter().rposition(|other| *other == place);
        let index = found.unwrap_or_else(|| {
            if self.places.len() == PIECE {
                self.sweep(at);
            }
            self.places.push(place);
            self.places.len() - 1
        });
        self.marks[at] = u8::try_from(index).unwrap_or(GONE);
    }

    /// Removes places that none has but the key at `but`, which is about to have another. There is at least one: no piece
    /// has more keys than places.
    fn sweep(&mut self, but: usize) {
        self.marks[but] = GONE;
        let before = std::mem::take(&mut self.places);
        for mark in &mut self.marks {
            let Some(place) = before.get(usize::from(*mark)) else { continue };
            let found = self.places.iter().rposition(|other| other == place);
            let index = found.unwrap_or_else(|| {
                self.places.push(*place);
                self.places.len() - 1
            });
            *mark = u8::try_from(index).unwrap_or(GONE);
        }
    }

    fn get(&self, at: usize) -> Option<Known> {
        let (segment, deliveries) = *self.places.get(usize::from(*self.marks.get(at)?))?;
        let [low, high] = self.keys[at].map(u128::from);
        Some(Known {
            key: low | (high << 64),
            content: self.contents[at],
            expires_ms: self.expires_ms + i64::from(self.expiries[at]),
            deliveries,
            segment,
        })
    }
}

impl Row {
    pub(super) fn len(&self) -> usize {
        self.length
    }

    fn find(&self, position: u64) -> Option<(usize, usize)> {
        let piece = match self.guess(position) {
            Some(piece) => piece,
            None => self.pieces.partition_point(|piece| piece.first <= position).checked_sub(1)?,
        };
        Some((piece, usize::try_from(position - self.pieces[piece].first).ok()?))
    }

    /// The piece in which a position is, if those before it are full, as they mostly are.
    fn guess(&self, position: u64) -> Option<usize> {
        let ahead = position.checked_sub(self.pieces.front()?.first)?;
        let piece = usize::try_from(ahead).ok()? / PIECE;
        let is_there = self.pieces.get(piece)?.first <= position;
        let ends = self.pieces.get(piece + 1).is_none_or(|next| position < next.first);
        (is_there && ends).then_some(piece)
    }

    pub(super) fn get(&self, position: u64) -> Option<Known> {
        let (piece, at) = self.find(position)?;
        self.pieces[piece].get(at)
    }

    /// The key alone, which is all that is looked at to find one.
    pub(super) fn key(&self, position: u64) -> Option<[u64; 2]> {
        let (piece, at) = self.find(position)?;
        self.pieces[piece].keys.get(at).copied()
    }

    /// The position of the first.
    pub(super) fn oldest(&self) -> Option<u64> {
        self.pieces.front().map(|piece| piece.first + self.gone as u64)
    }

    /// Adds a key, and returns its position.
    pub(super) fn push(&mut self, known: &Known) -> u64 {
        let position = self.next;
        if !self.pieces.back_mut().is_some_and(|last| last.push(known)) {
            let mut piece = Piece::new(position, known.expires_ms);
            piece.push(known);
            self.pieces.push_back(piece);
        }
        self.next += 1;
        self.length += 1;
        position
    }

    pub(super) fn remove(&mut self, position: u64) -> Option<Known> {
        let (piece, at) = self.find(position)?;
        let piece = &mut self.pieces[piece];
        let known = piece.get(at)?;
        piece.marks[at] = GONE;
        self.length -= 1;
        while let Some(first) = self.pieces.front() {
            match first.marks.get(self.gone) {
                Some(&GONE) => self.gone += 1,
                Some(_) => break,
                None => {
                    self.pieces.pop_front();
                    self.gone = 0;
                }
            }
        }
        Some(known)
    }

    /// Says that a key is in another segment now. Returns the one that it was in.
    pub(super) fn moved(&mut self, position: u64, segment: u32) -> Option<u32> {
        let (piece, at) = self.find(position)?;
        let piece = &mut self.pieces[piece];
        let known = piece.get(at)?;
        piece.mark(at, (segment, known.deliveries));
        Some(known.segment)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = Known> {
        self.pieces.iter().flat_map(|piece| (0..piece.keys.len()).filter_map(|at| piece.get(at)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(key: u128, expires_ms: i64, deliveries: u32) -> Known {
        Known { key, content: 5, expires_ms, deliveries, segment: 1 }
    }

    #[test]
    fn keys_that_have_nothing_in_common_are_kept_too() {
        let mut row = Row::default();
        let all: Vec<Known> = (0..1_000).map(|n| known(u128::from(n) << 60, i64::from(n % 3) << 40, n)).collect();
        for known in &all {
            row.push(known);
        }
        assert!(row.iter().eq(all.iter().copied()));
        for round in 2..5 {
            for position in (0..1_000).rev() {
                assert!(row.moved(position, round * 1_000 + u32::try_from(position).unwrap()).is_some());
            }
        }
        assert!(
            row.iter().zip(&all).all(|(now, before)| now.segment == 4_000 + before.deliveries && now.key == before.key)
        );
        assert!(row.pieces.iter().all(|piece| piece.places.len() <= PIECE));
    }

    #[test]
    fn what_is_removed_is_gone_and_the_oldest_is_what_is_left() {
        let mut row = Row::default();
        for n in 0..600 {
            row.push(&known(n, 10, 1));
        }
        for position in [1, 0, 300] {
            assert_eq!(row.remove(position).map(|known| known.key), Some(u128::from(position)));
            assert_eq!((row.remove(position), row.get(position)), (None, None));
        }
        assert_eq!((row.oldest(), row.len()), (Some(2), 597));
        for position in 2..600 {
            row.remove(position);
        }
        assert!(row.oldest().is_none() && row.pieces.is_empty() && row.len() == 0);
        assert_eq!(row.push(&known(7, 10, 1)), 600);
        assert_eq!(row.oldest(), Some(600));
    }
}
