//! What is found, and in which order.

use super::{Setup, event, keys, live};
use crate::{Entry, Filter, Key, Status};

#[tokio::test]
async fn a_delivery_is_listed_from_its_acceptance_on_with_each_attempt() {
    let directory = tempfile::tempdir().unwrap();
    let setup = Setup::start(directory.path());
    setup.accepted(1, &[0, 1]);
    setup.accepted(2, &[]);
    assert_eq!(keys(&setup.list(Filter::default()).await), [(1, 1), (1, 0)], "an event for nobody has none");
    setup.ended(1, 0, 1, Status::Retrying, 503);
    setup.ended(1, 0, 2, Status::Succeeded, 200);
    let delivery = setup.look_up(1, 0).await.unwrap();
    assert_eq!((delivery.status, delivery.attempts, delivery.code), (Status::Succeeded, 2, Some(200)));
    assert_eq!(delivery.event, event(1));
    let attempts = setup.history.attempts(&delivery, 10).unwrap();
    let answers: Vec<_> = attempts.iter().map(|attempt| (attempt.number, attempt.response.clone().unwrap())).collect();
    assert_eq!(
        answers.iter().map(|(number, answer)| (*number, answer.status)).collect::<Vec<_>>(),
        [(1, 503), (2, 200)]
    );
    assert_eq!(answers[1].1.body, b"body 2");
    assert_eq!(setup.history.attempts(&delivery, 1).unwrap(), attempts[1..], "the last ones");
    assert_eq!(setup.look_up(1, 7).await, None);
    setup.history.close();
}

#[tokio::test]
async fn each_filter_leaves_what_it_names_and_they_can_be_combined() {
    let directory = tempfile::tempdir().unwrap();
    let setup = Setup::start(directory.path());
    for seq in 1..=3_000_u64 {
        setup.now_ms.store(seq.cast_signed(), std::sync::atomic::Ordering::Relaxed);
        setup.accepted(seq, &[0, u32::try_from(1 + seq % 5).unwrap()]);
        setup.ended(seq, 0, 1, Status::Succeeded, 200);
    }
    setup.ended(1_234, 5, 1, Status::DeadLettered, 500);
    let status = |status| Filter { status: Some(status), ..Filter::default() };
    assert_eq!(keys(&setup.list(status(Status::DeadLettered)).await), [(1_234, 5)]);
    assert_eq!(setup.list(status(Status::Succeeded)).await.len(), 3_000);
    assert_eq!(setup.list(status(Status::Pending)).await.len(), 2_999);
    let event = Filter { event: Some("event-77".into()), ..Filter::default() };
    assert_eq!(keys(&setup.list(event).await), [(77, 3), (77, 0)]);
    let even = Filter { event_type: Some("order.even".into()), endpoint: Some(0), ..Filter::default() };
    assert_eq!(setup.list(even).await.len(), 1_500);
    let tenant = Filter { tenant: Some("tenant-3".into()), endpoint: Some(0), ..Filter::default() };
    assert_eq!(setup.list(tenant).await.len(), 334);
    let time = Filter { since_ms: Some(10), until_ms: Some(12), ..Filter::default() };
    assert_eq!(keys(&setup.list(time).await), [(11, 2), (11, 0), (10, 1), (10, 0)]);
    setup.history.close();
}

#[tokio::test]
async fn pages_have_everything_once_whatever_comes_and_happens_meanwhile() {
    let directory = tempfile::tempdir().unwrap();
    let setup = Setup::start(directory.path());
    for seq in 1..=2_000 {
        setup.accepted(seq, &[0]);
    }
    setup.written().await;
    let (mut all, mut below) = (Vec::new(), None);
    for round in 1.. {
        let page = setup.history.list(&Filter::default(), &live(), below, 333).unwrap();
        all.extend(keys(&page.deliveries));
        setup.accepted(2_000 + round, &[0]);
        setup.ended(1_000, 0, u32::try_from(round).unwrap(), Status::Retrying, 500);
        setup.written().await;
        let Some(next) = page.next else { break };
        below = Some(next);
    }
    let wanted: Vec<_> = (1..=2_000).rev().map(|seq| (seq, 0)).collect();
    assert_eq!(all, wanted);
    setup.history.close();
}

#[tokio::test]
async fn what_is_in_flight_or_has_lost_its_endpoint_says_so_and_is_found_by_it() {
    let directory = tempfile::tempdir().unwrap();
    let setup = Setup::start(directory.path());
    setup.accepted(1, &[0, 1, 99]);
    setup.written().await;
    let mut live = live();
    live.in_flight.insert(Key { seq: 1, endpoint: 1 });
    for (status, wanted) in [(Status::Pending, (1, 0)), (Status::InFlight, (1, 1)), (Status::Dropped, (1, 99))] {
        let filter = Filter { status: Some(status), ..Filter::default() };
        let page = setup.history.list(&filter, &live, None, 10).unwrap();
        assert_eq!(keys(&page.deliveries), [wanted], "{status:?}");
        assert_eq!(page.deliveries[0].status, status);
    }
    setup.history.close();
}

#[tokio::test]
async fn an_old_event_that_an_endpoint_never_had_is_listed_as_new() {
    let directory = tempfile::tempdir().unwrap();
    let setup = Setup::start(directory.path());
    for seq in 1..=3 {
        setup.accepted(seq, &[0]);
        setup.journal.knows(seq, event(seq));
    }
    setup.history.record(Entry::Again { key: Key { seq: 2, endpoint: 1 }, at_ms: 9 });
    setup.accepted(4, &[0]);
    let again = setup.list(Filter { endpoint: Some(1), ..Filter::default() }).await;
    assert_eq!(keys(&again), [(2, 1)]);
    assert_eq!((again[0].event.id.as_str(), again[0].status), ("event-2", Status::Pending));
    setup.ended(2, 1, 1, Status::Succeeded, 200);
    assert_eq!(setup.look_up(2, 1).await.unwrap().status, Status::Succeeded);
    setup.history.record(Entry::Again { key: Key { seq: 2, endpoint: 1 }, at_ms: 9 });
    let delivery = setup.look_up(2, 1).await.unwrap();
    assert_eq!((delivery.status, delivery.attempts), (Status::Pending, 1));
    assert_eq!(setup.list(Filter::default()).await.len(), 5);
    setup.history.close();
}
