//! How `in_flight` is shared by endpoints that answer, that are new, and that fail or are slow.

use std::collections::BTreeSet;

use posthaste_delivery_config::RetryPolicy;

use super::*;

fn concurrent(concurrency: u32) -> LaneSettings {
    LaneSettings { concurrency, ..settings() }
}

/// How many attempts of these endpoints are in flight.
fn running(driver: &Driver, ordinals: impl std::ops::RangeBounds<u32>) -> usize {
    driver.running.keys().filter(|(ordinal, _)| ordinals.contains(&ordinal.0)).count()
}

#[test]
fn endpoints_that_fail_share_half_of_the_slots() {
    let retry = RetryPolicy { schedule_ms: vec![1; 30], ..settings().retry };
    let mut driver = Driver::configured(10, lanes(6, &LaneSettings { retry, ..concurrent(10) }));
    let seq = driver.commit(&[5]);
    driver.finish(5, seq, succeeded());
    for _ in 0..20 {
        driver.commit(&[0, 1, 2, 3, 4]);
    }
    for step in 0..200 {
        let &(ordinal, seq) = driver.running.keys().nth(step % driver.running.len()).unwrap();
        driver.finish(ordinal.0, seq, failed(FailureClass::Retry));
        driver.now_ms += 1;
        driver.handle(Input::Tick);
    }
    assert_eq!(driver.running.len(), 5);
    for _ in 0..20 {
        driver.commit(&[5]);
    }
    assert_eq!(running(&driver, 5..6), 5);
}

#[test]
fn new_endpoints_that_hang_make_room_for_the_next_ones_and_for_those_that_answer() {
    let mut driver = Driver::configured(20, lanes(40, &concurrent(20)));
    let seq = driver.commit(&[0]);
    driver.finish(0, seq, succeeded());
    let new: Vec<u32> = (1..40).collect();
    for _ in 0..3 {
        driver.commit(&new);
    }
    let begun = driver.now_ms;
    let mut hanging = vec![driver.running.len()];
    for second in 1..=3 {
        assert!(driver.wake());
        assert_eq!(driver.now_ms, begun + second * 1_000);
        hanging.push(driver.running.len());
    }
    assert_eq!(hanging, [5, 10, 15, 15], "a quarter at a time, up to three quarters");
    let endpoints: BTreeSet<Ordinal> = driver.running.keys().map(|(ordinal, _)| *ordinal).collect();
    assert_eq!(endpoints.len(), 15, "one each");
    for _ in 0..9 {
        driver.commit(&[0]);
    }
    assert_eq!(running(&driver, 0..1), 5);
}

#[test]
fn among_a_thousand_new_endpoints_that_hang_those_that_answer_are_found_soon() {
    const TIMEOUT_MS: i64 = 15_000;
    let mut driver = Driver::configured(1_024, lanes(1_097, &concurrent(8)));
    let begun = driver.now_ms;
    let answers = |ordinal: u32| ordinal % 11 == 5 && ordinal < 1_067;
    driver.commit(&(0..1_097).collect::<Vec<_>>());
    let mut waited = Vec::new();
    let mut hanging: BTreeMap<(Ordinal, Seq), i64> = BTreeMap::new();
    while waited.len() < 97 {
        let mut done = true;
        for key in driver.running.keys().copied().collect::<Vec<_>>() {
            if answers(key.0.0) {
                waited.push(driver.now_ms - begun);
                driver.finish(key.0.0, key.1, succeeded());
                done = false;
            } else if *hanging.entry(key).or_insert(driver.now_ms) + TIMEOUT_MS <= driver.now_ms {
                driver.finish(key.0.0, key.1, failed(FailureClass::Retry));
                done = false;
            }
        }
        assert!(driver.running.len() <= 1_024);
        if done {
            let ends_ms = driver.running.keys().map(|key| hanging[key] + TIMEOUT_MS).min().unwrap();
            let at_ms = driver.engine.wake_at_ms().map_or(ends_ms, |at_ms| at_ms.min(ends_ms));
            assert!(at_ms > driver.now_ms, "it does not get on");
            driver.now_ms = at_ms;
            driver.handle(Input::Tick);
        }
    }
    assert_eq!((waited[48], waited[70], waited[96]), (1_000, 2_000, TIMEOUT_MS), "{waited:?}");
}

#[test]
fn endpoints_that_fail_leave_room_for_new_ones() {
    let retry = RetryPolicy { schedule_ms: vec![1; 30], ..settings().retry };
    let mut driver = Driver::configured(20, lanes(60, &LaneSettings { retry, ..settings() }));
    for _ in 0..2 {
        driver.commit(&(0..40).collect::<Vec<_>>());
    }
    while driver.outcomes.len() < 80 {
        let &(ordinal, seq) = driver.running.keys().next().unwrap();
        driver.finish(ordinal.0, seq, failed(FailureClass::Retry));
    }
    driver.now_ms += 1;
    driver.handle(Input::Tick);
    assert_eq!(driver.running.len(), 10, "half of the places");
    driver.commit(&(40..60).collect::<Vec<_>>());
    assert_eq!(running(&driver, 40..60), 5, "a quarter");
}

#[test]
fn an_endpoint_that_answered_and_hangs_now_keeps_no_others_from_their_places() {
    let mut driver = Driver::configured(8, lanes(2, &concurrent(8)));
    for ordinal in [0, 1] {
        let seq = driver.commit(&[ordinal]);
        driver.finish(ordinal, seq, succeeded());
    }
    for _ in 0..6 {
        driver.commit(&[0]);
    }
    driver.now_ms += 1_000;
    for _ in 0..6 {
        driver.commit(&[0, 1]);
    }
    assert_eq!((running(&driver, 0..1), running(&driver, 1..2)), (6, 2), "nothing more starts");
    let &(_, seq) = driver.running.keys().find(|(ordinal, _)| ordinal.0 == 1).unwrap();
    driver.finish(1, seq, succeeded());
    assert_eq!((running(&driver, 0..1), running(&driver, 1..2)), (6, 2));
    let &(_, seq) = driver.running.keys().next().unwrap();
    driver.finish(0, seq, succeeded());
    assert_eq!((running(&driver, 0..1), running(&driver, 1..2)), (5, 3), "it is still slow");
}

#[test]
fn nobody_is_woken_for_an_attempt_that_takes_long_when_nobody_waits() {
    let mut driver = Driver::configured(8, lanes(2, &settings()));
    driver.commit(&[0, 1]);
    assert_eq!(driver.running.len(), 2);
    assert!(driver.engine.wake_at_ms().is_none_or(|at_ms| at_ms > driver.now_ms + 10_000));
}

#[test]
fn a_slow_endpoint_shares_half_and_keeps_its_concurrency() {
    let mut driver = Driver::configured(10, lanes(2, &LaneSettings { concurrency: 8, ..settings() }));
    let seq = driver.commit(&[0]);
    driver.now_ms += 5_000;
    driver.finish(0, seq, succeeded());
    for _ in 0..20 {
        driver.commit(&[0]);
    }
    assert_eq!(driver.running.len(), 5);
}
