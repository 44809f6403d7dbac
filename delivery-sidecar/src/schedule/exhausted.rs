//! What becomes of an endpoint when a delivery to it was given up: `onExhausted`. Pure.

use posthaste_delivery_config::OnExhausted;

use super::identity::Identity;

/// What has become of an endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exhausted {
    /// It counts as failing until a delivery succeeds.
    Marked,
    /// This endpoint gets nothing until it is edited, or its `suspend` toggled.
    Stopped(Identity),
}

impl Exhausted {
    /// What becomes of this endpoint, by its settings.
    pub fn by(policy: OnExhausted, endpoint: Identity) -> Option<Self> {
        match policy {
            OnExhausted::Continue => None,
            OnExhausted::MarkFailing => Some(Self::Marked),
            OnExhausted::Disable => Some(Self::Stopped(endpoint)),
        }
    }

    /// What is left of it with other settings. They may come from the Webhook, without an edit of the endpoint.
    pub fn configured(self, policy: OnExhausted, endpoint: Identity, toggled: bool) -> Option<Self> {
        match (self, policy) {
            (_, OnExhausted::Continue) => None,
            (Self::Stopped(stopped), _) if toggled || stopped != endpoint => None,
            (Self::Stopped(_), OnExhausted::MarkFailing) => Some(Self::Marked),
            _ => Some(self),
        }
    }

    /// What is left of it after a success. One of another attempt that was in flight does not bring back an endpoint that
    /// was stopped.
    pub fn after_success(self) -> Option<Self> {
        matches!(self, Self::Stopped(_)).then_some(self)
    }
}

#[cfg(test)]
mod tests {
    use OnExhausted::{Continue, Disable, MarkFailing};

    use super::*;

    #[test]
    fn what_is_left_with_other_settings() {
        let (now, edited) =
            (Identity { generation: 1, url_fingerprint: 1 }, Identity { generation: 2, url_fingerprint: 1 });
        let stopped = Exhausted::Stopped(now);
        for (was, policy, endpoint, toggled, left) in [
            (stopped, Disable, now, false, Some(stopped)),
            (stopped, Disable, now, true, None),
            (stopped, Disable, edited, false, None),
            (stopped, MarkFailing, now, false, Some(Exhausted::Marked)),
            (stopped, MarkFailing, edited, false, None),
            (stopped, Continue, now, false, None),
            (Exhausted::Marked, MarkFailing, edited, true, Some(Exhausted::Marked)),
            (Exhausted::Marked, Disable, now, false, Some(Exhausted::Marked)),
            (Exhausted::Marked, Continue, now, false, None),
        ] {
            assert_eq!(was.configured(policy, endpoint, toggled), left, "{was:?} {policy:?} {endpoint:?} {toggled}");
        }
    }
}
