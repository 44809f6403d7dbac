//! What was lost is learned from the journal again.

use std::fs;

use super::{Journal, Setup, event, keys};
use crate::{Filter, Key, Standing, Status};

fn key(seq: u64, endpoint: u32) -> Key {
    Key { seq, endpoint }
}

#[tokio::test]
async fn a_history_that_was_closed_goes_on_where_it_was_and_asks_nobody() {
    let directory = tempfile::tempdir().unwrap();
    let setup = Setup::start(directory.path());
    for seq in 1..=1_500 {
        setup.accepted(seq, &[0]);
    }
    setup.ended(7, 0, 1, Status::Retrying, 500);
    setup.history.close();

    let setup = Setup::start(directory.path());
    setup.ended(7, 0, 2, Status::Succeeded, 200);
    setup.accepted(1_501, &[0]);
    let all = setup.list(Filter::default()).await;
    assert_eq!(keys(&all), (1..=1_501).rev().map(|seq| (seq, 0)).collect::<Vec<_>>());
    assert_eq!(all.iter().filter(|delivery| delivery.status == Status::Pending).count(), 1_500);
    let delivery = setup.look_up(7, 0).await.unwrap();
    assert_eq!(setup.history.attempts(&delivery, 9).unwrap().len(), 2);
    setup.history.close();
}

#[tokio::test]
async fn after_a_crash_the_journal_says_how_unfinished_deliveries_stand() {
    let directory = tempfile::tempdir().unwrap();
    let setup = Setup::start(directory.path());
    for seq in 1..=4 {
        setup.accepted(seq, &[0, 9]);
    }
    setup.history.close();
    fs::remove_file(directory.path().join("complete")).unwrap();

    let journal = Journal::default();
    journal.endpoints.lock().unwrap().push(0);
    journal.has(key(1, 0), Standing::Pending { attempts: 0 });
    journal.has(key(2, 0), Standing::Dead { at_ms: 5, attempts: 3 });
    journal.has(key(3, 0), Standing::Pending { attempts: 2 });
    // This one was accepted in the last moment.
    journal.has(key(5, 0), Standing::Pending { attempts: 0 });
    journal.knows(5, event(5));
    let setup = Setup::with(directory.path(), 64 << 20, journal);
    setup.until(5, 0, |delivery| delivery.is_some()).await;
    let mut found = Vec::new();
    for seq in 1..=5 {
        let delivery = setup.look_up(seq, 0).await.unwrap();
        found.push((delivery.status, delivery.attempts));
    }
    let wanted = [
        (Status::Pending, 0),
        (Status::DeadLettered, 3),
        (Status::Retrying, 2),
        (Status::Succeeded, 0),
        (Status::Pending, 0),
    ];
    assert_eq!(found, wanted);
    assert_eq!(setup.look_up(1, 9).await.unwrap().status, Status::Dropped);
    setup.history.close();
}

#[tokio::test]
async fn files_that_cannot_be_read_are_begun_anew_and_the_journals_deliveries_are_in_them() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("history");
    fs::create_dir_all(path.join("rows-0000000001")).unwrap();
    let journal = Journal::default();
    journal.endpoints.lock().unwrap().push(3);
    for seq in 1..=2_500 {
        journal.has(key(seq, 3), Standing::Dead { at_ms: 5, attempts: 1 });
        journal.knows(seq, event(seq));
    }
    let setup = Setup::with(&path, 64 << 20, journal);
    setup.until(2_500, 3, |delivery| delivery.is_some_and(|delivery| delivery.status == Status::DeadLettered)).await;
    assert_eq!(setup.list(Filter::default()).await.len(), 2_500);
    setup.history.close();
}

#[tokio::test]
async fn a_torn_log_costs_the_attempts_that_are_torn() {
    let directory = tempfile::tempdir().unwrap();
    let setup = Setup::start(directory.path());
    setup.accepted(1, &[0]);
    setup.ended(1, 0, 1, Status::Retrying, 500);
    setup.written().await;
    let log = directory.path().join("log-0000000001");
    let before = fs::metadata(&log).unwrap().len();
    setup.ended(1, 0, 2, Status::Succeeded, 200);
    setup.history.close();
    let file = fs::OpenOptions::new().write(true).open(&log).unwrap();
    file.set_len(before + 20).unwrap();

    let setup = Setup::start(directory.path());
    let delivery = setup.look_up(1, 0).await.unwrap();
    assert_eq!((delivery.status, delivery.attempts), (Status::Succeeded, 2));
    assert_eq!(setup.history.attempts(&delivery, 9).unwrap(), []);
    setup.history.close();
}

#[tokio::test]
async fn the_thread_ends_with_the_last_handle() {
    let directory = tempfile::tempdir().unwrap();
    let setup = Setup::start(directory.path());
    let journal = std::sync::Arc::downgrade(&setup.journal.endpoints);
    setup.written().await;
    drop(setup);
    let ended = async {
        while journal.upgrade().is_some() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(30), ended).await.expect("it lets go of the journal");
}
