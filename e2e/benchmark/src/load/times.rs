//! When each event of an open loop was due, accepted and received.

use std::{
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use crate::stats::Latencies;

/// See the module. Bounded by what it was made for; what has other numbers is left out.
#[derive(Debug)]
pub struct Times {
    begin: Instant,
    first: u64,
    due: Vec<AtomicU64>,
    accepted: Vec<AtomicU64>,
    received: Mutex<Vec<Receipt>>,
    fan_out: usize,
    most: usize,
}

#[derive(Clone, Copy, Debug)]
struct Receipt {
    index: usize,
    at: Duration,
}

impl Times {
    /// For `events` events from number `first` on, each received `fan_out` times.
    pub fn new(first: u64, events: usize, fan_out: usize) -> Self {
        let zeros = || (0..events).map(|_| AtomicU64::new(0)).collect();
        let most = events * fan_out;
        Self {
            begin: Instant::now(),
            first,
            due: zeros(),
            accepted: zeros(),
            received: Mutex::new(Vec::with_capacity(most)),
            fan_out,
            most,
        }
    }

    /// The event was to be sent at this time.
    pub fn due(&self, number: u64, at: Instant) {
        self.set(&self.due, number, at);
    }

    /// The event was answered with 202 at this time.
    pub fn accepted(&self, number: u64, at: Instant) {
        self.set(&self.accepted, number, at);
    }

    /// The event has arrived.
    pub fn received(&self, number: u64) {
        let at = self.begin.elapsed();
        let Some(index) = self.index(number) else { return };
        let mut received = self.received.lock().unwrap_or_else(PoisonError::into_inner);
        if received.len() < self.most {
            received.push(Receipt { index, at });
        }
    }

    /// How many have not arrived yet.
    pub fn missing(&self) -> usize {
        self.most - self.received.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// Counts all that is missing as if it arrived now.
    pub fn give_up(&self) {
        let at = self.begin.elapsed();
        let mut received = self.received.lock().unwrap_or_else(PoisonError::into_inner);
        let mut missing = vec![self.fan_out; self.due.len()];
        for receipt in &*received {
            missing[receipt.index] = missing[receipt.index].saturating_sub(1);
        }
        let missing = missing.into_iter().enumerate();
        received.extend(missing.flat_map(|(index, count)| std::iter::repeat_n(Receipt { index, at }, count)));
    }

    /// From the time at which events were due, which counts what they waited for a free connection too. Of the events
    /// that were due at `after` or later, counted from the beginning.
    pub fn since_due(&self, after: Duration) -> Latencies {
        self.since(&self.due, after)
    }

    /// From the producer's 202. An event that arrives before its 202 counts as zero.
    pub fn since_accepted(&self) -> Latencies {
        self.since(&self.accepted, Duration::ZERO)
    }

    fn since(&self, starts: &[AtomicU64], after: Duration) -> Latencies {
        let received = self.received.lock().unwrap_or_else(PoisonError::into_inner);
        let times = received.iter().filter(|receipt| load(&self.due, receipt.index) >= after);
        Latencies::new(times.map(|receipt| receipt.at.saturating_sub(load(starts, receipt.index))).collect())
    }

    fn set(&self, times: &[AtomicU64], number: u64, at: Instant) {
        let nanos = at.saturating_duration_since(self.begin).as_nanos();
        if let Some(time) = self.index(number).and_then(|index| times.get(index)) {
            time.store(u64::try_from(nanos).unwrap_or(u64::MAX), Ordering::Release);
        }
    }

    fn index(&self, number: u64) -> Option<usize> {
        let index = usize::try_from(number.checked_sub(self.first)?).ok()?;
        (index < self.due.len()).then_some(index)
    }
}

fn load(times: &[AtomicU64], index: usize) -> Duration {
    Duration::from_nanos(times[index].load(Ordering::Acquire))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn latencies_count_from_when_the_event_was_due_and_strangers_are_left_out() {
        let times = Times::new(10, 2, 1);
        let long_ago = times.begin;
        times.due(10, long_ago);
        times.due(11, long_ago + Duration::from_secs(3600));
        for number in [9, 10, 11, 12] {
            times.received(number);
        }
        assert_eq!(times.missing(), 0);
        assert!(times.since_due(Duration::ZERO).percentile_ms(100) > 0.0);
        assert!(times.since_due(Duration::from_secs(1)).percentile_ms(100) < f64::EPSILON);
    }

    #[test]
    fn what_is_missing_counts_as_late() {
        let times = Times::new(0, 2, 2);
        for number in [0, 0, 1] {
            times.received(number);
        }
        assert_eq!(times.missing(), 1);
        times.give_up();
        assert_eq!(times.missing(), 0);
        let longest = times.received.lock().unwrap().last().copied().unwrap();
        assert_eq!(longest.index, 1);
    }
}
