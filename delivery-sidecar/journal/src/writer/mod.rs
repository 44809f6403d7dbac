//! The thread that writes. It takes all that waits, makes one commit of it, and then answers.
//!
//! An idle writer sleeps without a timer. While cleaning is due it alternates between commits and steps of cleaning.

mod answers;
mod outcomes;
mod request;

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

pub(crate) use answers::Answers;
pub(crate) use outcomes::{Closed, Outcomes, WaitingOutcome};
pub(crate) use request::{Answer, Request};

use crate::batch::Batch;
use crate::store::{Applied, Store};
use crate::{Committed, Error, Ordinal, Tidied};

/// How long a failing disk, or a step of cleaning that failed, is left alone before it is tried again.
const RETRY: Duration = Duration::from_secs(1);

pub(crate) struct Writer<C> {
    store: Store,
    inbox: Receiver<Request>,
    waiting_outcomes: Arc<Outcomes>,
    on_commit: C,
    answers: Answers,
    outcome_delay: Duration,
    /// Outcomes of a commit that failed. They stay until they are synced.
    outcomes: Vec<WaitingOutcome>,
    /// When the first of all that are not synced must be.
    outcomes_due: Option<Instant>,
    /// Events that wait for the space that cleaning is about to free.
    parked: VecDeque<Request>,
    /// When a failing disk is tried again.
    retry: Option<Instant>,
    /// Until when cleaning rests after it failed.
    cleaning_rests: Option<Instant>,
}

/// An answer that is given once the commit is synced.
type Pending = Box<dyn FnOnce(Result<&Applied, &Error>) + Send>;

impl<C: Fn(Vec<Committed>)> Writer<C> {
    pub(crate) fn new(
        store: Store,
        inbox: Receiver<Request>,
        waiting_outcomes: Arc<Outcomes>,
        outcome_delay: Duration,
        on_commit: C,
        answers: Answers,
    ) -> Self {
        Self {
            store,
            inbox,
            waiting_outcomes,
            on_commit,
            answers,
            outcome_delay,
            outcomes: Vec::new(),
            outcomes_due: None,
            parked: VecDeque::new(),
            retry: None,
            cleaning_rests: None,
        }
    }

    /// Works until the journal is closed, or nobody holds it any more.
    pub(crate) fn run(mut self) {
        loop {
            let (requests, end) = self.wait();
            let closing = self.work(requests, end, Instant::now());
            self.maintain(Instant::now());
            self.watch(Instant::now());
            if end || !closing.is_empty() {
                return self.end(closing);
            }
        }
    }

    /// One turn of [`Self::run`] at a time that the caller says, and never waits. `None` when the journal was closed.
    #[cfg(any(test, feature = "testing"))]
    pub(crate) fn turn(mut self, now: Instant) -> Option<Self> {
        let is_due = self.next_turn(now).is_some_and(|at| at <= now);
        let mut requests = std::mem::take(&mut self.parked);
        requests.extend(self.inbox.try_iter());
        if requests.is_empty() && !is_due {
            return Some(self);
        }
        let closing = self.work(requests, false, now);
        self.maintain(now);
        self.watch(now);
        if closing.is_empty() {
            return Some(self);
        }
        self.end(closing);
        None
    }

    /// When there is something to do even if nothing is asked.
    #[cfg(any(test, feature = "testing"))]
    pub(crate) fn next_turn(&self, now: Instant) -> Option<Instant> {
        self.deadline(!self.parked.is_empty(), now)
    }

    fn end(self, closing: Vec<Answer<Result<(), Error>>>) {
        self.waiting_outcomes.close();
        let lost = self.outcomes.len();
        if lost > 0 {
            tracing::error!(
                lost,
                "the journal is closed with outcomes that could not be synced; they will be attempted again"
            );
        }
        for parked in self.parked {
            parked.refuse(Error::Closed);
        }
        // The lock is free before the caller hears of it.
        drop(self.store);
        for answer in closing {
            answer.give(if lost == 0 { Ok(()) } else { Err(Error::Io("outcomes could not be synced".into())) });
        }
    }

    /// Waits for something to do. Returns what was asked, and whether nobody will ask any more.
    fn wait(&mut self) -> (VecDeque<Request>, bool) {
        let mut requests = std::mem::take(&mut self.parked);
        let first = match self.deadline(!requests.is_empty(), Instant::now()) {
            None => self.inbox.recv().map_err(|_| RecvTimeoutError::Disconnected),
            Some(deadline) => self.inbox.recv_timeout(deadline.saturating_duration_since(Instant::now())),
        };
        match first {
            Ok(request) => {
                requests.push_back(request);
                requests.extend(self.inbox.try_iter());
                (requests, false)
            }
            Err(RecvTimeoutError::Timeout) => (requests, false),
            Err(RecvTimeoutError::Disconnected) => (requests, true),
        }
    }

    /// When there is something to do even if nothing is asked.
    fn deadline(&self, has_parked: bool, now: Instant) -> Option<Instant> {
        let cleaning =
            (self.store.is_cleaning_due() || self.store.has_excess()).then(|| self.cleaning_rests.unwrap_or(now));
        let parked = has_parked.then_some(now);
        // A failing disk is not asked again for every outcome that waits.
        let outcomes = if self.retry.is_some() { self.retry } else { self.outcomes_due };
        [cleaning, parked, outcomes].into_iter().flatten().min()
    }

