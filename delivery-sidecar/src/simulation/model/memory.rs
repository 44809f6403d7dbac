//! What the engine has asked the journal to remember of an endpoint, and what of that may be there after a crash. Memos are
//! written beside everything else, the latest of each endpoint.

use bytes::Bytes;

use super::{exhausted::Exhausted, lane::Identity};
use crate::simulation::rules::{Checked, Rule};

/// What a memo is about.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Memory {
    /// It answered 410.
    pub gone: Option<Identity>,
    /// A delivery to it was given up.
    pub exhausted: Option<Exhausted>,
    /// Nothing started after it, so it has all that was used of the rate limit.
    pub is_last: bool,
}

/// See the module.
#[derive(Clone, Debug)]
pub struct Memos {
    /// What may be in the journal: the last that is known to be there, and those that came after it.
    possible: Vec<(Bytes, Memory)>,
    /// The last one could not be written.
    failed: bool,
}

impl Default for Memos {
    fn default() -> Self {
        Self { possible: vec![(Bytes::new(), Memory::default())], failed: false }
    }
}

impl Memos {
    /// The engine wants this to be remembered.
    pub fn wanted(&mut self, memo: Bytes, memory: Memory) {
        self.possible.push((memo, memory));
    }

    /// What the engine wants to be remembered.
    pub fn latest(&self) -> Option<&Memory> {
        self.possible.last().map(|(_, memory)| memory)
    }

    /// A memo was written, or could not be: then it may or may not be there.
    pub fn written(&mut self, memo: &Bytes, kept: bool) {
        self.failed = !kept;
        if let Some(at) = self.position(memo).filter(|_| kept) {
            self.possible.drain(..at);
        }
    }

    /// No memo is on its way to the journal: the last one is there.
    pub fn all_written(&self) -> bool {
        self.possible.len() == 1 || self.failed
    }

    /// A journal was opened, and has this memo.
    pub fn recovered(&mut self, memo: &Bytes) -> Checked<Memory> {
        let known = self.position(memo).map(|at| self.possible.swap_remove(at));
        let Some((memo, memory)) = known else {
            return Err(Rule::Memory.broken(format!("{memo:?} is there and should be one of {:?}", self.possible)));
        };
        // What a process uses of a limit is not in the memo of the one before.
        self.possible = vec![(memo, Memory { is_last: false, ..memory.clone() })];
        self.failed = false;
        Ok(memory)
    }

    fn position(&self, memo: &Bytes) -> Option<usize> {
        self.possible.iter().rposition(|(possible, _)| possible == memo)
    }
}
