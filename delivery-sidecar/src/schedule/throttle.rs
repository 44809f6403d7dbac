//! How long an endpoint that says that it is overloaded is left alone. Only ever delays; nothing is dropped.

const FIRST_PAUSE_MS: i64 = 1_000;
const LONGEST_PAUSE_MS: i64 = 60_000;

/// The pause of one endpoint.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Throttle {
    doublings: u32,
    until_ms: i64,
}

impl Throttle {
    /// No attempt may start before this time.
    pub fn until_ms(self) -> i64 {
        self.until_ms
    }

    /// An attempt was answered with a sign of overload: pauses for what the receiver asked for (0 for nothing), and for at least 1 s,
    /// 2 s, 4 s, ... 60 s.
    ///
    /// Attempts that were in flight together answer together: those that end during a pause do not make the next one
    /// longer.
    pub fn overloaded(&mut self, now_ms: i64, asked_ms: u64) {
        let mut pause = i64::try_from(asked_ms).unwrap_or(i64::MAX);
        if now_ms >= self.until_ms {
            pause = pause.max((FIRST_PAUSE_MS << self.doublings.min(6)).min(LONGEST_PAUSE_MS));
            self.doublings += 1;
        }
        self.until_ms = self.until_ms.max(now_ms.saturating_add(pause));
    }

    /// An attempt succeeded: the next pause is a short one again. A pause that runs is not cut short, because the
    /// receiver may have asked for it.
    pub fn succeeded(&mut self) {
        self.doublings = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_a_minute_and_start_over_after_a_success() {
        let mut throttle = Throttle::default();
        let mut now = 0;
        for seconds in [1, 2, 4, 8, 16, 32, 60, 60] {
            throttle.overloaded(now, 0);
            assert_eq!(throttle.until_ms() - now, seconds * 1_000);
            now = throttle.until_ms();
        }
        throttle.succeeded();
        throttle.overloaded(now, 0);
        assert_eq!(throttle.until_ms() - now, 1_000);
    }

    #[test]
    fn answers_that_come_together_count_once_and_the_longest_wish_is_respected() {
        let mut throttle = Throttle::default();
        for _ in 0..8 {
            throttle.overloaded(10, 0);
        }
        assert_eq!(throttle.until_ms(), 1_010);
        throttle.overloaded(20, 30_000);
        assert_eq!(throttle.until_ms(), 30_020);
        throttle.overloaded(30, 5_000);
        assert_eq!(throttle.until_ms(), 30_020);
    }
}
