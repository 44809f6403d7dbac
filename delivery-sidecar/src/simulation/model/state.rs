//! What a journal should hold: how each delivery stands, and what is counted.

use std::collections::BTreeMap;

use posthaste_journal::{EndpointStats, Outcome, OutcomeKind, Seq};

use crate::simulation::configuration::Number;

/// A delivery: the event's number and the endpoint.
pub type Delivery = (Seq, Number);

/// How a delivery stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It waits.
    Pending {
        /// Attempts so far.
        attempts: u32,
        /// When the next one is due; 0 before the first.
        due_ms: i64,
        /// It had ended, and was asked for again.
        again: bool,
    },
    /// It has succeeded.
    Delivered,
    /// It was given up.
    Dead {
        /// When.
        died_ms: i64,
        /// How often it was attempted.
        attempts: u32,
    },
    /// It was given up, and is no longer kept.
    Removed,
    /// Its endpoint was deleted.
    Dropped,
}

/// What is counted of an endpoint.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    delivered: u64,
    failed: u64,
    retried: u64,
    dead_lettered: u64,
    /// Attempts that failed since the last success.
    pub consecutive_failures: u64,
    last_attempt_ms: Option<i64>,
    /// When the last success was.
    pub last_success_ms: Option<i64>,
}

/// See the module.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct State {
    /// All deliveries that there ever were.
    pub deliveries: BTreeMap<Delivery, Standing>,
    /// Bytes of the contents of all events that there ever were.
    pub bytes: BTreeMap<Seq, u64>,
    /// Of endpoints that had an outcome.
    pub counts: BTreeMap<Number, Counts>,
}

/// What can be seen of a journal.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// Pending deliveries, with attempts, due time, and whether they were asked for again.
    pub pending: BTreeMap<Delivery, (u32, i64, bool)>,
    /// Dead letters: when they died, and after how many attempts.
    pub dead: BTreeMap<Delivery, (i64, u32)>,
    /// Of all endpoints that it knows.
    pub counts: BTreeMap<Number, Counts>,
}

impl From<&EndpointStats> for Counts {
    fn from(stats: &EndpointStats) -> Self {
        Self {
            delivered: stats.delivered,
            failed: stats.failed,
            retried: stats.retried,
            dead_lettered: stats.dead_lettered,
            consecutive_failures: stats.consecutive_failures,
            last_attempt_ms: stats.last_attempt_ms,
            last_success_ms: stats.last_success_ms,
        }
    }
}

impl State {
    /// An event was accepted for these endpoints.
    pub fn accepted(&mut self, seq: Seq, bytes: u64, endpoints: impl IntoIterator<Item = Number>) {
        self.bytes.insert(seq, bytes);
        for number in endpoints {
            self.deliveries.insert((seq, number), Standing::Pending { attempts: 0, due_ms: 0, again: false });
        }
    }

    /// A delivery is pending again.
    pub fn again(&mut self, delivery: Delivery) {
        self.deliveries.insert(delivery, Standing::Pending { attempts: 0, due_ms: 0, again: true });
    }

    /// An endpoint was deleted.
    pub fn deleted(&mut self, number: Number) {
        self.counts.remove(&number);
        for ((_, endpoint), standing) in &mut self.deliveries {
            if *endpoint == number && matches!(standing, Standing::Pending { .. } | Standing::Dead { .. }) {
                *standing = Standing::Dropped;
            }
        }
    }

    /// An attempt or a delivery has ended. One that is not pending stays as it is.
    pub fn ended(&mut self, number: Number, outcome: &Outcome) {
        let Some(standing) = self.deliveries.get_mut(&(outcome.seq, number)) else { return };
        let Standing::Pending { attempts, again, .. } = *standing else { return };
        let counts = self.counts.entry(number).or_default();
        let attempted = outcome.attempts > attempts;
        if attempted {
            counts.last_attempt_ms = Some(outcome.at_ms);
            counts.retried += u64::from(outcome.attempts > 1);
        }
        let failed = u64::from(attempted);
        match outcome.kind {
            OutcomeKind::Succeeded { .. } => {
                *standing = Standing::Delivered;
                counts.delivered += 1;
                counts.consecutive_failures = 0;
                counts.last_success_ms = Some(outcome.at_ms);
                return;
            }
            OutcomeKind::Retry { due_ms, .. } => {
                *standing = Standing::Pending { attempts: outcome.attempts, due_ms, again };
            }
            OutcomeKind::DeadLettered { .. } => {
                *standing = Standing::Dead { died_ms: outcome.at_ms, attempts: outcome.attempts };
                counts.dead_lettered += 1;
            }
        }
        counts.failed += failed;
        counts.consecutive_failures += failed;
    }

    /// Deliveries that wait.
    pub fn pending(&self) -> BTreeMap<Delivery, (u32, i64, bool)> {
        let pending = |(delivery, standing): (&Delivery, &Standing)| match standing {
            Standing::Pending { attempts, due_ms, again } => Some((*delivery, (*attempts, *due_ms, *again))),
            _ => None,
        };
        self.deliveries.iter().filter_map(pending).collect()
    }

    /// What differs from what is seen; `None` when nothing does. Dead letters may have been removed.
    pub fn difference(&self, seen: &Seen) -> Option<String> {
        let pending = self.pending();
        if pending != seen.pending {
            return Some(format!("pending should be {pending:?} and is {:?}", seen.pending));
        }
        for (delivery, (died_ms, attempts)) in &seen.dead {
            let standing = self.deliveries.get(delivery);
            if standing != Some(&Standing::Dead { died_ms: *died_ms, attempts: *attempts }) {
                return Some(format!("{delivery:?} died at {died_ms} after {attempts} and should be {standing:?}"));
            }
        }
        for (number, counted) in &seen.counts {
            let counts = self.counts.get(number).cloned().unwrap_or_default();
            if counts != *counted {
                return Some(format!("endpoint {number} should have {counts:?} and has {counted:?}"));
            }
        }
        self.counts
            .keys()
            .find(|number| !seen.counts.contains_key(number))
            .map(|number| format!("endpoint {number} is gone"))
    }
}
