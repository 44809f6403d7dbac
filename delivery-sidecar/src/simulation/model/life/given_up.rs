//! What is given up although nobody has just tried to deliver it: what is too old, and what is too much.

use std::collections::BTreeSet;

use posthaste_journal::{Outcome, OutcomeKind, Seq};

use super::Life;
use crate::simulation::{
    configuration::Number,
    model::{lane::Known, state::Delivery},
    rules::{Checked, Rule},
};

impl Life {
    /// These may be given up now because the endpoint has too much pending.
    pub fn overflows(&mut self, number: Number, oldest: &[Seq]) {
        self.overflow = Some((number, oldest.iter().copied().collect()));
    }

    /// What was given up for that.
    pub fn overflowed(&mut self) -> Vec<Seq> {
        self.overflow = None;
        std::mem::take(&mut self.overflowed)
    }

    /// A delivery waits, for whatever.
    pub fn waits(&self, delivery: Delivery) -> bool {
        self.taken.get(&delivery).is_some_and(|taken| taken.running.is_none())
    }

    /// A delivery is given up that nobody has just tried to make.
    pub(super) fn given_up(&mut self, now_ms: i64, delivery: Delivery, outcome: &Outcome) -> Checked {
        let taken = self.taken.get(&delivery).filter(|taken| taken.running.is_none());
        let is_end = matches!(outcome.kind, OutcomeKind::DeadLettered { .. });
        let Some(taken) = taken.filter(|taken| is_end && taken.attempts == outcome.attempts) else {
            return Err(Rule::Outcome.broken(format!("{outcome:?} is about nothing that has just ended")));
        };
        let overflows =
            |(number, oldest): &(Number, BTreeSet<Seq>)| (delivery.1 == *number) && oldest.contains(&delivery.0);
        if is_overflow(outcome) && self.overflow.as_ref().is_some_and(overflows) {
            self.overflowed.push(delivery.0);
            self.taken.remove(&delivery);
            return Ok(());
        }
        let is_too_old = self.lanes.get(&delivery.1).is_some_and(|lane| taken.is_too_old(lane, now_ms));
        Rule::Age.holds(is_too_old && !self.draining, || format!("{outcome:?} ends {taken:?}"))?;
        self.got_too_old(delivery.1);
        self.taken.remove(&delivery);
        Ok(())
    }

    /// A delivery of an endpoint gets too old. If its receiver fails and nobody withholds anything, it is exhausted.
    pub fn got_too_old(&mut self, number: Number) {
        let Some(lane) = self.lanes.get_mut(&number) else { return };
        if !self.suspended && lane.withheld().is_none() && lane.known == Known::Failing {
            lane.exhaust();
        }
    }
}

/// Whether a delivery was given up because its endpoint had too much pending.
pub fn is_overflow(outcome: &Outcome) -> bool {
    matches!(&outcome.kind, OutcomeKind::DeadLettered { failure } if failure.reason == "Overflow")
}
