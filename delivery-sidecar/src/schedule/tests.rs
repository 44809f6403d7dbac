//! The engine as a whole: what its module says that holds, under random inputs and in single stories.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use posthaste_delivery_config::{DeliveryOrdering, OnExhausted};
use posthaste_journal::{EndpointRecord, EndpointStats, Ordinal, Outcome, OutcomeKind, Pending, Seq};
use proptest::prelude::*;
use rand::{Rng, RngExt, SeedableRng, rngs::SmallRng};

use super::{
    testing::{asked_to_wait, event, failed, failure, lanes, settings, succeeded},
    *,
};
use crate::send::{FailureClass, Verdict};

mod age;
mod exhausted;
mod recovery;
mod sharing;

/// The engine with someone who remembers all that it did.
struct Driver {
    engine: Engine,
    now_ms: i64,
    next_seq: Seq,
    /// In flight, with the number of the attempt.
    running: BTreeMap<(Ordinal, Seq), u32>,
    outcomes: Vec<Outcome>,
    memos: BTreeMap<Ordinal, bytes::Bytes>,
    /// Order of starts.
    started: Vec<(Ordinal, Seq)>,
    /// Events that were at hand when an attempt started.
    at_hand: BTreeSet<Seq>,
}

impl Driver {
    fn new() -> Self {
        Self {
            engine: Engine::new(Options { cache_bytes: 10_000, seed: 7 }),
            now_ms: 1_000_000,
            next_seq: 1,
            running: BTreeMap::new(),
            outcomes: Vec::new(),
            memos: BTreeMap::new(),
            started: Vec::new(),
            at_hand: BTreeSet::new(),
        }
    }

    fn configured(in_flight: u32, lanes: Vec<(Ordinal, LaneSettings)>) -> Self {
        let mut driver = Self::new();
        driver.handle(Input::Configure(Settings { in_flight, lanes, ..Settings::default() }));
        driver
    }

    fn handle(&mut self, input: Input) {
        let mut effects = Vec::new();
        self.engine.handle(input, self.now_ms, &mut effects);
        let records = effects.iter().filter(|effect| matches!(effect, Effect::Record(_)));
        assert!(records.count() <= 513, "one attempt's, and a portion of what is too old");
        for effect in effects {
            match effect {
                Effect::Start(start) => {
                    let key = (start.ordinal, start.seq);
                    assert!(self.running.insert(key, start.attempt).is_none(), "{key:?} is in flight twice");
                    self.started.push(key);
                    if let Some(event) = start.event {
                        assert_eq!(event.id, start.seq.to_string());
                        self.at_hand.insert(start.seq);
                    }
                }
                Effect::Record(outcome) => self.outcomes.push(outcome),
                Effect::Remember { ordinal, memo } => drop(self.memos.insert(ordinal, memo)),
                Effect::Changed(ordinal) => drop(self.engine.view(ordinal, self.now_ms)),
            }
        }
        assert_eq!(self.engine.in_flight(), self.running.len());
    }

    fn commit(&mut self, to: &[u32]) -> Seq {
        self.commit_of(0, to)
    }

    fn commit_of(&mut self, group: u16, to: &[u32]) -> Seq {
        let seq = self.next_seq;
        self.next_seq += 1;
        self.handle(Input::Committed {
            seq,
            accepted_ms: self.now_ms,
            deliveries: to.iter().copied().map(Ordinal).collect(),
            group,
            event: Some(event(&seq.to_string())),
        });
        seq
    }

    fn finish(&mut self, ordinal: u32, seq: Seq, verdict: Verdict) {
        let ordinal = Ordinal(ordinal);
        self.running.remove(&(ordinal, seq)).expect("in flight");
        self.handle(Input::Finished { ordinal, seq, ended_ms: self.now_ms, verdict });
    }

    /// Lets time pass to the next wake-up; false when there is none.
    fn wake(&mut self) -> bool {
        let Some(at_ms) = self.engine.wake_at_ms() else { return false };
        self.now_ms = self.now_ms.max(at_ms);
        self.handle(Input::Tick);
        true
    }

    fn configure(&mut self, settings: Settings) {
        self.handle(Input::Configure(settings));
    }

    fn last(&self) -> &OutcomeKind {
        &self.outcomes.last().expect("an outcome").kind
    }
}

