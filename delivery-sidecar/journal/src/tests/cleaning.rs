//! Space comes back, and what is needed stays.

use std::collections::BTreeSet;

use super::support::{
    Found, NOW, accept, assign, clean, commit, dead, event, keyed, open_store, options, outcome, payload, record,
    segments, store, succeeded, with_space,
};
use crate::store::Store;
use crate::testing::{Crash, FakeDisk, Fault};
use crate::{Accepted, Error, Options, Ordinal, OutcomeKind, Seq};

fn reopen(disk: &FakeDisk, options: Options) -> (Store, Found) {
    if !disk.is_down() {
        disk.crash(Crash::PowerLoss);
    }
    disk.restart();
    open_store(disk, options).expect("it opens")
}

fn pending(recovered: &Found) -> BTreeSet<Seq> {
    recovered.pending.iter().map(|pending| pending.seq).collect()
}

/// Files may take half more than what is needed, and two segments, and what segments have of their own.
fn is_bounded(store: &Store) -> bool {
    let usage = store.look().usage();
    usage.used <= 2 * usage.live + 6 * options().segment_bytes
}

#[test]
fn space_of_finished_events_comes_back() {
    let disk = FakeDisk::new(1);
    let mut store = store(&disk);
    let endpoint = assign(&mut store, "a");
    for _ in 0..500 {
        let seq = accept(&mut store, event(500, &[endpoint]));
        record(&mut store, &succeeded(seq, endpoint));
        store.clean().unwrap();
        assert!(is_bounded(&store), "{:?}", store.look().usage());
    }
    clean(&mut store);
    assert!(disk.used() < 20_000, "{}", disk.used());
}

#[test]
fn what_a_dead_endpoint_waits_for_survives_the_traffic_of_others_at_a_bounded_price() {
    let disk = FakeDisk::new(1);
    let mut store = store(&disk);
    let (alive, sleeping) = (assign(&mut store, "alive"), assign(&mut store, "sleeping"));
    let kept: BTreeSet<Seq> = (0..100).map(|_| accept(&mut store, event(500, &[sleeping]))).collect();
    let mut bytes = 0;
    let before = disk.written();
    for _ in 0..1000 {
        let seq = accept(&mut store, event(500, &[alive]));
        bytes += 500;
        record(&mut store, &succeeded(seq, alive));
        store.clean().unwrap();
        assert!(is_bounded(&store), "{:?}", store.look().usage());
    }
    let written = disk.written() - before;
    assert!(written < 4 * bytes, "{written} bytes were written for {bytes} bytes of events");
    drop(store);
    let (store, recovered) = reopen(&disk, options());
    assert_eq!(pending(&recovered), kept);
    for seq in kept {
        let stored = crate::journal::read(store.state(), seq).unwrap().unwrap();
        assert_eq!((stored.payload, stored.deliveries), (payload(500, 1), vec![sleeping]));
    }
}

/// A journal with pending, retried and dead deliveries and keys in its oldest segment, ready to be cleaned.
fn with_garbage(disk: &FakeDisk) -> Store {
    let mut store = store(disk);
    let (a, b) = (assign(&mut store, "a"), assign(&mut store, "b"));
    accept(&mut store, event(300, &[a, b]));
    accept(&mut store, event(300, &[a, b]));
    accept(&mut store, keyed(7, 1, &[]));
    accept(&mut store, keyed(8, 1, &[b]));
    let failure = super::support::failure("busy");
    record(&mut store, &outcome(1, a, 3, OutcomeKind::Retry { due_ms: NOW + 99, failure }));
    record(&mut store, &dead(1, b));
    record(&mut store, &succeeded(2, a));
    while segments(disk).len() < 6 {
        let seq = accept(&mut store, event(600, &[a]));
        record(&mut store, &succeeded(seq, a));
    }
    assert!(store.is_cleaning_due());
    store
}

