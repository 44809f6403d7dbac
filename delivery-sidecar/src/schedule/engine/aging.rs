//! Giving up what has waited for too long.

use jiff::SignedDuration;
use posthaste_crds::conditions::healthy;
use posthaste_journal::{Failure, Outcome, OutcomeKind};

use super::{
    super::{message::Effect, queue::Waiting, standing::Standing},
    Engine, Slot,
};

/// Most deliveries that are given up at once because they are too old: others go on in between.
const MOST_GIVEN_UP: usize = 512;

impl Engine {
    /// Gives up what has waited for longer than it may, whatever held it up; the oldest first.
    pub(super) fn give_up_old(&mut self, now_ms: i64, effects: &mut Vec<Effect>) {
        let mut left = MOST_GIVEN_UP;
        while left > 0
            && let Some(ordinal) = self.ages.due(now_ms)
            && let Some(Slot::Lane(scheduled)) = self.slots.get_mut(ordinal.0 as usize)
        {
            let given_up = scheduled.lane.give_up(now_ms, left);
            let failure = too_old(scheduled.lane.max_age_ms());
            let memory = scheduled.lane.memory();
            // Who withholds deliveries does not say that the receiver does not take them.
            if !given_up.is_empty()
                && !self.suspended
                && scheduled.lane.may_deliver()
                && scheduled.lane.standing == Standing::Failing
                && let Some(of) = scheduled.lane.identity()
            {
                scheduled.lane.exhaust(of);
            }
            if scheduled.lane.memory() != memory {
                effects.push(Effect::Remember { ordinal, memo: scheduled.lane.memo(now_ms).to_bytes() });
            }
            left -= given_up.len();
            self.pending -= given_up.len() as u64;
            for waiting in given_up {
                let Waiting { seq, attempts, .. } = waiting;
                if waiting.is_fresh() {
                    self.cache.take(seq);
                }
                let kind = OutcomeKind::DeadLettered { failure: failure.clone() };
                let attempts = attempts.into();
                effects.push(Effect::Record(Outcome { seq, endpoint: ordinal, at_ms: now_ms, attempts, kind }));
            }
            self.settle(ordinal, now_ms, effects);
        }
    }
}

/// Why a delivery is given up that nobody tried to make any more.
fn too_old(max_age_ms: u64) -> Failure {
    let max_age = SignedDuration::from_millis(i64::try_from(max_age_ms).unwrap_or(i64::MAX));
    let message = format!("not delivered within {max_age:#}, which is its retry.maxAge");
    Failure { status: None, reason: healthy::EXHAUSTED.to_owned(), message }
}
