//! When a failed delivery is attempted again. Pure: the random part of a delay comes from the caller's generator.

use posthaste_delivery_config::RetryPolicy;
use rand::{Rng, RngExt};

/// What follows a failed attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Another attempt, not before this time.
    At {
        /// Milliseconds since the epoch.
        due_ms: i64,
    },
    /// The schedule is used up.
    Exhausted,
}

/// Decides what follows the attempt number `attempts` (from 1) that ended at `ended_ms`.
///
/// The schedule is a floor: jitter and what the receiver `asked_ms` for only make the delay longer. Being asked adds no
/// attempts.
pub fn next(policy: &RetryPolicy, attempts: u32, ended_ms: i64, asked_ms: u64, random: &mut impl Rng) -> Next {
    let retry = attempts.saturating_sub(1) as usize;
    let Some(&delay) = policy.schedule_ms.get(retry) else { return Next::Exhausted };
    let delay = jittered(delay, policy.jitter_percent, random);
    let delay = delay.max(asked_ms);
    Next::At { due_ms: ended_ms.saturating_add(i64::try_from(delay).unwrap_or(i64::MAX)) }
}

fn jittered(delay: u64, percent: u32, random: &mut impl Rng) -> u64 {
    let most = u128::from(delay) * u128::from(percent) / 100;
    let most = u64::try_from(most).unwrap_or(u64::MAX);
    if most == 0 { delay } else { delay.saturating_add(random.random_range(0..=most)) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rand::{SeedableRng, rngs::SmallRng};

    use super::*;

    fn policy(schedule_ms: Vec<u64>, jitter_percent: u32) -> RetryPolicy {
        RetryPolicy { schedule_ms, jitter_percent, max_age_ms: 360_000_000 }
    }

    #[test]
    fn n_delays_are_n_retries() {
        let policy = policy(vec![5_000, 300_000], 0);
        let random = &mut SmallRng::seed_from_u64(1);
        assert_eq!(next(&policy, 1, 100, 0, random), Next::At { due_ms: 5_100 });
        assert_eq!(next(&policy, 2, 100, 0, random), Next::At { due_ms: 300_100 });
        assert_eq!(next(&policy, 3, 100, 0, random), Next::Exhausted);
    }

    #[test]
    fn being_asked_to_wait_delays_but_never_hurries_nor_adds_attempts() {
        let policy = policy(vec![5_000], 0);
        let random = &mut SmallRng::seed_from_u64(1);
        assert_eq!(next(&policy, 1, 0, 1_000, random), Next::At { due_ms: 5_000 });
        assert_eq!(next(&policy, 1, 0, 60_000, random), Next::At { due_ms: 60_000 });
        assert_eq!(next(&policy, 1, 0, u64::MAX, random), Next::At { due_ms: i64::MAX });
        assert_eq!(next(&policy, 2, 0, 60_000, random), Next::Exhausted);
    }

    proptest! {
        #[test]
        fn jitter_only_lengthens_and_by_no_more_than_its_percentage(
            delay in 0..=90_000_000_u64, percent in 0..=100_u32, seed: u64, ended in 0..=4_000_000_000_000_i64,
        ) {
            let random = &mut SmallRng::seed_from_u64(seed);
            let Next::At { due_ms } = next(&policy(vec![delay], percent), 1, ended, 0, random) else {
                return Err(TestCaseError::fail("the schedule has a first delay"));
            };
            let waited = u64::try_from(due_ms - ended).unwrap();
            prop_assert!(waited >= delay && waited <= delay + delay * u64::from(percent) / 100);
        }
    }
}
