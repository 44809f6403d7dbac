//! What outlives a process.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use http::StatusCode;
use posthaste_delivery_config::{Interest, Waiting};
use tokio::runtime::{Builder, Runtime};

use super::{Configuration, Process, endpoint_at};
use crate::{
    admin::Readiness,
    run::testing::{Received, Receiver},
};

fn runtime() -> Runtime {
    Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

/// Each process has a runtime of its own, which is thrown away with all of its tasks where they stand.
#[test]
fn a_process_that_is_killed_loses_nothing_that_it_accepted() {
    const EVENTS: usize = 200;
    let directory = tempfile::tempdir().unwrap();
    let outside = runtime();
    let receiver = outside.block_on(Receiver::start(|n| match n % 5 {
        0 => StatusCode::INTERNAL_SERVER_ERROR,
        _ => StatusCode::OK,
    }));
    let mut endpoint = endpoint_at("acme", receiver.url());
    endpoint.delivery.concurrency = 2;
    endpoint.delivery.retry.schedule_ms = vec![10; 20];
    let configuration = Configuration::new(vec![endpoint]);

    let first = runtime();
    first.block_on(async {
        let process = Process::start(directory.path(), &configuration).await;
        for event in 0..EVENTS {
            process.post_id(&format!("event-{event}")).await;
        }
        receiver.delivered(20).await;
        // Not stopped: nothing of what it would do then is done.
        drop(process);
    });
    first.shutdown_timeout(Duration::ZERO);

    let second = runtime();
    second.block_on(async {
        let process = Process::start(directory.path(), &configuration).await;
        let everything = |received: &[Received]| {
            let delivered = received.iter().filter(|received| received.status.is_success());
            delivered.map(|received| &received.id).collect::<BTreeSet<_>>().len() == EVENTS + 1
        };
        // One more, because a process that never had anything to deliver does not count as drained.
        process.post_id("last").await;
        receiver.until(everything).await;
        // What had arrived without the first process noting it arrives again.
        process.drained().await;
        let sink = process.stop().await;
        let delivery = sink.endpoints()["acme"].delivery.clone().unwrap();
        assert_eq!((delivery.delivered, delivery.pending), (Some(i64::try_from(EVENTS).unwrap() + 1), Some(0)));
    });
    drop(second);
    drop(outside);
}

#[tokio::test]
async fn a_journal_that_another_process_holds_is_waited_for_unready() {
    let directory = tempfile::tempdir().unwrap();
    let receiver = Receiver::healthy().await;
    let configuration = Arc::new(Configuration::new(vec![endpoint_at("acme", receiver.url())]));
    let first = Process::start(directory.path(), &configuration).await;
    let readiness = Readiness::new();
    let second = tokio::spawn({
        let (directory, configuration) = (directory.path().to_owned(), Arc::clone(&configuration));
        let readiness = readiness.clone();
        async move { Process::start_with(&directory, &configuration, readiness).await }
    });
    let waits = async {
        while !readiness
            .missing()
            .iter()
            .any(|(name, why)| *name == "journal" && why.contains("held by another process"))
        {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), waits).await.expect("it says that it waits");
    assert!(!second.is_finished());
    first.stop().await;
    let second = second.await.unwrap();
    assert!(readiness.is_ready());
    second.post_id("one").await;
    receiver.delivered(1).await;
    second.stop().await;
}

#[tokio::test]
async fn an_endpoint_that_waited_for_its_secret_over_a_restart_gets_what_came_meanwhile() {
    let directory = tempfile::tempdir().unwrap();
    let receiver = Receiver::healthy().await;
    let mut configuration = Configuration::new(Vec::new());
    configuration.parked = vec!["uid-acme".to_owned(), "uid-refused".to_owned()];
    let interest = Interest { tenant: None, event_types: Some(vec!["order.*".to_owned()]), filter: None };
    configuration.waiting = Some(vec![Waiting { interest: Some(interest), parked: vec![0] }]);
    let process = Process::start(directory.path(), &configuration).await;
    let (status, body) = process.post(r#"{"id": "one", "type": "order.created", "data": 1}"#).await;
    assert_eq!(status, StatusCode::ACCEPTED, "{body}");
    assert!(body.contains(r#""deliveries":1"#), "{body}");
    let (_, body) = process.post(r#"{"id": "other", "type": "invoice.paid", "data": 1}"#).await;
    assert!(body.contains(r#""deliveries":0"#), "{body}");
    process.stop().await;

    let process = Process::start(directory.path(), &configuration).await;
    process.post_id("two").await;
    configuration.endpoints = vec![endpoint_at("acme", receiver.url())];
    configuration.parked = vec!["uid-refused".to_owned()];
    configuration.waiting = Some(Vec::new());
    configuration.webhook.generation = 2;
    process.configure(&configuration).await;
    let ids: BTreeSet<_> = receiver.delivered(2).await.into_iter().map(|received| received.id).collect();
    assert_eq!(ids, ["one".to_owned(), "two".to_owned()].into());
    process.stop().await;
}

#[tokio::test]
async fn the_webhooks_counts_outlive_a_deleted_endpoint_and_include_a_parked_one() {
    let directory = tempfile::tempdir().unwrap();
    let receiver = Receiver::healthy().await;
    let names = ["deleted", "kept", "parked"];
    let mut configuration = Configuration::new(names.iter().map(|name| endpoint_at(name, receiver.url())).collect());
    let process = Process::start(directory.path(), &configuration).await;
    process.post_id("one").await;
    process.drained().await;
    process.stop().await;

    configuration.endpoints.retain(|endpoint| endpoint.name == "kept");
    configuration.parked = vec!["uid-parked".to_owned()];
    configuration.waiting = Some(vec![Waiting { interest: Some(Interest::default()), parked: vec![0] }]);
    configuration.deleted = vec!["uid-deleted".to_owned()];
    for (event, delivered, pending) in [("two", 4, 1), ("three", 5, 2)] {
        let process = Process::start(directory.path(), &configuration).await;
        process.post_id(event).await;
        receiver.until(|received| received.iter().any(|received| received.id == event)).await;
        let totals = process.stop().await.webhook().delivery.unwrap();
        assert_eq!((totals.delivered, totals.pending), (Some(delivered), Some(pending)));
    }
}
