//! The closed sets of label values.

use posthaste_crds::conditions::healthy;
use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue, LabelSetEncoder, LabelValueEncoder};

use crate::ingest::problem::Kind;

/// Defines a closed set of label values with their spelling in the metrics.
macro_rules! label_values {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident => $text:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum $name {
            $($(#[$variant_doc])* $variant,)+
        }

        impl $name {
            /// Every value.
            pub const ALL: &[Self] = &[$(Self::$variant),+];

            /// Its spelling in metrics and logs.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $text,)+
                }
            }
        }

        impl EncodeLabelValue for $name {
            fn encode(&self, encoder: &mut LabelValueEncoder) -> Result<(), std::fmt::Error> {
                self.as_str().encode(encoder)
            }
        }
    };
}

label_values! {
    /// What became of an event that a client sent.
    EventResult {
        /// Kept.
        Accepted => "accepted",
        /// Kept before.
        Duplicate => "duplicate",
        /// Its id is that of another event.
        Conflict => "conflict",
        /// Malformed, or with a field that cannot be used.
        Invalid => "invalid",
        /// Over the size limit.
        TooLarge => "tooLarge",
        /// Over the event rate.
        RateLimited => "rateLimited",
        /// The journal could not keep it.
        Unavailable => "unavailable",
    }
}

label_values! {
    /// The class of an HTTP answer.
    StatusClass {
        /// 2xx.
        Success => "2xx",
        /// 4xx.
        ClientError => "4xx",
        /// Anything else: 5xx.
        ServerError => "5xx",
    }
}

impl From<http::StatusCode> for StatusClass {
    fn from(status: http::StatusCode) -> Self {
        if status.is_success() {
            Self::Success
        } else if status.is_client_error() {
            Self::ClientError
        } else {
            Self::ServerError
        }
    }
}

label_values! {
    /// The end of a review of a token by the API server.
    ReviewResult {
        /// The caller is known and may do it.
        Allowed => "allowed",
        /// The token is not valid.
        Unauthenticated => "unauthenticated",
        /// The caller is known and may not do it.
        Forbidden => "forbidden",
        /// The API server did not answer as it should.
        Error => "error",
    }
}

label_values! {
    /// How a delivery ended.
    FinalState {
        /// The receiver took it.
        Succeeded => "succeeded",
        /// Given up and kept as a dead letter.
        DeadLettered => "deadLettered",
        /// Dropped because its endpoint was deleted.
        Dropped => "dropped",
    }
}

label_values! {
    /// The end of loading a configuration.
    LoadResult {
        /// It runs.
        Loaded => "loaded",
        /// It cannot be used; the one before still runs.
        Refused => "refused",
    }
}

label_values! {
    /// Why a dead letter was removed.
    RemovalReason {
        /// `deadLetter.retention` was over.
        Retention => "retention",
        /// Dead letters took more than `deadLetter.maxBytes`.
        MaxBytes => "maxBytes",
    }
}

/// The label of an attempt that a receiver took.
pub const SUCCEEDED: &str = "Succeeded";
/// The label of an attempt whose reason is not one of the known ones.
pub const OTHER: &str = "Other";

/// The label for a failure's reason: itself when it is one of [`healthy::FAILURES`], else [`OTHER`].
pub fn failure_reason(reason: &str) -> &'static str {
    healthy::FAILURES.iter().copied().find(|known| *known == reason).unwrap_or(OTHER)
}

/// `result`, of one of several sets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct ByResult<T> {
    pub result: T,
}

// The derive does not do generic types.
impl<T: EncodeLabelValue + Copy> EncodeLabelSet for ByResult<T> {
    fn encode(&self, encoder: &mut LabelSetEncoder<'_>) -> Result<(), std::fmt::Error> {
        [("result", self.result)].encode(encoder)
    }
}

/// `status`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct ByStatus {
    pub status: StatusClass,
}

/// `problem`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct ByProblem {
    pub problem: Kind,
}

/// `kind`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct ByKind {
    pub kind: &'static str,
}

/// `reason`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct ByReason {
    pub reason: RemovalReason,
}

/// `state`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct ByState {
    pub state: FinalState,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_outside_the_closed_set_do_not_make_new_labels() {
        assert_eq!(failure_reason("Timeout"), "Timeout");
        assert_eq!(failure_reason("whatever a receiver says"), OTHER);
    }

    #[test]
    fn every_status_code_has_a_class() {
        for code in 100..=599 {
            let class = StatusClass::from(http::StatusCode::from_u16(code).unwrap());
            assert!(StatusClass::ALL.contains(&class));
        }
    }
}