#[test]
fn a_delivery_is_attempted_on_the_schedule_and_then_given_up() {
    let mut driver = Driver::configured(10, lanes(1, &settings()));
    let begin = driver.now_ms;
    let seq = driver.commit(&[0]);
    let mut starts = Vec::new();
    loop {
        starts.push(driver.now_ms - begin);
        driver.now_ms += 500;
        driver.finish(0, seq, failed(FailureClass::Retry));
        if !driver.wake() {
            break;
        }
    }
    assert_eq!(starts, [0, 1_500, 12_000]);
    assert!(matches!(driver.last(), OutcomeKind::DeadLettered { .. }));
    assert_eq!(driver.outcomes.iter().map(|outcome| outcome.attempts).collect::<Vec<_>>(), [1, 2, 3]);
    assert!(driver.engine.is_drained());
}

#[test]
fn an_edited_schedule_decides_from_the_next_failure_on() {
    let with = |schedule_ms| {
        let retry = posthaste_delivery_config::RetryPolicy { schedule_ms, ..settings().retry };
        let lane = LaneSettings { retry, generation: 2, ..settings() };
        Settings { in_flight: 10, lanes: lanes(1, &lane), ..Settings::default() }
    };
    for (schedule_ms, then) in [(vec![5, 700], Some(700)), (vec![5], None)] {
        let mut driver = Driver::configured(10, lanes(1, &settings()));
        let seq = driver.commit(&[0]);
        driver.finish(0, seq, failed(FailureClass::Retry));
        driver.configure(with(schedule_ms));
        assert_eq!(driver.engine.wake_at_ms(), Some(driver.now_ms + 1_000), "what waits keeps its time");
        driver.wake();
        driver.finish(0, seq, failed(FailureClass::Retry));
        match (driver.last(), then) {
            (OutcomeKind::Retry { due_ms, .. }, Some(delay)) => assert_eq!(*due_ms, driver.now_ms + delay),
            (OutcomeKind::DeadLettered { .. }, None) => {}
            (other, _) => panic!("{other:?}"),
        }
    }
}

#[test]
fn what_cannot_succeed_is_given_up_at_once() {
    let mut driver = Driver::configured(10, lanes(1, &settings()));
    let seq = driver.commit(&[0]);
    driver.finish(0, seq, failed(FailureClass::Permanent));
    assert!(matches!(driver.last(), OutcomeKind::DeadLettered { .. }));
}

#[test]
fn overload_pauses_the_endpoint_and_no_other() {
    let mut driver = Driver::configured(10, lanes(2, &settings()));
    let first = driver.commit(&[0, 1]);
    let second = driver.commit(&[0, 1]);
    driver.finish(0, first, failed(FailureClass::Throttle));
    driver.finish(1, first, succeeded());
    assert_eq!(driver.running.keys().copied().collect::<Vec<_>>(), [(Ordinal(1), second)]);
    assert_eq!(driver.engine.wake_at_ms(), Some(driver.now_ms + 1_000));
    driver.wake();
    assert!(driver.running.contains_key(&(Ordinal(0), second)));
}

#[test]
fn overload_pauses_the_endpoint_even_when_the_delivery_is_given_up() {
    let retry =
        posthaste_delivery_config::RetryPolicy { schedule_ms: vec![], jitter_percent: 0, max_age_ms: 360_000_000 };
    let mut driver = Driver::configured(10, lanes(1, &LaneSettings { retry, ..settings() }));
    let first = driver.commit(&[0]);
    driver.commit(&[0]);
    driver.finish(0, first, failed(FailureClass::Throttle));
    assert!(driver.running.is_empty());
    assert_eq!(driver.engine.wake_at_ms(), Some(driver.now_ms + 1_000));
}

#[test]
fn a_retry_after_is_heard_up_to_the_endpoints_maximum() {
    for (asked_s, max_ms, heard_ms) in
        [(30, 3_600_000, 30_000), (7_200, 3_600_000, 3_600_000), (u64::MAX, 86_400_000, 86_400_000), (30, 0, 1_000)]
    {
        let mut driver = Driver::configured(10, lanes(1, &LaneSettings { retry_after_max_ms: max_ms, ..settings() }));
        let (first, second) = (driver.commit(&[0]), driver.commit(&[0]));
        driver.finish(0, first, asked_to_wait(FailureClass::Throttle, Some(Duration::from_secs(asked_s))));
        let until_ms = driver.now_ms + heard_ms;
        assert_eq!(*driver.last(), OutcomeKind::Retry { due_ms: until_ms, failure: failure() });
        assert!(driver.running.is_empty(), "{second} waits, too");
        assert_eq!(driver.engine.wake_at_ms(), Some(until_ms));
    }
}

