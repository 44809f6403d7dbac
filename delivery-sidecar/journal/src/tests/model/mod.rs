//! The journal against a model of it: whatever is asked, and wherever it crashes, what was acknowledged is there, and what
//! was not is there whole or not at all.

mod reference;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bytes::Bytes;
use proptest::prelude::*;
use tokio::sync::Mutex;

use super::support::{NOW, failure, open_store, payload, with_space};
use crate::store::Store;
use crate::testing::{Crash, FakeDisk, Fault};
use crate::{Error, History, IdempotencyKey, Kept, NewEvent, Options, Ordinal, Outcome, OutcomeKind, Seq, Wanted};
use reference::Model;

#[derive(Clone, Debug)]
enum Step {
    Accept { length: usize, key: Option<u8>, content: u64, endpoints: u8 },
    Outcome { pick: usize, kind: u8, sent: bool },
    Assign { uid: u8 },
    Drop { pick: usize },
    Remember { pick: usize, memo: u8 },
    Redeliver { pick: usize, endpoint: usize },
    Restore { pick: usize, endpoint: usize },
}

#[derive(Clone, Debug)]
enum Operation {
    Commit(Vec<Step>),
    Tidy { later_ms: i64 },
    Clean { steps: u8 },
    Reopen,
    CrashIn { operations: u64, crash: Crash },
    CrashNow { crash: Crash },
    Fail(Fault),
    FillDisk { spare: u64 },
    FreeDisk,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (0_usize..900, prop::option::weighted(0.6, 0_u8..12), 0_u64..2, any::<u8>())
            .prop_map(|(length, key, content, endpoints)| Step::Accept { length, key, content, endpoints }),
        8 => (any::<usize>(), 0_u8..6, any::<bool>()).prop_map(|(pick, kind, sent)| Step::Outcome { pick, kind, sent }),
        2 => (0_u8..8).prop_map(|uid| Step::Assign { uid }),
        1 => any::<usize>().prop_map(|pick| Step::Drop { pick }),
        1 => (any::<usize>(), any::<u8>()).prop_map(|(pick, memo)| Step::Remember { pick, memo }),
        2 => any::<(usize, usize)>().prop_map(|(pick, endpoint)| Step::Redeliver { pick, endpoint }),
        2 => any::<(usize, usize)>().prop_map(|(pick, endpoint)| Step::Restore { pick, endpoint }),
    ]
}

fn operation() -> impl Strategy<Value = Operation> {
    let crash = prop_oneof![Just(Crash::Kill), Just(Crash::PowerLoss)];
    let fault = prop_oneof![
        Just(Fault::Write),
        Just(Fault::Sync),
        Just(Fault::Sync),
        Just(Fault::Names),
        Just(Fault::Truncate)
    ];
    prop_oneof![
        24 => prop::collection::vec(step(), 1..8).prop_map(Operation::Commit),
        2 => (0_i64..40_000).prop_map(|later_ms| Operation::Tidy { later_ms }),
        4 => (1_u8..6).prop_map(|steps| Operation::Clean { steps }),
        1 => Just(Operation::Reopen),
        3 => (0_u64..12, crash.clone()).prop_map(|(operations, crash)| Operation::CrashIn { operations, crash }),
        1 => crash.prop_map(|crash| Operation::CrashNow { crash }),
        3 => fault.prop_map(Operation::Fail),
        1 => (0_u64..4000).prop_map(|spare| Operation::FillDisk { spare }),
        1 => Just(Operation::FreeDisk),
    ]
}

fn new_event(model: &Model, step: &Step, now_ms: i64) -> Option<NewEvent> {
    let Step::Accept { length, key, content, endpoints } = step else { return None };
    let deliveries = (0..8_u32).filter(|bit| endpoints & (1 << bit) != 0);
    // One that the journal has never heard of, at times.
    let deliveries = deliveries.map(|bit| model.pick_endpoint(bit as usize).unwrap_or(Ordinal(999))).collect();
    let key = key.map(|key| IdempotencyKey { key: key.into(), content: *content, expires_ms: now_ms + 50 });
    let group = u16::from(*endpoints) * 257;
    Some(NewEvent { payload: payload(*length, *endpoints), accepted_ms: now_ms, idempotency: key, deliveries, group })
}

struct Test {
    disk: FakeDisk,
    store: Option<Store>,
    model: Model,
    /// What the journal may be instead after a crash: with a commit that failed.
    failed: Vec<Model>,
    now_ms: i64,
    options: Options,
    /// All that was ever to be accepted: what is found in the files must be one of them.
    accepted: Vec<(Bytes, i64, u16)>,
}

impl Test {
    fn new(seed: u64) -> Self {
        let disk = FakeDisk::new(seed);
        let model = Model { next_seq: 1, ..Model::default() };
        // Finished events are kept in every other journal; the model does not know of them.
        let options = with_space(|space| space.history_retention_ms = if seed.is_multiple_of(2) { 20_000 } else { 0 });
        let store = Some(open_store(&disk, options.clone()).unwrap().0);
        Self { disk, store, model, failed: Vec::new(), now_ms: NOW, options, accepted: Vec::new() }
    }

