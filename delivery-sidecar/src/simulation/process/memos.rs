//! Has memos written beside everything else, as `run::memos` does: the latest of each endpoint.

use std::{
    collections::BTreeMap,
    future::Future,
    pin::Pin,
    task::{Context, Poll, Waker},
};

use bytes::Bytes;
use posthaste_journal::{Error, Journal, Ordinal};

/// See the module.
#[derive(Default)]
pub struct Memos {
    latest: BTreeMap<Ordinal, Bytes>,
    writing: Vec<Writing>,
}

struct Writing {
    ordinal: Ordinal,
    memo: Bytes,
    written: Pin<Box<dyn Future<Output = Result<(), Error>>>>,
}

/// A memo that was written, or could not be.
pub struct Written {
    /// The endpoint.
    pub ordinal: Ordinal,
    /// The memo.
    pub memo: Bytes,
    /// Whether it is in the journal.
    pub result: Result<(), Error>,
}

impl Memos {
    /// Has a memo written, in place of one that still waits.
    pub fn keep(&mut self, ordinal: Ordinal, memo: Bytes) {
        self.latest.insert(ordinal, memo);
    }

    /// As [`Self::keep`] must not be: one that waits stays.
    pub fn keep_first(&mut self, ordinal: Ordinal, memo: Bytes) {
        self.latest.entry(ordinal).or_insert(memo);
    }

    /// Nothing waits to be written.
    pub fn are_written(&self) -> bool {
        self.latest.is_empty() && self.writing.is_empty()
    }

    /// Goes on, and tells what has been written.
    pub fn go_on(&mut self, journal: &Journal) -> Vec<Written> {
        if self.writing.is_empty() {
            let writing = std::mem::take(&mut self.latest).into_iter().map(|(ordinal, memo)| {
                let (journal, bytes) = (journal.clone(), memo.clone());
                Writing { ordinal, memo, written: Box::pin(async move { journal.remember(ordinal, bytes).await }) }
            });
            self.writing = writing.collect();
        }
        let mut done = Vec::new();
        for mut writing in std::mem::take(&mut self.writing) {
            match writing.written.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
                Poll::Ready(result) => done.push(Written { ordinal: writing.ordinal, memo: writing.memo, result }),
                Poll::Pending => self.writing.push(writing),
            }
        }
        done
    }
}
