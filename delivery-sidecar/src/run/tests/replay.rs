//! Events that are kept are sent again when somebody asks for it.

use std::{collections::BTreeMap, time::Duration};

use http::StatusCode;
use posthaste_journal::Ordinal;

use super::{Configuration, Process, endpoint_at};
use crate::run::{
    Mode, Progress, Replay,
    testing::{Received, Receiver},
};

fn replay(endpoint: u32, mode: Mode) -> Replay {
    Replay { endpoint: Ordinal(endpoint), mode, since_ms: None, until_ms: None, event_type: None, dead_letters: None }
}

async fn ended(process: &Process, replay: Replay) -> Progress {
    let mut progress = process.delivery.replay(replay);
    let ended = tokio::time::timeout(Duration::from_secs(30), progress.wait_for(|progress| progress.done)).await;
    ended.expect("it ends").unwrap().clone()
}

fn all(count: u64) -> Progress {
    Progress { matched: count, scheduled: count, done: true, error: None }
}

/// How often each event was received.
fn counts(received: &[Received]) -> BTreeMap<&str, usize> {
    let mut counts = BTreeMap::new();
    for received in received {
        *counts.entry(&*received.id).or_default() += 1;
    }
    counts
}

/// A configuration comes into force a moment after it was given: asks what the second endpoint missed until it has missed
/// something.
async fn missing_once_in_force(process: &Process) -> Progress {
    let in_force = async {
        loop {
            let progress = ended(process, replay(1, Mode::Missing)).await;
            if progress.matched > 0 {
                return progress;
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(30), in_force).await.expect("it is in force in time")
}

#[tokio::test]
async fn all_that_an_endpoint_got_is_sent_again_once_for_each_time_it_is_asked_for() {
    let directory = tempfile::tempdir().unwrap();
    let receiver = Receiver::healthy().await;
    let configuration = Configuration::new(vec![endpoint_at("acme", receiver.url())]);
    let process = Process::start(directory.path(), &configuration).await;
    for id in ["1", "2", "3"] {
        process.post_id(id).await;
    }
    process.post(r#"{"id": "other", "type": "invoice.paid", "data": 1}"#).await;
    receiver.delivered(4).await;
    process.drained().await;
    process.stop().await;

    let process = Process::start(directory.path(), &configuration).await;
    let old = Replay { until_ms: Some(0), ..replay(0, Mode::All) };
    assert_eq!(ended(&process, old).await, all(0));
    let invoices = Replay { event_type: Some("invoice.paid".to_owned()), ..replay(0, Mode::All) };
    assert_eq!(ended(&process, invoices).await, all(1));
    receiver.delivered(5).await;
    process.drained().await;
    assert_eq!(ended(&process, replay(0, Mode::All)).await, all(4));
    receiver.delivered(9).await;
    process.drained().await;
    // One that is finished, not dead.
    assert!(process.delivery.redeliver(Ordinal(0), 1).await.unwrap());
    let received = receiver.delivered(10).await;
    assert_eq!(counts(&received), [("1", 3), ("2", 2), ("3", 2), ("other", 3)].into());
    process.drained().await;
    assert!(!process.delivery.redeliver(Ordinal(0), 99).await.unwrap(), "there is no such event");
    assert_eq!(ended(&process, replay(0, Mode::Missing)).await, all(0));
    assert_eq!(ended(&process, replay(0, Mode::Failed)).await, all(0));
    let delivery = process.stop().await.endpoints()["acme"].delivery.clone().unwrap();
    assert_eq!((delivery.delivered, delivery.pending), (Some(10), Some(0)));
}

#[tokio::test]
async fn an_endpoint_that_came_later_gets_what_it_matches_and_never_got_and_nothing_twice() {
    let directory = tempfile::tempdir().unwrap();
    let (first, second) = (Receiver::healthy().await, Receiver::start(|_| StatusCode::SERVICE_UNAVAILABLE).await);
    let mut invoices = endpoint_at("invoices", first.url());
    invoices.event_types = Some(vec!["invoice.*".to_owned()]);
    let mut configuration = Configuration::new(vec![invoices]);
    let process = Process::start(directory.path(), &configuration).await;
    process.post_id("for-nobody").await;
    for (id, kind) in [("paid", "invoice.paid"), ("sent", "invoice.sent")] {
        process.post(&format!(r#"{{"id": "{id}", "type": "{kind}", "data": 1}}"#)).await;
    }
    first.delivered(2).await;
    process.drained().await;

    let mut later = endpoint_at("later", second.url());
    later.event_types = Some(vec!["order.*".to_owned(), "invoice.paid".to_owned()]);
    later.delivery.retry.schedule_ms = vec![1; 1_000];
    later.delivery.circuit_breaker = None;
    configuration.endpoints.push(later);
    configuration.webhook.generation = 2;
    process.configure(&configuration).await;
    assert_eq!(missing_once_in_force(&process).await, all(2));
    second.until(|received| received.len() > 2).await;
    assert_eq!(ended(&process, replay(1, Mode::Missing)).await, all(0), "they are pending");
    let pending = Progress { matched: 2, scheduled: 0, done: true, error: None };
    assert_eq!(ended(&process, replay(1, Mode::All)).await, pending);
    process.stop().await;

    // What was asked for is still wanted by the next process.
    second.answers(|_| StatusCode::OK);
    let process = Process::start(directory.path(), &configuration).await;
    let received = second.delivered(2).await;
    assert_eq!(counts(&received), [("for-nobody", 1), ("paid", 1)].into());
    process.drained().await;
    assert_eq!(ended(&process, replay(1, Mode::Missing)).await, all(0));
    process.stop().await;
    assert_eq!(counts(&first.received()), [("paid", 1), ("sent", 1)].into());
}

#[tokio::test]
async fn a_filter_decides_when_an_event_comes_and_again_when_it_is_asked_what_was_missed() {
    let directory = tempfile::tempdir().unwrap();
    let (all, large) = (Receiver::healthy().await, Receiver::healthy().await);
    let mut filtered = endpoint_at("large", large.url());
    filtered.filter = Some("event.data.total > 100".to_owned());
    let mut configuration = Configuration::new(vec![endpoint_at("all", all.url()), filtered]);
    let process = Process::start(directory.path(), &configuration).await;
    for (id, data) in [("small", r#"{"total": 9.5}"#), ("large", r#"{"total": 100.5}"#), ("none", r#"{"count": 1}"#)] {
        process.post(&format!(r#"{{"id": "{id}", "type": "order.created", "data": {data}}}"#)).await;
    }
    all.delivered(3).await;
    assert_eq!(counts(&large.delivered(1).await), [("large", 1)].into());
    assert!(process.metrics.render().contains("posthaste_filter_errors_total{kind=\"missing\"} 1\n"));
    assert_eq!(ended(&process, replay(1, Mode::Missing)).await, self::all(0));

    configuration.endpoints[1].filter = Some("has(event.data.total)".to_owned());
    configuration.webhook.generation = 2;
    process.configure(&configuration).await;
    process.drained().await;
    assert_eq!(missing_once_in_force(&process).await, self::all(1));
    assert_eq!(counts(&large.delivered(2).await), [("large", 1), ("small", 1)].into());
    process.stop().await;
}

#[tokio::test]
async fn a_replay_ends_where_more_would_be_given_up_at_once() {
    let directory = tempfile::tempdir().unwrap();
    let receiver = Receiver::healthy().await;
    let mut configuration = Configuration::new(vec![endpoint_at("acme", receiver.url())]);
    configuration.webhook.journal_max_bytes_per_endpoint = 500_000;
    let process = Process::start(directory.path(), &configuration).await;
    for id in 0..10 {
        let body = "x".repeat(100_000);
        process.post(&format!(r#"{{"id": "{id}", "type": "order.created", "data": "{body}"}}"#)).await;
        receiver.delivered(id + 1).await;
    }
    process.drained().await;
    configuration.webhook.generation = 2;
    configuration.webhook.suspend = true;
    process.configure(&configuration).await;
    let progress = ended(&process, replay(0, Mode::All)).await;
    assert_eq!((progress.matched, progress.scheduled), (4, 4));
    assert!(progress.error.unwrap().contains("journal.maxBytesPerEndpoint"));
    process.stop().await;
}
