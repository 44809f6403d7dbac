//! How much may be written: token buckets, and a pause that grows while the API server struggles.
//!
//! Pure: `now` is the time since the reporter began, from a clock that never jumps.

use std::time::Duration;

/// Shortest pause after an answer that asks for one.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// Longest pause.
const MAX_PAUSE: Duration = Duration::from_mins(1);
/// An answer that takes this long says that the API server has enough to do.
const SLOW: Duration = Duration::from_secs(1);

/// A token bucket that may be overdrawn by whoever is let.
#[derive(Clone, Debug)]
pub struct Bucket {
    /// Tokens per second.
    rate: f64,
    /// Most tokens saved up.
    burst: f64,
    /// Tokens now; negative when overdrawn.
    tokens: f64,
    /// When `tokens` was right.
    at: Duration,
}

impl Bucket {
    /// A full bucket. What is not a positive number counts as 0; with a rate, at least one token can be saved.
    pub fn new(rate: f64, burst: f64) -> Self {
        let mut bucket = Self { rate: 0.0, burst: 0.0, tokens: 0.0, at: Duration::ZERO };
        bucket.set(rate, burst, Duration::ZERO);
        bucket.tokens = bucket.burst;
        bucket
    }

    /// Changes the bucket's size; tokens and debts stay, as far as they fit.
    pub fn set(&mut self, rate: f64, burst: f64, now: Duration) {
        self.refill(now);
        let sane = |number: f64| if number.is_finite() { number.max(0.0) } else { 0.0 };
        self.rate = sane(rate);
        self.burst = if self.rate > 0.0 { sane(burst).max(1.0) } else { sane(burst) };
        self.tokens = self.tokens.min(self.burst);
    }

    /// Takes a token, leaving a debt of at most `debt`; or says when there will be one, if ever.
    pub fn take(&mut self, now: Duration, debt: f64) -> Result<(), Option<Duration>> {
        self.refill(now);
        let missing = 1.0 - debt - self.tokens;
        // A waiter comes back at the computed time; rounding must not send it away again.
        if missing <= 1e-6 {
            self.tokens -= 1.0;
            return Ok(());
        }
        let wait = Duration::try_from_secs_f64(missing / self.rate).ok();
        Err(wait.and_then(|wait| now.checked_add(wait)))
    }

    /// Most tokens saved up.
    pub fn burst(&self) -> f64 {
        self.burst
    }

    fn refill(&mut self, now: Duration) {
        self.tokens = self.burst.min(self.tokens + now.saturating_sub(self.at).as_secs_f64() * self.rate);
        self.at = self.at.max(now);
    }
}

/// The pause after answers that ask for one: doubled each time, halved by each good answer.
#[derive(Clone, Debug, Default)]
pub struct Backoff {
    pause: Duration,
    until: Duration,
}

impl Backoff {
    /// An answer was 429, 5xx or missing. Answers to what was sent before the pause do not lengthen it further,
    /// except by what they ask for themselves. `jitter` in 0..1 lengthens it by up to a quarter, so that sidecars do
    /// not come back together.
    pub fn lengthen(&mut self, now: Duration, asked: Option<Duration>, jitter: f64) {
        self.double(now, MAX_PAUSE, jitter);
        if let Some(asked) = asked {
            self.until = self.until.max(now + asked.min(MAX_PAUSE));
        }
    }

    /// An answer was good, after `elapsed`. One that was `SLOW` lengthens the pause, but not beyond five times what
    /// it took: a server that is always slow still gets a sixth of our time.
    pub fn answered(&mut self, now: Duration, elapsed: Duration, jitter: f64) {
        if elapsed >= SLOW {
            self.double(now, (elapsed * 5).min(MAX_PAUSE), jitter);
        } else if now >= self.until {
            self.pause = if self.pause > FIRST_PAUSE { self.pause / 2 } else { Duration::ZERO };
        }
    }

    fn double(&mut self, now: Duration, most: Duration, jitter: f64) {
        if now >= self.until {
            self.pause = (self.pause * 2).max(FIRST_PAUSE).min(most);
            self.until = now + self.pause.mul_f64(1.0 + jitter.clamp(0.0, 1.0) / 4.0);
        }
    }

    /// Until when nothing may be sent.
    pub fn until(&self, now: Duration) -> Option<Duration> {
        (now < self.until).then_some(self.until)
    }

