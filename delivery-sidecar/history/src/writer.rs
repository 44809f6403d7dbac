//! The thread that writes. Nobody waits for it but those who ask for what was written.

use std::{
    cell::Cell,
    io,
    path::Path,
    sync::{Arc, PoisonError, RwLock},
    time::{Duration, Instant},
};

use crate::{
    queue::{Batch, Queue},
    repair::Repair,
    store::Store,
    types::{Options, Source},
};

/// Old files are looked for this often.
const TIDY: Duration = Duration::from_mins(1);
/// So long does the thread sleep at most when nothing happens.
const SLEEP: Duration = Duration::from_mins(10);
/// There when a process has ended as it should: nothing of what happened in it is missing then.
const CLEAN: &str = "complete";

/// What the thread works with.
pub struct Writer {
    pub options: Options,
    pub source: Arc<dyn Source>,
    pub clock: Arc<dyn Fn() -> i64 + Send + Sync>,
    pub queue: Arc<Queue>,
    /// `None` until it is open, or when it cannot be.
    pub store: Arc<RwLock<Option<Store>>>,
    /// The last write failed, which was told.
    pub failing: Cell<bool>,
}

impl Writer {
    /// Runs until the queue is closed and empty.
    pub fn run(self) {
        let was_complete = self.open();
        let mut repair = (!was_complete).then(Repair::new);
        // The process has other things to do when it begins.
        let mut repair_at = Instant::now() + self.options.repair_after;
        let mut tidy_at = Instant::now();
        loop {
            let now = Instant::now();
            let patience = if repair.is_some() { repair_at.saturating_duration_since(now) } else { SLEEP };
            let batch = self.queue.take(patience);
            let closed = batch.closed;
            if batch.check {
                repair = Some(Repair::new());
                repair_at = Instant::now();
            }
            let had_work = !batch.entries.is_empty();
            self.write(batch);
            let now = Instant::now();
            if !closed && repair.is_some() && repair_at <= now {
                repair = self.repair(repair.take());
            }
            if tidy_at <= now {
                self.with_store("tidied", Store::tidy);
                tidy_at = now + TIDY;
            }
            if !had_work && repair.is_none() {
                self.with_store("left alone", |store, _| {
                    store.rest();
                    Ok(())
                });
            }
            if closed {
                break;
            }
        }
        if repair.is_none() {
            // Without it, the next process asks the journal.
            let _ = std::fs::write(self.options.directory.join(CLEAN), []);
        }
    }

    /// Opens the store. Returns whether it lacks nothing. What cannot be read is removed: it is not worth more than that.
    fn open(&self) -> bool {
        let Options { directory, bounds, .. } = &self.options;
        let open = |directory: &Path| Store::open(directory, *bounds, Arc::clone(&self.source));
        let complete = std::fs::remove_file(directory.join(CLEAN)).is_ok();
        let (opened, complete) = match open(directory) {
            Ok(store) => (Ok(store), complete),
            Err(error) => {
                tracing::warn!(%error, directory = %directory.display(), "the history of deliveries cannot be read; beginning anew");
                let removed = std::fs::remove_dir_all(directory);
                (removed.and_then(|()| open(directory)), false)
            }
        };
        match opened {
            Ok(store) => *self.store.write().unwrap_or_else(PoisonError::into_inner) = Some(store),
            Err(error) => tracing::error!(%error, "there is no history of deliveries; delivering goes on without it"),
        }
        complete
    }

    fn write(&self, batch: Batch) {
        let Batch { entries, flushes, bounds, .. } = batch;
        if !entries.is_empty() || bounds.is_some() {
            self.with_store("written", |store, now_ms| {
                if let Some(bounds) = bounds {
                    store.set_bounds(bounds);
                }
                let mut result = Ok(());
                for entry in entries {
                    result = result.and(store.apply(entry, now_ms));
                }
                store.flush().and(result).and(store.make_room())
            });
        }
        for flush in flushes {
            // Who asked may have gone.
            let _ = flush.send(());
        }
    }

    fn repair(&self, repair: Option<Repair>) -> Option<Repair> {
        let mut rest = None;
        self.with_store("checked", |store, now_ms| {
            if let Some(repair) = repair {
                rest = repair.step(store, now_ms)?;
            }
            store.flush().and(store.make_room())
        });
        rest
    }

    /// A disk that fails costs what could not be written, and no more. When it is full, the history gives way.
    fn with_store(&self, what: &'static str, work: impl FnOnce(&mut Store, i64) -> io::Result<()>) {
        let mut store = self.store.write().unwrap_or_else(PoisonError::into_inner);
        let Some(store) = store.as_mut() else { return };
        let Err(error) = work(store, (self.clock)()) else {
            self.failing.set(false);
            return;
        };
        if !self.failing.replace(true) {
            tracing::warn!(%error, "the history of deliveries cannot be {what}; deliveries go on");
        }
        if matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded) {
            // The next batch is tried again in any case.
            let _ = store.log.remove_oldest();
        }
    }
}
