//! Kept events, finished or not, are found and made pending again.

use std::collections::BTreeSet;
use std::sync::Arc;

use tokio::sync::Mutex;

use super::support::{
    Found, NOW, accept, assign, clean, commit, dead, event, journal, open_store, payload, record, succeeded, with_space,
};
use crate::store::Store;
use crate::testing::{Crash, FakeDisk};
use crate::{Error, History, Kept, NewEvent, Options, Ordinal, Pending, Seq, Wanted};

fn keeping() -> Options {
    with_space(|space| space.history_retention_ms = 10_000)
}

fn given_to(endpoint: Ordinal) -> Wanted {
    Wanted { endpoint, given: Some(true), since_ms: None, until_ms: None, only: None }
}

fn missed_by(endpoint: Ordinal) -> Wanted {
    Wanted { given: Some(false), ..given_to(endpoint) }
}

fn begin(store: &Store, wanted: Wanted) -> History {
    let turn = Arc::new(Mutex::new(())).try_lock_owned().expect("nobody has it");
    History::new(Arc::clone(store.state()), wanted, turn)
}

fn rest(history: &mut History) -> Vec<Kept> {
    let mut all = Vec::new();
    while let Some(found) = history.step().expect("it can be read") {
        all.extend(found);
    }
    all
}

pub(super) fn look_for(store: &Store, wanted: Wanted) -> Vec<Kept> {
    rest(&mut begin(store, wanted))
}

fn seqs(kept: &[Kept]) -> Vec<Seq> {
    kept.iter().map(|kept| kept.seq).collect()
}

fn restore(store: &mut Store, endpoint: Ordinal, kept: Vec<Kept>) -> Result<Vec<Seq>, Error> {
    let (restored, _) = commit(store, |batch, state| batch.restore(state, endpoint, kept))?;
    Ok(restored.iter().map(|restored| restored.seq).collect())
}

fn reopen(disk: &FakeDisk) -> (Store, Found) {
    if !disk.is_down() {
        disk.crash(Crash::PowerLoss);
    }
    disk.restart();
    open_store(disk, keeping()).expect("it opens")
}

fn at(accepted_ms: i64, endpoints: &[Ordinal]) -> NewEvent {
    NewEvent { accepted_ms, group: 7, ..event(500, endpoints) }
}

fn pending_for(recovered: &Found, endpoint: Ordinal) -> Vec<Pending> {
    recovered.pending.iter().filter(|pending| pending.endpoint == endpoint).copied().collect()
}

/// Events for `a`, one a millisecond, that are delivered.
fn delivered(store: &mut Store, a: Ordinal, count: i64) -> Vec<Seq> {
    let deliver = |accepted_ms| {
        let seq = accept(store, at(accepted_ms, &[a]));
        record(store, &succeeded(seq, a));
        seq
    };
    (NOW..NOW + count).map(deliver).collect()
}

#[test]
fn finished_events_are_pending_again_also_after_a_restart() {
    let disk = FakeDisk::new(1);
    let mut store = open_store(&disk, keeping()).unwrap().0;
    let (a, b) = (assign(&mut store, "a"), assign(&mut store, "b"));
    let all = delivered(&mut store, a, 30);
    assert!(store.look().segments.len() > 3);
    assert_eq!(look_for(&store, given_to(b)), []);
    let window = Wanted { since_ms: Some(NOW + 10), until_ms: Some(NOW + 12), ..given_to(a) };
    assert_eq!(seqs(&look_for(&store, window)), all[10..12]);
    assert_eq!(seqs(&look_for(&store, Wanted { only: Some(all[3]), ..given_to(a) })), [all[3]]);
    let found = look_for(&store, given_to(a));
    assert_eq!(seqs(&found), all);
    assert!(found.iter().all(|kept| kept.group == 7 && kept.stored.payload == payload(500, 1)));

    assert_eq!(restore(&mut store, a, found.clone()).unwrap(), all);
    assert_eq!(restore(&mut store, a, found).unwrap(), [], "they are pending");
    drop(store);
    let (mut store, recovered) = reopen(&disk);
    let pending = pending_for(&recovered, a);
    assert_eq!(pending.iter().map(|pending| pending.seq).collect::<Vec<_>>(), all);
    for (pending, accepted_ms) in pending.iter().zip(NOW..) {
        assert!(pending.redelivered && pending.attempts == 0 && pending.group == 7);
        assert_eq!(pending.accepted_ms, accepted_ms);
        record(&mut store, &succeeded(pending.seq, a));
    }
    assert_eq!(seqs(&look_for(&store, given_to(a))).into_iter().collect::<BTreeSet<_>>(), all.into_iter().collect());
    assert_eq!(look_for(&store, given_to(a)).len(), 30, "each once, however many copies there are");
    assert_eq!(store.look().endpoints.get(a).unwrap().stats.delivered, 60);
}