    /// It is not known yet whether the API server is well again: one request at a time.
    pub fn probing(&self) -> bool {
        !self.pause.is_zero()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const fn s(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn a_debt_is_repaid_before_the_next_token() {
        let mut bucket = Bucket::new(5.0, 20.0);
        let taken = (0..1000).filter(|_| bucket.take(s(0), 80.0).is_ok()).count();
        assert_eq!(taken, 100);
        assert_eq!(bucket.take(s(0), 80.0), Err(Some(Duration::from_millis(200))));
        assert_eq!(bucket.take(s(16), 0.0), Err(Some(Duration::from_millis(16_200))));
        assert_eq!(bucket.take(Duration::from_millis(16_200), 0.0), Ok(()));
    }

    #[test]
    fn a_rate_of_nothing_or_nonsense_is_never_a_promise() {
        for rate in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            let mut bucket = Bucket::new(rate, 1.0);
            assert_eq!(bucket.take(s(0), 0.0), Ok(()));
            assert_eq!(bucket.take(s(1_000_000), 0.0), Err(None));
        }
    }

    #[test]
    fn a_small_share_can_still_save_up_one_token() {
        let mut bucket = Bucket::new(0.1, 0.2);
        assert_eq!(bucket.take(s(0), 0.0), Ok(()));
        assert_eq!(bucket.take(s(0), 0.0), Err(Some(s(10))));
        assert_eq!(bucket.take(s(10), 0.0), Ok(()));
    }

    #[test]
    fn pauses_double_up_to_a_minute_and_shrink_again() {
        let mut backoff = Backoff::default();
        let mut now = s(0);
        let mut pauses = vec![];
        for _ in 0..8 {
            backoff.lengthen(now, None, 0.0);
            let until = backoff.until(now).unwrap();
            pauses.push(until.as_secs() - now.as_secs());
            now = until;
        }
        assert_eq!(pauses, [1, 2, 4, 8, 16, 32, 60, 60]);
        let good = (1..100).find(|_| {
            backoff.answered(now, s(0), 0.0);
            !backoff.probing()
        });
        assert_eq!(good, Some(7));
    }

    #[test]
    fn answers_during_a_pause_do_not_lengthen_it_but_what_they_ask_for_counts() {
        let mut backoff = Backoff::default();
        (0..8).for_each(|_| backoff.lengthen(s(10), None, 0.0));
        assert_eq!(backoff.until(s(10)), Some(s(11)));
        backoff.lengthen(s(10), Some(s(30)), 0.0);
        assert_eq!(backoff.until(s(10)), Some(s(40)));
        backoff.lengthen(s(10), Some(s(3600)), 0.0);
        assert_eq!(backoff.until(s(10)), Some(s(70)));
    }

    #[test]
    fn a_server_that_is_always_slow_is_still_written_to() {
        let mut backoff = Backoff::default();
        let mut now = s(0);
        let mut pauses = vec![];
        for _ in 0..6 {
            backoff.answered(now, s(2), 0.0);
            let until = backoff.until(now).unwrap();
            pauses.push(until.as_secs() - now.as_secs());
            now = until;
        }
        assert_eq!(pauses, [1, 2, 4, 8, 10, 10]);
    }

    proptest! {
        #[test]
        fn no_sequence_takes_more_than_burst_and_rate_allow(
            rate in 0.1f64..20.0, burst in 1.0f64..50.0, steps in proptest::collection::vec(0u64..3_000, 1..200),
        ) {
            let mut bucket = Bucket::new(rate, burst);
            let (mut now, mut taken) = (Duration::ZERO, 0.0);
            for step in steps {
                now += Duration::from_millis(step);
                while bucket.take(now, 0.0).is_ok() { taken += 1.0; }
                prop_assert!(taken <= burst + rate * now.as_secs_f64() + 0.01);
            }
        }

        #[test]
        fn whoever_waits_as_told_gets_a_token(rate in 0.01f64..20.0, burst in 1.0f64..50.0, at in 0u64..1_000_000) {
            let mut bucket = Bucket::new(rate, burst);
            let now = Duration::from_millis(at);
            let until = loop {
                if let Err(until) = bucket.take(now, 0.0) { break until.unwrap(); }
            };
            prop_assert!(until > now);
            prop_assert_eq!(bucket.take(until, 0.0), Ok(()));
        }
    }
}
