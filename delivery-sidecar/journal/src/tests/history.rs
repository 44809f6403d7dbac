//! Finished events are kept for their time, as long as nothing else needs the space.

use super::support::{
    NOW, accept, assign, clean, commit, event, journal, keyed, open_store, record, segments, store, succeeded,
    with_space,
};
use crate::store::Store;
use crate::testing::{Crash, FakeDisk, Fault};
use crate::{Error, NewEvent, Options, Ordinal};

const RETENTION: i64 = 10_000;

fn keeping() -> Options {
    with_space(|space| space.history_retention_ms = RETENTION)
}

fn at(accepted_ms: i64, endpoint: Ordinal) -> NewEvent {
    NewEvent { accepted_ms, ..event(500, &[endpoint]) }
}

/// Accepts and delivers events, one a millisecond.
fn deliver(store: &mut Store, endpoint: Ordinal, from_ms: i64, count: i64) {
    for accepted_ms in from_ms..from_ms + count {
        let seq = accept(store, at(accepted_ms, endpoint));
        record(store, &succeeded(seq, endpoint));
        store.clean().unwrap();
    }
}

#[test]
fn finished_events_stay_for_their_time_and_then_go_without_traffic() {
    let disk = FakeDisk::new(1);
    let mut store = open_store(&disk, keeping()).unwrap().0;
    let endpoint = assign(&mut store, "a");
    deliver(&mut store, endpoint, NOW, 100);
    clean(&mut store);
    assert!(store.look().usage().history > 50_000, "{:?}", store.look().usage());
    assert!(disk.used() > 50_000);

    store.tidy(NOW + 49 + RETENTION).unwrap();
    clean(&mut store);
    let half = disk.used();
    assert!((25_000..45_000).contains(&half), "the older half is gone: {half}");

    store.tidy(NOW + 99 + RETENTION).unwrap();
    clean(&mut store);
    assert_eq!(store.look().usage().history, 0, "there is nothing to wake up for");
    assert!(disk.used() < 20_000, "{}", disk.used());
    let operations = disk.operations();
    store.tidy(NOW + 100 * RETENTION).unwrap();
    assert!(!store.is_cleaning_due());
    assert_eq!(disk.operations(), operations, "nothing is written for nothing");
}

#[test]
fn finished_events_survive_a_restart_and_their_time_goes_on() {
    for crash in [Crash::Kill, Crash::PowerLoss] {
        let disk = FakeDisk::new(1);
        let mut store = open_store(&disk, keeping()).unwrap().0;
        let endpoint = assign(&mut store, "a");
        let pending = accept(&mut store, at(NOW, endpoint));
        deliver(&mut store, endpoint, NOW, 100);
        let usage = store.look().usage();
        drop(store);
        disk.crash(crash);
        disk.restart();
        let (mut store, recovered) = open_store(&disk, keeping()).unwrap();
        clean(&mut store);
        let seqs: Vec<_> = recovered.pending.iter().map(|pending| pending.seq).collect();
        assert_eq!(seqs, [pending], "what is finished stays finished");
        assert_eq!(store.look().usage(), usage);

        store.tidy(NOW + 100 + RETENTION).unwrap();
        clean(&mut store);
        assert!(disk.used() < 20_000, "{}", disk.used());
        assert!(store.look().events.get(pending).is_some());
    }
}

#[test]
fn finished_events_give_way_from_the_oldest_before_anything_is_refused() {
    let disk = FakeDisk::new(1);
    let mut store = open_store(&disk, keeping()).unwrap().0;
    let endpoint = assign(&mut store, "a");
    let most = store.look().limits.most_for_events();
    let first = segments(&disk)[0].0.clone();
    let mut largest = 0;
    for accepted_ms in NOW..NOW + 4000 {
        let new = at(accepted_ms, endpoint);
        assert!(store.fits(&store.begin(), std::slice::from_ref(&new)));
        let seq = accept(&mut store, new);
        record(&mut store, &succeeded(seq, endpoint));
        store.clean().unwrap();
        largest = largest.max(disk.used());
    }
    assert!(largest < most, "{largest}");
    assert!(largest > most / 4 * 3, "as much is kept as may be: {largest}");
    assert!(segments(&disk).iter().all(|(path, _)| *path != first));
}

#[test]
fn with_history_no_more_is_copied_than_without() {
    let written = |options: Options| {
        let disk = FakeDisk::new(1);
        let mut store = open_store(&disk, options).unwrap().0;
        let (alive, sleeping) = (assign(&mut store, "alive"), assign(&mut store, "sleeping"));
        for kept in 0..4000_i64 {
            if kept % 10 == 0 && kept < 2000 {
                accept(&mut store, at(NOW + kept, sleeping));
            }
            let seq = accept(&mut store, at(NOW + kept, alive));
            record(&mut store, &succeeded(seq, alive));
            while store.is_cleaning_due() {
                store.clean().unwrap();
            }
        }
        assert_eq!(store.look().events.len(), 200);
        disk.written()
    };
    let (with, without) = (written(keeping()), written(with_space(|_| {})));
    assert!(with <= without, "{with} bytes with history, {without} without");
}

