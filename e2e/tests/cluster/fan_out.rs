//! Who gets what: types, patterns, tenants.

use posthaste_e2e::cluster::{
    Chart, ReceiverPod, eventually, in_namespace,
    manifests::{SECRET_1, endpoint},
};
use serde_json::json;

#[tokio::test]
async fn an_event_goes_to_every_matching_endpoint_and_to_no_other() {
    Chart::ensure().await;
    in_namespace("fanout", async |namespace| {
        let receiver = ReceiverPod::start(namespace).await;
        let endpoints = [
            ("everything", ""),
            ("created", "  eventTypes: [order.created]"),
            ("orders", "  eventTypes: [\"order.*\"]"),
            ("acme", "  tenant: acme"),
            ("disabled", "  enabled: false"),
        ];
        let mut manifests = String::new();
        for (name, more) in endpoints {
            receiver.secrets(name, &[SECRET_1]).await;
            manifests += &endpoint("shop", name, more);
        }
        namespace.start_webhook("shop", &manifests).await;
        for (name, _) in endpoints {
            namespace.wait_for(&format!("whe/{name}"), "Ready").await;
        }
        let token = namespace.publisher("backend", "shop").await;

        for (id, event_type, tenant, deliveries) in [
            ("a", "order.created", None, 3),
            ("b", "order.shipped", None, 2),
            ("c", "orders", None, 1),
            ("d", "order.created", Some("acme"), 4),
            ("e", "invoice.paid", Some("globex"), 1),
        ] {
            let mut event = json!({"id": id, "type": event_type, "data": {}});
            if let Some(tenant) = tenant {
                event["tenant"] = json!(tenant);
            }
            assert_eq!(receiver.publish("shop", &token, &event).await["deliveries"], deliveries, "{event}");
        }

        for (name, mut expected) in [
            ("everything", vec!["a", "b", "c", "d", "e"]),
            ("created", vec!["a", "d"]),
            ("orders", vec!["a", "b", "d"]),
            ("acme", vec!["d"]),
        ] {
            receiver.wait_for(name, expected.len() as u64).await;
            let received = receiver.received(name).await;
            let mut ids: Vec<_> = received.deliveries.iter().map(|delivery| delivery.id.as_str()).collect();
            ids.sort_unstable();
            expected.sort_unstable();
            assert_eq!(ids, expected, "{name}");
            assert_eq!(received.summary.invalid, 0, "{received:?}");
        }
        assert_eq!(receiver.summary("disabled").await.requests, 0);
    })
    .await;
}

#[tokio::test]
async fn the_body_is_the_data_as_it_was_posted_and_headers_are_rendered() {
    Chart::ensure().await;
    in_namespace("body", async |namespace| {
        let receiver = ReceiverPod::start(namespace).await;
        receiver.secrets("acme", &[SECRET_1]).await;
        let more = "  parameters: {region: eu}
  headers: [{name: X-Region, value: \"${endpoint.parameters.region}/${event.type}\"}]";
        namespace.start_webhook("shop", &endpoint("shop", "acme", more)).await;
        namespace.wait_for("whe/acme", "Ready").await;
        let token = namespace.publisher("backend", "shop").await;
        let time = "2026-01-02T03:04:05.678+01:00";
        let data = r#"{"z": 12.50, "a": [1.0, 1e3, "\u00e9"]}"#;
        let event = format!(r#"{{"id": "evt_1", "type": "order.created", "time": "{time}", "data": {data}}}"#);
        receiver.publish_text("shop", &token, &event).await;
        receiver.wait_for("acme", 1).await;
        let received = receiver.received("acme").await;
        let delivery = &received.deliveries[0];
        assert_eq!(delivery.verified_by, [0], "{:?}", delivery.error);
        assert_eq!(delivery.body, format!(r#"{{"type":"order.created","timestamp":"{time}","data":{data}}}"#));
        assert_eq!(delivery.headers["x-region"], "eu/order.created");
        assert_eq!(delivery.headers["content-type"], "application/json");
        assert_eq!(delivery.headers["webhook-id"], "evt_1");
        assert!(delivery.headers["user-agent"].starts_with("Posthaste/"), "{:?}", delivery.headers);
    })
    .await;
}

#[tokio::test]
async fn endpoints_written_inside_the_webhook_are_kept_as_written() {
    Chart::ensure().await;
    in_namespace("inline", async |namespace| {
        let receiver = ReceiverPod::start(namespace).await;
        namespace.start_webhook("shop", "").await;
        let target = json!({"serviceRef": {"name": "receiver", "port": 9000, "path": "/hooks/inline"}});
        namespace.patch("wh/shop", &json!({"spec": {"endpoints": [{"name": "audit", "target": target}]}})).await;
        eventually("the endpoint is made", async || {
            namespace.get("whe/shop-audit").await.map(|_| ()).ok_or_else(|| "not yet".to_owned())
        })
        .await;
        namespace.wait_for("whe/shop-audit", "Ready").await;
        let secret =
            namespace.kubectl(&["get", "secret", "shop-audit-signing", "-o", "jsonpath={.data.key}"]).await.ok();
        assert!(!secret.is_empty());

        // Edits of it are undone; taking it out of the Webhook removes it.
        namespace.patch("whe/shop-audit", &json!({"spec": {"suspend": true, "displayName": "mine"}})).await;
        eventually("the edit is undone", async || {
            let spec = namespace.get("whe/shop-audit").await.ok_or("gone")?["spec"].clone();
            if spec.get("suspend").is_none_or(|suspend| suspend == false) { Ok(()) } else { Err(spec.to_string()) }
        })
        .await;
        let token = namespace.publisher("backend", "shop").await;
        receiver.publish("shop", &token, &json!({"type": "order.created", "data": {}})).await;
        receiver.wait_for("inline", 1).await;
        namespace.patch("wh/shop", &json!({"spec": {"endpoints": []}})).await;
        eventually("the endpoint is removed", async || {
            namespace.get("whe/shop-audit").await.map_or(Ok(()), |found| Err(found.to_string()))
        })
        .await;
    })
    .await;
}
