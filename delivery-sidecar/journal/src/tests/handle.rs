//! What callers of the handle can rely on.

use std::sync::Arc;

use bytes::Bytes;

use super::support::{
    NOW, dead, event, failure, in_directory, journal, keyed, options, outcome, succeeded, with_space,
};
use crate::testing::{Crash, FakeDisk, Fault};
use crate::{
    Accepted, DeadLetter, Disk, EndpointStats, Error, Journal, NewEvent, Options, Ordinal, OutcomeKind, Overflow,
    Redelivered, Removed, Space,
};

#[tokio::test]
async fn one_process_at_a_time_holds_the_journal() {
    let disk = FakeDisk::new(1);
    let first = journal(&disk, options());
    let second = Journal::open(Arc::new(disk.clone()), options(), NOW, |_| {});
    assert!(matches!(second.err(), Some(Error::Locked(directory)) if directory == options().directory));
    first.close().await.unwrap();
    journal(&disk, options()).close().await.unwrap();
}

#[tokio::test]
async fn on_a_real_disk_too() {
    let directory = tempfile::tempdir().unwrap();
    let options = Options { directory: directory.path().join("deep/er"), ..options() };
    let open = || Journal::open(Arc::new(Disk), options.clone(), NOW, |_| {});
    let (journal, recovered) = open().unwrap();
    assert!(recovered.pending == 0 && recovered.endpoints.is_empty() && recovered.cut.is_none());
    assert!(matches!(open().err(), Some(Error::Locked(_))));
    let endpoint = journal.ordinal("a").await.unwrap();
    for _ in 0..40 {
        journal.accept(vec![event(500, &[endpoint])]).await.unwrap();
    }
    for seq in 1..=30 {
        journal.record(succeeded(seq, endpoint)).await;
    }
    journal.close().await.unwrap();
    let (journal, recovered) = open().unwrap();
    let pending: Vec<_> = journal.pending_after(0, 99).iter().map(|pending| pending.seq).collect();
    assert_eq!((recovered.pending, pending), (10, (31..=40).collect()));
    assert_eq!(journal.read(31).unwrap().unwrap().payload, event(500, &[]).payload);
    assert_eq!(journal.read(3).unwrap(), None);
    assert!(journal.stored_bytes(31).unwrap() >= 500);
    assert_eq!(journal.stored_bytes(3), None);
}

#[tokio::test]
async fn a_journal_that_is_closed_says_so() {
    let disk = FakeDisk::new(1);
    let journal = journal(&disk, options());
    let other = journal.clone();
    let endpoint = journal.ordinal("a").await.unwrap();
    journal.accept(vec![event(9, &[endpoint])]).await.unwrap();
    journal.record(succeeded(1, endpoint)).await;
    journal.close().await.unwrap();
    assert!(matches!(other.accept(vec![event(9, &[])]).await, Err(Error::Closed)));
    assert!(matches!(other.ordinal("b").await, Err(Error::Closed)));
    other.record(succeeded(1, endpoint)).await;
    assert_eq!(other.stats(endpoint).unwrap().delivered, 1, "what was recorded before was synced");
}

#[tokio::test]
async fn when_the_last_handle_goes_what_waits_is_synced() {
    let disk = FakeDisk::new(1);
    let journal = journal(&disk, options());
    let endpoint = journal.ordinal("a").await.unwrap();
    journal.accept(vec![event(9, &[endpoint])]).await.unwrap();
    let gate = disk.hold_syncs();
    journal.record(succeeded(1, endpoint)).await;
    drop(journal);
    gate.wait_for_sync();
    drop(gate);
    let (reopened, recovered) = loop {
        match Journal::open(Arc::new(disk.clone()), options(), NOW, |_| {}) {
            Ok(opened) => break opened,
            Err(Error::Locked(_)) => tokio::task::yield_now().await,
            Err(error) => panic!("{error}"),
        }
    };
    assert_eq!(recovered.pending, 0);
    assert_eq!(reopened.stats(endpoint).unwrap().delivered, 1);
}

