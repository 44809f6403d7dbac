//! How long to wait before an object that failed is reconciled again.

use std::{collections::HashMap, hash::Hash, sync::Mutex, time::Duration};

const FIRST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_mins(5);

/// The wait after `failures` failures in a row (1 after the first): 1 s, doubled each time, at most 5 minutes, less up
/// to a quarter by `jitter` (0..1), so that objects that failed together do not come back together.
pub fn delay(failures: u32, jitter: f64) -> Duration {
    let doubled = FIRST.saturating_mul(1 << failures.saturating_sub(1).min(16)).min(LONGEST);
    doubled.mul_f64(1.0 - jitter.clamp(0.0, 1.0) / 4.0)
}

/// Counts failures in a row by object. Holds an entry only for objects whose last reconcile failed.
#[derive(Debug)]
pub struct Failures<K>(Mutex<HashMap<K, u32>>);

impl<K> Default for Failures<K> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<K: Eq + Hash> Failures<K> {
    /// Counts a failure and returns how many there were in a row.
    pub fn failed(&self, key: K) -> u32 {
        let mut failures = self.lock();
        let count = failures.entry(key).or_default();
        *count = count.saturating_add(1);
        *count
    }

    /// Forgets an object: it succeeded, or it is gone.
    pub fn forget(&self, key: &K) {
        self.lock().remove(key);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<K, u32>> {
        crate::sync::lock(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doubles_from_a_second_to_five_minutes() {
        let seconds: Vec<_> = [1, 2, 3, 8, 9, 10, u32::MAX].map(|failures| delay(failures, 0.0).as_secs()).into();
        assert_eq!(seconds, [1, 2, 4, 128, 256, 300, 300]);
    }

    #[test]
    fn jitter_shortens_by_a_quarter_at_most() {
        assert_eq!(delay(3, 1.0), Duration::from_secs(3));
        assert_eq!(delay(3, 0.5), Duration::from_millis(3500));
    }

    #[test]
    fn counts_failures_in_a_row_by_object() {
        let failures = Failures::default();
        assert_eq!([failures.failed("a"), failures.failed("a"), failures.failed("b")], [1, 2, 1]);
        failures.forget(&"a");
        assert_eq!([failures.failed("a"), failures.failed("b")], [1, 2]);
    }
}
