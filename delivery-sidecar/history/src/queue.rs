//! What waits to be written. Whoever puts something in never waits: what finds no room is left out and counted.

use std::{
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::sync::oneshot;

use crate::types::{Bounds, Entry};

/// Most bytes of attempts that wait.
const MOST_BYTES: usize = 8 << 20;
/// Most entries that wait, whose attempts may have been left out.
const MOST_ENTRIES: usize = 64 << 10;
/// So long is waited for more, so that the writer wakes up a few times a second and not for each attempt.
const LINGER: Duration = Duration::from_millis(50);

/// See the module.
#[derive(Debug, Default)]
pub struct Queue {
    waiting: Mutex<Batch>,
    more: Condvar,
}

/// What is taken out at once.
#[derive(Debug, Default)]
pub struct Batch {
    pub entries: Vec<Entry>,
    bytes: usize,
    /// Who waits until all of it is written.
    pub flushes: Vec<oneshot::Sender<()>>,
    /// Bounds that hold from now on.
    pub bounds: Option<Bounds>,
    /// Something about a delivery was left out, or may have changed: the journal is to be asked.
    pub check: bool,
    /// There will be no more.
    pub closed: bool,
}

impl Batch {
    fn is_urgent(&self) -> bool {
        self.closed || self.check || !self.flushes.is_empty() || self.bounds.is_some() || self.bytes > MOST_BYTES / 2
    }

    fn is_empty(&self) -> bool {
        self.entries.is_empty() && !self.is_urgent()
    }
}

impl Queue {
    /// Puts an entry in. Returns what was left out: nothing, an attempt, or the whole.
    pub fn push(&self, mut entry: Entry) -> bool {
        let mut waiting = self.lock();
        let mut left_out = false;
        if let Entry::Ended { attempt: attempt @ Some(_), .. } = &mut entry {
            let bytes = attempt.as_ref().map_or(0, crate::AttemptRecord::bytes);
            if waiting.bytes + bytes <= MOST_BYTES {
                waiting.bytes += bytes;
            } else {
                *attempt = None;
                left_out = true;
            }
        }
        let first = waiting.is_empty();
        if waiting.closed {
            return true;
        }
        if waiting.entries.len() < MOST_ENTRIES {
            waiting.entries.push(entry);
        } else {
            waiting.check = true;
            left_out = true;
        }
        // The writer wakes up for the first, and for what is urgent.
        if first || (left_out && waiting.is_urgent()) {
            self.more.notify_one();
        }
        left_out
    }

    /// Changes something besides the entries.
    pub fn urge(&self, change: impl FnOnce(&mut Batch)) {
        change(&mut self.lock());
        self.more.notify_one();
    }

    /// Takes all that waits, once there is something or the time is over.
    pub fn take(&self, patience: Duration) -> Batch {
        let waiting = self.lock();
        let waited = self.more.wait_timeout_while(waiting, patience, |waiting| waiting.is_empty());
        let (waiting, timed_out) = waited.unwrap_or_else(PoisonError::into_inner);
        let mut waiting = if timed_out.timed_out() {
            waiting
        } else {
            let waited = self.more.wait_timeout_while(waiting, LINGER, |waiting| !waiting.is_urgent());
            waited.unwrap_or_else(PoisonError::into_inner).0
        };
        let closed = waiting.closed;
        std::mem::replace(&mut waiting, Batch { closed, ..Batch::default() })
    }

    fn lock(&self) -> MutexGuard<'_, Batch> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{AttemptRecord, Durations, Key, Status};

    fn ended(bytes: usize) -> Entry {
        let mut attempt = AttemptRecord::new(1, 0, Durations::default());
        attempt.response(200, std::iter::empty(), &vec![b'x'; bytes], true);
        Entry::Ended {
            key: Key { seq: 1, endpoint: 0 },
            at_ms: 0,
            status: Status::Succeeded,
            code: None,
            attempted: true,
            attempt: Some(attempt),
        }
    }

    #[test]
    fn attempts_are_left_out_first_and_then_whole_entries_which_asks_for_a_check() {
        let queue = Queue::default();
        let fit = (0..MOST_ENTRIES).take_while(|_| !queue.push(ended(4 << 10))).count();
        assert!((MOST_BYTES / (10 << 10)..MOST_BYTES / (4 << 10)).contains(&fit), "{fit}");
        for _ in fit + 1..MOST_ENTRIES {
            queue.push(ended(4 << 10));
        }
        assert!(!queue.lock().check);
        assert!(queue.push(ended(0)));
        let batch = queue.take(Duration::ZERO);
        assert_eq!(batch.entries.len(), MOST_ENTRIES);
        let with_attempts =
            batch.entries.iter().filter(|entry| matches!(entry, Entry::Ended { attempt: Some(_), .. })).count();
        assert_eq!(with_attempts, fit);
        assert!(batch.check);
        assert!(!queue.push(ended(0)), "there is room again");
    }
}
