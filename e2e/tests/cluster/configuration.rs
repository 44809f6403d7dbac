//! Changes reach the running pod; nothing is restarted and nothing lost.

use posthaste_e2e::cluster::{
    Chart, ReceiverPod, eventually, in_namespace,
    manifests::{SECRET_1, endpoint, keys, webhook},
};
use serde_json::json;

#[tokio::test]
async fn a_changed_url_is_used_without_a_restart() {
    Chart::ensure().await;
    in_namespace("url", async |namespace| {
        let receiver = ReceiverPod::start(namespace).await;
        for stream in ["acme", "moved"] {
            receiver.secrets(stream, &[SECRET_1]).await;
        }
        namespace.start_webhook("shop", &endpoint("shop", "acme", "")).await;
        namespace.wait_for("whe/acme", "Ready").await;
        let pods = namespace.delivery_pods("shop").await;
        assert_eq!(pods.len(), 1);
        let token = namespace.publisher("backend", "shop").await;
        receiver.publish("shop", &token, &json!({"type": "a", "data": {}})).await;
        receiver.wait_for("acme", 1).await;

        namespace.patch("whe/acme", &json!({"spec": {"target": {"serviceRef": {"path": "/hooks/moved"}}}})).await;
        namespace.wait_for("whe/acme", "Programmed").await;
        receiver.publish("shop", &token, &json!({"type": "a", "data": {}})).await;
        receiver.wait_for("moved", 1).await;
        assert_eq!(receiver.summary("acme").await.requests, 1);
        assert_eq!(namespace.delivery_pods("shop").await, pods, "no pod was restarted");
    })
    .await;
}

#[tokio::test]
async fn suspend_keeps_events_and_resume_delivers_them() {
    Chart::ensure().await;
    in_namespace("suspend", async |namespace| {
        let receiver = ReceiverPod::start(namespace).await;
        for stream in ["acme", "globex"] {
            receiver.secrets(stream, &[SECRET_1]).await;
        }
        namespace.start_webhook("shop", &(endpoint("shop", "acme", "") + &endpoint("shop", "globex", ""))).await;
        for endpoint in ["whe/acme", "whe/globex"] {
            namespace.wait_for(endpoint, "Ready").await;
        }
        let pods = namespace.delivery_pods("shop").await;
        let token = namespace.publisher("backend", "shop").await;

        namespace.patch("whe/acme", &json!({"spec": {"suspend": true}})).await;
        namespace.wait_for_reason("whe/acme", "Healthy", "Unknown", "Suspended").await;
        for id in ["one", "two"] {
            receiver.publish("shop", &token, &json!({"id": id, "type": "a", "data": {}})).await;
        }
        receiver.wait_for("globex", 2).await;
        eventually("the suspended endpoint's events are shown as pending", async || {
            let status = namespace.get("whe/acme").await.ok_or("gone")?["status"]["delivery"].clone();
            if status["pending"] == 2 { Ok(()) } else { Err(status.to_string()) }
        })
        .await;
        assert_eq!(receiver.summary("acme").await.requests, 0);
        namespace.patch("whe/acme", &json!({"spec": {"suspend": false}})).await;
        receiver.wait_for("acme", 2).await;

        // The whole Webhook: accepted, kept, and delivered to nobody until it is resumed.
        namespace.patch("wh/shop", &json!({"spec": {"suspend": true}})).await;
        namespace.wait_for_reason("whe/globex", "Healthy", "Unknown", "Suspended").await;
        assert_eq!(
            receiver.publish("shop", &token, &json!({"id": "three", "type": "a", "data": {}})).await["deliveries"],
            2
        );
        assert_eq!(receiver.summary("globex").await.requests, 2);
        namespace.patch("wh/shop", &json!({"spec": {"suspend": false}})).await;
        receiver.wait_for("acme", 3).await;
        receiver.wait_for("globex", 3).await;
        assert_eq!(namespace.delivery_pods("shop").await, pods, "no pod was restarted");
    })
    .await;
}

