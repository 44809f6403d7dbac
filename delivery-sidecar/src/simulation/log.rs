//! The journal of one process and its writer, which works only when it is stepped.

use std::{
    future::Future,
    pin::pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll, Waker},
    time::Duration,
};

use posthaste_journal::{
    Committed, Error, Filesystem, Journal, Options, Recovered,
    testing::{SteppedWriter, open_stepped},
};

use super::{
    model::ledger::Ledger,
    rules::{Checked, Rule},
};
use crate::run::backlog::{Backlog, Waiting};

/// A writer that has not answered after so many turns never will.
const MOST_TURNS: usize = 10_000;

/// See the module.
pub struct Log {
    /// The handle.
    pub journal: Journal,
    /// Events that are synced and that the engine has not been told of.
    pub fresh: Vec<Committed>,
    writer: SteppedWriter,
    committed: Arc<Mutex<Vec<Committed>>>,
    born_ms: i64,
    outcome_delay_ms: i64,
}

impl Log {
    /// Opens a journal.
    pub fn open(
        filesystem: Arc<dyn Filesystem>,
        options: Options,
        now_ms: i64,
        backlog: Backlog,
    ) -> Result<(Self, Recovered), Error> {
        let committed = Arc::new(Mutex::new(Vec::new()));
        let outcome_delay_ms = i64::try_from(options.outcome_delay.as_millis()).unwrap_or(i64::MAX);
        let on_commit = {
            let committed = Arc::clone(&committed);
            move |events: Vec<Committed>| {
                backlog.add(Waiting::of(&events));
                committed.lock().unwrap_or_else(PoisonError::into_inner).extend(events);
            }
        };
        let (journal, writer, recovered) = open_stepped(filesystem, options, now_ms, Box::new(on_commit))?;
        let fresh = Vec::new();
        Ok((Self { journal, fresh, writer, committed, born_ms: now_ms, outcome_delay_ms }, recovered))
    }

    fn elapsed(&self, now_ms: i64) -> Duration {
        Duration::from_millis((now_ms - self.born_ms).unsigned_abs())
    }

    /// One turn of the writer. The ledger hears of what is synced.
    pub fn step(&mut self, now_ms: i64, ledger: &mut Ledger) -> Checked {
        self.writer.step(self.elapsed(now_ms));
        let committed = std::mem::take(&mut *self.committed.lock().unwrap_or_else(PoisonError::into_inner));
        for event in committed {
            ledger.committed(&event)?;
            self.fresh.push(event);
        }
        if !self.journal.usage().refusing && self.wake_at_ms(now_ms).is_none_or(|at_ms| at_ms > now_ms) {
            ledger.synced_until(now_ms - self.outcome_delay_ms);
        }
        Ok(())
    }

    /// When the writer has something to do although nothing is asked.
    pub fn wake_at_ms(&self, now_ms: i64) -> Option<i64> {
        let deadline = self.writer.deadline(self.elapsed(now_ms))?;
        Some(self.born_ms + i64::try_from(deadline.as_nanos().div_ceil(1_000_000)).unwrap_or(i64::MAX))
    }

    /// Waits for something that the writer does, as a task would that does nothing else meanwhile.
    pub fn wait<T>(&mut self, now_ms: i64, ledger: &mut Ledger, future: impl Future<Output = T>) -> Checked<T> {
        let mut future = pin!(future);
        let context = &mut Context::from_waker(Waker::noop());
        for _ in 0..MOST_TURNS {
            if let Poll::Ready(value) = future.as_mut().poll(context) {
                return Ok(value);
            }
            self.step(now_ms, ledger)?;
        }
        Err(Rule::Progress.broken("the journal does not answer"))
    }
}