#[tokio::test]
async fn outcomes_that_cannot_be_synced_are_kept_until_they_can() {
    let disk = FakeDisk::new(1);
    let journal = journal(&disk, options());
    let endpoint = journal.ordinal("a").await.unwrap();
    journal.accept(vec![event(9, &[endpoint]), event(9, &[endpoint])]).await.unwrap();
    disk.fail_next(Fault::Sync);
    journal.record(succeeded(1, endpoint)).await;
    assert!(matches!(journal.flush().await, Err(Error::Io(_))));
    assert!(journal.usage().refusing);
    assert_eq!(journal.pending(endpoint), 2, "nothing is counted that may not be there");
    journal.record(succeeded(2, endpoint)).await;
    journal.flush().await.unwrap();
    assert!(!journal.usage().refusing);
    assert_eq!((journal.pending(endpoint), journal.stats(endpoint).unwrap().delivered), (0, 2));
}

#[tokio::test]
async fn a_failing_disk_is_tried_again_without_being_asked() {
    let disk = FakeDisk::new(1);
    let journal = journal(&disk, options());
    disk.fail_next(Fault::Sync);
    assert!(journal.accept(vec![event(9, &[])]).await.is_err());
    let gate = disk.hold_syncs();
    assert!(journal.usage().refusing);
    gate.wait_for_sync();
    drop(gate);
    while journal.usage().refusing {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn repetitions_are_recognised_while_the_disk_fails() {
    let disk = FakeDisk::new(1);
    let journal = journal(&disk, options());
    journal.accept(vec![keyed(1, 1, &[])]).await.unwrap();
    disk.fail_next(Fault::Write);
    assert!(journal.accept(vec![keyed(2, 1, &[])]).await.is_err());
    assert_eq!(journal.accept(vec![keyed(1, 1, &[])]).await.unwrap(), [Accepted::Duplicate { deliveries: 0 }]);
    assert_eq!(journal.accept(vec![keyed(2, 1, &[])]).await.unwrap(), [Accepted::New { seq: 2 }]);
}

#[tokio::test]
async fn a_key_is_forgotten_when_it_has_expired() {
    let disk = FakeDisk::new(1);
    let journal = journal(&disk, options());
    let later = |ms: i64| NewEvent { accepted_ms: NOW + ms, ..keyed(1, 2, &[]) };
    assert_eq!(journal.accept(vec![keyed(1, 1, &[])]).await.unwrap(), [Accepted::New { seq: 1 }]);
    assert_eq!(journal.accept(vec![later(999)]).await.unwrap(), [Accepted::Conflict]);
    assert_eq!(journal.accept(vec![later(1000)]).await.unwrap(), [Accepted::New { seq: 2 }]);
}

#[tokio::test]
async fn a_dropped_endpoint_is_gone_for_good() {
    let disk = FakeDisk::new(1);
    let journal = journal(&disk, options());
    let ordinals = journal.ordinals(vec!["a".into(), "b".into()]).await.unwrap();
    let (a, b) = (ordinals[0], ordinals[1]);
    journal.accept(vec![event(9, &[a, b]), event(9, &[a]), event(9, &[a])]).await.unwrap();
    journal.record(dead(3, a)).await;
    journal.flush().await.unwrap();
    assert_eq!(journal.drop_endpoint(a).await.unwrap(), 3);
    assert_eq!(journal.drop_endpoint(a).await.unwrap(), 0);
    assert_eq!((journal.stats(a), journal.pending(a), journal.pending(b)), (None, 0, 1));
    assert_eq!(journal.read(2).unwrap(), None);
    journal.accept(vec![event(9, &[a])]).await.unwrap();
    assert_eq!(journal.pending(a), 0);
    assert_eq!(journal.ordinal("a").await.unwrap(), Ordinal(2), "its number is not used again");
    journal.close().await.unwrap();

    disk.crash(Crash::PowerLoss);
    disk.restart();
    let (journal, recovered) = Journal::open(Arc::new(disk), options(), NOW, |_| {}).unwrap();
    assert_eq!(recovered.pending, 1);
    assert_eq!(journal.pending_after(0, 9).iter().map(|p| (p.seq, p.endpoint)).collect::<Vec<_>>(), [(1, b)]);
    assert_eq!(journal.ordinal("a").await.unwrap(), Ordinal(2));
    assert_eq!(journal.ordinal("c").await.unwrap(), Ordinal(3));
}

#[tokio::test]
async fn the_counts_of_dropped_endpoints_are_kept_together() {
    let disk = FakeDisk::new(1);
    let mut expected = EndpointStats::default();
    for round in 0..12 {
        let (journal, _) = Journal::open(Arc::new(disk.clone()), options(), NOW, |_| {}).unwrap();
        assert_eq!(journal.stats_of_dropped(), expected, "round {round}");
        let endpoint = journal.ordinal(&format!("endpoint-{round}")).await.unwrap();
        // So large that there are new segments, and older ones are cleaned.
        journal.accept(vec![event(900, &[endpoint]), event(900, &[endpoint]), event(9, &[endpoint])]).await.unwrap();
        let first = 1 + 3 * round;
        journal.record(succeeded(first, endpoint)).await;
        journal.record(dead(first + 1, endpoint)).await;
        journal.flush().await.unwrap();
        assert_eq!(journal.drop_endpoint(endpoint).await.unwrap(), 2);
        expected.delivered += 1;
        expected.failed += 1;
        expected.dead_lettered += 1;
        assert_eq!(journal.stats_of_dropped(), expected);
        assert!(!journal.endpoints().contains(&endpoint));
        journal.close().await.unwrap();
        disk.crash(Crash::PowerLoss);
        disk.restart();
    }
}

#[tokio::test]
async fn what_is_displayed_follows_what_is_recorded() {
    let disk = FakeDisk::new(1);
    let journal = journal(&disk, options());
    let a = journal.ordinal("a").await.unwrap();
    let at = |ms: i64| NewEvent { accepted_ms: NOW + ms, ..event(9, &[a]) };
    journal.accept(vec![at(10), at(5), at(20)]).await.unwrap();
    assert_eq!(journal.oldest_pending_ms(a), Some(NOW + 10), "by order of acceptance, not by clock");
    journal.record(outcome(1, a, 1, OutcomeKind::Retry { due_ms: NOW + 99, failure: failure(&"é".repeat(300)) })).await;
    journal.record(dead(2, a)).await;
    journal.record(succeeded(3, a)).await;
    journal.record(succeeded(3, a)).await;
    journal.record(succeeded(9, a)).await;
    journal.flush().await.unwrap();
    let stats = journal.stats(a).unwrap();
    assert_eq!((stats.delivered, stats.failed, stats.dead_lettered, stats.consecutive_failures), (1, 2, 1, 0));
    assert_eq!((journal.pending(a), journal.oldest_pending_ms(a)), (1, Some(NOW + 10)));
    let letter = DeadLetter { seq: 2, endpoint: a, accepted_ms: NOW + 5, at_ms: NOW + 1, attempts: 1 };
    assert_eq!(journal.dead_letters(a, 10), [letter]);
    journal.record(outcome(1, a, 2, OutcomeKind::Succeeded { status: 204 })).await;
    journal.flush().await.unwrap();
    assert_eq!((journal.pending(a), journal.oldest_pending_ms(a)), (0, None));
    assert_eq!((journal.read(1).unwrap(), journal.read(2).unwrap().unwrap().deliveries), (None, vec![a]));
    assert_eq!(journal.stats(a).unwrap().last_status, Some(204));
}

#[tokio::test]
async fn messages_are_kept_to_their_limit() {
    let disk = FakeDisk::new(1);
    let journal = journal(&disk, options());
    let a = journal.ordinal("a").await.unwrap();
    journal.accept(vec![event(9, &[a])]).await.unwrap();
    journal.record(outcome(1, a, 1, OutcomeKind::DeadLettered { failure: failure(&"€".repeat(100)) })).await;
    journal.flush().await.unwrap();
    let kept = journal.stats(a).unwrap().last_failure.unwrap().failure.message;
    assert_eq!(kept, "€".repeat(85), "255 bytes, not through the middle of a letter");
}

#[tokio::test]
async fn what_can_never_fit_is_refused_by_name() {
    let disk = FakeDisk::new(1);
    let journal = journal(&disk, options());
    let a = journal.ordinal("a").await.unwrap();
    let error = |result: Result<(), Error>| result.unwrap_err().to_string();
    let memo = journal.remember(a, Bytes::from(vec![0; 1025])).await;
    assert_eq!(error(memo), "what is remembered about an endpoint has 1025 bytes; the journal takes up to 1 KiB");
    let uid = journal.ordinal("").await.map(|_| ());
    assert_eq!(error(uid), "an endpoint's UID has 0 bytes; the journal takes 1 to 256");
    let large = NewEvent { payload: vec![0; (16 << 20) + 1].into(), ..event(0, &[]) };
    let large = journal.accept(vec![large]).await.map(|_| ());
    assert_eq!(error(large), "an event has 16777217 bytes; the journal takes 16 MiB");
    assert!(!disk.files().contains_key(&in_directory("next.tmp")));
}

#[tokio::test]
async fn a_full_journal_takes_events_again_as_soon_as_there_is_space() {
    let disk = FakeDisk::new(1);
    let journal = journal(&disk, with_space(|space| space.max_bytes = 128 << 10));
    let a = journal.ordinal("a").await.unwrap();
    let mut accepted = 0;
    let refused = loop {
        match journal.accept(vec![event(500, &[a])]).await {
            Ok(_) => accepted += 1,
            Err(error) => break error,
        }
    };
    assert!(matches!(refused, Error::Full));
    for seq in 1..=accepted {
        journal.record(succeeded(seq, a)).await;
    }
    journal.flush().await.unwrap();
    // The writer cleans by itself.
    while journal.accept(vec![event(500, &[a])]).await.is_err() {
        tokio::task::yield_now().await;
    }
    assert!(!journal.usage().refusing);
}

#[tokio::test]
async fn a_limit_that_is_raised_or_lowered_holds_at_once() {
    let disk = FakeDisk::new(1);
    let small = with_space(|space| space.max_bytes = 128 << 10);
    let journal = journal(&disk, small.clone());
    let a = journal.ordinal("a").await.unwrap();
    while journal.accept(vec![event(500, &[a])]).await.is_ok() {}
    journal.set_space(Space { max_bytes: 1 << 20, ..small.space }).await;
    journal.accept(vec![event(500, &[a])]).await.unwrap();
    assert_eq!((journal.usage().max, journal.usage().refusing), (1 << 20, false));
    journal.set_space(small.space).await;
    assert!(matches!(journal.accept(vec![event(500, &[a])]).await, Err(Error::Full)));
    assert!(journal.usage().refusing && !journal.usage().failing, "even if something smaller would fit");
}

#[tokio::test]
async fn a_journal_that_is_made_smaller_gets_its_space_back_too() {
    let disk = FakeDisk::new(1);
    let large = Options { segment_bytes: 256 << 10, ..with_space(|space| space.max_bytes = 8 << 20) };
    let journal = journal(&disk, large.clone());
    let a = journal.ordinal("a").await.unwrap();
    journal.set_space(Space { max_bytes: 128 << 10, ..large.space }).await;
    let mut accepted = 0;
    while journal.accept(vec![event(500, &[a])]).await.is_ok() {
        accepted += 1;
    }
    for seq in 1..=accepted {
        journal.record(succeeded(seq, a)).await;
    }
    journal.flush().await.unwrap();
    let cleaned = async {
        while journal.usage().refusing {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(10), cleaned).await.expect("it is cleaned by itself");
    journal.accept(vec![event(500, &[a])]).await.unwrap();
}

#[tokio::test]
async fn what_a_lower_limit_of_dead_letters_removes_is_counted() {
    let disk = FakeDisk::new(1);
    let journal = journal(&disk, options());
    let a = journal.ordinal("a").await.unwrap();
    for seq in 1..=20 {
        journal.accept(vec![event(500, &[a])]).await.unwrap();
        journal.record(dead(seq, a)).await;
    }
    journal.flush().await.unwrap();
    journal.set_space(Space { dead_letter_max_bytes: 5_200, ..options().space }).await;
    while journal.usage().dead_letters > 5_200 {
        tokio::task::yield_now().await;
    }
    journal.flush().await.unwrap();
    assert_eq!(journal.usage().removed, Removed { too_old: 0, too_many: 11 }, "down to a little below the limit");
    assert_eq!(journal.tidy(NOW + 60_002).await.dead_letters, 9);
    assert_eq!(journal.usage().removed, Removed { too_old: 9, too_many: 11 });
    assert_eq!(journal.usage().dead_letters, 0);
}

#[tokio::test]
async fn an_endpoint_with_too_much_pending_is_named_with_its_oldest_deliveries() {
    let disk = FakeDisk::new(1);
    let few = with_space(|space| space.max_bytes_per_endpoint = 16_000);
    let journal = journal(&disk, few.clone());
    let ordinals = journal.ordinals(vec!["a".into(), "b".into()]).await.unwrap();
    let (a, b) = (ordinals[0], ordinals[1]);
    for _ in 0..15 {
        journal.accept(vec![event(950, &[a, b])]).await.unwrap();
    }
    assert!(journal.overflowing(100).is_empty(), "just not too much");
    journal.record(succeeded(1, b)).await;
    journal.flush().await.unwrap();
    journal.accept(vec![event(2_500, &[a, b])]).await.unwrap();
    let oldest = |endpoint, seqs: std::ops::RangeInclusive<u64>| Overflow { endpoint, oldest: seqs.collect() };
    assert_eq!(journal.overflowing(100), [oldest(a, 1..=3), oldest(b, 2..=3)]);
    assert_eq!(journal.overflowing(1), [oldest(a, 1..=1)]);
    for (seq, endpoint) in [(1, a), (2, a), (3, a), (2, b), (3, b)] {
        journal.record(outcome(seq, endpoint, 0, OutcomeKind::DeadLettered { failure: failure("too much") })).await;
    }
    journal.flush().await.unwrap();
    assert!(journal.overflowing(100).is_empty());
    assert_eq!(journal.stats(a).unwrap().failed, 0, "nothing was attempted");
    journal.set_space(Space { max_bytes_per_endpoint: 8_000, ..few.space }).await;
    assert_eq!(journal.overflowing(100).len(), 2, "a limit that is lowered holds for what is there");
    assert_eq!(journal.drop_endpoint(b).await.unwrap(), 15);
    assert_eq!(journal.overflowing(100).len(), 1);
    journal.close().await.unwrap();
    let (journal, _) = Journal::open(Arc::new(disk.clone()), few, NOW, |_| {}).unwrap();
    assert!(journal.overflowing(100).is_empty(), "counted the same from the disk");
    journal.set_space(Space { max_bytes_per_endpoint: 8_000, ..options().space }).await;
    assert_eq!(journal.overflowing(100)[0].oldest[0], 4);
}

#[tokio::test]
async fn a_dead_letter_that_is_redelivered_is_pending_again_also_after_a_restart() {
    let disk = FakeDisk::new(1);
    let journal = journal(&disk, options());
    let ordinals = journal.ordinals(vec!["a".into(), "b".into()]).await.unwrap();
    let (a, b) = (ordinals[0], ordinals[1]);
    for _ in 0..3 {
        journal.accept(vec![event(300, &[a])]).await.unwrap();
    }
    journal.record(dead(1, a)).await;
    journal.record(dead(2, a)).await;
    journal.record(succeeded(3, a)).await;
    journal.flush().await.unwrap();
    assert_eq!(journal.dead_letters_from(a, 2, 10).iter().map(|letter| letter.seq).collect::<Vec<_>>(), [2]);
    // What is gone, or not known, has nothing to deliver.
    let redelivered = journal.redeliver(a, vec![1, 3, 99]).await.unwrap();
    assert_eq!(redelivered, [Redelivered { seq: 1, accepted_ms: NOW }]);
    assert!(journal.redeliver(a, vec![1]).await.unwrap().is_empty(), "it is pending already");
    // An endpoint that the event was not for.
    assert_eq!(journal.redeliver(b, vec![2]).await.unwrap().len(), 1);
    assert!(journal.redeliver(Ordinal(7), vec![2]).await.unwrap().is_empty());
    assert_eq!((journal.pending(a), journal.pending(b), journal.dead_letters(a, 9).len()), (1, 1, 1));
    assert_eq!(journal.usage().dead_letters, 0, "event 2 is kept for b as well");
    let retry = OutcomeKind::Retry { due_ms: NOW + 50, failure: failure("still away") };
    journal.record(outcome(1, a, 1, retry)).await;
    journal.flush().await.unwrap();
    disk.crash(Crash::PowerLoss);
    disk.restart();
    let (journal, recovered) = Journal::open(Arc::new(disk.clone()), options(), NOW, |_| {}).unwrap();
    let pending = journal.pending_after(0, 9);
    let found: Vec<_> = pending.iter().map(|found| (found.seq, found.endpoint, found.attempts)).collect();
    assert_eq!((recovered.pending, found), (2, vec![(1, a, 1), (2, b, 0)]));
    assert!(pending.iter().all(|found| found.redelivered));
    // It may die again, and be redelivered again.
    for _ in 0..3 {
        journal.record(dead(1, a)).await;
        journal.flush().await.unwrap();
        assert_eq!(journal.redeliver(a, vec![1]).await.unwrap().len(), 1);
    }
    journal.record(succeeded(1, a)).await;
    journal.flush().await.unwrap();
    assert!(journal.read(1).unwrap().is_none());
    assert_eq!(journal.tidy(NOW + 100_000).await.dead_letters, 1);
}

#[tokio::test]
async fn pending_deliveries_can_be_gone_through_in_steps() {
    let disk = FakeDisk::new(1);
    let journal = journal(&disk, options());
    let [a, b] = [journal.ordinal("a").await.unwrap(), journal.ordinal("b").await.unwrap()];
    for deliveries in [vec![a], vec![a, b], vec![b], vec![a, b]] {
        journal.accept(vec![event(20, &deliveries)]).await.unwrap();
    }
    journal.record(succeeded(3, b)).await;
    journal.flush().await.unwrap();
    let seqs = |after, most| journal.pending_after(after, most).iter().map(|p| (p.seq, p.endpoint)).collect::<Vec<_>>();
    assert_eq!(seqs(0, 2), [(1, a), (2, a), (2, b)], "those of one event come together");
    assert_eq!(seqs(2, 2), [(4, a), (4, b)]);
    assert_eq!(seqs(4, 2), []);
}

#[tokio::test]
async fn small_events_fill_a_journal_by_their_number() {
    let disk = FakeDisk::new(1);
    let journal = journal(&disk, options());
    let endpoint = journal.ordinal("a").await.unwrap();
    // A place is 512 bytes, and an event for one endpoint takes two.
    let most = options().space.max_bytes / 1024;
    let post = |events: u64| journal.accept((0..events).map(|_| event(0, &[endpoint])).collect());
    for _ in 0..most / 64 {
        post(64).await.unwrap();
    }
    let usage = journal.usage();
    assert!(usage.refusing && usage.used < usage.max / 2, "{usage:?}");
    assert!(matches!(post(1).await, Err(Error::Full)));
    journal.accept(vec![event(0, &[])]).await.expect("one that is for nobody takes no place");

    for seq in 1..=10 {
        journal.record(succeeded(seq, endpoint)).await;
    }
    journal.flush().await.unwrap();
    assert!(!journal.usage().refusing);
    assert!(matches!(post(11).await, Err(Error::Full)));
    assert!(journal.usage().refusing, "until what was refused finds places");
    post(10).await.unwrap();
    assert!(journal.usage().refusing);
}
