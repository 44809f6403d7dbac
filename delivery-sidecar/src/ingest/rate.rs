//! `limits.eventRate`: how many events pass per time. No clock of its own.
//!
//! The generic cell rate algorithm: the state is one point in time, and a full pause refills everything. A request's
//! events pass together or not at all.

use std::time::Duration;

use posthaste_delivery_config::RateLimit;

/// How far the limit is used up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bucket {
    /// When the bucket will be full again, in nanoseconds since the Unix epoch; in the past when it is full.
    full_at: i128,
}

/// Why events do not pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// They would pass after this time, if nothing else came before.
    Later(Duration),
    /// They never pass together: they are more than the whole limit.
    Never,
}

impl Bucket {
    /// Takes room for `events` at once, or changes nothing.
    ///
    /// # Errors
    /// See [`Refused`].
    pub fn take(&mut self, limit: RateLimit, events: u32, now: i128) -> Result<(), Refused> {
        if events > limit.limit {
            return Err(Refused::Never);
        }
        let per = i128::from(limit.per_ms) * 1_000_000;
        // A clock that was set back, or a limit that was made tighter, must not close the door for longer than a period.
        let full_at = self.full_at.clamp(now, now + per);
        let after = full_at + cost(limit, events);
        let over = after - (now + per);
        if over > 0 {
            let nanoseconds = u64::try_from(over).unwrap_or(u64::MAX);
            return Err(Refused::Later(Duration::from_nanos(nanoseconds)));
        }
        self.full_at = after;
        Ok(())
    }

    /// Gives back room that was taken for events that were not kept after all.
    pub fn give_back(&mut self, limit: RateLimit, events: u32) {
        self.full_at -= cost(limit, events);
    }
}

/// The time in which room for so many events comes back. Rounded up, so that no more pass than the limit says.
fn cost(limit: RateLimit, events: u32) -> i128 {
    let per = i128::from(limit.per_ms) * 1_000_000;
    let each = (per + i128::from(limit.limit) - 1) / i128::from(limit.limit.max(1));
    (each * i128::from(events)).min(per)
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::*;

    const SECOND: i128 = 1_000_000_000;
    const TEN_A_SECOND: RateLimit = RateLimit { limit: 10, per_ms: 1000 };

    #[test]
    fn a_whole_period_may_pass_at_once_and_the_rest_waits_for_its_share() {
        let mut bucket = Bucket::default();
        let now = 5 * SECOND;
        assert_eq!(bucket.take(TEN_A_SECOND, 10, now), Ok(()));
        assert_eq!(bucket.take(TEN_A_SECOND, 1, now), Err(Refused::Later(Duration::from_millis(100))));
        assert_eq!(bucket.take(TEN_A_SECOND, 3, now), Err(Refused::Later(Duration::from_millis(300))));
        assert_eq!(bucket.take(TEN_A_SECOND, 3, now + SECOND * 3 / 10), Ok(()));
    }

    #[test]
    fn what_is_more_than_the_limit_never_passes() {
        assert_eq!(Bucket::default().take(TEN_A_SECOND, 11, 0), Err(Refused::Never));
        assert_eq!(Bucket::default().take(RateLimit { limit: 0, per_ms: 1000 }, 1, 0), Err(Refused::Never));
    }

    #[test]
    fn what_is_given_back_can_be_taken_again() {
        let mut bucket = Bucket::default();
        bucket.take(TEN_A_SECOND, 10, SECOND).unwrap();
        bucket.give_back(TEN_A_SECOND, 10);
        assert_eq!(bucket.take(TEN_A_SECOND, 10, SECOND), Ok(()));
    }

    #[test]
    fn a_clock_set_back_closes_the_door_for_a_period_at_most() {
        let mut bucket = Bucket::default();
        bucket.take(TEN_A_SECOND, 10, 1_000_000 * SECOND).unwrap();
        assert_eq!(bucket.take(TEN_A_SECOND, 10, 0), Err(Refused::Later(Duration::from_secs(1))));
    }

    proptest! {
        #[test]
        fn in_any_stretch_of_time_no_more_pass_than_a_burst_and_the_rate(
            limit in 1_u32..50,
            per_ms in 1_u64..5_000,
            requests in vec((1_u32..60, 0_i128..200_000_000), 1..80),
        ) {
            let limit = RateLimit { limit, per_ms };
            let per = i128::from(per_ms) * 1_000_000;
            let mut bucket = Bucket::default();
            let (mut now, mut passed) = (SECOND, Vec::new());
            for (events, pause) in requests {
                now += pause;
                if bucket.take(limit, events, now).is_ok() {
                    passed.push((now, i128::from(events)));
                }
            }
            for (i, (from, _)) in passed.iter().enumerate() {
                let mut sum = 0;
                for (to, events) in &passed[i..] {
                    sum += events;
                    prop_assert!(sum * per <= i128::from(limit.limit) * (per + to - from));
                }
            }
        }

        #[test]
        fn whoever_waits_as_told_passes(limit in 1_u32..50, per_ms in 1_u64..5_000, events in 1_u32..50, taken in 1_u32..50) {
            prop_assume!(events <= limit && taken <= limit);
            let limit = RateLimit { limit, per_ms };
            let mut bucket = Bucket::default();
            bucket.take(limit, taken, SECOND).unwrap();
            if let Err(refused) = bucket.take(limit, events, SECOND) {
                let Refused::Later(wait) = refused else { panic!("it is within the limit") };
                prop_assert_eq!(bucket.take(limit, events, SECOND + i128::try_from(wait.as_nanos()).unwrap()), Ok(()));
            }
        }
    }
}