#[test]
fn too_many_finished_events_are_not_kept_however_small_they_are() {
    let disk = FakeDisk::new(1);
    let mut store = open_store(&disk, keeping()).unwrap().0;
    crate::store::limit_history(&store, 300);
    let endpoint = assign(&mut store, "a");
    for accepted_ms in NOW..NOW + 2000 {
        let seq = accept(&mut store, NewEvent { accepted_ms, ..event(1, &[endpoint]) });
        record(&mut store, &succeeded(seq, endpoint));
        store.clean().unwrap();
    }
    let events = store.look().segments.events();
    assert!((200..500).contains(&events), "{events}");
}

#[test]
fn keys_outlive_the_history_that_they_are_in() {
    let disk = FakeDisk::new(1);
    let mut store = open_store(&disk, with_space(|space| space.history_retention_ms = 10)).unwrap().0;
    let endpoint = assign(&mut store, "a");
    accept(&mut store, keyed(7, 1, &[]));
    deliver(&mut store, endpoint, NOW, 100);
    clean(&mut store);
    drop(store);
    disk.crash(Crash::PowerLoss);
    disk.restart();
    let store = open_store(&disk, keeping()).unwrap().0;
    assert!(store.look().keys.get(7).is_some());
}

/// A long backlog in front, then finished events: cleaning has to go through the backlog first.
#[tokio::test]
async fn events_wait_for_the_space_of_finished_ones_behind_a_backlog() {
    let disk = FakeDisk::new(1);
    {
        let mut store = open_store(&disk, keeping()).unwrap().0;
        let endpoint = assign(&mut store, "a");
        for _ in 0..300 {
            accept(&mut store, at(NOW, endpoint));
        }
        let mut finished = NOW;
        while store.look().segments.used() < store.look().limits.most_with_history() - 2_000 {
            finished += 1;
            let seq = accept(&mut store, at(finished, endpoint));
            record(&mut store, &succeeded(seq, endpoint));
        }
        assert!(!store.is_cleaning_due());
    }
    disk.crash(Crash::Kill);
    disk.restart();
    let journal = journal(&disk, keeping());
    // More than is free.
    for _ in 0..3 {
        journal.accept(vec![event(200_000, &[Ordinal(0)])]).await.unwrap();
    }
    assert_eq!(journal.pending(Ordinal(0)), 303);
}

#[test]
fn a_full_disk_takes_the_history_first() {
    let disk = FakeDisk::new(1);
    let mut store = open_store(&disk, keeping()).unwrap().0;
    let endpoint = assign(&mut store, "a");
    deliver(&mut store, endpoint, NOW, 100);
    disk.set_capacity(Some(disk.used()));
    let batch = {
        let mut batch = store.begin();
        batch.accept(&store.look(), vec![at(NOW + 100, endpoint)]);
        batch
    };
    assert!(matches!(store.write(batch), Err(Error::Full)));
    for _ in 0..100 {
        if store.is_cleaning_due() && store.clean().is_err() {
            break;
        }
    }
    assert!(disk.used() < 30_000, "{}", disk.used());
    accept(&mut store, at(NOW + 100, endpoint));
}

#[test]
fn a_disk_that_fails_otherwise_takes_none_of_the_history() {
    let disk = FakeDisk::new(1);
    let mut store = open_store(&disk, keeping()).unwrap().0;
    let endpoint = assign(&mut store, "a");
    deliver(&mut store, endpoint, NOW, 100);
    let before = store.look().usage().history;
    disk.fail_next(Fault::Sync);
    assert!(matches!(commit(&mut store, |batch, state| batch.ordinal(state, "b")), Err(Error::Io(_))));
    assert!(!store.is_cleaning_due());
    assert_eq!(store.look().usage().history, before);
}

#[test]
fn without_a_retention_nothing_is_kept() {
    let disk = FakeDisk::new(1);
    let mut store = store(&disk);
    let endpoint = assign(&mut store, "a");
    deliver(&mut store, endpoint, NOW, 100);
    clean(&mut store);
    assert_eq!(store.look().usage().history, 0);
    assert!(disk.used() < 20_000, "{}", disk.used());
}

#[test]
fn less_history_takes_effect_while_it_is_open() {
    let disk = FakeDisk::new(1);
    let mut store = open_store(&disk, keeping()).unwrap().0;
    let endpoint = assign(&mut store, "a");
    deliver(&mut store, endpoint, NOW, 100);
    store.set_space(with_space(|_| {}).space);
    clean(&mut store);
    assert!(disk.used() < 20_000, "{}", disk.used());
}