#[test]
fn overload_from_before_an_edit_does_not_pause_the_edited_endpoint() {
    let mut driver = Driver::configured(10, lanes(1, &settings()));
    let (first, second) = (driver.commit(&[0]), driver.commit(&[0]));
    let edited = LaneSettings { generation: 2, ..settings() };
    driver.configure(Settings { in_flight: 10, lanes: lanes(1, &edited), ..Settings::default() });
    driver.finish(0, first, failed(FailureClass::Throttle));
    assert!(driver.running.contains_key(&(Ordinal(0), second)));
}

#[test]
fn a_gone_endpoint_keeps_its_deliveries_over_a_restart_until_it_is_edited() {
    let mut driver = Driver::configured(10, lanes(1, &settings()));
    let seq = driver.commit(&[0]);
    driver.commit(&[0]);
    driver.finish(0, seq, failed(FailureClass::Gone));
    assert!(matches!(driver.last(), OutcomeKind::Retry { .. }));
    assert!(driver.running.is_empty());
    assert!(driver.engine.wake_at_ms().unwrap() > driver.now_ms + 300_000_000, "only to give them up");

    let mut restarted = Driver::new();
    let record = EndpointRecord {
        ordinal: Ordinal(0),
        uid: "a".to_owned(),
        stats: EndpointStats { consecutive_failures: 1, ..EndpointStats::default() },
        memo: driver.memos[&Ordinal(0)].clone(),
    };
    let pending =
        [Pending { seq, endpoint: Ordinal(0), attempts: 1, accepted_ms: 0, due_ms: 1, group: 0, redelivered: false }];
    restarted.engine.recover(&[record], &pending);
    restarted.configure(Settings { in_flight: 1, lanes: lanes(1, &settings()), ..Settings::default() });
    assert!(restarted.running.is_empty());
    assert!(restarted.engine.view(Ordinal(0), restarted.now_ms).unwrap().gone);
    restarted.configure(Settings {
        in_flight: 1,
        lanes: lanes(1, &LaneSettings { generation: 2, ..settings() }),
        ..Settings::default()
    });
    assert_eq!(restarted.running, BTreeMap::from([((Ordinal(0), seq), 2)]));
    assert!(restarted.memos[&Ordinal(0)].is_empty());
}

#[test]
fn a_410_from_before_an_edit_does_not_stop_the_edited_endpoint() {
    let mut driver = Driver::configured(10, lanes(1, &settings()));
    let seq = driver.commit(&[0]);
    let edited = LaneSettings { url_fingerprint: 2, ..settings() };
    driver.configure(Settings { in_flight: 10, lanes: lanes(1, &edited), ..Settings::default() });
    driver.finish(0, seq, failed(FailureClass::Gone));
    assert!(!driver.engine.view(Ordinal(0), driver.now_ms).unwrap().gone);
    assert!(driver.wake() && driver.running.len() == 1);
}

#[test]
fn deliveries_wait_while_suspended_or_absent_and_go_on_afterwards() {
    let all = |lanes| Settings { in_flight: 10, lanes, ..Settings::default() };
    let still = [
        all(lanes(1, &LaneSettings { suspend: true, ..settings() })),
        Settings { suspend: true, ..all(lanes(1, &settings())) },
        all(Vec::new()),
    ];
    for still in still {
        let mut driver = Driver::configured(10, Vec::new());
        driver.configure(still);
        let seqs = [driver.commit(&[0]), driver.commit(&[0])];
        assert!(driver.running.is_empty() && driver.engine.is_drained());
        assert_eq!(driver.engine.view(Ordinal(0), driver.now_ms).unwrap().pending, 2);
        driver.configure(all(lanes(1, &settings())));
        for seq in seqs {
            driver.finish(0, seq, succeeded());
        }
        assert_eq!(driver.outcomes.len(), 2);
    }
}

#[test]
fn a_deleted_endpoint_is_forgotten_even_if_an_event_for_it_is_still_on_its_way() {
    let mut driver = Driver::configured(10, lanes(1, &settings()));
    let seq = driver.commit(&[0]);
    driver.commit(&[0]);
    driver.configure(Settings { in_flight: 10, dropped: vec![Ordinal(0)], ..Settings::default() });
    driver.commit(&[0]);
    driver.finish(0, seq, succeeded());
    driver.commit(&[0]);
    assert!(driver.outcomes.is_empty() && driver.running.is_empty() && !driver.wake());
    assert!(driver.engine.view(Ordinal(0), driver.now_ms).is_none());
}