fn check_what_was_kept(store: &mut Store, recovered: &Found) {
    let deliveries: Vec<_> =
        recovered.pending.iter().map(|p| (p.seq, p.endpoint, p.attempts, p.due_ms)).filter(|p| p.0 < 5).collect();
    let (a, b) = (Ordinal(0), Ordinal(1));
    assert_eq!(deliveries, [(1, a, 3, NOW + 99), (2, b, 0, 0), (4, b, 0, 0)]);
    let letters = store.look().dead_letters(b, 0, 10);
    assert_eq!(letters.iter().map(|letter| (letter.seq, letter.at_ms)).collect::<Vec<_>>(), [(1, NOW + 1)]);
    let stored = crate::journal::read(store.state(), 2).unwrap().unwrap();
    assert_eq!((stored.payload, stored.deliveries), (payload(300, 1), vec![a, b]), "as it was accepted");
    let again = vec![keyed(7, 1, &[]), keyed(8, 1, &[b]), keyed(8, 2, &[b])];
    let (accepted, _) = commit(store, |batch, state| batch.accept(state, again)).unwrap();
    let duplicate = |deliveries| Accepted::Duplicate { deliveries };
    assert_eq!(accepted, [duplicate(0), duplicate(1), Accepted::Conflict]);
}

#[test]
fn a_crash_at_any_operation_of_cleaning_loses_nothing() {
    for crash in [Crash::Kill, Crash::PowerLoss] {
        for operations in 0.. {
            let disk = FakeDisk::new(operations);
            let mut store = with_garbage(&disk);
            disk.crash_in(operations, crash);
            while store.is_cleaning_due() && !disk.is_down() {
                let _ = store.clean();
            }
            let is_over = !disk.is_down();
            drop(store);
            let (mut store, recovered) = reopen(&disk, options());
            check_what_was_kept(&mut store, &recovered);
            // And the new process cleans on.
            clean(&mut store);
            drop(store);
            let (mut store, recovered) = reopen(&disk, options());
            check_what_was_kept(&mut store, &recovered);
            if is_over {
                assert!(operations > 4, "cleaning takes some operations");
                break;
            }
        }
    }
}

#[test]
fn a_step_of_cleaning_that_fails_is_taken_again() {
    for fault in [Fault::Write, Fault::Sync, Fault::Names, Fault::Truncate] {
        let disk = FakeDisk::new(1);
        let mut store = with_garbage(&disk);
        disk.fail_next(fault);
        let failures = (0..20).filter(|_| store.clean().is_err()).count();
        assert!(failures <= 1);
        clean(&mut store);
        drop(store);
        let (mut store, recovered) = reopen(&disk, options());
        check_what_was_kept(&mut store, &recovered);
    }
}

#[test]
fn a_segment_without_an_index_is_cleaned_too_whatever_step_fails() {
    for succeeding in 0..4 {
        let disk = FakeDisk::new(1);
        let mut store = store(&disk);
        let a = assign(&mut store, "a");
        // What is said about small events takes more than an index may.
        let kept: Vec<Seq> = (0..20).map(|_| accept(&mut store, event(5, &[a]))).collect();
        while segments(&disk).len() < 6 {
            let seq = accept(&mut store, event(5, &[a]));
            record(&mut store, &succeeded(seq, a));
        }
        let (oldest, content) = segments(&disk)[0].clone();
        assert!(!content.windows(4).any(|bytes| bytes == b"PHSL"));
        assert!(store.is_cleaning_due());
        for step in 0..10 {
            if step == succeeding {
                disk.fail_next(Fault::Sync);
            }
            let _ = store.clean();
        }
        clean(&mut store);
        assert!(!disk.files().contains_key(&oldest));
        drop(store);
        let (_, recovered) = reopen(&disk, options());
        assert_eq!(pending(&recovered), kept.into_iter().collect());
    }
}

#[test]
fn a_segment_of_which_nothing_is_needed_is_removed_unread() {
    let disk = FakeDisk::new(1);
    let mut store = store(&disk);
    let endpoint = assign(&mut store, "a");
    while segments(&disk).len() < 3 {
        let seq = accept(&mut store, event(600, &[endpoint]));
        record(&mut store, &succeeded(seq, endpoint));
    }
    let (path, content) = segments(&disk)[0].clone();
    disk.set_file(&path, vec![0; content.len()]);
    clean(&mut store);
    assert!(!disk.files().contains_key(&path));
}