#[tokio::test]
async fn what_is_missing_is_named_and_heals_when_it_appears() {
    Chart::ensure().await;
    in_namespace("missing", async |namespace| {
        let receiver = ReceiverPod::start(namespace).await;
        receiver.secrets("acme", &[SECRET_1]).await;
        let header = "  headers: [{name: X-Api-Key, valueFrom: {secretKeyRef: {name: acme-api, key: token}}}]";
        namespace.apply(&endpoint("shop", "acme", header)).await;
        let message = namespace.wait_for_reason("whe/acme", "Accepted", "False", "WebhookNotFound").await;
        assert!(message.contains("shop"), "{message}");

        namespace.apply(&webhook("shop")).await;
        let message = namespace.wait_for_reason("whe/acme", "ResolvedRefs", "False", "SecretNotFound").await;
        assert!(message.contains("keys") || message.contains("acme-api"), "{message}");
        namespace.wait_for("webhook/shop", "Ready").await;

        namespace.apply(&keys()).await;
        let message = eventually("the other Secret is named", async || {
            let message = namespace.wait_for_reason("whe/acme", "ResolvedRefs", "False", "SecretNotFound").await;
            if message.contains("acme-api") && !message.contains("\"keys\"") { Ok(message) } else { Err(message) }
        })
        .await;
        assert!(!message.is_empty());
        namespace.kubectl(&["create", "secret", "generic", "acme-api", "--from-literal=token=s3cret"]).await.ok();
        namespace.wait_for("whe/acme", "Ready").await;

        let token = namespace.publisher("backend", "shop").await;
        receiver.publish("shop", &token, &json!({"type": "a", "data": {}})).await;
        receiver.wait_for("acme", 1).await;
        assert_eq!(receiver.received("acme").await.deliveries[0].headers["x-api-key"], "s3cret");

        // The value is nowhere but in the Secrets.
        for object in ["whe/acme", "wh/shop", "events", "deployment/shop-delivery"] {
            let text = namespace.kubectl(&["get", object, "-o", "yaml"]).await.ok();
            assert!(!text.contains("s3cret"), "{text}");
        }
        let log = namespace.kubectl(&["logs", "deployment/shop-delivery"]).await.ok();
        assert!(!log.contains("s3cret") && !log.contains(SECRET_1), "{log}");

        // When a reference breaks again, accepted events wait for it to be mended.
        namespace.kubectl(&["delete", "secret", "acme-api"]).await.ok();
        namespace.wait_for_reason("whe/acme", "ResolvedRefs", "False", "SecretNotFound").await;
        namespace.wait_for_reason("whe/acme", "Programmed", "Unknown", "NotDelivering").await;
        let answer = receiver.publish("shop", &token, &json!({"id": "kept", "type": "a", "data": {}})).await;
        assert_eq!(answer["deliveries"], 1, "it is kept for the endpoint");
        assert_eq!(receiver.summary("acme").await.requests, 1);
        namespace.kubectl(&["create", "secret", "generic", "acme-api", "--from-literal=token=mended"]).await.ok();
        receiver.wait_for("acme", 2).await;
        assert_eq!(receiver.received("acme").await.deliveries[1].headers["x-api-key"], "mended");
    })
    .await;
}

#[tokio::test]
async fn of_more_endpoints_than_the_limit_the_earliest_win() {
    Chart::ensure().await;
    in_namespace("limit", async |namespace| {
        ReceiverPod::start(namespace).await;
        namespace.start_webhook("shop", "").await;
        namespace.patch("wh/shop", &json!({"spec": {"limits": {"endpointsPerTenant": 1}}})).await;
        namespace.apply(&endpoint("shop", "first", "  tenant: acme")).await;
        namespace.wait_for("whe/first", "Ready").await;
        tokio::time::sleep(std::time::Duration::from_secs(1)).await; // creation times have whole seconds
        namespace.apply(&endpoint("shop", "second", "  tenant: acme")).await;
        namespace.apply(&endpoint("shop", "other", "  tenant: globex")).await;
        let message = namespace.wait_for_reason("whe/second", "Accepted", "False", "LimitExceeded").await;
        assert!(message.contains('1'), "{message}");
        namespace.wait_for("whe/other", "Ready").await;
        namespace.kubectl(&["delete", "whe", "first"]).await.ok();
        namespace.wait_for("whe/second", "Ready").await;
    })
    .await;
}