#[test]
fn lanes_take_turns_when_slots_are_scarce() {
    let mut driver = Driver::configured(1, lanes(3, &LaneSettings { concurrency: 8, ..settings() }));
    for _ in 0..50 {
        driver.commit(&[0]);
    }
    for _ in 0..3 {
        driver.commit(&[1, 2]);
    }
    for _ in 0..10 {
        let &(ordinal, seq) = driver.running.keys().next().unwrap();
        driver.finish(ordinal.0, seq, succeeded());
    }
    let order: Vec<u32> = driver.started.iter().map(|(ordinal, _)| ordinal.0).collect();
    assert_eq!(order, [0, 1, 2, 0, 1, 2, 0, 1, 2, 0, 0]);
}

#[test]
fn a_rate_limit_delays_and_outlives_an_orderly_restart() {
    let rate = posthaste_delivery_config::DeliveryRate { limit: 2, per_ms: 3_600_000, burst: None };
    let limited = lanes(1, &LaneSettings { rate_limit: Some(rate), concurrency: 8, ..settings() });
    let mut driver = Driver::configured(10, limited.clone());
    let begin = driver.now_ms;
    let seqs: Vec<Seq> = (0..3).map(|_| driver.commit(&[0])).collect();
    driver.finish(0, seqs[0], succeeded());
    driver.finish(0, seqs[1], succeeded());
    assert_eq!((driver.running.len(), driver.engine.wake_at_ms()), (0, Some(begin + 3_600_000)));
    driver.handle(Input::Drain);

    let mut restarted = Driver::new();
    let stats = EndpointStats { last_attempt_ms: Some(begin), ..EndpointStats::default() };
    let record =
        EndpointRecord { ordinal: Ordinal(0), uid: "a".to_owned(), stats, memo: driver.memos[&Ordinal(0)].clone() };
    let pending = Pending {
        seq: seqs[2],
        endpoint: Ordinal(0),
        attempts: 0,
        accepted_ms: begin,
        due_ms: 0,
        group: 0,
        redelivered: false,
    };
    restarted.engine.recover(&[record], &[pending]);
    restarted.configure(Settings { in_flight: 10, lanes: limited, ..Settings::default() });
    assert!(restarted.running.is_empty());
    restarted.wake();
    assert_eq!((restarted.now_ms, restarted.running.len()), (begin + 3_600_000, 1));
}

#[test]
fn in_order_the_next_one_waits_for_success_or_dead_letter_even_over_a_restart() {
    let ordered = lanes(1, &LaneSettings { ordering: DeliveryOrdering::PerEndpoint, concurrency: 8, ..settings() });
    let mut driver = Driver::new();
    let pending = |seq, attempts, due_ms| Pending {
        seq,
        endpoint: Ordinal(0),
        attempts,
        accepted_ms: 0,
        due_ms,
        group: 0,
        redelivered: false,
    };
    driver.engine.recover(&[], &[pending(1, 2, driver.now_ms + 100), pending(2, 1, 5), pending(3, 0, 0)]);
    driver.next_seq = 4;
    driver.configure(Settings { in_flight: 10, lanes: ordered, ..Settings::default() });
    assert!(driver.running.is_empty(), "the first one is not due yet");
    driver.commit(&[0]);
    driver.wake();
    driver.finish(0, 1, failed(FailureClass::Retry));
    assert!(matches!(driver.last(), OutcomeKind::DeadLettered { .. }));
    driver.finish(0, 2, failed(FailureClass::Retry));
    assert!(driver.running.is_empty());
    driver.wake();
    driver.finish(0, 2, succeeded());
    driver.finish(0, 3, succeeded());
    driver.finish(0, 4, succeeded());
    let order: Vec<Seq> = driver.started.iter().map(|(_, seq)| *seq).collect();
    assert_eq!(order, [1, 2, 2, 3, 4]);
}

fn with_breaker() -> LaneSettings {
    let breaker =
        posthaste_delivery_config::CircuitBreaker { failures: 2, open_for_ms: 20_000, open_for_max_ms: 60_000 };
    LaneSettings { circuit_breaker: Some(breaker), concurrency: 4, ..settings() }
}