#[test]
fn a_full_journal_refuses_events_takes_outcomes_and_recovers() {
    let small = with_space(|space| space.max_bytes = 128 << 10);
    let disk = FakeDisk::new(1);
    let mut store = open_store(&disk, small.clone()).unwrap().0;
    let endpoint = assign(&mut store, "a");
    let mut seqs = Vec::new();
    while store.fits(&store.begin(), &[event(1000, &[endpoint])]) {
        seqs.push(accept(&mut store, event(1000, &[endpoint])));
    }
    assert!(store.look().usage().used > 90 << 10, "most of the space is for events");
    accept_more_until_it_refuses(&mut store, endpoint, &mut seqs);
    assert!(store.look().usage().refusing);

    // Outcomes for all, and more of them than would fit without cleaning.
    for attempts in 1..40 {
        for seq in &seqs {
            let failure = super::support::failure("still busy, and saying so at some length");
            record(&mut store, &outcome(*seq, endpoint, attempts, OutcomeKind::Retry { due_ms: NOW, failure }));
            store.clean().unwrap();
        }
    }
    assert!(disk.used() <= small.space.max_bytes, "{}", disk.used());
    for seq in seqs {
        record(&mut store, &succeeded(seq, endpoint));
        store.clean().unwrap();
    }
    clean(&mut store);
    assert!(!store.look().usage().refusing);
    assert!(store.fits(&store.begin(), &[event(1000, &[endpoint])]));
}

fn accept_more_until_it_refuses(store: &mut Store, endpoint: Ordinal, seqs: &mut Vec<Seq>) {
    while store.fits(&store.begin(), &[event(0, &[endpoint])]) {
        seqs.push(accept(store, event(0, &[endpoint])));
    }
    // The last few bytes are smaller than any event.
    while !store.look().usage().refusing {
        record(
            store,
            &outcome(seqs[0], endpoint, 1, OutcomeKind::Retry { due_ms: 0, failure: super::support::failure("") }),
        );
    }
}

#[test]
fn dead_letters_over_their_limit_go_oldest_first() {
    let disk = FakeDisk::new(1);
    let few = with_space(|space| space.dead_letter_max_bytes = 2000);
    let mut store = open_store(&disk, few.clone()).unwrap().0;
    let (a, b) = (assign(&mut store, "a"), assign(&mut store, "b"));
    let shared = accept(&mut store, event(500, &[a, b]));
    record(&mut store, &dead(shared, a));
    let mut seqs = Vec::new();
    for attempts in 1..=10 {
        let seq = accept(&mut store, event(500, &[a]));
        let kind = OutcomeKind::DeadLettered { failure: super::support::failure("gone") };
        record(&mut store, &outcome(seq, a, attempts, kind));
        seqs.push(seq);
    }
    assert!(store.has_excess());
    assert_eq!(store.remove_excess().unwrap(), 7);
    assert!(!store.has_excess());
    let left = |store: &Store| store.look().dead_letters(a, 0, 100).iter().map(|letter| letter.seq).collect::<Vec<_>>();
    let expected = [&[shared][..], &seqs[7..]].concat();
    assert_eq!(left(&store), expected, "one whose event is pending elsewhere takes no space of its own");
    drop(store);
    let (store, _) = reopen(&disk, few);
    assert_eq!(left(&store), expected, "the removal is durable");
    assert_eq!(store.look().endpoints.get(a).unwrap().stats.dead_lettered, 11, "and does not change the counts");
}

#[test]
fn dead_letters_and_keys_that_have_had_their_time_go() {
    let disk = FakeDisk::new(1);
    let mut store = store(&disk);
    let a = assign(&mut store, "a");
    let seq = accept(&mut store, keyed(1, 1, &[a]));
    record(&mut store, &dead(seq, a));
    assert_eq!(store.tidy(NOW + 500).unwrap(), crate::Tidied::default());
    assert_eq!(store.tidy(NOW + 1000).unwrap(), crate::Tidied { keys: 1, dead_letters: 0 });
    assert_eq!(store.tidy(NOW + 60_001).unwrap(), crate::Tidied { keys: 0, dead_letters: 1 });
    assert!(store.look().events.is_empty());
    drop(store);
    let (store, _) = reopen(&disk, options());
    assert!(store.look().dead_letters(a, 0, 1).is_empty());
}

#[test]
fn cleaning_waits_for_a_disk_that_is_full_and_then_goes_on() {
    let disk = FakeDisk::new(1);
    let mut store = with_garbage(&disk);
    disk.set_capacity(Some(disk.used()));
    let refused = (0..5).map(|_| store.clean()).find_map(Result::err);
    assert!(matches!(refused, Some(Error::Full)), "{refused:?}");
    disk.set_capacity(None);
    clean(&mut store);
    drop(store);
    let (mut store, recovered) = reopen(&disk, options());
    check_what_was_kept(&mut store, &recovered);
}
