//! Hands what is remembered of endpoints to the journal, without making anyone wait for the disk: an endpoint that is
//! exhausted and recovers by turns must not hold up the others. Of each endpoint the latest memo is written, so what waits
//! is bounded by their number.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use bytes::Bytes;
use futures::future::join_all;
use posthaste_journal::{Journal, Ordinal};
use tokio::task::JoinHandle;

/// See the module.
pub struct Memos {
    journal: Journal,
    waiting: Arc<Mutex<Waiting>>,
    writer: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Waiting {
    latest: BTreeMap<Ordinal, Bytes>,
    /// Someone writes, and looks here again before it ends.
    writing: bool,
}

impl Memos {
    /// Writes to `journal`.
    pub fn new(journal: Journal) -> Self {
        Self { journal, waiting: Arc::default(), writer: None }
    }

    /// Has a memo written, in place of one that still waits.
    pub fn keep(&mut self, ordinal: Ordinal, memo: Bytes) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.latest.insert(ordinal, memo);
        if !std::mem::replace(&mut waiting.writing, true) {
            self.writer = Some(tokio::spawn(write(self.journal.clone(), Arc::clone(&self.waiting))));
        }
    }

    /// Waits until all are written, or could not be.
    pub async fn finish(self) {
        if let Some(writer) = self.writer {
            let _ = writer.await;
        }
    }
}

async fn write(journal: Journal, waiting: Arc<Mutex<Waiting>>) {
    loop {
        let latest = {
            let mut waiting = waiting.lock().unwrap_or_else(PoisonError::into_inner);
            waiting.writing = !waiting.latest.is_empty();
            std::mem::take(&mut waiting.latest)
        };
        if latest.is_empty() {
            return;
        }
        let written = latest.into_iter().map(|(ordinal, memo)| journal.remember(ordinal, memo));
        // At once, so that they share a sync.
        for result in join_all(written).await {
            if let Err(error) = result {
                tracing::warn!(%error, "an endpoint's state is not kept; after a restart it is the one before");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use posthaste_journal::Disk;

    use super::*;

    #[tokio::test]
    async fn the_latest_memo_of_each_endpoint_is_written() {
        let directory = tempfile::tempdir().unwrap();
        let open = || {
            let options = crate::run::open::options(directory.path(), &crate::config::testing::webhook(1));
            Journal::open(Arc::new(Disk), options, 0, |_| {}).unwrap()
        };
        let (journal, _) = open();
        let ordinals = journal.ordinals(vec!["a".to_owned(), "b".to_owned()]).await.unwrap();
        let mut memos = Memos::new(journal.clone());
        for memo in ["first", "second", "last"] {
            for ordinal in &ordinals {
                memos.keep(*ordinal, memo.into());
            }
            tokio::task::yield_now().await;
        }
        memos.finish().await;
        journal.close().await.unwrap();
        let (_, recovered) = open();
        assert!(recovered.endpoints.iter().all(|endpoint| endpoint.memo == "last") && recovered.endpoints.len() == 2);
    }
}
