//! What the end of an attempt means for its delivery and for its endpoint. Pure.

use posthaste_journal::OutcomeKind;
use rand::rngs::SmallRng;

use super::{
    breaker::Sign,
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
            return OutcomeKind::Succeeded { status };
        }
        Verdict::Failed { failure, retry_after, class } => (failure, retry_after, class),
    };
    if class == FailureClass::Throttle {
        lane.throttle.overloaded(now_ms, retry_after);
    }
    if class == FailureClass::Gone && lane.settings.as_ref().is_some_and(|settings| settings.identity() == running.of) {
        lane.gone = Some(running.of);
    }
    let next = match (&lane.settings, class) {
        (_, FailureClass::Permanent) => Next::Exhausted,
        (Some(settings), _) => retry::next(&settings.retry, running.attempt, ended_ms, retry_after, random),
        // Nothing starts without settings. If it could, it would have to be kept.
        (None, _) => Next::At { due_ms: ended_ms },
    };
    let due_ms = match (next, class) {
        (Next::At { due_ms }, _) => due_ms,
        // It is asked again only after a person has changed something, and that attempt is owed.
        (Next::Exhausted, FailureClass::Gone) => ended_ms,
        (Next::Exhausted, _) => return OutcomeKind::DeadLettered { failure },
    };
    lane.push_tried(running.seq, running.attempt, due_ms, running.group);
    OutcomeKind::Retry { due_ms, failure }
}

fn sign(verdict: &Verdict) -> Sign {
    match verdict {
        Verdict::Succeeded { .. } => Sign::Success,
        // The request could not be made, which is not the receiver's doing.
        Verdict::Failed { class: FailureClass::Permanent, .. } => Sign::None,
        Verdict::Failed { .. } => Sign::Failure,
    }
}