#[test]
fn an_endpoint_that_only_fails_is_probed_and_comes_back_by_itself() {
    let mut driver = Driver::configured(10, lanes(1, &with_breaker()));
    let seqs: Vec<Seq> = (0..9).map(|_| driver.commit(&[0])).collect();
    while let Some(&(_, seq)) = driver.running.keys().next() {
        driver.finish(0, seq, failed(FailureClass::Retry));
    }
    let attempted = driver.started.len();
    assert!(attempted < seqs.len());
    let view = driver.engine.view(Ordinal(0), driver.now_ms).unwrap();
    assert_eq!((view.circuit, view.next_attempt_ms), (Circuit::Open, Some(driver.now_ms + 20_000)));
    assert!(driver.wake());
    assert_eq!(driver.running.len(), 1, "one probe, although all events and retries are due");
    assert_eq!(driver.engine.view(Ordinal(0), driver.now_ms).unwrap().circuit, Circuit::HalfOpen);
    let probe = driver.running.keys().next().unwrap().1;
    assert_eq!(probe, seqs[attempted], "what has been due longest");
    driver.finish(0, probe, failed(FailureClass::Retry));
    assert_eq!(driver.engine.wake_at_ms(), Some(driver.now_ms + 40_000));
    driver.wake();
    let mut most = Vec::new();
    while let Some(&(_, seq)) = driver.running.keys().next() {
        most.push(driver.running.len());
        driver.finish(0, seq, succeeded());
    }
    assert_eq!(most, [1, 1, 2, 2, 4, 4, 3, 2, 1]);
    assert!(driver.engine.is_drained() && driver.engine.pending() == 0);
    assert_eq!(driver.engine.view(Ordinal(0), driver.now_ms).unwrap().circuit, Circuit::Closed);
}

#[test]
fn a_restart_probes_an_endpoint_that_failed_before_it() {
    let mut driver = Driver::new();
    let stats = EndpointStats { consecutive_failures: 2, ..EndpointStats::default() };
    let record = EndpointRecord { ordinal: Ordinal(0), uid: "a".to_owned(), stats, memo: bytes::Bytes::new() };
    let pending = |seq| Pending {
        seq,
        endpoint: Ordinal(0),
        attempts: 1,
        accepted_ms: 0,
        due_ms: 1,
        group: 0,
        redelivered: false,
    };
    driver.engine.recover(&[record], &[pending(1), pending(2)]);
    driver.configure(Settings { in_flight: 10, lanes: lanes(1, &with_breaker()), ..Settings::default() });
    assert_eq!(driver.running.len(), 1);
    driver.finish(0, 1, succeeded());
    assert_eq!(driver.running.len(), 1);
}

#[test]
fn an_edit_closes_the_circuit() {
    let mut driver = Driver::configured(10, lanes(1, &with_breaker()));
    for _ in 0..3 {
        driver.commit(&[0]);
    }
    while let Some(&(_, seq)) = driver.running.keys().next() {
        driver.finish(0, seq, failed(FailureClass::Retry));
    }
    driver.now_ms += 1_000;
    driver.handle(Input::Tick);
    assert!(driver.running.is_empty());
    let edited = LaneSettings { generation: 2, ..with_breaker() };
    driver.configure(Settings { in_flight: 10, lanes: lanes(1, &edited), ..Settings::default() });
    assert_eq!(driver.running.len(), 1);
    assert_eq!(driver.engine.view(Ordinal(0), driver.now_ms).unwrap().circuit, Circuit::Closed);
}

#[test]
fn another_url_is_another_receiver() {
    let concurrent = LaneSettings { concurrency: 4, ..settings() };
    let mut driver = Driver::configured(10, lanes(1, &concurrent));
    let seq = driver.commit(&[0]);
    driver.finish(0, seq, succeeded());
    for _ in 0..9 {
        driver.commit(&[0]);
    }
    assert_eq!(driver.running.len(), 4);
    let moved = LaneSettings { url_fingerprint: 2, ..concurrent };
    driver.configure(Settings { in_flight: 10, lanes: lanes(1, &moved), ..Settings::default() });
    while let Some(&(_, seq)) = driver.running.keys().next() {
        driver.finish(0, seq, failed(FailureClass::Retry));
    }
    for _ in 0..9 {
        driver.commit(&[0]);
    }
    assert_eq!(driver.running.len(), 1);
}

