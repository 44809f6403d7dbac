//! What becomes of events that wait when their endpoint changes.

use std::collections::BTreeSet;

use http::StatusCode;
use posthaste_delivery_config::{HeaderValue, OnExhausted, Redacted};

use super::{
    Configuration, Process, endpoint_at,
    stories::{condition, counts, reported, status},
};
use crate::{
    config::testing::KEY,
    run::testing::{Received, Receiver},
};

fn ids(received: &[Received]) -> BTreeSet<&str> {
    received.iter().map(|received| received.id.as_str()).collect()
}

/// A process whose only endpoint is suspended, with an event for it.
async fn holding(directory: &std::path::Path, receiver: &Receiver) -> (Process, Configuration) {
    let mut configuration = Configuration::new(vec![endpoint_at("acme", receiver.url())]);
    configuration.endpoints[0].suspend = true;
    let process = Process::start(directory, &configuration).await;
    process.post_id("held").await;
    (process, configuration)
}

/// Puts an edit of the endpoint in force that also ends the suspension.
async fn edit(process: &Process, configuration: &mut Configuration) {
    configuration.webhook.generation += 1;
    configuration.endpoints[0].generation += 1;
    configuration.endpoints[0].suspend = false;
    process.configure(configuration).await;
    let generation = configuration.endpoints[0].generation;
    reported(process, "acme", |status| {
        let conditions = status.conditions.iter().flatten();
        conditions.into_iter().all(|condition| condition.observed_generation == Some(generation))
    })
    .await;
}

#[tokio::test]
async fn what_waits_is_sent_with_the_keys_and_headers_of_its_attempt() {
    let directory = tempfile::tempdir().unwrap();
    // It verifies with the key that comes with the edit.
    let receiver = Receiver::healthy().await;
    let mut configuration = Configuration::new(vec![endpoint_at("acme", receiver.url())]);
    configuration.endpoints[0].suspend = true;
    configuration.endpoints[0].signing_keys[0].key = Redacted::new("b2xkIG9sZCBvbGQgb2xkIG9sZCBvbGQgb2xkIG9sZA==");
    let process = Process::start(directory.path(), &configuration).await;
    process.post_id("held").await;
    configuration.endpoints[0].signing_keys[0].key = Redacted::new(KEY);
    configuration.endpoints[0].headers =
        vec![HeaderValue { name: "x-region".to_owned(), value: Redacted::new("eu"), template: false }];
    edit(&process, &mut configuration).await;
    let received = receiver.delivered(1).await;
    assert_eq!((received[0].id.as_str(), &received[0].headers["x-region"]), ("held", &"eu".parse().unwrap()));
    process.stop().await;
}

#[tokio::test]
async fn what_waits_is_delivered_although_the_endpoint_asks_for_other_types_now() {
    let directory = tempfile::tempdir().unwrap();
    let receiver = Receiver::healthy().await;
    let (process, mut configuration) = holding(directory.path(), &receiver).await;
    configuration.endpoints[0].event_types = Some(vec!["invoice.*".to_owned()]);
    edit(&process, &mut configuration).await;
    process.post_id("unwanted").await;
    process.post(r#"{"id": "invoice", "type": "invoice.paid", "data": 1}"#).await;
    let received = receiver.delivered(2).await;
    assert_eq!(ids(&received), BTreeSet::from(["held", "invoice"]));
    assert_eq!(counts(&process.stop().await, "acme").delivered, Some(2));
}

#[tokio::test]
async fn what_waits_is_delivered_although_the_endpoint_is_disabled_now() {
    let directory = tempfile::tempdir().unwrap();
    let receiver = Receiver::healthy().await;
    let (process, mut configuration) = holding(directory.path(), &receiver).await;
    configuration.endpoints[0].enabled = false;
    edit(&process, &mut configuration).await;
    process.post_id("unmatched").await;
    let received = receiver.delivered(1).await;
    assert_eq!(ids(&received), BTreeSet::from(["held"]));
    let sink = process.stop().await;
    assert_eq!((counts(&sink, "acme").delivered, counts(&sink, "acme").pending), (Some(1), Some(0)));
    assert_eq!(condition(&status(&sink, "acme"), "Healthy").1, "Disabled");
}

#[tokio::test]
async fn an_endpoint_that_an_exhausted_delivery_stopped_keeps_what_comes_until_it_is_edited() {
    let directory = tempfile::tempdir().unwrap();
    let receiver = Receiver::start(|_| StatusCode::IM_A_TEAPOT).await;
    let mut configuration = Configuration::new(vec![endpoint_at("acme", receiver.url())]);
    configuration.endpoints[0].delivery.on_exhausted = OnExhausted::Disable;
    configuration.endpoints[0].delivery.retry.schedule_ms.clear();
    let process = Process::start(directory.path(), &configuration).await;
    process.post_id("dead").await;
    reported(&process, "acme", |status| condition(status, "Healthy") == ("False".into(), "Exhausted".into())).await;
    process.post_id("kept").await;
    process.stop().await;

    receiver.answers(|_| StatusCode::OK);
    let process = Process::start(directory.path(), &configuration).await;
    reported(&process, "acme", |status| condition(status, "Healthy").1 == "Exhausted").await;
    assert_eq!(receiver.received().len(), 1);
    edit(&process, &mut configuration).await;
    assert_eq!(ids(&receiver.delivered(1).await), BTreeSet::from(["kept"]));
    let sink = process.stop().await;
    let delivery = counts(&sink, "acme");
    assert_eq!((delivery.delivered, delivery.dead_lettered, delivery.pending), (Some(1), Some(1), Some(0)));
    assert_eq!(condition(&status(&sink, "acme"), "Healthy").1, "Delivering");
}

#[tokio::test]
async fn a_suspended_endpoint_is_not_sent_what_has_become_too_old() {
    let directory = tempfile::tempdir().unwrap();
    let receiver = Receiver::healthy().await;
    let mut configuration = Configuration::new(vec![endpoint_at("acme", receiver.url())]);
    configuration.endpoints[0].suspend = true;
    configuration.endpoints[0].delivery.retry.max_age_ms = 100;
    let process = Process::start(directory.path(), &configuration).await;
    process.post_id("old").await;
    reported(&process, "acme", |status| {
        status.delivery.as_ref().is_some_and(|delivery| delivery.dead_lettered == Some(1))
    })
    .await;
    configuration.endpoints[0].delivery.retry.max_age_ms = 60_000;
    edit(&process, &mut configuration).await;
    process.post_id("new").await;
    assert_eq!(ids(&receiver.delivered(1).await), BTreeSet::from(["new"]));
    let metrics = process.metrics.clone();
    let delivery = counts(&process.stop().await, "acme");
    assert_eq!((delivery.failed, delivery.dead_lettered, delivery.pending), (Some(0), Some(1), Some(0)));
    assert!(metrics.render().contains(r#"posthaste_deliveries_total{state="deadLettered"} 1"#));
}
