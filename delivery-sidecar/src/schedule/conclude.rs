//! What the end of an attempt means for its delivery and for its endpoint. Pure.

use std::time::Duration;

use posthaste_journal::{Failure, OutcomeKind};
use rand::rngs::SmallRng;

use super::{
    breaker::Sign,
    exhausted::Exhausted,
    lane::{Lane, Running},
    retry::{self, Next},
};
use crate::send::{FailureClass, Verdict};

/// What an attempt's verdict means for its delivery. The lane takes the delivery back unless it is finished.
pub fn conclude(
    lane: &mut Lane,
    running: Running,
    ended_ms: i64,
    verdict: Verdict,
    now_ms: i64,
    random: &mut SmallRng,
) -> OutcomeKind {
    lane.learn(running, sign(&verdict), now_ms);
    let (failure, retry_after, class) = match verdict {
        Verdict::Succeeded { status } => {
            lane.throttle.succeeded();
            lane.exhausted = lane.exhausted.and_then(Exhausted::after_success);
            return OutcomeKind::Succeeded { status };
        }
        Verdict::Failed { failure, retry_after, class } => (failure, retry_after, class),
    };
    let asked_ms = retry_after.map_or(0, |wait| heard_ms(lane, wait));
    // An attempt that began before an edit says nothing about the receiver of now.
    if lane.identity() == Some(running.of) {
        match class {
            FailureClass::Throttle => lane.throttle.overloaded(now_ms, asked_ms),
            FailureClass::Gone => lane.gone = Some(running.of),
            FailureClass::Retry | FailureClass::Permanent => {}
        }
    }
    let next = match (&lane.settings, class) {
        (_, FailureClass::Permanent) => Next::Exhausted,
        (Some(settings), _) => retry::next(&settings.retry, running.attempt, ended_ms, asked_ms, random),
        // Nothing starts without settings. If it could, it would have to be kept.
        (None, _) => Next::At { due_ms: ended_ms },
    };
    let due_ms = match (next, class) {
        (Next::At { due_ms }, _) => due_ms,
        // It is asked again only after a person has changed something, and that attempt is owed.
        (Next::Exhausted, FailureClass::Gone) => ended_ms,
        (Next::Exhausted, _) => return give_up(lane, running, class, failure),
    };
    // What was in flight when its time ran out was worth an end, but no further attempt.
    if ended_ms >= lane.expires_ms(running.accepted_s) {
        return give_up(lane, running, class, failure);
    }
    lane.take_back(running, due_ms);
    OutcomeKind::Retry { due_ms, failure }
}

/// The endpoint is exhausted unless nothing was sent to it, or it is gone.
fn give_up(lane: &mut Lane, running: Running, class: FailureClass, failure: Failure) -> OutcomeKind {
    if matches!(class, FailureClass::Retry | FailureClass::Throttle) {
        lane.exhaust(running.of);
    }
    OutcomeKind::DeadLettered { failure }
}

/// A `Retry-After` as the endpoint's settings let it be heard.
fn heard_ms(lane: &Lane, wait: Duration) -> u64 {
    let most = lane.settings.as_ref().map_or(0, |settings| settings.retry_after_max_ms);
    u64::try_from(wait.as_millis()).unwrap_or(u64::MAX).min(most)
}

fn sign(verdict: &Verdict) -> Sign {
    match verdict {
        Verdict::Succeeded { .. } => Sign::Success,
        // The request could not be made, which is not the receiver's doing.
        Verdict::Failed { class: FailureClass::Permanent, .. } => Sign::None,
        Verdict::Failed { .. } => Sign::Failure,
    }
}