#[test]
fn the_backlog_of_one_endpoint_does_not_displace_the_events_of_others() {
    let mut driver = Driver::configured(10, vec![(Ordinal(1), settings())]);
    for _ in 0..4_096 {
        driver.commit(&[0]);
    }
    let (first, second) = (driver.commit(&[1]), driver.commit(&[1]));
    for _ in 0..100 {
        driver.commit(&[0]);
    }
    driver.finish(1, first, succeeded());
    assert_eq!(driver.started, [(Ordinal(1), first), (Ordinal(1), second)]);
    assert!(driver.at_hand.contains(&second), "it would have to be read from the journal");
}

#[test]
fn nothing_starts_while_draining() {
    let mut driver = Driver::configured(10, lanes(1, &settings()));
    let seq = driver.commit(&[0]);
    driver.commit(&[0]);
    driver.handle(Input::Drain);
    driver.finish(0, seq, failed(FailureClass::Retry));
    assert!(driver.running.is_empty() && !driver.wake());
    assert_eq!(driver.outcomes.len(), 1);
}

const RATE: posthaste_delivery_config::DeliveryRate =
    posthaste_delivery_config::DeliveryRate { limit: 3, per_ms: 2_000, burst: None };

/// The shorter one of the two ages after which deliveries are given up in [`live`].
const SHORT_MS: i64 = 15_000;

fn max_age(settings: &LaneSettings) -> i64 {
    i64::try_from(settings.retry.max_age_ms).unwrap()
}

