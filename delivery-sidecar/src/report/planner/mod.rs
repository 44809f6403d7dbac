//! Decides whose turn it is to be written.
//!
//! Pure: observations, answers and the time go in, at most one [`Action`] at a time comes out. `now` is the time
//! since the reporter began. The order is: transitions of health, changes of configuration, first looks, first
//! successes, counts; in each the object that has waited longest, so that every one of thousands gets its turn. A
//! write always carries everything, so it serves all that its object needs.
//!
//! What pays for what:
//! - Counts and first successes take tokens of the counter bucket.
//! - Transitions take from the same bucket and may overdraw it, so that they are written at once; counts wait until
//!   the debt is repaid. Over time nothing exceeds the budget.
//! - Changes of configuration have a bucket of their own, and so have looks, which store nothing.

mod answer;
mod entry;
mod lanes;
mod observe;
#[cfg(test)]
mod tests;

use std::{collections::HashMap, sync::Arc, time::Duration};

use posthaste_delivery_config::{StatusBudget, StatusMode};

use self::{
    entry::Entry,
    lanes::{Id, Lane, Lanes},
};
use super::{
    budget::{Backoff, Bucket},
    digest::Digest,
    health::ConditionStatus,
    status::{MAX_TARGETS, Transitions},
    totals::Totals,
    view::WebhookView,
};

pub use self::answer::{Answer, Timing};

/// The Webhook's number.
const WEBHOOK: Id = Id(0);
/// How many bursts transitions may overdraw the counter bucket by, and at least how many writes: even the smallest
/// share should show an ordinary outage at once.
const DEBT_BURSTS: f64 = 4.0;
const MIN_DEBT: f64 = 50.0;

/// What to do next.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// Read what an object displays.
    Look(Ticket),
    /// Write an object.
    Write(Ticket),
    /// Nothing before this time, unless something is observed or answered.
    WaitUntil(Duration),
    /// Nothing, until something is observed or answered.
    Idle,
}

/// An object whose turn it is. Every ticket must come back by [`Planner::answer`].
#[derive(Clone, Debug, PartialEq)]
pub struct Ticket {
    id: Id,
    /// Which object.
    pub object: Object,
}

/// One object.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Object {
    /// The Webhook.
    Webhook,
    /// The endpoint with this UID.
    Endpoint(Arc<str>),
}

/// What an object displays of ours.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Shown {
    /// Its digest.
    pub digest: Digest,
    /// Since when its conditions are what they are.
    pub since: Transitions,
}

/// Counts of what was not written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Savings {
    /// Changes that were shown together with a later one.
    pub coalesced: u64,
    /// Objects that needed a write, until they looked again as they are displayed.
    pub skipped: u64,
}

/// The plan. Bounded by the number of endpoints.
#[derive(Debug)]
pub struct Planner {
    mode: StatusMode,
    interval: Duration,
    writes: Bucket,
    programmed: Bucket,
    looks: Bucket,
    backoff: Backoff,
    entries: HashMap<Id, Entry>,
    by_uid: HashMap<Arc<str>, Id>,
    by_name: HashMap<Arc<str>, Id>,
    lanes: Lanes,
    next_id: u64,
    in_flight: usize,
    totals: Totals,
    webhook: Option<WebhookView>,
    counted_webhook_last: bool,
    savings: Savings,
}

impl Planner {
    /// An empty plan.
    pub fn new(budget: &StatusBudget) -> Self {
        let programmed = Bucket::new(budget.programmed_per_second, budget.programmed_per_second);
        Self {
            mode: budget.mode,
            interval: Duration::from_millis(budget.min_interval_ms),
            writes: Bucket::new(budget.per_second, budget.burst),
            looks: programmed.clone(),
            programmed,
            backoff: Backoff::default(),
            entries: HashMap::new(),
            by_uid: HashMap::new(),
            by_name: HashMap::new(),
            lanes: Lanes::default(),
            next_id: WEBHOOK.0 + 1,
            in_flight: 0,
            totals: Totals::default(),
            webhook: None,
            counted_webhook_last: false,
            savings: Savings::default(),
        }
    }

    /// Changes the budget; what was saved up or overdrawn stays.
    pub fn set_budget(&mut self, budget: &StatusBudget, now: Duration) {
        self.mode = budget.mode;
        self.interval = Duration::from_millis(budget.min_interval_ms);
        self.writes.set(budget.per_second, budget.burst, now);
        for bucket in [&mut self.programmed, &mut self.looks] {
            bucket.set(budget.programmed_per_second, budget.programmed_per_second, now);
        }
        let all: Vec<Id> = self.entries.keys().copied().collect();
        for id in all {
            self.place(id, now);
        }
    }

    /// What is displayed at all.
    pub fn mode(&self) -> StatusMode {
        self.mode
    }

