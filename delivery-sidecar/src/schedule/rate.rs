//! How many attempts an endpoint gets in a period. Over the limit an attempt waits; nothing is dropped.
//!
//! Without a burst no window of the period's length, wherever it begins, holds more attempts than the limit. With a burst,
//! a bucket of so many tokens is filled at the limit's rate, and an attempt takes one.
//!
//! The window keeps 64 entries at most, whatever the limit: attempts that are closer together than a 64th of the period
//! share an entry, and all of them leave the window with the last one. So a limit above 64 may be used a little less than
//! it allows, never more.

use std::collections::VecDeque;

use posthaste_delivery_config::DeliveryRate;

/// Entries of a window, besides the one being filled.
const ENTRIES: u32 = 64;
const NANOS: i128 = 1_000_000;
/// What a crash has hidden is made up for by waiting, if the wait is no longer than this.
const LONGEST_CAUTION_MS: u64 = 60_000;

/// The attempts of one endpoint, as far as its limit is concerned.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rate {
    limit: Option<DeliveryRate>,
    used: Used,
}

/// What was used of a limit. Times are milliseconds since the epoch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Used {
    /// Nothing.
    #[default]
    None,
    /// Attempts of a window, oldest first.
    Window(VecDeque<Entry>),
    /// When the bucket would be full again, in nanoseconds since the epoch.
    Bucket {
        /// It.
        full_ns: i128,
    },
    /// Before a restart, up to this time: more is not known.
    Unknown {
        /// The end of the last attempt.
        last_ms: i64,
    },
}

/// Attempts that leave the window together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// When the first one started.
    pub first_ms: i64,
    /// When the last one started.
    pub last_ms: i64,
    /// How many.
    pub count: u32,
}

impl Rate {
    /// After a restart. `kept` is what a process that ended in order has left, with all attempts that ended up to
    /// `kept_until_ms`. When another ended after that, a process that crashed has made attempts of which nothing is known.
    pub fn recovered(kept: Used, kept_until_ms: i64, last_attempt_ms: Option<i64>) -> Self {
        let used = match last_attempt_ms {
            Some(last_ms) if kept == Used::None || last_ms > kept_until_ms => Used::Unknown { last_ms },
            _ => kept,
        };
        Self { limit: None, used }
    }

    /// Takes a limit; `None` for none. Attempts of a window count on when its limit changes; otherwise another limit begins
    /// anew.
    pub fn configure(&mut self, limit: Option<DeliveryRate>) {
        if limit == self.limit {
            return;
        }
        self.limit = limit;
        self.used = match (std::mem::take(&mut self.used), limit) {
            (Used::Window(entries), Some(DeliveryRate { burst: None, .. })) => Used::Window(entries),
            (used @ Used::Bucket { .. }, Some(DeliveryRate { burst: Some(_), .. })) => used,
            (Used::Unknown { last_ms }, Some(limit)) => used_up(&limit, last_ms),
            _ => Used::None,
        };
    }

    /// No attempt may start before this time.
    pub fn until_ms(&self) -> i64 {
        let Some(limit) = self.limit else { return 0 };
        match &self.used {
            Used::None | Used::Unknown { .. } => 0,
            Used::Window(entries) => {
                let mut count: u64 = entries.iter().map(|entry| u64::from(entry.count)).sum();
                let mut leaving = entries.iter();
                let mut until_ms = 0;
                while count >= u64::from(limit.limit)
                    && let Some(entry) = leaving.next()
                {
                    count -= u64::from(entry.count);
                    until_ms = entry.last_ms.saturating_add(period_ms(&limit));
                }
                until_ms
            }
            Used::Bucket { full_ns } => {
                let most = i128::from(limit.burst.unwrap_or(1)) - 1;
                let until_ns = full_ns - most * token_ns(&limit);
                i64::try_from((until_ns + NANOS - 1).div_euclid(NANOS)).unwrap_or(i64::MAX)
            }
        }
    }

