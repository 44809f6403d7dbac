//! Dead letters of all endpoints, in the order in which they are removed.

use std::collections::VecDeque;

use crate::{Ordinal, Seq};

/// A queue, oldest first. An entry whose delivery has gone by another way stays until it comes to the front.
#[derive(Debug, Default)]
pub(crate) struct DeadLetters {
    queue: VecDeque<(Seq, Ordinal)>,
    /// Bytes of the blobs of events that are kept for dead letters alone.
    pub(crate) bytes: u64,
}

impl DeadLetters {
    pub(crate) fn push(&mut self, seq: Seq, ordinal: Ordinal) {
        self.queue.push_back((seq, ordinal));
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (Seq, Ordinal)> {
        self.queue.iter().copied()
    }

    /// Takes off the front what is no longer a dead letter.
    pub(crate) fn pop_while(&mut self, is_gone: impl Fn(Seq, Ordinal) -> bool) {
        while self.queue.front().is_some_and(|(seq, ordinal)| is_gone(*seq, *ordinal)) {
            self.queue.pop_front();
        }
    }

    /// Keeps what is wanted.
    pub(crate) fn retain(&mut self, is_wanted: impl Fn(Seq, Ordinal) -> bool) {
        self.queue.retain(|(seq, ordinal)| is_wanted(*seq, *ordinal));
    }

    /// Brings the queue into order of `time`. Events that were copied to a later segment are read later than they died.
    pub(crate) fn sort(&mut self, time: impl Fn(Seq, Ordinal) -> i64) {
        self.queue.make_contiguous().sort_by_key(|(seq, ordinal)| time(*seq, *ordinal));
    }
}