    /// What to do next.
    pub fn next(&mut self, now: Duration) -> Action {
        if let Some(until) = self.backoff.until(now) {
            return if self.lanes.len() == 0 { Action::Idle } else { Action::WaitUntil(until) };
        }
        if self.backoff.probing() && self.in_flight > 0 {
            return Action::Idle;
        }
        while let Some((_, id)) = self.lanes.next_due().filter(|(due, _)| *due <= now) {
            self.place(id, now);
        }
        let debt = (self.writes.burst() * DEBT_BURSTS).max(MIN_DEBT);
        let mut wait = self.lanes.next_due().map(|(due, _)| due);
        for lane in [Lane::Transition, Lane::Programmed, Lane::Look, Lane::FirstVerdict, Lane::Counters] {
            let Some(id) = self.pick(lane) else { continue };
            let token = match lane {
                Lane::Transition => self.writes.take(now, debt),
                Lane::Programmed => self.programmed.take(now, 0.0),
                Lane::Look => self.looks.take(now, 0.0),
                Lane::FirstVerdict | Lane::Counters => self.writes.take(now, 0.0),
            };
            match token {
                Ok(()) => return self.start(id, lane, now),
                Err(until) => wait = [wait, until].into_iter().flatten().min(),
            }
        }
        wait.map_or(Action::Idle, Action::WaitUntil)
    }

    /// Lifts the least interval between writes to one object, for the last writes before the end.
    pub fn flush(&mut self, now: Duration) {
        self.interval = Duration::ZERO;
        let later: Vec<Id> = self.lanes.later().collect();
        for id in later {
            self.place(id, now);
        }
    }

    /// Since when the conditions of an object are what they are.
    pub fn since(&self, ticket: &Ticket) -> Transitions {
        self.entries.get(&ticket.id).map(|entry| entry.since).unwrap_or_default()
    }

    /// The sums over all endpoints.
    pub fn totals(&self) -> Totals {
        self.webhook.as_ref().map_or(self.totals, |view| self.totals.plus(&view.others))
    }

    /// When the oldest unfinished delivery of all was accepted, those of endpoints without a view included.
    pub fn oldest_pending_ms(&self) -> Option<i64> {
        let others = self.webhook.as_ref().and_then(|view| view.others_oldest_pending_ms);
        self.entries.values().filter_map(|entry| entry.oldest_pending_ms).chain(others).min()
    }

    /// UIDs of the endpoints to list in the Webhook: those that fail first, then those used last; at most
    /// [`MAX_TARGETS`].
    pub fn targets(&self) -> Vec<Arc<str>> {
        let mut endpoints: Vec<&Entry> =
            self.entries.iter().filter(|(id, _)| **id != WEBHOOK).map(|(_, entry)| entry).collect();
        let fails =
            |entry: &Entry| entry.current.health.is_some_and(|digest| digest.health.status == ConditionStatus::False);
        let order = |a: &&Entry, b: &&Entry| {
            (fails(b), b.last_attempt_ms, &a.name).cmp(&(fails(a), a.last_attempt_ms, &b.name))
        };
        if endpoints.len() > MAX_TARGETS {
            endpoints.select_nth_unstable_by(MAX_TARGETS, order);
            endpoints.truncate(MAX_TARGETS);
        }
        endpoints.sort_unstable_by(order);
        endpoints.into_iter().map(|entry| Arc::clone(&entry.uid)).collect()
    }

    /// Objects that wait to be written or looked at.
    pub fn waiting(&self) -> usize {
        self.lanes.len()
    }

    /// Counts since the last call.
    pub fn take_savings(&mut self) -> Savings {
        std::mem::take(&mut self.savings)
    }

    /// Puts an object where it belongs.
    fn place(&mut self, id: Id, now: Duration) {
        let Some(entry) = self.entries.get_mut(&id) else { return };
        let due = entry.due(self.mode, self.interval);
        entry.place = self.lanes.put(id, entry.place, due, now, id == WEBHOOK);
    }

    /// Who is next in a lane. The Webhook goes first; with counts, which never end, only every other time.
    fn pick(&self, lane: Lane) -> Option<Id> {
        let [first, second] = self.lanes.first_two(lane);
        if lane == Lane::Counters && first == Some(WEBHOOK) && self.counted_webhook_last {
            return second.or(first);
        }
        first
    }

    fn start(&mut self, id: Id, lane: Lane, now: Duration) -> Action {
        let Some(entry) = self.entries.get_mut(&id) else { return Action::Idle };
        entry.in_flight = Some(lane);
        let object = if id == WEBHOOK { Object::Webhook } else { Object::Endpoint(Arc::clone(&entry.uid)) };
        if lane == Lane::Counters {
            self.counted_webhook_last = id == WEBHOOK;
        }
        self.in_flight += 1;
        self.place(id, now);
        let ticket = Ticket { id, object };
        if lane == Lane::Look { Action::Look(ticket) } else { Action::Write(ticket) }
    }
}
