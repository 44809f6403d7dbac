//! Receivers that fail, and what the user sees of it.

use posthaste_e2e::{
    cluster::{
        Chart, ReceiverPod, eventually, in_namespace,
        manifests::{SECRET_1, endpoint},
    },
    receiver::Behaviour,
};
use serde_json::json;

#[tokio::test]
async fn a_failing_endpoint_is_shown_with_reason_and_counts_and_recovers_by_itself() {
    Chart::ensure().await;
    in_namespace("failing", async |namespace| {
        let receiver = ReceiverPod::start(namespace).await;
        for stream in ["good", "bad"] {
            receiver.secrets(stream, &[SECRET_1]).await;
        }
        receiver.behave("bad", Behaviour::status(500)).await;
        namespace.start_webhook("shop", &(endpoint("shop", "good", "") + &endpoint("shop", "bad", ""))).await;
        namespace.wait_for("whe/good", "Ready").await;
        namespace.wait_for("whe/bad", "Ready").await;
        let token = namespace.publisher("backend", "shop").await;

        for number in 0..3 {
            let event = json!({"id": format!("evt-{number}"), "type": "order.created", "data": {"number": number}});
            receiver.publish("shop", &token, &event).await;
        }
        receiver.wait_for("good", 3).await;
        let message = namespace.wait_for_reason("whe/bad", "Healthy", "False", "ServerError").await;
        assert!(message.contains("500"), "{message}");
        namespace.wait_for_reason("wh/shop", "EndpointsHealthy", "False", "SomeFailing").await;
        let ready = namespace.condition("wh/shop", "Ready").await.expect("it has the condition");
        assert_eq!(ready["status"], "True", "a failing receiver is no fault of the Webhook: {ready}");
        eventually("counts of failures in both statuses", async || {
            let endpoint = namespace.get("whe/bad").await.ok_or("gone")?["status"]["delivery"].clone();
            let webhook = namespace.get("wh/shop").await.ok_or("gone")?["status"].clone();
            let failed = endpoint["failed"].as_i64().unwrap_or_default();
            let consecutive = endpoint["consecutiveFailures"].as_i64().unwrap_or_default();
            let first = &webhook["targets"][0];
            let complete = failed >= 3
                && consecutive >= 3
                && endpoint["pending"] == 3
                && endpoint["lastFailure"]["statusCode"] == 500
                && endpoint["lastFailure"]["reason"] == "ServerError"
                && first["name"] == "bad"
                && first["healthy"] == "False"
                && first["lastStatusCode"] == 500
                && webhook["endpoints"]["display"] == "1/2"
                && webhook["delivery"]["delivered"] == 3;
            if complete { Ok(()) } else { Err(format!("{endpoint} {webhook}")) }
        })
        .await;

        receiver.behave("bad", Behaviour::default()).await;
        receiver.wait_for("bad", 3).await;
        namespace.wait_for_reason("whe/bad", "Healthy", "True", "Delivering").await;
        namespace.wait_for_reason("wh/shop", "EndpointsHealthy", "True", "AllHealthy").await;
        eventually("nothing is pending", async || {
            let delivery = namespace.get("whe/bad").await.ok_or("gone")?["status"]["delivery"].clone();
            let done = delivery["pending"] == 0 && delivery["delivered"] == 3 && delivery["consecutiveFailures"] == 0;
            if done { Ok(()) } else { Err(delivery.to_string()) }
        })
        .await;
        assert_eq!(receiver.summary("bad").await.invalid, 0);
    })
    .await;
}

#[tokio::test]
async fn an_endpoint_that_answers_410_gets_no_more_until_its_spec_changes() {
    Chart::ensure().await;
    in_namespace("gone", async |namespace| {
        let receiver = ReceiverPod::start(namespace).await;
        receiver.secrets("leaver", &[SECRET_1]).await;
        receiver.behave("leaver", Behaviour::status(410)).await;
        namespace.start_webhook("shop", &endpoint("shop", "leaver", "")).await;
        namespace.wait_for("whe/leaver", "Ready").await;
        let token = namespace.publisher("backend", "shop").await;
        receiver.publish("shop", &token, &json!({"id": "one", "type": "a", "data": {}})).await;
        namespace.wait_for_reason("whe/leaver", "Healthy", "False", "Gone").await;
        receiver.publish("shop", &token, &json!({"id": "two", "type": "a", "data": {}})).await;
        receiver.behave("leaver", Behaviour::default()).await;
        assert_eq!(receiver.summary("leaver").await.requests, 1, "nothing was sent after the 410");

        namespace.patch("whe/leaver", &json!({"spec": {"description": "they are back"}})).await;
        let summary = receiver.wait_for("leaver", 2).await;
        assert_eq!(summary.duplicates, 0);
        namespace.wait_for_reason("whe/leaver", "Healthy", "True", "Delivering").await;
    })
    .await;
}

#[tokio::test]
async fn redirects_are_not_followed_and_forbidden_addresses_not_connected_to() {
    Chart::ensure().await;
    in_namespace("refused", async |namespace| {
        let receiver = ReceiverPod::start(namespace).await;
        let location = Some(format!("http://receiver.{}.svc:9000/hooks/elsewhere", namespace.name));
        receiver.behave("moved", Behaviour { status: 307, location, ..Behaviour::default() }).await;
        let by_url = |name: &str, url: &str| {
            format!(
                "
---
apiVersion: posthaste.dev/v1alpha1
kind: WebhookEndpoint
metadata: {{name: {name}}}
spec:
  webhookRef: {{name: shop}}
  target: {{url: \"{url}\", allowHTTP: true}}
"
            )
        };
        let manifests = endpoint("shop", "moved", "")
            + &by_url("inside", &format!("http://receiver.{}.svc:9000/hooks/inside", namespace.name))
            + &by_url("literal", "http://2130706433:8081/metrics")
            + &by_url("metadata", "http://169.254.169.254/latest/meta-data/");
        namespace.start_webhook("shop", &manifests).await;
        namespace.patch("wh/shop", &json!({"spec": {"limits": {"allowHTTP": true}}})).await;
        for name in ["moved", "inside", "literal", "metadata"] {
            namespace.wait_for(&format!("whe/{name}"), "Ready").await;
        }
        let token = namespace.publisher("backend", "shop").await;
        let event = json!({"type": "a", "data": {}});
        assert_eq!(receiver.publish("shop", &token, &event).await["deliveries"], 4);
        namespace.wait_for_reason("whe/moved", "Healthy", "False", "Redirected").await;
        for name in ["inside", "literal", "metadata"] {
            namespace.wait_for_reason(&format!("whe/{name}"), "Healthy", "False", "BlockedAddress").await;
        }
        assert_eq!(receiver.summary("inside").await.requests, 0);
        assert_eq!(receiver.summary("elsewhere").await.requests, 0);
    })
    .await;
}
