//! What happens to events, from posting to status.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use http::StatusCode;
use posthaste_crds::v1alpha1::{EndpointDeliveryStatus, WebhookEndpointStatus};

use super::{Configuration, Process, endpoint_at};
use crate::{config::State, report::MemorySink, run::testing::Receiver};

pub(super) fn status(sink: &Arc<MemorySink>, name: &str) -> WebhookEndpointStatus {
    sink.endpoints().remove(name).unwrap_or_else(|| panic!("{name} was not reported"))
}

pub(super) fn counts(sink: &Arc<MemorySink>, name: &str) -> EndpointDeliveryStatus {
    status(sink, name).delivery.expect("counts")
}

pub(super) fn condition(status: &WebhookEndpointStatus, type_: &str) -> (String, String) {
    let conditions = status.conditions.iter().flatten();
    let condition = conditions.into_iter().find(|condition| condition.type_ == type_).expect("the condition");
    (condition.status.clone(), condition.reason.clone())
}

#[tokio::test]
async fn an_event_is_delivered_signed_and_counted() {
    let directory = tempfile::tempdir().unwrap();
    let receiver = Receiver::healthy().await;
    let process =
        Process::start(directory.path(), &Configuration::new(vec![endpoint_at("acme", receiver.url())])).await;
    assert!(process.readiness.is_ready(), "{:?}", process.readiness.missing());
    let (code, body) = process.post(r#"{"id": "one", "type": "order.created", "data": {"n": 1.0}}"#).await;
    assert_eq!(code, StatusCode::ACCEPTED, "{body}");
    assert!(body.contains(r#""deliveries":1"#), "{body}");
    let request = receiver.delivered(1).await.remove(0);
    assert_eq!(request.id, "one");
    assert!(request.body.contains(r#""data":{"n": 1.0}"#), "{}", request.body);
    let metrics = process.metrics.clone();
    let sink = process.stop().await;
    let status = status(&sink, "acme");
    assert_eq!(condition(&status, "Healthy"), ("True".to_owned(), "Delivering".to_owned()));
    assert_eq!(condition(&status, "Programmed").0, "True");
    let delivery = status.delivery.unwrap();
    assert_eq!((delivery.delivered, delivery.failed, delivery.pending), (Some(1), Some(0), Some(0)));
    assert!(metrics.render().contains(r#"posthaste_deliveries_total{state="succeeded"} 1"#));
}

#[tokio::test]
async fn a_receiver_that_fails_is_tried_again_with_the_same_id_until_it_recovers() {
    let directory = tempfile::tempdir().unwrap();
    let receiver = Receiver::start(|n| if n < 2 { StatusCode::INTERNAL_SERVER_ERROR } else { StatusCode::OK }).await;
    let process =
        Process::start(directory.path(), &Configuration::new(vec![endpoint_at("acme", receiver.url())])).await;
    process.post_id("one").await;
    receiver.delivered(1).await;
    assert!(receiver.received().iter().all(|received| received.id == "one"));
    let delivery = counts(&process.stop().await, "acme");
    assert_eq!((delivery.delivered, delivery.failed, delivery.retried), (Some(1), Some(2), Some(2)));
}

#[tokio::test]
async fn an_event_that_is_given_up_is_counted_and_does_not_stop_others() {
    let directory = tempfile::tempdir().unwrap();
    let receiver = Receiver::start(|n| if n < 4 { StatusCode::IM_A_TEAPOT } else { StatusCode::OK }).await;
    let process =
        Process::start(directory.path(), &Configuration::new(vec![endpoint_at("acme", receiver.url())])).await;
    process.post_id("dead").await;
    receiver.until(|received| received.len() == 4).await;
    process.post_id("alive").await;
    assert_eq!(receiver.delivered(1).await[0].id, "alive");
    let delivery = counts(&process.stop().await, "acme");
    assert_eq!((delivery.delivered, delivery.failed, delivery.dead_lettered), (Some(1), Some(4), Some(1)));
}

#[tokio::test]
async fn events_go_to_the_endpoints_that_want_their_type_and_tenant() {
    let directory = tempfile::tempdir().unwrap();
    let (all, invoices, acme) = (Receiver::healthy().await, Receiver::healthy().await, Receiver::healthy().await);
    let mut of_invoices = endpoint_at("invoices", invoices.url());
    of_invoices.event_types = Some(vec!["invoice.*".to_owned()]);
    let mut of_acme = endpoint_at("acme", acme.url());
    of_acme.tenant = Some("acme".to_owned());
    let endpoints = vec![of_acme, endpoint_at("all", all.url()), of_invoices];
    let process = Process::start(directory.path(), &Configuration::new(endpoints)).await;
    process.post(r#"{"id": "1", "type": "invoice.paid", "tenant": "acme", "data": 1}"#).await;
    process.post(r#"{"id": "2", "type": "order.created", "tenant": "other", "data": 1}"#).await;
    all.delivered(2).await;
    invoices.delivered(1).await;
    acme.delivered(1).await;
    process.stop().await;
    let ids =
        |receiver: &Receiver| receiver.received().into_iter().map(|received| received.id).collect::<BTreeSet<_>>();
    assert_eq!(ids(&all).len(), 2);
    assert_eq!(ids(&invoices), BTreeSet::from(["1".to_owned()]));
    assert_eq!(ids(&acme), BTreeSet::from(["1".to_owned()]));
}

#[tokio::test]
async fn the_same_id_is_delivered_once() {
    let directory = tempfile::tempdir().unwrap();
    let receiver = Receiver::healthy().await;
    let process =
        Process::start(directory.path(), &Configuration::new(vec![endpoint_at("acme", receiver.url())])).await;
    let event = r#"{"id": "one", "type": "order.created", "data": 1}"#;
    process.post(event).await;
    let (code, body) = process.post(event).await;
    assert_eq!(code, StatusCode::OK, "{body}");
    assert!(body.contains(r#""duplicate":true"#), "{body}");
    let (code, _) = process.post(r#"{"id": "one", "type": "order.created", "data": 2}"#).await;
    assert_eq!(code, StatusCode::CONFLICT);
    process.post_id("two").await;
    receiver.until(|received| received.iter().any(|received| received.id == "two")).await;
    process.stop().await;
    assert_eq!(receiver.received().iter().filter(|received| received.id == "one").count(), 1);
}

#[tokio::test]
async fn a_changed_url_and_a_suspended_endpoint_take_effect_without_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    let (before, after) = (Receiver::healthy().await, Receiver::healthy().await);
    let mut configuration = Configuration::new(vec![endpoint_at("acme", before.url())]);
    let process = Process::start(directory.path(), &configuration).await;
    process.post_id("one").await;
    before.delivered(1).await;

    configuration.webhook.generation = 2;
    configuration.endpoints[0].generation = 2;
    configuration.endpoints[0].suspend = true;
    process.configure(&configuration).await;
    reported(&process, "acme", |status| condition(status, "Healthy").1 == "Suspended").await;
    process.post_id("two").await;

    configuration.endpoints[0] = endpoint_at("acme", after.url());
    configuration.endpoints[0].generation = 3;
    process.configure(&configuration).await;
    assert_eq!(after.delivered(1).await[0].id, "two");
    assert_eq!(before.received().len(), 1);
    process.stop().await;
}

/// Waits until the status of an endpoint is as wanted.
pub(super) async fn reported(process: &Process, name: &str, wanted: impl Fn(&WebhookEndpointStatus) -> bool) {
    let look = async {
        while !process.sink.endpoints().get(name).is_some_and(&wanted) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), look).await.expect("the status is reported");
}

#[tokio::test]
async fn a_gone_endpoint_gets_nothing_until_it_is_edited() {
    let directory = tempfile::tempdir().unwrap();
    let receiver = Receiver::start(|_| StatusCode::GONE).await;
    let mut configuration = Configuration::new(vec![endpoint_at("acme", receiver.url())]);
    let process = Process::start(directory.path(), &configuration).await;
    process.post_id("one").await;
    reported(&process, "acme", |status| condition(status, "Healthy").1 == "Gone").await;
    process.post_id("two").await;
    process.stop().await;
    assert_eq!(receiver.received().len(), 1);

    receiver.answers(|_| StatusCode::OK);
    let process = Process::start(directory.path(), &configuration).await;
    configuration.endpoints[0].generation = 2;
    process.configure(&configuration).await;
    let delivered = receiver.delivered(2).await;
    assert_eq!(delivered.iter().map(|received| received.id.as_str()).collect::<BTreeSet<_>>(), ["one", "two"].into());
    let delivery = counts(&process.stop().await, "acme");
    assert_eq!((delivery.delivered, delivery.failed, delivery.dead_lettered), (Some(2), Some(1), Some(0)));
}

#[tokio::test]
async fn an_absent_endpoint_keeps_its_deliveries_and_a_deleted_one_does_not() {
    let directory = tempfile::tempdir().unwrap();
    let (kept, deleted) = (Receiver::healthy().await, Receiver::healthy().await);
    let mut configuration =
        Configuration::new(vec![endpoint_at("deleted", deleted.url()), endpoint_at("kept", kept.url())]);
    configuration.webhook.suspend = true;
    let process = Process::start(directory.path(), &configuration).await;
    process.post_id("one").await;
    let all = configuration.endpoints.clone();

    configuration.endpoints.clear();
    configuration.parked = vec!["uid-kept".to_owned()];
    configuration.deleted = vec!["uid-deleted".to_owned()];
    configuration.webhook.suspend = false;
    configuration.webhook.generation = 2;
    process.configure(&configuration).await;
    let generation = |process: &Process| process.sink.webhook().configuration.and_then(|loaded| loaded.revision);
    while generation(&process).as_deref() != Some("r2") {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    process.post_id("two").await;

    configuration.endpoints = all;
    configuration.parked.clear();
    process.configure(&configuration).await;
    process.post_id("three").await;
    let received = kept.delivered(3).await;
    assert_eq!(received.iter().map(|received| received.id.as_str()).collect::<BTreeSet<_>>().len(), 3);
    process.stop().await;
    assert!(deleted.received().iter().all(|received| received.id == "three"), "{:?}", deleted.received());
}

#[tokio::test]
async fn an_error_that_comes_together_with_a_configuration_is_shown() {
    let directory = tempfile::tempdir().unwrap();
    let mut configuration = Configuration::new(Vec::new());
    let process = Process::start(directory.path(), &configuration).await;
    configuration.webhook.generation = 2;
    let loaded = Some(configuration.load().await);
    process.configurations.send_replace(State { loaded, error: Some("chunk 7 is not there".to_owned()) });
    // Shown last, whatever was shown in between.
    while !format!("{:?}", process.sink.webhook()).contains("chunk 7 is not there") {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let sink = process.stop().await;
    assert!(format!("{:?}", sink.webhook()).contains("chunk 7 is not there"));
}

#[tokio::test]
async fn what_is_in_flight_is_finished_and_the_rest_waits_for_the_next_process() {
    let directory = tempfile::tempdir().unwrap();
    let receiver = Receiver::start(|_| StatusCode::INTERNAL_SERVER_ERROR).await;
    let mut endpoint = endpoint_at("acme", receiver.url());
    endpoint.delivery.retry.schedule_ms = vec![1_000; 5];
    let configuration = Configuration::new(vec![endpoint]);
    let process = Process::start(directory.path(), &configuration).await;
    for id in ["1", "2", "3"] {
        process.post_id(id).await;
    }
    receiver.until(|received| received.len() == 3).await;
    let delivery = counts(&process.stop().await, "acme");
    assert_eq!((delivery.failed, delivery.pending), (Some(3), Some(3)));

    receiver.answers(|_| StatusCode::OK);
    let process = Process::start(directory.path(), &configuration).await;
    assert_eq!(receiver.delivered(3).await.len(), 3);
    let delivery = counts(&process.stop().await, "acme");
    assert_eq!((delivery.delivered, delivery.failed, delivery.pending), (Some(3), Some(3), Some(0)));
}
