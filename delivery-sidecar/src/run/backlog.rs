//! Slows producers down while the engine is behind.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use posthaste_journal::Committed;
use tokio::sync::Notify;

/// How much waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// Events.
    pub events: usize,
    /// Bytes of their contents.
    pub bytes: usize,
}

impl Waiting {
    /// What these events add.
    pub fn of(committed: &[Committed]) -> Self {
        Self { events: committed.len(), bytes: committed.iter().map(|event| event.payload.len()).sum() }
    }
}

/// Counts events that are synced and that the engine has not taken yet. Clones share it.
///
/// The journal hands events over without waiting, so that the engine and the journal can never wait for each other;
/// waiting happens here, before an event is given to the journal. So what is between the two is at most the limit plus
/// what requests that were let through have in hand.
#[derive(Clone, Debug)]
pub struct Backlog(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    events: AtomicUsize,
    bytes: AtomicUsize,
    limit: Waiting,
    below: Notify,
}

impl Backlog {
    /// Lets through while less than `limit` waits, of events as well as of bytes.
    pub fn new(limit: Waiting) -> Self {
        let (events, bytes) = (AtomicUsize::new(0), AtomicUsize::new(0));
        Self(Arc::new(Inner { events, bytes, limit, below: Notify::new() }))
    }

    /// Events are on their way to the engine.
    pub fn add(&self, more: Waiting) {
        self.0.events.fetch_add(more.events, Ordering::AcqRel);
        self.0.bytes.fetch_add(more.bytes, Ordering::AcqRel);
    }

    /// The engine has taken events.
    pub fn take(&self, taken: Waiting) {
        self.0.events.fetch_sub(taken.events, Ordering::AcqRel);
        self.0.bytes.fetch_sub(taken.bytes, Ordering::AcqRel);
        if self.is_below_limit() {
            self.0.below.notify_waiters();
        }
    }

    /// Waits until the engine has caught up.
    pub async fn below_limit(&self) {
        loop {
            // Registered before looking, so that nothing is missed in between.
            let mut below = std::pin::pin!(self.0.below.notified());
            below.as_mut().enable();
            if self.is_below_limit() {
                return;
            }
            below.await;
        }
    }

    fn is_below_limit(&self) -> bool {
        let Inner { events, bytes, limit, .. } = &*self.0;
        events.load(Ordering::Acquire) < limit.events && bytes.load(Ordering::Acquire) < limit.bytes
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    #[tokio::test]
    async fn lets_through_below_both_limits_and_wakes_those_who_wait() {
        for (added, taken) in [
            (Waiting { events: 2, bytes: 0 }, Waiting { events: 1, bytes: 0 }),
            (Waiting { events: 1, bytes: 100 }, Waiting { events: 0, bytes: 1 }),
        ] {
            let backlog = Backlog::new(Waiting { events: 2, bytes: 100 });
            backlog.below_limit().await;
            backlog.add(added);
            let mut waiting = std::pin::pin!(backlog.below_limit());
            assert!(waiting.as_mut().now_or_never().is_none());
            backlog.take(taken);
            waiting.await;
        }
    }
}
