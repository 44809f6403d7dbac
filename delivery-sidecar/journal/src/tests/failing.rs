//! Writes and syncs that fail, disks that are full: nothing is acknowledged that may not be there, and it heals.

use super::support::{accept, assign, commit, event, newest, open_store, options, record, store, succeeded};
use crate::store::Store;
use crate::testing::{Crash, FakeDisk, Fault};
use crate::{Error, Ordinal, Seq};

fn try_to_accept(store: &mut Store, endpoint: Ordinal) -> Result<(), Error> {
    commit(store, |batch, state| batch.accept(state, vec![event(300, &[endpoint])])).map(|_| ())
}

fn pending_after(disk: &FakeDisk, crash: Crash) -> Vec<Seq> {
    disk.crash(crash);
    disk.restart();
    let (_, recovered) = open_store(disk, options()).unwrap();
    recovered.pending.iter().map(|pending| pending.seq).collect()
}

#[test]
fn what_failed_to_be_written_or_synced_is_gone_once_the_next_commit_works() {
    for fault in [Fault::Write, Fault::Sync] {
        for seed in 0..20 {
            let disk = FakeDisk::new(seed);
            let mut store = store(&disk);
            let endpoint = assign(&mut store, "a");
            accept(&mut store, event(300, &[endpoint]));
            disk.fail_next(fault);
            assert!(matches!(try_to_accept(&mut store, endpoint), Err(Error::Io(_))));
            assert!(store.look().usage().refusing);
            assert_eq!(store.look().pending_after(0, 9).len(), 1, "what failed is nowhere in memory");

            assert_eq!(accept(&mut store, event(20, &[endpoint])), 2, "its number was never given");
            assert!(!store.look().usage().refusing);
            drop(store);
            assert_eq!(pending_after(&disk, Crash::PowerLoss), [1, 2]);
        }
    }
}

#[test]
fn what_a_new_process_finds_after_a_failed_sync_is_still_there_after_a_power_loss() {
    let mut found_some = false;
    for seed in 0..50 {
        let disk = FakeDisk::new(seed);
        let mut store = store(&disk);
        let endpoint = assign(&mut store, "a");
        disk.fail_next(Fault::Sync);
        assert!(try_to_accept(&mut store, endpoint).is_err());
        drop(store);
        // The system still shows what the failed sync may have lost.
        let found = pending_after(&disk, Crash::Kill);
        assert_eq!(pending_after(&disk, Crash::PowerLoss), found);
        found_some |= !found.is_empty();
    }
    assert!(found_some);
}

#[test]
fn a_disk_that_stays_broken_is_refused_and_heals() {
    let disk = FakeDisk::new(3);
    let mut store = store(&disk);
    let endpoint = assign(&mut store, "a");
    disk.fail_randomly(Some(1));
    for _ in 0..5 {
        assert!(try_to_accept(&mut store, endpoint).is_err());
        assert!(store.probe().is_err());
    }
    assert!(store.look().usage().refusing);
    disk.fail_randomly(None);
    let length = newest(&disk).1.len() as u64;
    assert!(store.probe().is_ok());
    assert!(!store.look().usage().refusing);
    assert!(newest(&disk).1.len() as u64 <= length, "a probe leaves nothing behind");
    assert_eq!(accept(&mut store, event(20, &[endpoint])), 1);
}

#[test]
fn a_full_disk_is_full_and_heals() {
    let disk = FakeDisk::new(1);
    let mut store = store(&disk);
    let endpoint = assign(&mut store, "a");
    let seq = accept(&mut store, event(300, &[endpoint]));
    disk.set_capacity(Some(disk.used() + 100));
    assert!(matches!(try_to_accept(&mut store, endpoint), Err(Error::Full)));
    assert!(matches!(store.probe(), Err(Error::Full)));
    assert!(store.look().usage().refusing);
    assert!(record(&mut store, &succeeded(seq, endpoint)), "a small write still fits");
    disk.set_capacity(None);
    assert!(store.probe().is_ok());
    assert_eq!(accept(&mut store, event(300, &[endpoint])), 2);
    drop(store);
    assert_eq!(pending_after(&disk, Crash::PowerLoss), [2]);
}

#[test]
fn a_segment_that_cannot_be_begun_is_begun_later() {
    // The number of operations before the failure reaches from the seal to the sync of names.
    for before in 0..8 {
        for fault in [Fault::Write, Fault::Sync, Fault::Names] {
            let disk = FakeDisk::new(before);
            let mut store = store(&disk);
            let endpoint = assign(&mut store, "a");
            let mut expected = Vec::new();
            let mut failures = 0;
            for round in 0..30 {
                if round % 8 == before {
                    disk.fail_next(fault);
                }
                match commit(&mut store, |batch, state| batch.accept(state, vec![event(600, &[endpoint])])) {
                    Ok((accepted, _)) => expected.extend(accepted),
                    Err(_) => failures += 1,
                }
            }
            assert!(failures > 0);
            drop(store);
            let seqs: Vec<Seq> = (1..=expected.len() as u64).collect();
            assert_eq!(pending_after(&disk, Crash::PowerLoss), seqs);
        }
    }
}