    fn store(&mut self) -> &mut Store {
        self.store.as_mut().expect("it is open")
    }

    fn run(&mut self, operation: Operation) {
        self.now_ms += 1;
        match operation {
            Operation::Commit(steps) => self.commit(&steps),
            Operation::Tidy { later_ms } => self.tidy(later_ms),
            Operation::Clean { steps } => {
                for _ in 0..steps {
                    let _ = self.store().clean();
                }
            }
            Operation::Reopen => self.reopen(),
            Operation::CrashIn { operations, crash } => self.disk.crash_in(operations, crash),
            Operation::CrashNow { crash } => self.disk.crash(crash),
            Operation::Fail(fault) => self.disk.fail_next(fault),
            Operation::FillDisk { spare } => self.disk.set_capacity(Some(self.disk.used() + spare)),
            Operation::FreeDisk => self.disk.set_capacity(None),
        }
        if self.disk.is_down() {
            self.reopen();
        }
        self.check();
    }

    fn commit(&mut self, steps: &[Step]) {
        let (mut model, now_ms) = (self.model.clone(), self.now_ms);
        let store = self.store.as_mut().unwrap();
        let mut batch = store.begin();
        let (mut dropped, mut finished) = (Vec::new(), BTreeSet::new());
        for (at, step) in (0..).zip(steps) {
            match step {
                Step::Accept { .. } => {
                    let event = new_event(&model, step, now_ms).unwrap();
                    if store.fits(&batch, std::slice::from_ref(&event)) {
                        self.accepted.push((event.payload.clone(), event.accepted_ms, event.group));
                        let expected = model.accept(&event);
                        assert_eq!(batch.accept(&store.look(), vec![event]), [expected]);
                    }
                }
                Step::Outcome { pick, kind, sent } => {
                    let Some((seq, endpoint)) = model.pick_delivery(*pick) else { continue };
                    // The journal cannot have been asked about what it has not acknowledged.
                    if !self.model.events.contains_key(&seq) {
                        continue;
                    }
                    let attempts = model.events[&seq].deliveries[&endpoint].0 + u32::from(*sent);
                    let kind = match kind {
                        0 | 1 => OutcomeKind::Succeeded { status: 200 },
                        2..=4 => OutcomeKind::Retry { due_ms: now_ms + 77, failure: failure("busy") },
                        _ => OutcomeKind::DeadLettered { failure: failure("exhausted") },
                    };
                    let outcome = Outcome { seq, endpoint, at_ms: now_ms + at, attempts, kind };
                    finished.insert(seq);
                    let expected = model.outcome(&outcome);
                    assert_eq!(batch.outcome(&store.look(), &outcome), expected);
                }
                Step::Redeliver { pick, endpoint } => {
                    let picked = model.pick_delivery(*pick).zip(model.pick_endpoint(*endpoint));
                    let Some(((seq, _), endpoint)) = picked else { continue };
                    // Not in the commit that finishes something of the event, nor of one that is not acknowledged.
                    if finished.contains(&seq) || self.model.events.get(&seq) != model.events.get(&seq) {
                        continue;
                    }
                    let expected = model.redeliver(seq, endpoint);
                    let redelivered = batch.redeliver(&store.look(), endpoint, vec![seq]);
                    assert_eq!(redelivered.len(), usize::from(expected));
                }
                Step::Restore { pick, endpoint } => {
                    let Some(endpoint) = model.pick_endpoint(*endpoint) else { continue };
                    let seq = 1 + *pick as u64 % self.model.next_seq;
                    if finished.contains(&seq) || self.model.events.get(&seq) != model.events.get(&seq) {
                        continue;
                    }
                    // The disk may have crashed.
                    let Ok(found) = find(store, endpoint, seq) else { continue };
                    assert!(found.is_some() || !self.model.events.contains_key(&seq));
                    let Some(kept) = found else { continue };
                    let stored = kept.stored.clone();
                    assert!(self.accepted.contains(&(stored.payload.clone(), stored.accepted_ms, kept.group)));
                    let expected = model.restore(&kept, endpoint);
                    let restored = batch.restore(&store.look(), endpoint, vec![kept]);
                    assert_eq!(restored.len(), usize::from(expected));
                }
                Step::Assign { uid } => {
                    let uid = format!("uid-{uid}");
                    let expected = model.assign(&uid);
                    assert_eq!(batch.ordinal(&store.look(), &uid), expected);
                }
                Step::Drop { pick } => {
                    let Some(ordinal) = model.pick_endpoint(*pick) else { continue };
                    dropped.push((ordinal, model.drop_endpoint(ordinal)));
                    batch.drop_endpoint(&store.look(), ordinal);
                }
                Step::Remember { pick, memo } => {
                    let Some(ordinal) = model.pick_endpoint(*pick) else { continue };
                    let memo = Bytes::from(vec![*memo; 30]);
                    model.endpoints.get_mut(&ordinal).unwrap().2 = memo.clone();
                    batch.remember(&store.look(), ordinal, memo);
                }
            }
        }
        // With nothing to write, what a failed commit has left stays where it is.
        let is_written = !batch.is_empty();
        match store.write(batch) {
            Ok(applied) => {
                for (ordinal, count) in dropped {
                    assert_eq!(applied.dropped[&ordinal], count);
                }
                self.model = model;
                if is_written {
                    self.failed.clear();
                }
            }
            Err(_) => self.failed.push(model),
        }
    }

