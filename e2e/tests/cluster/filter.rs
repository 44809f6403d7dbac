//! A filter decides which events an endpoint gets; a wrong one says where.

use posthaste_e2e::cluster::{
    Chart, ReceiverPod, in_namespace,
    manifests::{SECRET_1, endpoint},
};
use serde_json::json;

#[tokio::test]
async fn a_filter_selects_events_and_a_wrong_one_says_where_and_heals_when_mended() {
    Chart::ensure().await;
    in_namespace("filter", async |namespace| {
        let receiver = ReceiverPod::start(namespace).await;
        for stream in ["large", "all"] {
            receiver.secrets(stream, &[SECRET_1]).await;
        }
        let filter = "  filter: event.data.totl > 100 && event.kind == 'order'";
        namespace.start_webhook("shop", &(endpoint("shop", "large", filter) + &endpoint("shop", "all", ""))).await;
        let message = namespace.wait_for_reason("whe/large", "Accepted", "False", "InvalidFilter").await;
        assert!(message.starts_with("filter, line 1, column 32: event has no field \"kind\""), "{message}");
        namespace.wait_for_reason("whe/large", "Ready", "False", "NotAccepted").await;
        namespace.wait_for("whe/all", "Ready").await;

        namespace.patch("whe/large", &json!({"spec": {"filter": "event.data.total > 100"}})).await;
        namespace.wait_for("whe/large", "Ready").await;
        let token = namespace.publisher("backend", "shop").await;
        let deliveries = async |id: &str, data: serde_json::Value| {
            let answer = receiver.publish("shop", &token, &json!({"id": id, "type": "a", "data": data})).await;
            answer["deliveries"].clone()
        };
        assert_eq!(deliveries("small", json!({"total": 100})).await, 1);
        assert_eq!(deliveries("none", json!({"count": 1})).await, 1, "no value is no match");
        assert_eq!(deliveries("large", json!({"total": 100.5})).await, 2);
        receiver.wait_for("all", 3).await;
        receiver.wait_for("large", 1).await;
        assert_eq!(receiver.received("large").await.deliveries[0].headers["webhook-id"], "large");

        // A running filter that is edited is used without a restart.
        let pods = namespace.delivery_pods("shop").await;
        namespace.patch("whe/large", &json!({"spec": {"filter": "event.data.total <= 100"}})).await;
        namespace.wait_for("whe/large", "Programmed").await;
        assert_eq!(deliveries("later", json!({"total": 100})).await, 2);
        receiver.wait_for("large", 2).await;
        assert_eq!(namespace.delivery_pods("shop").await, pods, "no pod was restarted");
    })
    .await;
}
