//! It stays within its bounds.

use std::{fs, path::Path, sync::atomic::Ordering};

use super::{DAY, Setup, event};
use crate::{Filter, Status};

fn bytes(directory: &Path) -> u64 {
    fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().metadata().unwrap().len()).sum()
}

#[tokio::test]
async fn the_oldest_goes_when_there_is_too_much() {
    let directory = tempfile::tempdir().unwrap();
    let most = 4 << 20;
    fs::write(directory.path().join("complete"), []).unwrap();
    let setup = Setup::with(directory.path(), most, super::Journal::default());
    for seq in 1..=40_000 {
        setup.accepted(seq, &[0]);
        setup.ended(seq, 0, 1, Status::Succeeded, 200);
        if seq % 1_000 == 0 {
            setup.written().await;
        }
    }
    let all = setup.list(Filter::default()).await;
    assert_eq!(all[0].event, event(40_000));
    assert!((4_000..12_000).contains(&all.len()), "{}", all.len());
    assert!(bytes(directory.path()) < most + most / 4, "{}", bytes(directory.path()));
    setup.history.close();
}

#[tokio::test]
async fn what_is_finished_is_listed_for_its_time_and_what_is_not_for_as_long_as_it_takes() {
    let directory = tempfile::tempdir().unwrap();
    let setup = Setup::start(directory.path());
    for seq in 1..=4 {
        setup.accepted(seq, &[0]);
        setup.journal.knows(seq, event(seq));
    }
    setup.ended(1, 0, 1, Status::Succeeded, 200);
    setup.ended(2, 0, 1, Status::DeadLettered, 500);
    setup.ended(3, 0, 1, Status::Retrying, 500);
    for (days, wanted) in [(1, vec![4, 3, 2, 1]), (2, vec![4, 3, 2]), (5, vec![4, 3])] {
        setup.now_ms.store(days * DAY, Ordering::Relaxed);
        let found: Vec<_> = setup.list(Filter::default()).await.iter().map(|delivery| delivery.key.seq).collect();
        assert_eq!(found, wanted, "after {days} days");
    }
    setup.history.close();
    // Their attempts are too old, and so is what the log had of their events, which the journal still has.
    let setup = Setup::with(directory.path(), 64 << 20, setup.journal);
    setup.now_ms.store(i64::MAX / 4, Ordering::Relaxed);
    setup.accepted(5, &[0]);
    setup.history.close();
    let setup = Setup::with(directory.path(), 64 << 20, setup.journal);
    setup.now_ms.store(i64::MAX / 4, Ordering::Relaxed);
    let delivery = setup.look_up(3, 0).await.unwrap();
    assert_eq!(delivery.event, event(3));
    setup.history.close();
}
