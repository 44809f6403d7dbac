//! A journal without space, and what the user sees of it.

use posthaste_e2e::cluster::{
    Chart, ReceiverPod, eventually, in_namespace,
    manifests::{SECRET_1, endpoint},
};
use serde_json::json;

const JSON: &str = "application/json";
/// More than fit into the smallest journal.
const MOST_POSTS: u64 = 120;

#[tokio::test]
async fn a_full_journal_refuses_events_says_so_and_recovers_when_receivers_have_caught_up() {
    Chart::ensure().await;
    in_namespace("space", async |namespace| {
        let receiver = ReceiverPod::start(namespace).await;
        receiver.secrets("acme", &[SECRET_1]).await;
        namespace.start_webhook("shop", &endpoint("shop", "acme", "  suspend: true")).await;
        namespace.wait_for("whe/acme", "Ready").await;
        namespace
            .patch("wh/shop", &json!({"spec": {"journal": {"maxBytes": "16Mi", "maxBytesPerEndpoint": "16Mi"}}}))
            .await;
        namespace.wait_for("wh/shop", "Programmed").await;
        let token = namespace.publisher("backend", "shop").await;

        let event = json!({"type": "a", "data": "x".repeat(200_000)}).to_string();
        receiver.publish_text("shop", &token, &event).await;
        let mut accepted = 1;
        let refused = loop {
            let answer = receiver.post("shop", Some(&token), JSON, &event).await;
            if answer.status != 202 {
                break answer;
            }
            accepted += 1;
            assert!(accepted < MOST_POSTS, "the journal does not fill up");
        };
        assert_eq!(refused.status, 503, "{}", refused.body);
        assert_eq!(refused.content_type, "application/problem+json");
        assert!(refused.retry_after.is_some());
        let message = namespace.wait_for_reason("wh/shop", "Ready", "False", "JournalFull").await;
        assert!(message.contains("journal.maxBytes"), "{message}");

        namespace.patch("whe/acme", &json!({"spec": {"suspend": false}})).await;
        let summary = receiver.wait_for("acme", accepted).await;
        assert_eq!(summary.invalid, 0);
        namespace.wait_for("wh/shop", "Ready").await;
        eventually("events are taken again", async || {
            let answer = receiver.post("shop", Some(&token), JSON, &event).await;
            if answer.status == 202 { Ok(()) } else { Err(answer.body) }
        })
        .await;
    })
    .await;
}
