//! What becomes too old is given up, whatever holds it up.

use posthaste_delivery_config::{CircuitBreaker, DeliveryRate, RetryPolicy};

use super::*;

const AGE_MS: i64 = 100_000;

fn aging() -> LaneSettings {
    let retry = RetryPolicy { schedule_ms: vec![1_000; 30], jitter_percent: 0, max_age_ms: 100_000 };
    LaneSettings { retry, retry_after_max_ms: 3_600_000, ..settings() }
}

fn configured(lane: LaneSettings) -> Settings {
    Settings { in_flight: 10, lanes: vec![(Ordinal(0), lane)], ..Settings::default() }
}

/// Sequence number and attempts of what was given up unattempted, in order.
fn given_up(driver: &Driver) -> Vec<(Seq, u32)> {
    let too_old = |outcome: &&Outcome| match &outcome.kind {
        OutcomeKind::DeadLettered { failure } => failure.reason == "Exhausted",
        _ => false,
    };
    driver.outcomes.iter().filter(too_old).map(|outcome| (outcome.seq, outcome.attempts)).collect()
}

/// What withholds deliveries, with which settings, and how it comes about.
type Hold = (&'static str, LaneSettings, Box<dyn Fn(&mut Driver)>);

#[test]
fn a_delivery_is_given_up_after_its_time_whatever_withholds_it() {
    let fail = |driver: &mut Driver, verdict: Verdict| {
        let &(_, seq) = driver.running.keys().next().expect("one in flight");
        driver.finish(0, seq, verdict);
    };
    let hour = || asked_to_wait(FailureClass::Throttle, Some(Duration::from_hours(1)));
    let rate = DeliveryRate { limit: 1, per_ms: 3_600_000, burst: None };
    let breaker = CircuitBreaker { failures: 1, open_for_ms: 3_600_000, open_for_max_ms: 3_600_000 };
    let holds: Vec<Hold> = vec![
        (
            "suspended",
            aging(),
            Box::new(|driver| driver.configure(configured(LaneSettings { suspend: true, ..aging() }))),
        ),
        (
            "Webhook suspended",
            aging(),
            Box::new(|driver| driver.configure(Settings { suspend: true, ..configured(aging()) })),
        ),
        ("parked", aging(), Box::new(|driver| driver.configure(Settings { lanes: Vec::new(), ..configured(aging()) }))),
        ("gone", aging(), Box::new(move |driver| fail(driver, failed(FailureClass::Gone)))),
        ("throttled", aging(), Box::new(move |driver| fail(driver, hour()))),
        (
            "open circuit",
            LaneSettings { circuit_breaker: Some(breaker), ..aging() },
            Box::new(move |driver| fail(driver, failed(FailureClass::Retry))),
        ),
        (
            "rate limit",
            LaneSettings { rate_limit: Some(rate), ..aging() },
            Box::new(move |driver| fail(driver, failed(FailureClass::Retry))),
        ),
        (
            "ordering",
            LaneSettings { ordering: DeliveryOrdering::PerEndpoint, concurrency: 8, ..aging() },
            Box::new(move |driver| fail(driver, hour())),
        ),
    ];
    for (what, lane, hold) in holds {
        let mut driver = Driver::configured(10, vec![(Ordinal(0), lane)]);
        let begin = driver.now_ms;
        let first = driver.commit(&[0]);
        driver.now_ms += 10_400;
        let second = driver.commit(&[0]);
        hold(&mut driver);
        let started = driver.started.len();
        if let Some(&(_, seq)) = driver.running.keys().next() {
            driver.finish(0, seq, failed(FailureClass::Retry));
        }
        assert!(driver.wake(), "{what}");
        assert_eq!((driver.now_ms - begin, driver.outcomes.len()), (AGE_MS, 2), "{what}: {:?}", driver.outcomes);
        assert!(driver.wake(), "{what}");
        assert_eq!(driver.now_ms - begin, 11_000 + AGE_MS, "{what}: in whole seconds, never too early");
        assert_eq!(given_up(&driver), [(first, 1), (second, 0)], "{what}");
        assert_eq!((driver.engine.pending(), driver.started.len()), (0, started), "{what}");
        assert!(!driver.wake(), "{what}: nothing is left to wake up for");
    }
}

#[test]
fn what_is_in_flight_when_its_time_runs_out_may_succeed_but_is_not_tried_again() {
    for (verdict, delivered) in
        [(succeeded(), true), (failed(FailureClass::Retry), false), (failed(FailureClass::Gone), false)]
    {
        let mut driver = Driver::configured(10, vec![(Ordinal(0), aging())]);
        let seq = driver.commit(&[0]);
        driver.now_ms += AGE_MS + 5_000;
        driver.handle(Input::Tick);
        assert!(driver.outcomes.is_empty());
        driver.finish(0, seq, verdict);
        match driver.last() {
            OutcomeKind::Succeeded { .. } => assert!(delivered),
            OutcomeKind::DeadLettered { failure } => assert!(!delivered && failure.reason == "ServerError"),
            OutcomeKind::Retry { .. } => panic!("tried again"),
        }
        assert_eq!((driver.outcomes.len(), driver.engine.pending()), (1, 0));
    }
}

#[test]
fn a_backlog_is_given_up_in_portions_oldest_first_while_others_are_served() {
    let mut driver =
        Driver::configured(10, vec![(Ordinal(0), LaneSettings { suspend: true, ..aging() }), (Ordinal(1), settings())]);
    for _ in 0..2_000 {
        driver.commit(&[0]);
    }
    driver.now_ms += AGE_MS;
    let mut portions = Vec::new();
    while given_up(&driver).len() < 2_000 {
        let before = given_up(&driver).len();
        let seq = driver.commit(&[1]);
        portions.push(given_up(&driver).len() - before);
        assert!(driver.engine.wake_at_ms().is_none_or(|at_ms| at_ms <= driver.now_ms || portions.len() == 4));
        driver.finish(1, seq, succeeded());
        portions.push(given_up(&driver).len() - before - portions.last().unwrap());
    }
    assert_eq!(portions, [512, 512, 512, 464]);
    assert!(given_up(&driver).is_sorted());
}

#[test]
fn what_became_too_old_while_no_process_ran_is_not_attempted() {
    let pending = |seq, attempts, accepted_ms| Pending {
        seq,
        endpoint: Ordinal(0),
        attempts,
        accepted_ms,
        due_ms: 5,
        group: 0,
        redelivered: false,
    };
    let mut driver = Driver::new();
    driver.next_seq = 4;
    let now = driver.now_ms;
    driver.engine.recover(
        &[],
        &[pending(1, 0, now - AGE_MS - 1_000), pending(2, 3, now - AGE_MS), pending(3, 0, now - 5_000)],
        driver.now_ms,
    );
    assert_eq!(driver.engine.wake_at_ms(), None, "not before there is a configuration");
    driver.configure(configured(aging()));
    assert_eq!(given_up(&driver), [(1, 0), (2, 3)]);
    assert_eq!(driver.started, [(Ordinal(0), 3)]);
}

#[test]
fn the_age_of_an_endpoint_that_was_not_seen_yet_is_the_default() {
    let mut driver = Driver::new();
    driver.now_ms *= 1_000;
    let now = driver.now_ms;
    let day = 86_400_000;
    let pending = |seq, accepted_ms| Pending {
        seq,
        endpoint: Ordinal(0),
        attempts: 0,
        accepted_ms,
        due_ms: 0,
        group: 0,
        redelivered: false,
    };
    driver.engine.recover(&[], &[pending(1, now - 5 * day), pending(2, now - 4 * day)], driver.now_ms);
    driver.configure(Settings { in_flight: 10, ..Settings::default() });
    assert_eq!(given_up(&driver), [(1, 0)]);
    driver.configure(configured(aging()));
    assert_eq!(given_up(&driver), [(1, 0), (2, 0)]);
}

#[test]
fn what_was_asked_for_again_and_not_attempted_is_young_after_a_restart() {
    let mut driver = Driver::new();
    driver.now_ms *= 1_000;
    let again = Pending {
        seq: 1,
        endpoint: Ordinal(0),
        attempts: 0,
        accepted_ms: 5_000,
        due_ms: 0,
        group: 0,
        redelivered: true,
    };
    driver.engine.recover(&[], &[again], driver.now_ms);
    driver.configure(configured(aging()));
    assert_eq!((given_up(&driver).len(), driver.started.len()), (0, 1));
    let begin = driver.now_ms;
    let mut driver = Driver { now_ms: begin, ..Driver::new() };
    driver.engine.recover(&[], &[again], begin);
    driver.configure(configured(LaneSettings { suspend: true, ..aging() }));
    assert_eq!(driver.engine.wake_at_ms(), Some(begin + AGE_MS));
}

#[test]
fn another_age_counts_for_what_waits_already() {
    let lane = |max_age_ms| {
        let retry = RetryPolicy { max_age_ms, ..aging().retry };
        configured(LaneSettings { retry, suspend: true, ..aging() })
    };
    let mut driver = Driver::new();
    driver.configure(lane(100_000));
    let begin = driver.now_ms;
    driver.commit(&[0]);
    driver.configure(lane(200_000));
    assert_eq!(driver.engine.wake_at_ms(), Some(begin + 200_000));
    driver.now_ms += 150_000;
    driver.configure(lane(100_000));
    assert_eq!(given_up(&driver).len(), 1);
}

#[test]
fn in_order_the_next_one_goes_on_when_the_first_is_given_up() {
    let ordered = LaneSettings { ordering: DeliveryOrdering::PerEndpoint, ..aging() };
    let mut driver = Driver::configured(10, vec![(Ordinal(0), ordered)]);
    let first = driver.commit(&[0]);
    driver.finish(0, first, asked_to_wait(FailureClass::Retry, Some(Duration::from_hours(1))));
    driver.now_ms += 50_000;
    let second = driver.commit(&[0]);
    assert!(driver.running.is_empty());
    driver.wake();
    assert_eq!(given_up(&driver), [(first, 1)]);
    assert_eq!(driver.running.keys().next(), Some(&(Ordinal(0), second)));
}

#[test]
fn what_is_too_old_is_not_attempted_while_the_backlog_of_another_is_given_up() {
    let retry = RetryPolicy { schedule_ms: vec![99_000], ..aging().retry };
    let waiting = LaneSettings { retry, ..aging() };
    let suspended = LaneSettings { suspend: true, ..aging() };
    let mut driver = Driver::configured(10, vec![(Ordinal(0), suspended), (Ordinal(1), waiting)]);
    for _ in 0..600 {
        driver.commit(&[0]);
    }
    let seq = driver.commit(&[1]);
    driver.finish(1, seq, failed(FailureClass::Retry));
    // It is due, and too old; the first portion is all of the other's.
    driver.now_ms += AGE_MS;
    driver.handle(Input::Tick);
    assert_eq!((given_up(&driver).len(), driver.running.len()), (512, 0));
    driver.wake();
    assert_eq!((given_up(&driver).len(), driver.running.len(), driver.engine.pending()), (601, 0, 0));
}
