//! What the planner learns from what became of a request.

use std::{sync::Arc, time::Duration};

use super::{
    Planner, Shown, Ticket,
    entry::{Entry, Known},
    lanes::{Id, Lane},
};
use crate::report::status::Transitions;

/// What became of a [`Ticket`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Answer {
    /// The object displays this of ours, if anything.
    Looked(Option<Shown>),
    /// The object was written and displays this.
    Written(Shown),
    /// The object is not there.
    Gone,
    /// Another object has its name.
    Replaced,
    /// The API server cannot serve us now; it may have said for how long.
    Unavailable(Option<Duration>),
    /// The API server does not want this request. After a look, the object is written without knowing what it
    /// displayed before.
    Refused,
    /// Nothing was sent: the engine forgot the object meanwhile.
    Dropped,
}

/// When an answer came.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Timing {
    /// Now.
    pub now: Duration,
    /// How long it took.
    pub elapsed: Duration,
    /// A random number in 0..1, for pauses.
    pub jitter: f64,
}

impl Planner {
    /// Takes a ticket back.
    pub fn answer(&mut self, ticket: &Ticket, answer: Answer, timing: Timing) {
        let Timing { now, elapsed, jitter } = timing;
        self.in_flight = self.in_flight.saturating_sub(1);
        match answer {
            Answer::Dropped => {}
            Answer::Unavailable(asked) => self.backoff.lengthen(now, asked, jitter),
            _ => self.backoff.answered(now, elapsed, jitter),
        }
        let interval = self.interval;
        // Removed meanwhile, and perhaps added again under another number: the answer is of no use then.
        let Some(entry) = self.entries.get_mut(&ticket.id) else { return };
        let Some(lane) = entry.in_flight.take() else { return };
        match answer {
            Answer::Looked(Some(shown)) => entry.seen(Some(shown.digest), shown.since),
            Answer::Looked(None) => entry.seen(None, Transitions::default()),
            Answer::Written(shown) => entry.written(lane, shown.digest, shown.since, now, interval),
            Answer::Refused if lane == Lane::Look => entry.seen(None, Transitions::default()),
            Answer::Refused => entry.refused(now, interval),
            Answer::Gone | Answer::Replaced | Answer::Dropped => entry.gone(),
            Answer::Unavailable(_) => {}
        }
        self.place(ticket.id, now);
        if answer == Answer::Replaced {
            self.look_again_by_name(ticket.id, now);
        }
    }

    /// The status that was meant for the old object reached the new one of the same name, and was withdrawn: what
    /// the new one displays is not known any more.
    fn look_again_by_name(&mut self, replaced: Id, now: Duration) {
        let name = |entry: &Entry| Arc::clone(&entry.name);
        let newer = self.entries.get(&replaced).and_then(|entry| self.by_name.get(&name(entry)).copied());
        let Some(id) = newer.filter(|id| *id != replaced) else { return };
        if let Some(entry) = self.entries.get_mut(&id) {
            entry.known = Known::Unseen;
            self.place(id, now);
        }
    }
}