#[test]
fn what_an_endpoint_never_got_is_found_and_once_given_never_again() {
    let disk = FakeDisk::new(1);
    let mut store = open_store(&disk, keeping()).unwrap().0;
    let a = assign(&mut store, "a");
    let finished = delivered(&mut store, a, 10);
    let for_nobody = accept(&mut store, at(NOW, &[]));
    let waiting = accept(&mut store, at(NOW, &[a]));
    let dead_letter = accept(&mut store, at(NOW, &[a]));
    record(&mut store, &dead(dead_letter, a));
    let b = assign(&mut store, "b");
    let for_both = accept(&mut store, at(NOW, &[a, b]));
    let expected = [finished, vec![for_nobody, waiting, dead_letter]].concat();
    let found = look_for(&store, missed_by(b));
    assert_eq!(seqs(&found), expected);
    assert_eq!(restore(&mut store, b, found).unwrap(), expected);
    assert_eq!(look_for(&store, missed_by(b)), []);
    for seq in expected.iter().chain([&for_both]) {
        record(&mut store, &succeeded(*seq, b));
    }
    assert_eq!(look_for(&store, missed_by(b)), []);

    // The time of the history is over, and what `a` still has is copied on.
    store.tidy(NOW + 20_000).unwrap();
    for seq in 0..60 {
        let seq = accept(&mut store, NewEvent { accepted_ms: NOW + 20_000 + seq, ..event(500, &[b]) });
        record(&mut store, &succeeded(seq, b));
    }
    clean(&mut store);
    store.tidy(NOW + 40_000).unwrap();
    clean(&mut store);
    drop(store);
    let (store, recovered) = reopen(&disk);
    assert_eq!(look_for(&store, missed_by(b)), []);
    let kept = look_for(&store, Wanted { only: Some(waiting), ..given_to(b) });
    assert_eq!(kept[0].stored.deliveries, [a, b]);
    let waiting: Vec<_> = pending_for(&recovered, a).iter().map(|pending| pending.seq).collect();
    assert_eq!(waiting, [kept[0].seq, for_both]);
    assert_eq!(store.look().dead_letters(a, 0, 9).len(), 1);
}

#[test]
fn a_crash_anywhere_makes_all_pending_again_or_none() {
    for crash in [Crash::Kill, Crash::PowerLoss] {
        for operations in 0.. {
            let disk = FakeDisk::new(operations);
            let mut store = open_store(&disk, keeping()).unwrap().0;
            let (a, b) = (assign(&mut store, "a"), assign(&mut store, "b"));
            let all = delivered(&mut store, a, 20);
            let waiting = accept(&mut store, at(NOW, &[a]));
            let found = look_for(&store, missed_by(b));
            disk.crash_in(operations, crash);
            let restored = restore(&mut store, b, found).is_ok();
            let is_over = !disk.is_down();
            drop(store);
            let (store, recovered) = reopen(&disk);
            let pending: Vec<_> = pending_for(&recovered, b).iter().map(|pending| pending.seq).collect();
            let expected = [all, vec![waiting]].concat();
            assert!(pending == expected || (pending.is_empty() && !restored), "{pending:?}");
            assert_eq!(pending_for(&recovered, a).len(), 1);
            for seq in &expected {
                let kept = look_for(&store, Wanted { given: None, only: Some(*seq), ..given_to(b) });
                assert_eq!(kept[0].stored.payload, payload(500, 1));
            }
            if is_over {
                break;
            }
        }
    }
}

#[test]
fn files_that_go_meanwhile_are_not_looked_at_and_the_rest_is_found() {
    let disk = FakeDisk::new(1);
    let mut store = open_store(&disk, keeping()).unwrap().0;
    let a = assign(&mut store, "a");
    let all = delivered(&mut store, a, 100);
    let mut history = begin(&store, given_to(a));
    let mut found = Vec::new();
    // It has learned what there is, and found some of it.
    while found.is_empty() {
        found.extend(history.step().unwrap().expect("there is more"));
    }
    store.tidy(NOW + 10_000 + 50).unwrap();
    clean(&mut store);
    found.extend(rest(&mut history));
    let found = seqs(&found);
    assert!((40..80).contains(&found.len()), "{found:?}");
    assert!(found.ends_with(&all[60..]));
    assert!(found.is_sorted_by(|before, after| before < after));
}

#[tokio::test]
async fn a_large_commit_takes_many_steps() {
    let disk = FakeDisk::new(1);
    let mut options = keeping();
    options.space.max_bytes = 4 << 20;
    let journal = journal(&disk, options);
    let a = journal.ordinal("a").await.unwrap();
    journal.accept((0..3_000).map(|_| event(1, &[])).collect()).await.unwrap();
    let mut history = journal.history(missed_by(a)).await;
    while let Some(found) = history.step().unwrap() {
        assert!(found.len() <= crate::REDELIVER_EVENTS);
        journal.restore(&history, found).await.unwrap();
    }
    assert_eq!(journal.pending(a), 3_000);
}

#[tokio::test]
async fn one_looks_at_a_time() {
    let disk = FakeDisk::new(1);
    let journal = journal(&disk, keeping());
    let a = journal.ordinal("a").await.unwrap();
    journal.accept(vec![event(500, &[])]).await.unwrap();
    let mut first = journal.history(missed_by(a)).await;
    let second = tokio::spawn({
        let journal = journal.clone();
        async move { journal.history(missed_by(a)).await }
    });
    tokio::task::yield_now().await;
    assert!(!second.is_finished());
    let found = rest(&mut first);
    let weight = found[0].weight(a);
    assert_eq!(journal.restore(&first, found).await.unwrap().len(), 1);
    drop(first);
    assert_eq!(rest(&mut second.await.unwrap()), []);
    assert_eq!(journal.pending(a), 1);
    assert_eq!(journal.room(a), (1 << 20) - weight, "it counts for what it was said to");
}