    /// An attempt starts.
    pub fn started(&mut self, now_ms: i64) {
        let Some(limit) = self.limit else { return };
        if limit.burst.is_some() {
            let now_ns = i128::from(now_ms) * NANOS;
            let full_ns = if let Used::Bucket { full_ns } = self.used { full_ns.max(now_ns) } else { now_ns };
            self.used = Used::Bucket { full_ns: full_ns + token_ns(&limit) };
            return;
        }
        if !matches!(self.used, Used::Window(_)) {
            self.used = Used::Window(VecDeque::new());
        }
        let Used::Window(entries) = &mut self.used else { return };
        let period = period_ms(&limit);
        while entries.front().is_some_and(|oldest| oldest.last_ms.saturating_add(period) <= now_ms) {
            entries.pop_front();
        }
        let together = if limit.limit > ENTRIES { period / i64::from(ENTRIES) } else { 0 };
        match entries.back_mut() {
            Some(newest) if now_ms - newest.first_ms < together || entries_full(newest, now_ms) => {
                newest.last_ms = newest.last_ms.max(now_ms);
                newest.count = newest.count.saturating_add(1);
            }
            _ => entries.push_back(Entry { first_ms: now_ms, last_ms: now_ms, count: 1 }),
        }
    }

    /// What is used at this time.
    pub fn used(&self, now_ms: i64) -> Used {
        match (&self.used, self.limit) {
            (Used::Window(entries), Some(limit)) => {
                let counts = |entry: &&Entry| entry.last_ms.saturating_add(period_ms(&limit)) > now_ms;
                let entries: VecDeque<Entry> = entries.iter().filter(counts).copied().collect();
                if entries.is_empty() { Used::None } else { Used::Window(entries) }
            }
            (Used::Bucket { full_ns }, Some(_)) if *full_ns > i128::from(now_ms) * NANOS => self.used.clone(),
            _ => Used::None,
        }
    }
}

/// Attempts of the same millisecond are one entry, and so are those after the calendar was set back.
fn entries_full(newest: &Entry, now_ms: i64) -> bool {
    now_ms <= newest.last_ms
}

fn period_ms(limit: &DeliveryRate) -> i64 {
    i64::try_from(limit.per_ms).unwrap_or(i64::MAX)
}

/// From one token to the next; rounded up, so that the limit is never exceeded.
fn token_ns(limit: &DeliveryRate) -> i128 {
    let per = i128::from(limit.per_ms) * NANOS;
    let limit = i128::from(limit.limit.max(1));
    (per + limit - 1) / limit
}

