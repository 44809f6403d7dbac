//! The quickstart, as its README says it.

use posthaste_e2e::cluster::{Chart, ReceiverPod, eventually, in_namespace};
use serde_json::json;

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

        let poster = ReceiverPod::start_as(namespace, "poster").await;
        let event = json!({"id": "evt_1", "type": "order.created", "data": {"order": 1}});
        let answer = poster.publish("orders", &token, &event).await;
        assert_eq!(answer, json!({"id": "evt_1", "deliveries": 2}));
        let event = json!({"id": "evt_2", "type": "invoice.paid", "data": {"invoice": 7}});
        assert_eq!(poster.publish("orders", &token, &event).await["deliveries"], 2);

        let mut expected = [
            "audit: verified order.created evt_1 -> 200",
            "audit: verified invoice.paid evt_2 -> 200",
            "shipping: verified order.created evt_1 -> 200",
            "billing: verified invoice.paid evt_2 -> 200",
        ];
        expected.sort_unstable();
        eventually("the receiver's log shows what it verified", async || {
            let log = namespace.kubectl(&["logs", "deployment/receiver"]).await.ok();
            let mut lines: Vec<_> = log.lines().filter(|line| line.contains("evt_")).collect();
            lines.sort_unstable();
            if lines == expected { Ok(()) } else { Err(log) }
        })
        .await;

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
            let expected = ["audit", "orders", "True", "True", "Delivering", "Closed", "2", "0", "0"];
            if columns.get(..9) == Some(&expected[..]) { Ok(()) } else { Err(table) }
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
