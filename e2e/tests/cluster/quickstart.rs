//! The quickstart, as its README says it.

use posthaste_e2e::cluster::{Chart, ReceiverPod, eventually, in_namespace};
use serde_json::{Value, json};

const WEBHOOK: &str = include_str!("../../../examples/quickstart/webhook.yaml");
const RECEIVER: &str = include_str!("../../../examples/quickstart/receiver.yaml");

#[tokio::test]
async fn the_quickstart_delivers_verified_events_and_shows_them_in_status() {
    Chart::ensure().await;
    in_namespace("quickstart", async |namespace| {
        namespace.apply(WEBHOOK).await;
        namespace.apply(RECEIVER).await;
        namespace.wait_for("webhook/orders", "Ready").await;
        for endpoint in ["audit", "billing", "shipping"] {
            namespace.wait_for(&format!("webhookendpoint/{endpoint}"), "Ready").await;
        }
        namespace.wait_for("deployment/receiver", "Available").await;
        let token = namespace.publisher("shop", "orders").await;

        let receiver = ReceiverPod::attach(namespace).await;
        let event = json!({"id": "evt_1", "type": "order.created", "data": {"order": 1, "total": 12.50}});
        let answer = receiver.publish("orders", &token, &event).await;
        assert_eq!(answer, json!({"id": "evt_1", "deliveries": 2}));
        let event = json!({"type": "invoice.paid", "data": {"invoice": 7}});
        assert_eq!(receiver.publish("orders", &token, &event).await["deliveries"], 2);

        receiver.wait_for("audit", 2).await;
        receiver.wait_for("shipping", 1).await;
        receiver.wait_for("billing", 1).await;
        let received = receiver.received("shipping").await;
        let delivery = &received.deliveries[0];
        assert_eq!(delivery.id, "evt_1");
        assert_eq!(delivery.verified_by, [0], "{:?}", delivery.error);
        assert_eq!(delivery.headers["x-region"], "eu");
        assert_eq!(delivery.headers["content-type"], "application/json");
        let body: Value = serde_json::from_str(&delivery.body).expect("the body is JSON");
        assert_eq!(body["type"], "order.created");
        assert!(
            delivery.body.ends_with(r#""data":{"order": 1, "total": 12.50}}"#)
                || delivery.body.ends_with(r#""data":{"order":1,"total":12.5}}"#),
            "{}",
            delivery.body
        );

        let table = eventually("the counts in kubectl get", async || {
            let table = namespace.kubectl(&["get", "webhooks"]).await.ok();
            let columns: Vec<_> =
                table.lines().nth(1).unwrap_or_default().split_whitespace().map(str::to_owned).collect();
            match columns.get(..7) {
                Some(found) if found[..7] == ["orders", "True", "3", "3/3", "4", "0", "0"] => Ok(table),
                _ => Err(table),
            }
        })
        .await;
        let header: Vec<_> = table.lines().next().unwrap_or_default().split_whitespace().collect();
        assert_eq!(header, ["NAME", "READY", "ENDPOINTS", "HEALTHY", "DELIVERED", "FAILED", "PENDING", "AGE"]);
        eventually("the counts of each endpoint", async || {
            let table = namespace.kubectl(&["get", "whe"]).await.ok();
            let row = table.lines().find(|line| line.starts_with("audit")).unwrap_or_default().to_owned();
            let columns: Vec<_> = row.split_whitespace().collect();
            if columns.get(..8) == Some(&["audit", "orders", "True", "True", "Delivering", "Closed", "2", "0"][..])
                || columns.get(..7) == Some(&["audit", "orders", "True", "True", "Delivering", "2", "0"][..])
            {
                Ok(())
            } else {
                Err(table)
            }
        })
        .await;

        let wide = namespace.kubectl(&["get", "wh", "-o", "wide"]).await.ok();
        assert!(wide.contains(&format!("http://orders-ingest.{}.svc/v1/events", namespace.name)), "{wide}");
        let described = namespace.kubectl(&["describe", "webhook", "orders"]).await.ok();
        for word in ["Delivered:", "Targets:", "Conditions:", "EndpointsHealthy", "AllHealthy"] {
            assert!(described.contains(word), "{word} in {described}");
        }
        let selector = "--field-selector=spec.webhookRef.name=orders";
        let names = namespace.kubectl(&["get", "posthaste", "-o", "name"]).await.ok();
        assert_eq!(names.lines().count(), 4, "{names}");
        let selected = namespace.kubectl(&["get", "whe", selector, "-o", "name"]).await.ok();
        assert_eq!(selected.lines().count(), 3, "{selected}");
    })
    .await;
}