    /// Commits what was asked and what is due. Returns those who asked to close.
    fn work(&mut self, requests: VecDeque<Request>, end: bool, now: Instant) -> Vec<Answer<Result<(), Error>>> {
        // Those that still wait say so again.
        self.store.ask_for_nothing();
        let mut batch = self.store.begin();
        let mut pending: Vec<Pending> = Vec::new();
        let (mut closing, mut tidying, mut is_due) = (Vec::new(), Vec::new(), end);
        for request in requests {
            match request {
                // They are taken by the commit.
                Request::Outcomes => continue,
                Request::Accept { .. } => self.accept(&mut batch, request, &mut pending),
                Request::Ordinals { uids, answer } => {
                    let state = self.store.look();
                    let ordinals: Vec<Ordinal> = uids.iter().map(|uid| batch.ordinal(&state, uid)).collect();
                    pending.push(Box::new(move |written| answer.give(written.map(|_| ordinals).map_err(Clone::clone))));
                }
                Request::Drop { ordinal, answer } => {
                    batch.drop_endpoint(&self.store.look(), ordinal);
                    pending.push(Box::new(move |written| {
                        let count = written.map(|applied| applied.dropped.get(&ordinal).copied().unwrap_or(0));
                        answer.give(count.map_err(Clone::clone));
                    }));
                }
                Request::Remember { ordinal, memo, answer } => {
                    batch.remember(&self.store.look(), ordinal, memo);
                    pending.push(Box::new(move |written| answer.give(written.map(|_| ()).map_err(Clone::clone))));
                }
                Request::Redeliver { endpoint, events, answer } => {
                    let redelivered = batch.redeliver(&self.store.look(), endpoint, events);
                    pending.push(Box::new(move |written| {
                        answer.give(written.map(|_| redelivered).map_err(Clone::clone));
                    }));
                }
                Request::Restore { endpoint, events, answer } => {
                    if !self.store.fits_again(&batch, &events) {
                        answer.give(Err(Error::Full));
                        continue;
                    }
                    let restored = batch.restore(&self.store.look(), endpoint, events);
                    pending.push(Box::new(move |written| {
                        answer.give(written.map(|_| restored).map_err(Clone::clone));
                    }));
                }
                Request::Flush { answer } => {
                    pending.push(Box::new(move |written| answer.give(written.map(|_| ()).map_err(Clone::clone))));
                }
                Request::Space { space, answer } => {
                    self.store.set_space(space);
                    answer.give(());
                }
                Request::Tidy { now_ms, answer } => tidying.push((now_ms, answer)),
                Request::Close { answer } => closing.push(answer),
            }
            is_due = true;
        }
        if self.outcomes_due.is_none() && !(self.outcomes.is_empty() && self.waiting_outcomes.is_empty()) {
            self.outcomes_due = Some(now + self.outcome_delay);
        }
        let has_come = |time: Option<Instant>| time.is_some_and(|time| time <= now);
        let outcomes_are_due = has_come(self.outcomes_due) && self.retry.is_none();
        if is_due || outcomes_are_due || has_come(self.retry) {
            self.commit(batch, pending, now);
        }
        for (now_ms, answer) in tidying {
            answer.give(self.tidy(now_ms));
        }
        closing
    }

    fn accept(&mut self, batch: &mut Batch, request: Request, pending: &mut Vec<Pending>) {
        let Request::Accept { events, answer } = request else { return };
        if !self.store.fits(batch, &events) {
            if self.cleaning_rests.is_none() && self.store.is_freeing_for(batch, &events) {
                self.parked.push_back(Request::Accept { events, answer });
            } else {
                self.store.note_refused(batch, &events);
                answer.give(Err(Error::Full));
            }
            return;
        }
        self.store.note_accepted();
        let accepted = batch.accept(&self.store.look(), events);
        pending.push(Box::new(move |written| answer.give(written.map(|_| accepted).map_err(Clone::clone))));
    }

    /// Syncs a commit with all outcomes that wait, then tells of new events, then answers.
    fn commit(&mut self, mut batch: Batch, pending: Vec<Pending>, now: Instant) {
        self.waiting_outcomes.take(&mut self.outcomes);
        {
            let state = self.store.look();
            for WaitingOutcome { outcome, .. } in &self.outcomes {
                if !batch.outcome(&state, outcome) {
                    tracing::debug!(
                        seq = outcome.seq,
                        endpoint = outcome.endpoint.0,
                        "an outcome of no pending delivery"
                    );
                }
            }
        }
        let mut written = if batch.is_empty() {
            // Repetitions are synced already, whatever the disk does now.
            if self.retry.is_some_and(|retry| retry <= now) {
                // Whether it works is in the state.
                let _ = self.store.probe();
            }
            Ok(Applied::default())
        } else {
            self.store.write(batch)
        };
        if let Ok(applied) = &mut written {
            self.outcomes.clear();
            self.outcomes_due = None;
            let committed = std::mem::take(&mut applied.committed);
            if !committed.is_empty() {
                (self.on_commit)(committed);
            }
        }
        if !pending.is_empty() {
            self.answers.give(pending, written);
        }
    }

    /// Sets when a failing disk is tried again.
    fn watch(&mut self, now: Instant) {
        self.retry = match self.retry {
            _ if !self.store.look().failing => None,
            Some(retry) if retry > now => Some(retry),
            _ => Some(now + RETRY),
        };
    }

    fn tidy(&mut self, now_ms: i64) -> Tidied {
        self.store.tidy(now_ms).unwrap_or_else(|error| {
            tracing::warn!(%error, "dead letters could not be removed; the next time will do it");
            Tidied::default()
        })
    }

    /// Takes one step of what keeps the files small.
    fn maintain(&mut self, now: Instant) {
        if self.cleaning_rests.is_some_and(|until| until > now) {
            return;
        }
        self.cleaning_rests = None;
        let cleaned = self.store.remove_excess().and_then(|_| self.store.clean());
        if let Err(error) = cleaned {
            tracing::warn!(%error, "the journal's files cannot be cleaned now");
            self.cleaning_rests = Some(now + RETRY);
        }
    }
}
