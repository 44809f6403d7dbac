//! What the journal's space is used for, and what happens when it is used up.

use http::StatusCode;

use super::{Configuration, Process, endpoint_at};
use crate::run::testing::Receiver;

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