/// A limit that is taken to be used up at a time, unless that would make deliveries wait for long.
fn used_up(limit: &DeliveryRate, last_ms: i64) -> Used {
    let tokens = i128::from(limit.burst.unwrap_or(limit.limit));
    let refill_ns = tokens * token_ns(limit);
    if refill_ns > i128::from(LONGEST_CAUTION_MS) * NANOS {
        return Used::None;
    }
    match limit.burst {
        Some(_) => Used::Bucket { full_ns: i128::from(last_ms) * NANOS + refill_ns },
        None => Used::Window(VecDeque::from([Entry { first_ms: last_ms, last_ms, count: limit.limit }])),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn rate(limit: u32, per_ms: u64, burst: Option<u32>) -> Rate {
        let mut rate = Rate::default();
        rate.configure(Some(DeliveryRate { limit, per_ms, burst }));
        rate
    }

    /// Starts as soon as it may, `count` times; the times of the starts.
    fn run(rate: &mut Rate, mut now_ms: i64, count: usize) -> Vec<i64> {
        let mut starts = Vec::new();
        for _ in 0..count {
            now_ms = now_ms.max(rate.until_ms());
            rate.started(now_ms);
            starts.push(now_ms);
        }
        starts
    }

    #[test]
    fn a_window_lets_through_the_limit_and_then_as_attempts_leave_it() {
        let mut rate = rate(2, 1_000, None);
        rate.started(100);
        rate.started(400);
        assert_eq!(rate.until_ms(), 1_100);
        assert_eq!(run(&mut rate, 500, 4), [1_100, 1_400, 2_100, 2_400]);
    }

    #[test]
    fn a_bucket_lets_a_burst_through_and_then_the_rate() {
        let mut rate = rate(10, 1_000, Some(3));
        assert_eq!(run(&mut rate, 5_000, 6), [5_000, 5_000, 5_000, 5_100, 5_200, 5_300]);
        assert_eq!(run(&mut rate, 9_000, 4), [9_000, 9_000, 9_000, 9_100]);
    }

    #[test]
    fn no_limit_is_none() {
        let mut rate = Rate::default();
        assert!(run(&mut rate, 7, 1_000).iter().all(|at| *at == 7));
        assert_eq!(rate.used(7), Used::None);
    }

    #[test]
    fn a_changed_window_counts_what_was_before() {
        let mut rate = rate(5, 1_000, None);
        run(&mut rate, 100, 4);
        rate.configure(Some(DeliveryRate { limit: 2, per_ms: 10_000, burst: None }));
        assert_eq!(rate.until_ms(), 10_100);
        rate.configure(None);
        assert_eq!(rate.until_ms(), 0);
    }

    #[test]
    fn after_a_crash_a_short_limit_is_taken_as_used_up_and_a_long_one_as_free() {
        for (per_ms, burst, until_ms) in
            [(10_000, None, 11_000), (10_000, Some(5), 3_000), (3_600_000, None, 0), (3_600_000, Some(5), 0)]
        {
            let mut rate = Rate::recovered(Used::None, 0, Some(1_000));
            rate.configure(Some(DeliveryRate { limit: 5, per_ms, burst }));
            assert_eq!(rate.until_ms(), until_ms, "{per_ms} {burst:?}");
        }
    }

    #[test]
    fn what_was_kept_counts_unless_it_is_older_than_the_last_attempt() {
        let limit = DeliveryRate { limit: 3, per_ms: 3_600_000, burst: None };
        let mut rate = Rate::default();
        rate.configure(Some(limit));
        run(&mut rate, 1_000, 3);
        let kept = rate.used(2_000);
        for (last_attempt_ms, until_ms) in [(None, 3_601_000), (Some(2_000), 3_601_000), (Some(2_001), 0)] {
            let mut rate = Rate::recovered(kept.clone(), 2_000, last_attempt_ms);
            rate.configure(Some(limit));
            assert_eq!(rate.until_ms(), until_ms, "{last_attempt_ms:?}");
        }
    }

    proptest! {
        #[test]
        fn no_window_ever_holds_more_than_the_limit(
            limit in 1..300_u32, per_ms in 64..5_000_u64, waits in proptest::collection::vec(0..400_i64, 1..300),
        ) {
            let mut rate = rate(limit, per_ms, None);
            let mut now_ms = 1_000;
            let mut starts: Vec<i64> = Vec::new();
            for wait in waits {
                now_ms += wait / 40 * (wait % 3);
                for _ in 0..wait % 7 {
                    now_ms = now_ms.max(rate.until_ms());
                    rate.started(now_ms);
                    starts.push(now_ms);
                }
                let Used::Window(entries) = rate.used(now_ms) else { continue };
                prop_assert!(entries.len() <= 66);
            }
            let per_ms = i64::try_from(per_ms).unwrap();
            for window in starts.windows(limit as usize + 1) {
                prop_assert!(window[limit as usize] - window[0] >= per_ms);
            }
        }

        #[test]
        fn a_window_never_waits_much_longer_than_it_must(limit in 65..300_u32, per_ms in 640..5_000_u64) {
            let mut rate = rate(limit, per_ms, None);
            let starts = run(&mut rate, 0, limit as usize * 3 + 1);
            let least = i64::try_from(per_ms).unwrap() * 3;
            prop_assert!(starts[limit as usize * 3] <= least + least / 60 + 3);
        }
    }
}
