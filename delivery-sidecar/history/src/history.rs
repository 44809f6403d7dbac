//! The handle.

use std::{
    cell::Cell,
    io,
    sync::{
        Arc, Mutex, PoisonError, RwLock,
        atomic::{AtomicU64, Ordering},
    },
    thread::{self, JoinHandle},
};

use tokio::sync::oneshot;

use crate::{
    queue::Queue,
    record::Attempt,
    store::Store,
    types::{Bounds, Delivery, Entry, Filter, Key, Live, Options, Page, Source},
    writer::Writer,
};

/// What became of deliveries. Cheap to clone.
#[derive(Clone)]
pub struct History {
    shared: Arc<Shared>,
}

struct Shared {
    queue: Arc<Queue>,
    store: Arc<RwLock<Option<Store>>>,
    clock: Arc<dyn Fn() -> i64 + Send + Sync>,
    left_out: AtomicU64,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Drop for Shared {
    /// Nobody can note anything any more: the thread ends, and nobody waits for it. It holds the journal until then.
    fn drop(&mut self) {
        self.queue.urge(|waiting| waiting.closed = true);
    }
}

impl History {
    /// Begins, without waiting: what is in the directory is read by a thread of its own. `clock` gives milliseconds since the
    /// Unix epoch.
    ///
    /// # Errors
    /// When there can be no such thread.
    pub fn start(
        options: Options,
        source: Arc<dyn Source>,
        clock: Arc<dyn Fn() -> i64 + Send + Sync>,
    ) -> io::Result<Self> {
        let (queue, store) = (Arc::new(Queue::default()), Arc::new(RwLock::new(None)));
        let writer = Writer {
            options,
            source,
            clock: Arc::clone(&clock),
            queue: Arc::clone(&queue),
            store: Arc::clone(&store),
            failing: Cell::new(false),
        };
        let thread = thread::Builder::new().name("history".to_owned()).spawn(move || writer.run())?;
        let thread = Mutex::new(Some(thread));
        Ok(Self { shared: Arc::new(Shared { queue, store, clock, left_out: AtomicU64::new(0), thread }) })
    }

    /// Notes what happened. Never waits: when too much waits to be written, it is left out and counted.
    pub fn record(&self, entry: Entry) {
        if self.shared.queue.push(entry) {
            self.shared.left_out.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// How often something was left out.
    pub fn left_out(&self) -> u64 {
        self.shared.left_out.load(Ordering::Relaxed)
    }

    /// Waits until all that was noted before can be found.
    pub async fn written(&self) {
        let (written, waits) = oneshot::channel();
        self.shared.queue.urge(|waiting| waiting.flushes.push(written));
        // A thread that has ended writes no more.
        let _ = waits.await;
    }

    /// Compares what is written down with the journal, and mends it.
    pub fn check(&self) {
        self.shared.queue.urge(|waiting| waiting.check = true);
    }

    /// Other bounds hold from now on.
    pub fn set_bounds(&self, bounds: Bounds) {
        self.shared.queue.urge(|waiting| waiting.bounds = Some(bounds));
    }

    /// Deliveries that are wanted, newest first, at most `limit` of them. `below` is where a page before ended. What comes
    /// meanwhile changes nothing in the pages that follow. Blocks for the disk.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn list(&self, filter: &Filter, live: &Live, below: Option<u64>, limit: usize) -> io::Result<Page> {
        self.with_store(|store| store.list(filter, live, below, limit, (self.shared.clock)()))
    }

    /// One delivery; `None` when nothing is kept of it. Blocks for the disk.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn look_up(&self, key: Key, live: &Live) -> io::Result<Option<Delivery>> {
        self.with_store(|store| store.look_up(key, live, (self.shared.clock)()))
    }

    /// The attempts of a delivery that are kept, at most `most`, oldest first. When there are more, these are the last ones.
    /// Blocks for the disk.
    ///
    /// # Errors
    /// When there is no history.
    pub fn attempts(&self, delivery: &Delivery, most: usize) -> io::Result<Vec<Attempt>> {
        self.with_store(|store| Ok(store.attempts(delivery, most)))
    }

    /// Writes all that waits, and ends the thread. What is noted afterwards is left out. Blocks for the disk.
    pub fn close(&self) {
        self.shared.queue.urge(|waiting| waiting.closed = true);
        let thread = self.shared.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread
            && thread.join().is_err()
        {
            tracing::error!("the history of deliveries has failed");
        }
    }

    fn with_store<T>(&self, look: impl FnOnce(&Store) -> io::Result<T>) -> io::Result<T> {
        let store = self.shared.store.read().unwrap_or_else(PoisonError::into_inner);
        look(store.as_ref().ok_or(io::ErrorKind::NotFound)?)
    }
}
