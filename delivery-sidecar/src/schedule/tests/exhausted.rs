//! What becomes of an endpoint when a delivery to it is given up.

use posthaste_delivery_config::{OnExhausted, RetryPolicy};

use super::*;

/// One attempt a delivery, and that for 100 s.
fn once(on_exhausted: OnExhausted) -> LaneSettings {
    let retry = RetryPolicy { schedule_ms: vec![], jitter_percent: 0, max_age_ms: 100_000 };
    LaneSettings { retry, on_exhausted, concurrency: 4, ..settings() }
}

fn configured(lane: LaneSettings) -> Settings {
    Settings { in_flight: 10, lanes: vec![(Ordinal(0), lane)], ..Settings::default() }
}

fn exhausted(driver: &mut Driver) -> Option<Exhausted> {
    driver.engine.view(Ordinal(0), driver.now_ms).unwrap().exhausted
}

/// The process ends and another one begins.
fn restart(driver: &Driver, pending: &[Pending], with: Settings) -> Driver {
    let memo = driver.memos.get(&Ordinal(0)).cloned().unwrap_or_default();
    let stats = EndpointStats { consecutive_failures: 1, ..EndpointStats::default() };
    let mut restarted = Driver::new();
    restarted.engine.recover(
        &[EndpointRecord { ordinal: Ordinal(0), uid: "a".to_owned(), stats, memo }],
        pending,
        restarted.now_ms,
    );
    restarted.next_seq = driver.next_seq;
    restarted.configure(with);
    restarted
}

fn pending(seq: Seq) -> Pending {
    Pending { seq, endpoint: Ordinal(0), attempts: 0, accepted_ms: 1_000_000, due_ms: 0, group: 0, redelivered: false }
}

#[test]
fn continue_leaves_the_endpoint_as_it_is() {
    let mut driver = Driver::new();
    driver.configure(configured(once(OnExhausted::Continue)));
    let (first, second) = (driver.commit(&[0]), driver.commit(&[0]));
    driver.finish(0, first, failed(FailureClass::Retry));
    assert!(matches!(driver.last(), OutcomeKind::DeadLettered { .. }));
    assert_eq!(exhausted(&mut driver), None);
    assert!(driver.running.contains_key(&(Ordinal(0), second)) && driver.memos.is_empty());
}

#[test]
fn a_marked_endpoint_fails_until_the_next_success_even_over_a_restart() {
    let mut driver = Driver::new();
    driver.configure(configured(once(OnExhausted::MarkFailing)));
    let first = driver.commit(&[0]);
    driver.finish(0, first, failed(FailureClass::Throttle));
    assert_eq!(exhausted(&mut driver), Some(Exhausted::Marked));
    let edited = LaneSettings { generation: 2, ..once(OnExhausted::MarkFailing) };
    let mut driver = restart(&driver, &[], configured(edited));
    assert_eq!(exhausted(&mut driver), Some(Exhausted::Marked));
    let second = driver.commit(&[0]);
    driver.finish(0, second, succeeded());
    assert_eq!(exhausted(&mut driver), None);
    assert!(driver.memos[&Ordinal(0)].is_empty(), "and that is remembered");
}

#[test]
fn a_disabled_endpoint_gets_nothing_and_keeps_its_deliveries_until_it_is_edited_even_over_a_restart() {
    for edited in [
        LaneSettings { generation: 2, ..once(OnExhausted::Disable) },
        LaneSettings { url_fingerprint: 2, ..once(OnExhausted::Disable) },
        once(OnExhausted::Continue),
    ] {
        let mut driver = Driver::new();
        driver.configure(configured(once(OnExhausted::Disable)));
        let first = driver.commit(&[0]);
        driver.finish(0, first, failed(FailureClass::Retry));
        let second = driver.commit(&[0]);
        assert!(driver.running.is_empty(), "matched and kept");
        let mut driver = restart(&driver, &[pending(second)], configured(once(OnExhausted::Disable)));
        assert!(driver.running.is_empty() && matches!(exhausted(&mut driver), Some(Exhausted::Stopped(_))));
        assert!(driver.engine.is_drained(), "nothing can be done about it");
        driver.configure(configured(edited));
        assert_eq!(exhausted(&mut driver), None);
        assert!(driver.running.contains_key(&(Ordinal(0), second)));
        assert!(driver.memos[&Ordinal(0)].is_empty());
    }
}

