//! How an endpoint comes back, and what is shown of when.

use posthaste_delivery_config::{CircuitBreaker, DeliveryRate, RetryPolicy};

use super::*;

fn next_attempt_ms(driver: &mut Driver) -> Option<i64> {
    driver.engine.view(Ordinal(0), driver.now_ms).unwrap().next_attempt_ms
}

/// An endpoint whose circuit has just opened, with one delivery that was attempted in vain and is due in an hour, and
/// `fresh` others.
fn opened(fresh: usize) -> (Driver, Seq) {
    let retry = RetryPolicy { schedule_ms: vec![3_600_000; 9], jitter_percent: 0, max_age_ms: 360_000_000 };
    let breaker = with_breaker().circuit_breaker.map(|breaker| CircuitBreaker { failures: 1, ..breaker });
    let lane = LaneSettings { retry, circuit_breaker: breaker, ..with_breaker() };
    let mut driver = Driver::configured(10, vec![(Ordinal(0), lane)]);
    let tried = driver.commit(&[0]);
    driver.finish(0, tried, failed(FailureClass::Retry));
    for _ in 0..fresh {
        driver.commit(&[0]);
    }
    assert!(driver.running.is_empty());
    (driver, tried)
}

#[test]
fn recovery_releases_only_what_is_due() {
    let (mut driver, tried) = opened(9);
    let begin = driver.now_ms;
    driver.wake();
    assert_eq!(driver.now_ms - begin, 20_000);
    while let Some(&(_, seq)) = driver.running.keys().next() {
        assert_ne!(seq, tried, "its time has not come");
        driver.finish(0, seq, succeeded());
    }
    assert_eq!((driver.outcomes.len(), driver.engine.pending()), (10, 1));
    assert_eq!(next_attempt_ms(&mut driver), Some(begin + 3_600_000));
    driver.wake();
    assert_eq!((driver.now_ms - begin, driver.running.keys().next()), (3_600_000, Some(&(Ordinal(0), tried))));
}

#[test]
fn a_failure_on_the_way_back_opens_the_circuit_again_if_one_is_enough() {
    let (mut driver, _) = opened(20);
    driver.wake();
    for _ in 0..3 {
        let &(_, seq) = driver.running.keys().next().unwrap();
        driver.finish(0, seq, succeeded());
    }
    assert!(driver.running.len() > 1);
    let &(_, seq) = driver.running.keys().next().unwrap();
    driver.finish(0, seq, failed(FailureClass::Retry));
    assert_eq!(driver.engine.view(Ordinal(0), driver.now_ms).unwrap().circuit, Circuit::Open);
    let left = driver.running.len();
    let started = driver.started.len();
    driver.handle(Input::Tick);
    assert_eq!(
        (driver.running.len(), driver.started.len()),
        (left, started),
        "nothing starts beside what is in flight"
    );
}

#[test]
fn a_probe_that_succeeds_closes_the_circuit_even_when_nothing_else_is_due() {
    let (mut driver, tried) = opened(0);
    driver.wake();
    assert_eq!(driver.running.keys().next(), Some(&(Ordinal(0), tried)), "the earliest that is due, at its own time");
    driver.finish(0, tried, succeeded());
    assert_eq!(driver.engine.view(Ordinal(0), driver.now_ms).unwrap().circuit, Circuit::Closed);
}

#[test]
fn the_next_attempt_is_shown_for_when_it_may_start() {
    let limited = LaneSettings {
        rate_limit: Some(DeliveryRate { limit: 2, per_ms: 300_000, burst: None }),
        retry_after_max_ms: 3_600_000,
        ..settings()
    };
    let mut driver = Driver::configured(10, vec![(Ordinal(0), limited.clone())]);
    let begin = driver.now_ms;
    let first = driver.commit(&[0]);
    assert_eq!(next_attempt_ms(&mut driver), None, "nothing waits");
    driver.finish(0, first, asked_to_wait(FailureClass::Throttle, Some(Duration::from_mins(1))));
    assert_eq!(next_attempt_ms(&mut driver), Some(begin + 60_000), "the pause, not the schedule's second");
    driver.wake();
    driver.now_ms += 5;
    driver.commit(&[0]);
    driver.finish(0, first, failed(FailureClass::Retry));
    assert_eq!(next_attempt_ms(&mut driver), Some(begin + 300_000), "the rate limit");
    driver.configure(Settings { in_flight: 10, lanes: vec![(Ordinal(0), settings())], ..Settings::default() });
    assert_eq!(driver.running.len(), 1);
    assert_eq!(next_attempt_ms(&mut driver), Some(begin + 70_005), "the schedule, as the pause is over");
    driver.now_ms += 20_000;
    assert_eq!(next_attempt_ms(&mut driver), None, "it waits for its turn");
    driver.configure(Settings {
        in_flight: 10,
        lanes: vec![(Ordinal(0), LaneSettings { suspend: true, ..settings() })],
        ..Settings::default()
    });
    assert_eq!(next_attempt_ms(&mut driver), None, "nobody knows");
}
