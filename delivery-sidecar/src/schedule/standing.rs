//! What the engine makes of an endpoint by its latest attempts, for sharing `in_flight`: see [`super::places`].

use posthaste_journal::EndpointStats;

use super::places::Share;

/// An attempt that takes longer holds a place that many others could have used.
pub const SLOW_MS: i64 = 1_000;

/// See the module.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Standing {
    /// No attempt has ended yet: it may hang.
    #[default]
    Untested,
    /// No attempt has ended yet, and the first takes long.
    Silent,
    /// The last attempt succeeded in good time.
    Good,
    /// The last attempt succeeded and took long, or one in flight does.
    Slow,
    /// The last attempt failed.
    Failing,
}

impl Standing {
    /// By what the journal counts.
    pub fn recovered(stats: &EndpointStats) -> Self {
        match stats {
            EndpointStats { consecutive_failures: 1.., .. } => Self::Failing,
            EndpointStats { last_success_ms: Some(_), .. } => Self::Good,
            _ => Self::Untested,
        }
    }

    /// After an attempt.
    pub fn after(succeeded: bool, elapsed_ms: i64) -> Self {
        match (succeeded, elapsed_ms) {
            (false, _) => Self::Failing,
            (true, ..SLOW_MS) => Self::Good,
            (true, _) => Self::Slow,
        }
    }

    /// While an attempt takes long.
    pub fn while_waiting(self) -> Self {
        match self {
            Self::Untested => Self::Silent,
            Self::Good => Self::Slow,
            Self::Silent | Self::Slow | Self::Failing => self,
        }
    }

    /// Whose places its attempts take.
    pub fn share(self) -> Share {
        match self {
            Self::Good => Share::Proven,
            Self::Untested => Share::Untried,
            Self::Silent | Self::Slow | Self::Failing => Share::Doubtful,
        }
    }

    /// Most attempts at once. One that is only slow keeps its own limit: with one at a time it might never catch up.
    pub fn most_at_once(self) -> usize {
        match self {
            Self::Untested | Self::Silent | Self::Failing => 1,
            Self::Good | Self::Slow => usize::MAX,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_quick_success_is_good() {
        assert_eq!(Standing::after(true, 999), Standing::Good);
        assert_eq!(Standing::after(true, 1_000), Standing::Slow);
        assert_eq!(Standing::after(false, 1), Standing::Failing);
        let stats = |consecutive_failures, last_success_ms| EndpointStats {
            consecutive_failures,
            last_success_ms,
            ..EndpointStats::default()
        };
        assert_eq!(Standing::recovered(&stats(0, None)), Standing::Untested);
        assert_eq!(Standing::recovered(&stats(0, Some(1))), Standing::Good);
        assert_eq!(Standing::recovered(&stats(1, Some(1))), Standing::Failing);
    }

    #[test]
    fn waiting_makes_an_endpoint_doubtful_and_no_better() {
        use Standing::{Failing, Good, Silent, Slow, Untested};
        for (before, after) in [(Untested, Silent), (Silent, Silent), (Good, Slow), (Slow, Slow), (Failing, Failing)] {
            assert_eq!(before.while_waiting(), after);
            assert_eq!(after.share(), Share::Doubtful);
            let most = before.most_at_once();
            assert_eq!(after.most_at_once(), most, "{before:?}");
        }
    }
}
