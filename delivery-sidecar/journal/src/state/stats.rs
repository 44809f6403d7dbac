//! How outcomes are counted.

use crate::{EndpointStats, Failure, LastFailure, Outcome, OutcomeKind};

/// Counts an outcome. `attempted` tells whether anything was sent: giving up a delivery that was withheld is no attempt.
pub(crate) fn count(stats: &mut EndpointStats, outcome: &Outcome, attempted: bool) {
    if attempted {
        stats.last_attempt_ms = Some(outcome.at_ms);
        stats.retried = stats.retried.saturating_add(u64::from(outcome.attempts > 1));
    }
    match &outcome.kind {
        OutcomeKind::Succeeded { status } => {
            stats.delivered = stats.delivered.saturating_add(1);
            stats.consecutive_failures = 0;
            stats.last_status = Some(*status);
            stats.last_success_ms = Some(outcome.at_ms);
        }
        OutcomeKind::Retry { failure, .. } => count_failure(stats, failure, outcome.at_ms, attempted),
        OutcomeKind::DeadLettered { failure } => {
            stats.dead_lettered = stats.dead_lettered.saturating_add(1);
            count_failure(stats, failure, outcome.at_ms, attempted);
        }
    }
}

/// Adds the counts of an endpoint that is dropped. How many deliveries it takes with it is not among them: whoever reads
/// the record later may not find their events any more.
pub(crate) fn add(sum: &mut EndpointStats, stats: &EndpointStats) {
    let each = |sum: &mut u64, count: u64| *sum = sum.saturating_add(count);
    each(&mut sum.delivered, stats.delivered);
    each(&mut sum.failed, stats.failed);
    each(&mut sum.retried, stats.retried);
    each(&mut sum.dead_lettered, stats.dead_lettered);
}

fn count_failure(stats: &mut EndpointStats, failure: &Failure, at_ms: i64, attempted: bool) {
    if !attempted {
        return;
    }
    stats.failed = stats.failed.saturating_add(1);
    stats.consecutive_failures = stats.consecutive_failures.saturating_add(1);
    stats.last_status = failure.status.or(stats.last_status);
    stats.last_failure = Some(LastFailure { at_ms, failure: failure.clone() });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Ordinal;

    fn outcome(attempts: u32, kind: OutcomeKind) -> Outcome {
        Outcome { seq: 1, endpoint: Ordinal(0), at_ms: 100 + i64::from(attempts), attempts, kind }
    }

    fn failure(status: Option<u16>) -> Failure {
        Failure { status, reason: "ServerError".into(), message: String::new() }
    }

    #[test]
    fn failures_add_up_until_a_success() {
        let mut stats = EndpointStats::default();
        count(&mut stats, &outcome(1, OutcomeKind::Retry { due_ms: 0, failure: failure(Some(500)) }), true);
        count(&mut stats, &outcome(2, OutcomeKind::Retry { due_ms: 0, failure: failure(None) }), true);
        assert_eq!((stats.failed, stats.retried, stats.consecutive_failures), (2, 1, 2));
        assert_eq!(stats.last_status, Some(500), "a failure without an answer does not change the last answer");
        assert_eq!(stats.last_failure, Some(LastFailure { at_ms: 102, failure: failure(None) }));
        count(&mut stats, &outcome(3, OutcomeKind::Succeeded { status: 200 }), true);
        assert_eq!((stats.delivered, stats.failed, stats.retried, stats.consecutive_failures), (1, 2, 2, 0));
        assert_eq!((stats.last_attempt_ms, stats.last_success_ms), (Some(103), Some(103)));
    }

    #[test]
    fn giving_up_without_an_attempt_counts_no_attempt() {
        let mut stats = EndpointStats::default();
        count(&mut stats, &outcome(0, OutcomeKind::DeadLettered { failure: failure(None) }), false);
        assert_eq!(stats, EndpointStats { dead_lettered: 1, ..EndpointStats::default() });
    }
}
