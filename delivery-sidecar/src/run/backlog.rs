//! Slows producers down while the engine is behind.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use tokio::sync::Notify;

/// Counts events that are synced and that the engine has not taken yet. Clones share it.
///
/// The journal hands events over without waiting, so that the engine and the journal can never wait for each other;
/// waiting happens here, before an event is given to the journal. So the number of events between the two is at most
/// the limit plus what requests that were let through have in hand.
#[derive(Clone, Debug)]
pub struct Backlog(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    events: AtomicUsize,
    limit: usize,
    below: Notify,
}

impl Backlog {
    /// Lets through while fewer than `limit` events wait.
    pub fn new(limit: usize) -> Self {
        Self(Arc::new(Inner { events: AtomicUsize::new(0), limit, below: Notify::new() }))
    }

    /// Events are on their way to the engine.
    pub fn add(&self, events: usize) {
        self.0.events.fetch_add(events, Ordering::Relaxed);
    }

    /// The engine has taken events.
    pub fn take(&self, events: usize) {
        let before = self.0.events.fetch_sub(events, Ordering::AcqRel);
        if before >= self.0.limit && before - events < self.0.limit {
            self.0.below.notify_waiters();
        }
    }

    /// Waits until the engine has caught up.
    pub async fn below_limit(&self) {
        loop {
            // Registered before looking, so that nothing is missed in between.
            let mut below = std::pin::pin!(self.0.below.notified());
            below.as_mut().enable();
            if self.0.events.load(Ordering::Acquire) < self.0.limit {
                return;
            }
            below.await;
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    #[tokio::test]
    async fn lets_through_below_the_limit_and_wakes_those_who_wait() {
        let backlog = Backlog::new(2);
        backlog.below_limit().await;
        backlog.add(2);
        let mut waiting = std::pin::pin!(backlog.below_limit());
        assert!(waiting.as_mut().now_or_never().is_none());
        backlog.take(1);
        waiting.await;
    }
}
