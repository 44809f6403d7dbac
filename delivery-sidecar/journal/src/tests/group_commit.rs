//! What waits together is synced together, and nobody is answered before.

use std::sync::mpsc;

use bytes::Bytes;

use super::support::{event, journal, journal_with, keyed, options, succeeded, with_space};
use crate::testing::{FakeDisk, Fault};
use crate::{Accepted, Committed, Error, Ordinal};

/// Lets every task that can run do so, until all of them wait for the writer.
async fn settle() {
    for _ in 0..10 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn what_comes_while_a_sync_runs_shares_the_next_one() {
    let disk = FakeDisk::new(1);
    let journal = journal(&disk, options());
    let endpoint = journal.ordinal("a").await.unwrap();
    let before = disk.syncs();
    let gate = disk.hold_syncs();
    let accept = |key: u128| {
        let journal = journal.clone();
        tokio::spawn(async move { journal.accept(vec![keyed(key, 1, &[endpoint])]).await })
    };
    let first = accept(0);
    settle().await;
    gate.wait_for_sync();
    let others: Vec<_> = (1..=50).map(accept).collect();
    settle().await;
    assert!(!first.is_finished() && others.iter().all(|other| !other.is_finished()), "nothing is synced yet");
    drop(gate);
    assert_eq!(first.await.unwrap().unwrap(), [Accepted::New { seq: 1 }]);
    let mut seqs = Vec::new();
    for other in others {
        match other.await.unwrap().unwrap()[..] {
            [Accepted::New { seq }] => seqs.push(seq),
            ref other => panic!("{other:?}"),
        }
    }
    assert_eq!(seqs, (2..=51).collect::<Vec<_>>());
    assert_eq!(disk.syncs() - before, 2);
}

#[tokio::test]
async fn a_repetition_waits_for_the_sync_of_the_first() {
    let disk = FakeDisk::new(1);
    let journal = journal(&disk, options());
    let endpoint = journal.ordinal("a").await.unwrap();
    let accept = |content: u64| {
        let journal = journal.clone();
        tokio::spawn(async move { journal.accept(vec![keyed(7, content, &[endpoint])]).await })
    };
    let gate = disk.hold_syncs();
    let first = accept(1);
    settle().await;
    gate.wait_for_sync();
    let (repeated, conflicting) = (accept(1), accept(2));
    settle().await;
    assert!(!repeated.is_finished() && !conflicting.is_finished());
    drop(gate);
    assert_eq!(first.await.unwrap().unwrap(), [Accepted::New { seq: 1 }]);
    assert_eq!(repeated.await.unwrap().unwrap(), [Accepted::Duplicate { deliveries: 1 }]);
    assert_eq!(conflicting.await.unwrap().unwrap(), [Accepted::Conflict]);
}

#[tokio::test]
async fn a_repetition_in_the_same_batch_fails_with_it() {
    let disk = FakeDisk::new(1);
    let journal = journal(&disk, options());
    let endpoint = journal.ordinal("a").await.unwrap();
    let batch = || vec![keyed(7, 1, &[endpoint]), keyed(7, 1, &[endpoint]), event(5, &[endpoint])];
    disk.fail_next(Fault::Sync);
    assert!(matches!(journal.accept(batch()).await, Err(Error::Io(_))));
    assert_eq!(journal.pending(endpoint), 0);
    assert_eq!(
        journal.accept(batch()).await.unwrap(),
        [Accepted::New { seq: 1 }, Accepted::Duplicate { deliveries: 1 }, Accepted::New { seq: 2 }],
    );
    assert_eq!(journal.pending(endpoint), 2);
}

#[tokio::test]
async fn new_events_are_told_in_order_before_those_who_posted_them_hear() {
    let disk = FakeDisk::new(1);
    let (told, telling) = mpsc::channel();
    let journal = journal_with(&disk, options(), move |events| told.send(events).unwrap());
    let endpoint = journal.ordinal("a").await.unwrap();
    journal.accept(vec![event(3, &[endpoint, Ordinal(77)]), event(4, &[])]).await.unwrap();
    let told: Vec<Committed> = telling.try_recv().expect("it was told before the answer");
    let told: Vec<_> = told.into_iter().map(|event| (event.seq, event.deliveries, event.payload.len())).collect();
    assert_eq!(told, [(1, vec![endpoint], 3), (2, vec![], 4)], "an endpoint that is not known is left out");
    journal.accept(vec![keyed(1, 1, &[])]).await.unwrap();
    assert_eq!(telling.try_recv().unwrap().len(), 1);
    journal.accept(vec![keyed(1, 1, &[])]).await.unwrap();
    assert!(telling.try_recv().is_err(), "a repetition is nothing new");
}

#[tokio::test]
async fn ten_thousand_endpoints_take_one_sync() {
    let disk = FakeDisk::new(1);
    let journal = journal(&disk, with_space(|space| space.max_bytes = 1 << 30));
    let before = disk.syncs();
    let uids: Vec<String> = (0..10_000).map(|n| format!("uid-{n}")).collect();
    let ordinals = journal.ordinals(uids.clone()).await.unwrap();
    assert!(ordinals.iter().enumerate().all(|(at, ordinal)| ordinal.0 as usize == at));
    assert_eq!(disk.syncs() - before, 1);
    assert_eq!(journal.ordinals(uids).await.unwrap(), ordinals);
    assert_eq!(disk.syncs() - before, 1, "what is known is not written again");
}

#[tokio::test]
async fn outcomes_go_with_the_next_commit_or_after_their_delay() {
    let disk = FakeDisk::new(1);
    let patient = journal(&disk, options());
    let endpoint = patient.ordinal("a").await.unwrap();
    patient.accept(vec![event(5, &[endpoint]), event(5, &[endpoint])]).await.unwrap();
    let before = disk.syncs();
    patient.record(succeeded(1, endpoint)).await;
    patient.remember(endpoint, Bytes::from_static(b"memo")).await.unwrap();
    assert_eq!((patient.pending(endpoint), disk.syncs() - before), (1, 1));
    patient.close().await.unwrap();

    let soon = crate::Options { outcome_delay: std::time::Duration::from_millis(1), ..options() };
    let impatient = journal(&disk, soon);
    let gate = disk.hold_syncs();
    impatient.record(succeeded(2, endpoint)).await;
    // Nobody asks for it, and it comes.
    gate.wait_for_sync();
    drop(gate);
    impatient.flush().await.unwrap();
    assert_eq!(impatient.pending(endpoint), 0);
}