#[test]
fn toggling_suspend_brings_a_gone_or_a_disabled_endpoint_back() {
    for class in [FailureClass::Gone, FailureClass::Retry] {
        let mut driver = Driver::new();
        driver.configure(configured(once(OnExhausted::Disable)));
        let first = driver.commit(&[0]);
        driver.finish(0, first, failed(class));
        let second = driver.commit(&[0]);
        driver.configure(configured(once(OnExhausted::Disable)));
        assert!(driver.running.is_empty());
        for suspend in [true, false] {
            driver.configure(configured(LaneSettings { suspend, ..once(OnExhausted::Disable) }));
            assert_eq!(driver.running.is_empty(), suspend);
            let view = driver.engine.view(Ordinal(0), driver.now_ms).unwrap();
            assert!(!view.gone && view.exhausted.is_none(), "{class:?}");
        }
        while let Some(&(_, seq)) = driver.running.keys().next() {
            driver.finish(0, seq, succeeded());
        }
        assert!(driver.started.contains(&(Ordinal(0), second)) && driver.engine.pending() == 0);
    }
}

#[test]
fn only_retries_and_time_that_are_used_up_exhaust_an_endpoint() {
    for (class, stops) in [
        (FailureClass::Retry, true),
        (FailureClass::Throttle, true),
        // Nothing was sent: the receiver has no part in it.
        (FailureClass::Permanent, false),
    ] {
        let mut driver = Driver::new();
        driver.configure(configured(once(OnExhausted::Disable)));
        let first = driver.commit(&[0]);
        driver.finish(0, first, failed(class));
        assert_eq!(exhausted(&mut driver).is_some(), stops, "{class:?}");
    }
}

#[test]
fn another_success_that_was_in_flight_does_not_bring_a_disabled_endpoint_back() {
    let mut driver = Driver::new();
    driver.configure(configured(once(OnExhausted::Disable)));
    let seq = driver.commit(&[0]);
    driver.finish(0, seq, succeeded());
    let (first, second) = (driver.commit(&[0]), driver.commit(&[0]));
    driver.finish(0, first, failed(FailureClass::Retry));
    driver.finish(0, second, succeeded());
    assert!(matches!(exhausted(&mut driver), Some(Exhausted::Stopped(_))));
}

#[test]
fn what_was_attempted_before_an_edit_does_not_stop_the_edited_endpoint() {
    let mut driver = Driver::new();
    driver.configure(configured(once(OnExhausted::Disable)));
    let first = driver.commit(&[0]);
    driver.configure(configured(LaneSettings { generation: 2, ..once(OnExhausted::Disable) }));
    driver.finish(0, first, failed(FailureClass::Retry));
    assert_eq!(exhausted(&mut driver), None);
}

#[test]
fn what_became_too_old_counts_only_while_the_receiver_fails_and_nobody_withholds_deliveries() {
    let hour = 3_600_000;
    let rate = posthaste_delivery_config::DeliveryRate { limit: 1, per_ms: hour, burst: None };
    let retry = RetryPolicy { schedule_ms: vec![hour], ..once(OnExhausted::Disable).retry };
    let patient = LaneSettings { retry, rate_limit: Some(rate), ..once(OnExhausted::Disable) };
    for (verdict, suspend, stops) in [
        (failed(FailureClass::Retry), false, true),
        (failed(FailureClass::Retry), true, false),
        (succeeded(), false, false),
    ] {
        let mut driver = Driver::new();
        driver.configure(configured(patient.clone()));
        let first = driver.commit(&[0]);
        driver.finish(0, first, verdict);
        driver.commit(&[0]);
        // Not an edit, as it comes from the Webhook.
        driver.configure(Settings { suspend, ..configured(patient.clone()) });
        while driver.engine.pending() > 0 {
            assert!(driver.wake());
        }
        assert!(matches!(driver.last(), OutcomeKind::DeadLettered { .. }));
        assert_eq!(exhausted(&mut driver).is_some(), stops);
        assert_eq!(driver.started.len(), 1);
    }
}
