//! What `onExhausted` makes of an endpoint.

use posthaste_delivery_config::OnExhausted;

use super::lane::Identity;
use crate::schedule;

/// See the module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Exhausted {
    /// It counts as failing until the next success.
    Marked,
    /// This endpoint gets nothing until spec or URL changes, or `suspend` is toggled.
    Stopped(Identity),
}

impl Exhausted {
    /// A delivery to this endpoint was given up because its receiver does not take it.
    pub fn by(policy: OnExhausted, endpoint: Identity) -> Option<Self> {
        match policy {
            OnExhausted::Continue => None,
            OnExhausted::MarkFailing => Some(Self::Marked),
            OnExhausted::Disable => Some(Self::Stopped(endpoint)),
        }
    }

    /// What is left of it in a configuration.
    pub fn configured(self, policy: OnExhausted, endpoint: Option<&Identity>, toggled: bool) -> Option<Self> {
        match self {
            _ if policy == OnExhausted::Continue => None,
            Self::Marked => Some(Self::Marked),
            Self::Stopped(of) if toggled || endpoint != Some(&of) => None,
            Self::Stopped(_) if policy == OnExhausted::MarkFailing => Some(Self::Marked),
            stopped @ Self::Stopped(_) => Some(stopped),
        }
    }

    /// Whether the engine shows this.
    pub fn is_shown_as(this: Option<&Self>, shown: Option<schedule::Exhausted>) -> bool {
        matches!(
            (this, shown),
            (None, None)
                | (Some(Self::Marked), Some(schedule::Exhausted::Marked))
                | (Some(Self::Stopped(_)), Some(schedule::Exhausted::Stopped(_)))
        )
    }
}
