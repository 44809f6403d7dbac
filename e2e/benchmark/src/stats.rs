//! Percentiles and means. Pure.

use std::time::Duration;

/// Times, in order.
#[derive(Clone, Debug, Default)]
pub struct Latencies(Vec<Duration>);

impl Latencies {
    /// Sorts them.
    pub fn new(mut times: Vec<Duration>) -> Self {
        times.sort_unstable();
        Self(times)
    }

    /// The time that `percent` of all do not exceed, in milliseconds (nearest rank). Not a number when there are none.
    pub fn percentile_ms(&self, percent: usize) -> f64 {
        let rank = (self.0.len() * percent).div_ceil(100).max(1);
        self.0.get(rank - 1).map_or(f64::NAN, |time| time.as_secs_f64() * 1e3)
    }
}

/// The mean of some figures. Not a number when there are none.
#[expect(clippy::cast_precision_loss, reason = "a handful")]
pub fn mean(figures: &[f64]) -> f64 {
    figures.iter().sum::<f64>() / figures.len() as f64
}

/// `count` in `time`, per second.
#[expect(clippy::cast_precision_loss, reason = "counts of one run are far below 2^52")]
pub fn per_second(count: u64, time: Duration) -> f64 {
    count as f64 / time.as_secs_f64()
}

/// Bytes in MiB.
#[expect(clippy::cast_precision_loss, reason = "sizes of one process are far below 2^52")]
pub fn mib(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_those_of_the_nearest_rank() {
        let times = Latencies::new((1..=200).rev().map(Duration::from_millis).collect());
        let found = [1, 50, 99, 100].map(|percent| format!("{:.0}", times.percentile_ms(percent)));
        assert_eq!(found, ["2", "100", "198", "200"]);
        assert!(Latencies::default().percentile_ms(50).is_nan());
    }
}
