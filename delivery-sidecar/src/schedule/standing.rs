//! What the engine makes of an endpoint by its last attempt, for sharing `in_flight`: those of which it is not known that
//! they answer, and soon, must not take the places of those that do.

use posthaste_journal::EndpointStats;

/// An attempt that takes longer holds a place that many others could have used.
const SLOW_MS: i64 = 1_000;

/// See the module.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Standing {
    /// No attempt has ended yet: it may hang.
    #[default]
    Untested,
    /// The last attempt succeeded in good time.
    Good,
    /// The last attempt succeeded, and took long.
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

    /// It shares half of all places with the others of which this is true.
    pub fn is_doubtful(self) -> bool {
        self != Self::Good
    }

    /// Most attempts at once. One that is only slow keeps its own limit: with one at a time it might never catch up.
    pub fn most_at_once(self) -> usize {
        match self {
            Self::Untested | Self::Failing => 1,
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
}
