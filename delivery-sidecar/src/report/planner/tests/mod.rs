//! The planner against a pretended cluster and clock.
#![allow(clippy::unchecked_time_subtraction, reason = "the pretended clock only goes forward")]

mod answers;
mod order;
mod simulation;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::*;
use crate::report::{
    shown, status,
    testing::{failed, succeeded, view, webhook},
    view::EndpointView,
};

#[test]
fn the_oldest_pending_of_all_may_be_that_of_an_endpoint_without_a_view() {
    let mut planner = Planner::new(&StatusBudget::default());
    planner.observe_endpoint(&EndpointView { oldest_pending_ms: Some(7), ..view("a") }, s(0));
    planner.observe_webhook(&webhook());
    assert_eq!(planner.oldest_pending_ms(), Some(7));
    planner.observe_webhook(&WebhookView { others_oldest_pending_ms: Some(3), ..webhook() });
    assert_eq!(planner.oldest_pending_ms(), Some(3));
}

const fn s(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// A request that was made.
#[derive(Clone, Debug, PartialEq)]
struct Made {
    at: Duration,
    object: Object,
    lane: Lane,
}

/// A planner, the views it observes, and what its cluster displays. Requests are answered at once.
struct World {
    planner: Planner,
    now: Duration,
    views: BTreeMap<String, EndpointView>,
    webhook: WebhookView,
    changed: BTreeSet<String>,
    displayed: HashMap<Object, Shown>,
    made: Vec<Made>,
}

impl World {
    /// `endpoints` without traffic, none of them looked at.
    fn new(endpoints: usize, budget: &StatusBudget) -> Self {
        let mut world = Self {
            planner: Planner::new(budget),
            now: Duration::ZERO,
            views: BTreeMap::new(),
            webhook: webhook(),
            changed: BTreeSet::new(),
            displayed: HashMap::new(),
            made: vec![],
        };
        for number in 0..endpoints {
            world.change(&format!("{number:05}"), |_| {});
        }
        world
    }

    /// `endpoints` that had a success, all displayed, with full buckets.
    fn settled(endpoints: usize, budget: &StatusBudget) -> Self {
        let mut world = Self::new(endpoints, budget);
        world.change_all(succeed);
        world.advance(s(10_000));
        world.assert_all_displayed();
        world.made.clear();
        world
    }

    /// Another process with the same cluster.
    fn restarted(mut self, budget: &StatusBudget) -> Self {
        self.planner = Planner::new(budget);
        self.now = Duration::ZERO;
        self.changed = self.views.keys().cloned().collect();
        self.made.clear();
        self
    }

    fn change(&mut self, uid: &str, change: impl FnOnce(&mut EndpointView)) {
        change(self.views.entry(uid.into()).or_insert_with(|| view(uid)));
        self.changed.insert(uid.into());
    }

    fn change_all(&mut self, mut change: impl FnMut(&mut EndpointView)) {
        for (uid, view) in &mut self.views {
            change(view);
            self.changed.insert(uid.clone());
        }
    }

    fn remove(&mut self, uid: &str) {
        self.views.remove(uid);
        self.changed.remove(uid);
        self.planner.remove_endpoint(uid, self.now);
    }

    fn observe(&mut self) {
        for uid in std::mem::take(&mut self.changed) {
            self.planner.observe_endpoint(&self.views[&uid], self.now);
        }
        self.planner.observe_webhook(&self.webhook);
        self.planner.settle(self.now);
    }

    /// Lets time pass, making every request as soon as the planner wants it.
    fn advance(&mut self, by: Duration) {
        let end = self.now + by;
        self.observe();
        loop {
            match self.planner.next(self.now) {
                Action::Look(ticket) => {
                    let answer = Answer::Looked(self.displayed.get(&ticket.object).copied());
                    self.answer(&ticket, answer);
                }
                Action::Write(ticket) => {
                    let shown = self.build(&ticket);
                    self.displayed.insert(ticket.object.clone(), shown);
                    self.answer(&ticket, Answer::Written(shown));
                }
                Action::WaitUntil(time) if time <= end => self.now = time,
                Action::WaitUntil(_) | Action::Idle => break,
            }
        }
        self.now = end;
    }

    /// The next request, not answered.
    fn ticket(&mut self) -> Option<Ticket> {
        match self.planner.next(self.now) {
            Action::Look(ticket) | Action::Write(ticket) => Some(ticket),
            Action::WaitUntil(_) | Action::Idle => None,
        }
    }

    fn answer(&mut self, ticket: &Ticket, answer: Answer) {
        if let Some(lane) = self.planner.entries.get(&ticket.id).and_then(|entry| entry.in_flight) {
            self.made.push(Made { at: self.now, object: ticket.object.clone(), lane });
        }
        self.planner.answer(ticket, answer, Timing { now: self.now, elapsed: Duration::ZERO, jitter: 0.0 });
    }

    fn build(&self, ticket: &Ticket) -> Shown {
        let (mode, since) = (self.planner.mode(), self.planner.since(ticket));
        let wall = jiff::Timestamp::UNIX_EPOCH + self.now;
        match &ticket.object {
            Object::Webhook => {
                let totals = self.planner.totals();
                let status = status::webhook(&self.webhook, &totals, None, vec![], mode, &since, wall);
                Shown {
                    digest: shown::webhook(&self.webhook, &totals).under(mode),
                    since: Transitions::of_webhook(&status),
                }
            }
            Object::Endpoint(uid) => {
                let view = &self.views[&**uid];
                let health = crate::report::health::judge(view);
                let status = status::endpoint(view, health, mode, &since, wall);
                Shown { digest: shown::endpoint(view, health).under(mode), since: Transitions::of_endpoint(&status) }
            }
        }
    }

    fn count(&self, lane: Lane) -> usize {
        self.made.iter().filter(|made| made.lane == lane).count()
    }

    fn writes(&self) -> usize {
        self.made.iter().filter(|made| made.lane != Lane::Look).count()
    }

    #[track_caller]
    fn assert_all_displayed(&self) {
        for (uid, view) in &self.views {
            let shown = self.displayed.get(&endpoint(uid)).map(|shown| shown.digest);
            let digest = shown::endpoint(view, crate::report::health::judge(view)).under(self.planner.mode());
            assert_eq!(shown, Some(digest), "{uid}");
        }
        let digest = shown::webhook(&self.webhook, &self.planner.totals()).under(self.planner.mode());
        assert_eq!(self.displayed.get(&Object::Webhook).map(|shown| shown.digest), Some(digest));
    }
}

fn endpoint(uid: &str) -> Object {
    Object::Endpoint(uid.into())
}

fn fail(view: &mut EndpointView) {
    failed(view, 0, "ServerError", Some(503));
}

fn succeed(view: &mut EndpointView) {
    succeeded(view, 0);
}
