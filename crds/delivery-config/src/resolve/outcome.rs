//! What a judgement says, in the words of a condition.

use posthaste_crds::conditions::resolved_refs;

/// Status of a condition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// It holds.
    True,
    /// It does not.
    False,
    /// Nothing can be said.
    Unknown,
}

impl Status {
    /// As it is written in a condition.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::True => "True",
            Self::False => "False",
            Self::Unknown => "Unknown",
        }
    }
}

/// Status, reason and message of one condition; generation and times are added by whoever writes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// Whether the condition holds.
    pub status: Status,
    /// One of the constants in [`posthaste_crds::conditions`].
    pub reason: &'static str,
    /// For people: the field and what would be right. Nothing secret.
    pub message: String,
}

impl Outcome {
    /// The condition holds.
    pub fn holds(reason: &'static str, message: impl Into<String>) -> Self {
        Self { status: Status::True, reason, message: message.into() }
    }

    /// Whether the condition holds.
    pub fn is_true(&self) -> bool {
        self.status == Status::True
    }
}

impl From<Refusal> for Outcome {
    fn from(refusal: Refusal) -> Self {
        Self { status: Status::False, reason: refusal.reason, message: refusal.message }
    }
}

/// Why a policy says no.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// One of the constants in [`posthaste_crds::conditions`].
    pub reason: &'static str,
    /// For people: the field and what would be right. Nothing secret.
    pub message: String,
}

impl Refusal {
    /// A refusal for a reason of [`posthaste_crds::conditions`].
    pub fn new(reason: &'static str, message: impl Into<String>) -> Self {
        Self { reason, message: message.into() }
    }
}

/// All problems of references as one, so that they can be mended together; the reason is the first's.
pub(super) fn all(refusals: &[Refusal]) -> Refusal {
    let messages: Vec<&str> = refusals.iter().map(|refusal| refusal.message.as_str()).collect();
    let reason = refusals.first().map_or(resolved_refs::INVALID_VALUE, |refusal| refusal.reason);
    Refusal::new(reason, messages.join("; "))
}
