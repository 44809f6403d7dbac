//! What tests share.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;

use crate::batch::Batch;
use crate::store::{Applied, Store};
use crate::testing::FakeDisk;
pub(crate) use crate::testing::{DIRECTORY, NOW, options};
use crate::{
    Accepted, Committed, Cut, EndpointRecord, Error, Failure, IdempotencyKey, Journal, NewEvent, Options, Ordinal,
    Outcome, OutcomeKind, Pending, Seq, Space,
};

/// Options with another share of the disk.
pub(crate) fn with_space(change: impl Fn(&mut Space)) -> Options {
    let mut options = options();
    change(&mut options.space);
    options
}

/// What was in a journal when it was opened, all of it.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) endpoints: Vec<EndpointRecord>,
    pub(crate) pending: Vec<Pending>,
    pub(crate) cut: Option<Cut>,
}

pub(crate) fn open_store(disk: &FakeDisk, options: Options) -> Result<(Store, Found), Error> {
    let (store, recovered) = Store::open(Arc::new(disk.clone()), options, NOW)?;
    let pending = store.look().pending_after(0, usize::MAX);
    assert_eq!(recovered.pending, pending.len() as u64);
    Ok((store, Found { endpoints: recovered.endpoints, pending, cut: recovered.cut }))
}

pub(crate) fn store(disk: &FakeDisk) -> Store {
    open_store(disk, options()).expect("the journal opens").0
}

pub(crate) fn journal(disk: &FakeDisk, options: Options) -> Journal {
    journal_with(disk, options, |_| {})
}

pub(crate) fn journal_with(
    disk: &FakeDisk,
    options: Options,
    on_commit: impl Fn(Vec<Committed>) + Send + 'static,
) -> Journal {
    Journal::open(Arc::new(disk.clone()), options, NOW, on_commit).expect("the journal opens").0
}

pub(crate) fn payload(length: usize, seed: u8) -> Bytes {
    (0..length).map(|at| seed.wrapping_add(u8::try_from(at % 251).unwrap_or(0))).collect::<Vec<u8>>().into()
}

pub(crate) fn event(length: usize, deliveries: &[Ordinal]) -> NewEvent {
    NewEvent {
        payload: payload(length, 1),
        accepted_ms: NOW,
        idempotency: None,
        deliveries: deliveries.to_vec(),
        group: 0,
    }
}

pub(crate) fn keyed(key: u128, content: u64, deliveries: &[Ordinal]) -> NewEvent {
    let key = IdempotencyKey { key, content, expires_ms: NOW + 1000 };
    NewEvent { idempotency: Some(key), ..event(20, deliveries) }
}

pub(crate) fn failure(message: &str) -> Failure {
    Failure { status: Some(503), reason: "ServerError".into(), message: message.into() }
}

pub(crate) fn outcome(seq: Seq, endpoint: Ordinal, attempts: u32, kind: OutcomeKind) -> Outcome {
    Outcome { seq, endpoint, at_ms: NOW + i64::from(attempts), attempts, kind }
}

pub(crate) fn succeeded(seq: Seq, endpoint: Ordinal) -> Outcome {
    outcome(seq, endpoint, 1, OutcomeKind::Succeeded { status: 200 })
}

pub(crate) fn dead(seq: Seq, endpoint: Ordinal) -> Outcome {
    outcome(seq, endpoint, 1, OutcomeKind::DeadLettered { failure: failure("gone") })
}

/// One commit of whatever `fill` puts into it.
pub(crate) fn commit<T>(
    store: &mut Store,
    fill: impl FnOnce(&mut Batch, &crate::state::State) -> T,
) -> Result<(T, Applied), Error> {
    let mut batch = store.begin();
    let filled = {
        let state = store.look();
        fill(&mut batch, &state)
    };
    Ok((filled, store.write(batch)?))
}

pub(crate) fn assign(store: &mut Store, uid: &str) -> Ordinal {
    commit(store, |batch, state| batch.ordinal(state, uid)).expect("it is written").0
}

/// Accepts one event and gives its number.
pub(crate) fn accept(store: &mut Store, event: NewEvent) -> Seq {
    let (accepted, _) = commit(store, |batch, state| batch.accept(state, vec![event])).expect("it is written");
    match accepted[..] {
        [Accepted::New { seq }] => seq,
        _ => panic!("not a new event: {accepted:?}"),
    }
}

pub(crate) fn record(store: &mut Store, outcome: &Outcome) -> bool {
    commit(store, |batch, state| batch.outcome(state, outcome)).expect("it is written").0
}

/// Cleans until nothing is left to do.
pub(crate) fn clean(store: &mut Store) {
    for _ in 0..100_000 {
        if !store.is_cleaning_due() {
            return;
        }
        store.clean().expect("it can be cleaned");
    }
    panic!("cleaning does not end");
}

/// The segments on a disk, oldest first.
pub(crate) fn segments(disk: &FakeDisk) -> Vec<(PathBuf, Vec<u8>)> {
    disk.files().into_iter().filter(|(path, _)| path.extension().is_some_and(|end| end == "seg")).collect()
}

pub(crate) fn newest(disk: &FakeDisk) -> (PathBuf, Vec<u8>) {
    segments(disk).pop().expect("there is a segment")
}

pub(crate) fn in_directory(name: &str) -> PathBuf {
    Path::new(DIRECTORY).join(name)
}
