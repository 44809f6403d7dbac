//! What must hold, and what is said when it does not.

use std::fmt;

/// One sentence of what Posthaste promises.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// What is answered to a producer is true: kept is synced, a repetition is recognised, a refusal keeps nothing.
    Answers,
    /// After a crash there is what was synced, and nothing that never happened.
    Recovery,
    /// An endpoint gets what it matched when the event was accepted, and nothing else.
    Matching,
    /// What is sent is what was posted.
    Content,
    /// Nothing starts while suspended, parked, gone, deleted or draining.
    Withheld,
    /// A delivery is attempted once at a time, its attempts are numbered one after the other, and none follows its end.
    Attempts,
    /// No attempt comes before its schedule, or before what `Retry-After` asked for.
    Schedule,
    /// An endpoint that says that it is overloaded is left alone for a while.
    Throttle,
    /// A circuit that is open is asked by one probe, and after it at a ramp.
    Circuit,
    /// An endpoint's rate limit.
    Rate,
    /// An endpoint's `concurrency`.
    Concurrency,
    /// `limits.inFlight`, and the share of it for those of which it is not known that they answer.
    InFlight,
    /// Nothing is given up for its age before `retry.maxAge`, and nothing waits for longer or is attempted after it.
    Age,
    /// Nothing is refused, given up or removed for want of space without need, or while there is something that has to
    /// give way first; what is too much goes, the oldest first; and files are no larger than `journal.maxBytes`.
    Space,
    /// What is sent again was asked for, and all that was asked for and is kept is sent again.
    Replay,
    /// What becomes of an endpoint, `onExhausted` and 410, is remembered over restarts.
    Memory,
    /// Deliveries of a group follow each other in order of acceptance.
    Ordering,
    /// What came of an attempt is recorded as the rules say.
    Outcome,
    /// What is due and held back by nothing is attempted.
    Progress,
    /// What the engine and the journal count is what happened.
    Counts,
}

/// A rule that was broken.
#[derive(Clone, Debug)]
pub struct Violation {
    /// The rule.
    pub rule: Rule,
    /// What happened.
    pub what: String,
}

/// Whether all is well.
pub type Checked<T = ()> = Result<T, Violation>;

impl Rule {
    /// An error unless the rule is kept.
    pub fn holds(self, kept: bool, what: impl FnOnce() -> String) -> Checked {
        if kept { Ok(()) } else { Err(self.broken(what())) }
    }

    /// It was broken.
    pub fn broken(self, what: impl Into<String>) -> Violation {
        Violation { rule: self, what: what.into() }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}", self.rule, self.what)
    }
}