    fn tidy(&mut self, later_ms: i64) {
        self.now_ms += later_ms;
        let (mut model, now_ms) = (self.model.clone(), self.now_ms);
        model.tidy(now_ms, &self.options);
        match self.store().tidy(now_ms) {
            Ok(_) => self.model = model,
            Err(_) => self.failed.push(model),
        }
    }

    /// Ends the process, if the disk has not, and begins another.
    fn reopen(&mut self) {
        if !self.disk.is_down() {
            self.disk.crash(Crash::Kill);
        }
        self.store = None;
        let store = loop {
            self.disk.restart();
            match crate::store::Store::open(std::sync::Arc::new(self.disk.clone()), self.options.clone(), self.now_ms) {
                Ok((store, _)) => break store,
                Err(_) if self.disk.is_down() => {}
                Err(error) => {
                    // A full disk may refuse to open; nothing else may.
                    assert!(matches!(error, crate::Error::Full), "{error}");
                    self.disk.set_capacity(None);
                    self.disk.crash(Crash::Kill);
                }
            }
        };
        let found = Model::of(&store).at(self.now_ms);
        let allowed = std::iter::once(&self.model).chain(&self.failed).cloned().map(|model| model.at(self.now_ms));
        let Some(model) = allowed.into_iter().find(|model| *model == found) else {
            panic!("found {found:#?}\nexpected {:#?}\nor one of {:#?}", self.model, self.failed);
        };
        self.model = model;
        // What was found is what the next crash must leave.
        self.failed.clear();
        self.store = Some(store);
    }

    fn check(&mut self) {
        let now_ms = self.now_ms;
        let found = Model::of(self.store()).at(now_ms);
        assert_eq!(found, self.model.clone().at(now_ms));
        check_accounts(self.store());
    }
}

/// The event of that number, if it is kept.
fn find(store: &Store, endpoint: Ordinal, only: Seq) -> Result<Option<Kept>, Error> {
    let wanted = Wanted { endpoint, given: None, since_ms: None, until_ms: None, only: Some(only) };
    let turn = Arc::new(Mutex::new(())).try_lock_owned().expect("nobody has it");
    let mut history = History::new(Arc::clone(store.state()), wanted, turn);
    while let Some(found) = history.step()? {
        if let Some(kept) = found.into_iter().next() {
            return Ok(Some(kept));
        }
    }
    Ok(None)
}

/// What is counted as it changes is what would be counted from scratch.
fn check_accounts(store: &Store) {
    let state = store.look();
    let mut needed: BTreeMap<u32, (u64, u64)> = BTreeMap::new();
    let mut dead_bytes = 0;
    let (mut pending, mut dead) = (0, 0);
    for (_, event) in state.events.iter() {
        let (bytes, held) = needed.entry(event.segment).or_default();
        *bytes += event.live();
        *held += 1;
        let count = event.deliveries.iter().filter(|delivery| delivery.is_dead()).count();
        dead += count;
        pending += event.deliveries.len() - count;
        if count == event.deliveries.len() {
            dead_bytes += u64::from(event.length);
        }
    }
    for known in (0..12).filter_map(|key| state.keys.get(key)) {
        let (bytes, held) = needed.entry(known.segment).or_default();
        *bytes += crate::state::KEY_BYTES;
        *held += 1;
    }
    for (segment, expected) in &needed {
        let segment = state.segments.get(*segment).expect("what is needed is in a segment");
        assert_eq!((segment.live, segment.held), *expected);
    }
    assert_eq!(state.segments.live(), needed.values().map(|(bytes, _)| bytes).sum::<u64>());
    assert_eq!(state.dead_letters.bytes, dead_bytes);
    assert_eq!(state.endpoints.iter().map(|(_, endpoint)| endpoint.pending.len()).sum::<usize>(), pending);
    assert_eq!(state.pending(), pending as u64);
    assert_eq!(state.endpoints.iter().map(|(_, endpoint)| endpoint.dead.len()).sum::<usize>(), dead);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 384, max_shrink_iters: 4000, ..ProptestConfig::default() })]

    #[test]
    fn acknowledged_is_kept_and_the_rest_is_whole_or_absent(
        seed: u64,
        operations in prop::collection::vec(operation(), 1..70),
    ) {
        let mut test = Test::new(seed);
        for operation in operations {
            test.run(operation);
        }
        test.disk.set_capacity(None);
        test.reopen();
        let disk = test.disk.clone();
        super::support::clean(test.store());
        test.check();
        // A power loss after all this loses nothing either.
        disk.crash(Crash::PowerLoss);
        test.reopen();
        test.check();
    }
}