/// A random life of six endpoints, checked after every step against what the driver remembers.
fn live(seed: u64) {
    let random = &mut SmallRng::seed_from_u64(seed);
    let mut driver = Driver::new();
    let mut committed: BTreeSet<(Ordinal, Seq)> = BTreeSet::new();
    let mut floor: BTreeMap<(Ordinal, Seq), i64> = BTreeMap::new();
    let mut starts: BTreeMap<Ordinal, Vec<i64>> = BTreeMap::new();
    let mut groups: BTreeMap<Seq, u16> = BTreeMap::new();
    let mut accepted: BTreeMap<Seq, i64> = BTreeMap::new();
    let mut attempts: BTreeMap<(Ordinal, Seq), u32> = BTreeMap::new();
    let mut dropped: BTreeSet<Ordinal> = BTreeSet::new();
    let mut current = Settings::default();
    for step in 0..400 {
        driver.now_ms += random.random_range(0..500);
        let started = driver.started.len();
        let outcomes = driver.outcomes.len();
        match random.random_range(0..10) {
            0..=2 => {
                let to: Vec<u32> = (0..6).filter(|_| random.random_bool(0.4)).collect();
                let group = random.random_range(0..3);
                let seq = driver.commit_of(group, &to);
                groups.insert(seq, group);
                accepted.insert(seq, driver.now_ms);
                let kept = to.into_iter().map(Ordinal).filter(|ordinal| !dropped.contains(ordinal));
                committed.extend(kept.map(|ordinal| (ordinal, seq)));
            }
            3..=6 if !driver.running.is_empty() => {
                let index = random.random_range(0..driver.running.len());
                let &(ordinal, seq) = driver.running.keys().nth(index).unwrap();
                driver.finish(ordinal.0, seq, verdict(random));
            }
            7 if random.random_bool(0.3) || step == 7 => {
                if random.random_bool(0.05) {
                    dropped.insert(Ordinal(random.random_range(0..6)));
                }
                current = configuration(random, &dropped);
                driver.configure(current.clone());
                committed.retain(|(ordinal, _)| !dropped.contains(ordinal));
            }
            _ => driver.handle(Input::Tick),
        }
        for outcome in &driver.outcomes[outcomes..] {
            let key = (outcome.endpoint, outcome.seq);
            assert!(committed.contains(&key), "an outcome of what was never committed, or is finished");
            let tried = attempts.insert(key, outcome.attempts).unwrap_or(0);
            if tried == outcome.attempts {
                let settings = current.lanes.iter().find(|(ordinal, _)| *ordinal == key.0);
                let age = driver.now_ms - accepted[&key.1];
                // A parked endpoint has the age that it had before.
                assert!(age >= settings.map_or(SHORT_MS, |(_, settings)| max_age(settings)), "given up too early");
            }
            match outcome.kind {
                OutcomeKind::Retry { due_ms, .. } => drop(floor.insert(key, due_ms)),
                _ => drop(committed.remove(&key)),
            }
        }
        for key in &driver.started[started..] {
            assert!(committed.contains(key), "a start of what is finished");
            starts.entry(key.0).or_default().push(driver.now_ms);
            assert!(floor.get(key).is_none_or(|due_ms| *due_ms <= driver.now_ms), "an attempt before its time");
            let settings = current.lanes.iter().find(|(ordinal, _)| *ordinal == key.0);
            let first = |same: &dyn Fn(Seq) -> bool| {
                let waiting = committed.iter().filter(|(ordinal, seq)| *ordinal == key.0 && same(*seq));
                waiting.map(|(_, seq)| *seq).min()
            };
            if let Some((_, settings)) = settings {
                let age = driver.now_ms - accepted[&key.1];
                assert!(age < max_age(settings) + 1_000, "an attempt of what is too old");
            }
            let group = groups[&key.1];
            match settings.map(|(_, settings)| settings.ordering) {
                Some(DeliveryOrdering::PerEndpoint) => assert_eq!(first(&|_| true), Some(key.1), "out of order"),
                Some(DeliveryOrdering::PerSubject) if group != 0 => {
                    assert_eq!(first(&|seq| groups[&seq] == group), Some(key.1), "out of order");
                }
                _ => {}
            }
            assert!(!current.suspend && settings.is_some_and(|(_, settings)| !settings.suspend), "it was to wait");
        }
        if driver.started.len() > started {
            assert!(driver.running.len() <= current.in_flight as usize, "more in flight than allowed");
        }
        for (ordinal, settings) in &current.lanes {
            if let (Some(rate), Some(starts)) = (settings.rate_limit, starts.get(ordinal))
                && driver.started[started..].iter().any(|(started, _)| started == ordinal)
            {
                let since = driver.now_ms - i64::try_from(rate.per_ms).unwrap();
                let in_window = starts.iter().filter(|at| **at > since).count();
                assert!(in_window <= rate.limit as usize, "more attempts in a window than the limit");
            }
            let started_here = driver.started[started..].iter().any(|(started, _)| started == ordinal);
            let running = driver.running.keys().filter(|(running, _)| running == ordinal).count();
            assert!(
                !started_here || running <= settings.concurrency as usize,
                "more in flight than the endpoint's limit"
            );
        }
        assert_eq!(driver.engine.pending(), committed.len() as u64);
        for ordinal in (0..6).map(Ordinal) {
            let waiting = committed.iter().filter(|(committed, _)| *committed == ordinal).count() as u64;
            assert_eq!(
                driver.engine.view(ordinal, driver.now_ms).map_or(0, |view| view.pending),
                waiting,
                "lost or invented"
            );
        }
    }
    let lanes = (0..6).map(Ordinal).filter(|ordinal| !dropped.contains(ordinal));
    let lanes = lanes.map(|ordinal| (ordinal, LaneSettings { generation: 1_000, ..settings() })).collect();
    driver.configure(Settings { in_flight: 3, lanes, dropped: dropped.iter().copied().collect(), suspend: false });
    loop {
        while let Some(&(ordinal, seq)) = driver.running.keys().next() {
            driver.finish(ordinal.0, seq, succeeded());
        }
        if !driver.wake() {
            break;
        }
    }
    assert!(driver.engine.is_drained(), "the engine came to rest with deliveries that it could make");
    assert!(
        (0..6).all(|ordinal| driver.engine.view(Ordinal(ordinal), driver.now_ms).is_none_or(|view| view.pending == 0))
    );
}

fn verdict(random: &mut impl Rng) -> Verdict {
    match random.random_range(0..12) {
        0 => failed(FailureClass::Throttle),
        1 => failed(FailureClass::Permanent),
        2 if random.random_bool(0.2) => failed(FailureClass::Gone),
        3..=6 => failed(FailureClass::Retry),
        _ => succeeded(),
    }
}

