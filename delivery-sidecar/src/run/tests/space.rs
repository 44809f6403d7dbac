//! What the journal's space is used for, and what happens when it is used up.

use std::{collections::BTreeSet, time::Duration};

use http::StatusCode;
use posthaste_journal::Ordinal;

use super::{Configuration, Process, endpoint_at};
use crate::run::{Mode, Progress, Replay, testing::Receiver};

/// An event of that id whose data has so many bytes.
fn large(id: &str, bytes: usize) -> String {
    format!(r#"{{"id": "{id}", "type": "order.created", "data": "{}"}}"#, "x".repeat(bytes))
}

#[tokio::test]
async fn limits_of_the_journal_and_of_dead_letters_take_effect_without_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    let receiver = Receiver::start(|_| StatusCode::BAD_REQUEST).await;
    let mut endpoint = endpoint_at("acme", receiver.url());
    endpoint.delivery.retry.schedule_ms = Vec::new();
    let mut configuration = Configuration::new(vec![endpoint]);
    let process = Process::start(directory.path(), &configuration).await;
    process.metric("posthaste_journal_max_bytes", |max| max == 64 << 20).await;
    for id in ["1", "2", "3", "4"] {
        let (status, body) = process.post(&large(id, 100_000)).await;
        assert_eq!(status, StatusCode::ACCEPTED, "{body}");
    }
    process.metric(r#"posthaste_deliveries_total{state="deadLettered"}"#, |count| count == 4).await;
    process.metric("posthaste_journal_dead_letter_bytes", |bytes| bytes > 400_000).await;

    configuration.webhook.generation = 2;
    configuration.webhook.journal_max_bytes = 32 << 20;
    configuration.webhook.dead_letter.max_bytes = 250_000;
    process.configure(&configuration).await;
    process.metric("posthaste_journal_max_bytes", |max| max == 32 << 20).await;
    process.metric(r#"posthaste_dead_letters_removed_total{reason="maxBytes"}"#, |count| count == 2).await;
    process.metric("posthaste_journal_dead_letter_bytes", |bytes| bytes < 250_000).await;
    process.stop().await;
}

#[tokio::test]
async fn a_dead_endpoint_does_not_fill_the_journal_for_the_others() {
    const EVENTS: usize = 100;
    let directory = tempfile::tempdir().unwrap();
    let (dead, healthy) = (Receiver::start(|_| StatusCode::BAD_GATEWAY).await, Receiver::healthy().await);
    let mut endpoints = vec![endpoint_at("dead", dead.url()), endpoint_at("healthy", healthy.url())];
    endpoints[0].delivery.retry.schedule_ms = vec![3_600_000; 20];
    let mut configuration = Configuration::new(endpoints);
    configuration.webhook.journal_max_bytes = 8 << 20;
    configuration.webhook.journal_max_bytes_per_endpoint = 1 << 20;
    configuration.webhook.dead_letter.max_bytes = 512 << 10;
    let process = Process::start(directory.path(), &configuration).await;
    for event in 0..EVENTS {
        // Twice of what the journal may hold in all.
        let id = format!("event-{event}");
        let (status, body) = process.post(&large(&id, 160_000)).await;
        assert_eq!(status, StatusCode::ACCEPTED, "{id}: {body}");
        healthy.until(|received| received.iter().any(|received| received.id == id)).await;
    }
    process.metric("posthaste_journal_used_bytes", |used| used <= 8 << 20).await;
    process.metric("posthaste_deliveries_overflowed_total", |count| count > 80).await;
    process.metric(r#"posthaste_dead_letters_removed_total{reason="maxBytes"}"#, |count| count > 80).await;
    process.metric("posthaste_deliveries_pending", |pending| pending < 7).await;
    process.metric("posthaste_journal_refusing", |refusing| refusing == 0).await;
    let sink = process.stop().await;
    let of = |name: &str| sink.endpoints()[name].delivery.clone().unwrap();
    let (dead, healthy) = (of("dead"), of("healthy"));
    assert_eq!(dead.dead_lettered.unwrap() + dead.pending.unwrap(), i64::try_from(EVENTS).unwrap());
    assert!(dead.failed.unwrap() < 20, "what is given up so was not attempted: {dead:?}");
    assert_eq!((healthy.delivered, healthy.pending), (Some(i64::try_from(EVENTS).unwrap()), Some(0)), "{healthy:?}");
}

#[tokio::test]
async fn a_full_journal_says_so_and_takes_events_again_when_its_limit_is_raised_or_receivers_catch_up() {
    let directory = tempfile::tempdir().unwrap();
    let receiver = Receiver::healthy().await;
    let mut configuration = Configuration::new(vec![endpoint_at("acme", receiver.url())]);
    configuration.webhook.suspend = true;
    configuration.webhook.journal_max_bytes = 1 << 20;
    configuration.webhook.journal_max_bytes_per_endpoint = 64 << 20;
    let process = Process::start(directory.path(), &configuration).await;
    let fill = async || {
        for event in 0..100 {
            if process.post(&large(&format!("event-{event}"), 100_000)).await.0 == StatusCode::SERVICE_UNAVAILABLE {
                return;
            }
        }
        panic!("it is never full");
    };
    fill().await;
    accepting(&process, "JournalFull").await;
    assert!(!process.readiness.is_ready());

    configuration.webhook.generation = 2;
    configuration.webhook.journal_max_bytes = 2 << 20;
    process.configure(&configuration).await;
    accepting(&process, "Accepting").await;
    fill().await;
    accepting(&process, "JournalFull").await;

    configuration.webhook.generation = 3;
    configuration.webhook.suspend = false;
    process.configure(&configuration).await;
    accepting(&process, "Accepting").await;
    assert!(process.readiness.is_ready(), "{:?}", process.readiness.missing());
    process.post_id("after").await;
    receiver.until(|received| received.iter().any(|received| received.id == "after")).await;
    process.stop().await;
}

/// Waits until the Webhook's status says so, with the reason given.
async fn accepting(process: &Process, reason: &str) {
    let shown = || {
        let conditions = process.sink.webhook().conditions.unwrap_or_default();
        conditions.into_iter().find(|condition| condition.type_ == "AcceptingEvents").map(|condition| condition.reason)
    };
    let look = async {
        while shown().as_deref() != Some(reason) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    assert!(tokio::time::timeout(Duration::from_secs(30), look).await.is_ok(), "{:?}", shown());
}

#[tokio::test]
async fn dead_letters_are_sent_again_when_they_are_asked_for_with_the_same_ids() {
    let directory = tempfile::tempdir().unwrap();
    let receiver = Receiver::start(|_| StatusCode::BAD_REQUEST).await;
    let mut endpoint = endpoint_at("acme", receiver.url());
    endpoint.delivery.retry.schedule_ms = Vec::new();
    let configuration = Configuration::new(vec![endpoint]);
    let process = Process::start(directory.path(), &configuration).await;
    for id in ["1", "2", "3"] {
        process.post_id(id).await;
    }
    process.post(r#"{"id": "other", "type": "invoice.paid", "data": 1}"#).await;
    process.metric(r#"posthaste_deliveries_total{state="deadLettered"}"#, |count| count == 4).await;
    process.drained().await;
    process.stop().await;

    receiver.answers(|_| StatusCode::OK);
    let process = Process::start(directory.path(), &configuration).await;
    let replay = Replay {
        endpoint: Ordinal(0),
        mode: Mode::Failed,
        since_ms: None,
        until_ms: None,
        event_type: None,
        dead_letters: None,
    };
    let old = Replay { until_ms: Some(0), ..replay.clone() };
    assert_eq!(ended(&process, old).await, Progress { done: true, ..Progress::default() });
    let invoices = Replay { event_type: Some("invoice.paid".to_owned()), ..replay.clone() };
    assert_eq!(ended(&process, invoices).await, Progress { matched: 1, scheduled: 1, done: true, error: None });
    assert_eq!(receiver.delivered(1).await[0].id, "other");
    assert!(process.delivery.redeliver(Ordinal(0), 2).await.unwrap());
    assert_eq!(receiver.delivered(2).await[1].id, "2");
    assert_eq!(ended(&process, replay.clone()).await, Progress { matched: 2, scheduled: 2, done: true, error: None });
    let delivered = receiver.delivered(4).await;
    assert_eq!(
        delivered.iter().map(|received| &*received.id).collect::<BTreeSet<_>>(),
        ["1", "2", "3", "other"].into()
    );
    assert_eq!(ended(&process, replay).await, Progress { done: true, ..Progress::default() });
    process.drained().await;
    let delivery = process.stop().await.endpoints()["acme"].delivery.clone().unwrap();
    assert_eq!((delivery.delivered, delivery.dead_lettered, delivery.pending), (Some(4), Some(4), Some(0)));
}

async fn ended(process: &Process, replay: Replay) -> Progress {
    let mut progress = process.delivery.replay(replay);
    let ended = tokio::time::timeout(Duration::from_secs(30), progress.wait_for(|progress| progress.done)).await;
    ended.expect("it ends").unwrap().clone()
}