fn configuration(random: &mut impl Rng, dropped: &BTreeSet<Ordinal>) -> Settings {
    let mut lanes = Vec::new();
    for ordinal in (0..6).map(Ordinal).filter(|ordinal| !dropped.contains(ordinal)) {
        if random.random_bool(0.85) {
            let settings = LaneSettings {
                generation: random.random_range(1..3),
                url_fingerprint: 1,
                suspend: random.random_bool(0.15),
                concurrency: random.random_range(1..4),
                // Always the same one: another mode forgets what was used.
                rate_limit: (ordinal.0 == 2).then_some(RATE),
                ordering: [DeliveryOrdering::None, DeliveryOrdering::PerEndpoint, DeliveryOrdering::PerSubject]
                    [random.random_range(0..3)],
                circuit_breaker: with_breaker().circuit_breaker.filter(|_| random.random_bool(0.5)),
                retry: posthaste_delivery_config::RetryPolicy {
                    max_age_ms: if random.random_bool(0.5) { u64::try_from(SHORT_MS).unwrap() } else { 360_000_000 },
                    ..settings().retry
                },
                on_exhausted: [OnExhausted::Continue, OnExhausted::MarkFailing, OnExhausted::Disable]
                    [random.random_range(0..3)],
                ..settings()
            };
            lanes.push((ordinal, settings));
        }
    }
    Settings {
        in_flight: random.random_range(1..8),
        suspend: random.random_bool(0.1),
        lanes,
        dropped: dropped.iter().copied().collect(),
    }
}

proptest! {
    #[test]
    fn no_delivery_is_lost_hurried_or_invented_and_limits_hold(seed: u64) {
        live(seed);
    }
}

#[test]
fn an_endpoint_with_too_much_pending_gives_up_its_oldest_but_not_what_is_in_flight() {
    let mut driver = Driver::configured(8, lanes(2, &settings()));
    let seqs: Vec<Seq> = (0..5).map(|_| driver.commit(&[0, 1])).collect();
    assert!(driver.running.contains_key(&(Ordinal(0), seqs[0])));
    driver.handle(Input::Overflow { ordinal: Ordinal(0), oldest: seqs[..3].to_vec() });
    let given_up: BTreeSet<Seq> = driver.outcomes.iter().map(|outcome| outcome.seq).collect();
    assert_eq!(given_up, BTreeSet::from([seqs[1], seqs[2]]));
    for outcome in &driver.outcomes {
        assert_eq!((outcome.endpoint, outcome.attempts), (Ordinal(0), 0));
        let OutcomeKind::DeadLettered { failure } = &outcome.kind else { panic!("{outcome:?}") };
        assert_eq!(failure.reason, overflow::OVERFLOW);
    }
    assert_eq!(driver.engine.view(Ordinal(0), driver.now_ms).unwrap().pending, 3);
    assert_eq!((driver.engine.view(Ordinal(1), driver.now_ms).unwrap().pending, driver.engine.pending()), (5, 8));
    driver.handle(Input::Overflow { ordinal: Ordinal(0), oldest: seqs[..3].to_vec() });
    driver.handle(Input::Overflow { ordinal: Ordinal(9), oldest: seqs });
    assert_eq!(driver.outcomes.len(), 2, "telling it again changes nothing");
}

#[test]
fn what_is_asked_for_again_is_attempted_now_outside_of_the_ordering_and_as_often_as_anything() {
    let settings = LaneSettings { ordering: DeliveryOrdering::PerEndpoint, concurrency: 1, ..settings() };
    let mut driver = Driver::configured(8, lanes(1, &settings));
    let seqs: Vec<Seq> = (0..3).map(|_| driver.commit(&[0])).collect();
    driver.finish(0, seqs[0], succeeded());
    driver.finish(0, seqs[1], failed(FailureClass::Permanent));
    driver.finish(0, seqs[2], failed(FailureClass::Retry));
    assert_eq!(driver.engine.pending(), 1);
    driver.handle(Input::Redelivered { ordinal: Ordinal(0), events: vec![seqs[1]] });
    assert_eq!(driver.engine.pending(), 2);
    assert_eq!(driver.running.get(&(Ordinal(0), seqs[1])), Some(&1), "{:?}", driver.running);
    driver.finish(0, seqs[1], failed(FailureClass::Retry));
    let outcome = driver.outcomes.last().unwrap();
    assert!(matches!(outcome.kind, OutcomeKind::Retry { .. }), "{outcome:?}");
    driver.handle(Input::Redelivered { ordinal: Ordinal(9), events: vec![1] });
    let pending = Pending {
        seq: seqs[0],
        endpoint: Ordinal(0),
        attempts: 0,
        accepted_ms: 0,
        due_ms: 0,
        group: 7,
        redelivered: true,
    };
    driver.engine.recover(&[], &[pending]);
    assert_eq!(driver.engine.view(Ordinal(0), driver.now_ms).unwrap().pending, 3);
}
