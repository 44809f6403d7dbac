//! What is the operator's and what is not.

use posthaste_e2e::cluster::{Chart, eventually, in_namespace, manifests};
use serde_json::json;

#[tokio::test]
async fn a_child_that_someone_else_owns_is_never_taken_over() {
    Chart::ensure().await;
    in_namespace("conflict", async |namespace| {
        namespace
            .apply(
                "
apiVersion: v1
kind: Service
metadata: {name: shop-ingest}
spec: {selector: {app: legacy}, ports: [{port: 9999}]}
",
            )
            .await;
        let before = namespace.get("service/shop-ingest").await.expect("it is there");
        namespace.apply(&manifests::webhook("shop")).await;
        let message = namespace.wait_for_reason("wh/shop", "Accepted", "False", "NameConflict").await;
        assert!(message.contains("Service") && message.contains("shop-ingest"), "{message}");
        namespace.wait_for_reason("wh/shop", "Ready", "False", "NotAccepted").await;
        let after = namespace.get("service/shop-ingest").await.expect("it is there");
        assert_eq!(before["metadata"]["resourceVersion"], after["metadata"]["resourceVersion"], "it was not touched");
        let events =
            namespace.kubectl(&["get", "events", "--field-selector=reason=NameConflict", "-o", "name"]).await.ok();
        assert_eq!(events.lines().count(), 1, "{events}");

        namespace.kubectl(&["delete", "service", "shop-ingest"]).await.ok();
        namespace.wait_for("webhook/shop", "Ready").await;
    })
    .await;
}

#[tokio::test]
async fn children_that_someone_edits_or_deletes_come_back() {
    Chart::ensure().await;
    in_namespace("children", async |namespace| {
        namespace.start_webhook("shop", "").await;
        namespace
            .patch("service/shop-ingest", &json!({"spec": {"selector": {"posthaste.dev/webhook": "elsewhere"}}}))
            .await;
        eventually("the edit is undone", async || {
            let selector = namespace.get("service/shop-ingest").await.ok_or("gone")?["spec"]["selector"].clone();
            if selector["posthaste.dev/webhook"] == "shop" { Ok(()) } else { Err(selector.to_string()) }
        })
        .await;
        let deployment = namespace.get("deployment/shop-delivery").await.expect("it is there");
        for (kind, name) in
            [("role", "shop-publisher"), ("networkpolicy", "shop-delivery"), ("secret", "shop-delivery")]
        {
            let object = format!("{kind}/{name}");
            namespace.kubectl(&["delete", &object]).await.ok();
            eventually(&format!("{object} comes back"), async || {
                namespace.get(&object).await.map(|_| ()).ok_or_else(|| "gone".to_owned())
            })
            .await;
        }
        let again = namespace.get("deployment/shop-delivery").await.expect("it is there");
        assert_eq!(deployment["metadata"]["generation"], again["metadata"]["generation"], "no rollout for that");
    })
    .await;
}

#[tokio::test]
async fn a_webhook_scales_to_zero_and_back_and_keeps_its_journal() {
    Chart::ensure().await;
    in_namespace("scale", async |namespace| {
        let webhook = manifests::webhook("shop").replace("emptyDir: {}", "volumeClaim: {size: 1Gi}");
        namespace.apply(&webhook).await;
        namespace.wait_for("webhook/shop", "Ready").await;
        namespace.kubectl(&["scale", "webhook", "shop", "--replicas=0"]).await.ok();
        namespace.wait_for_reason("wh/shop", "Ready", "False", "ScaledToZero").await;
        eventually("the pod is gone", async || {
            let pods = namespace.delivery_pods("shop").await;
            if pods.is_empty() { Ok(()) } else { Err(format!("{pods:?}")) }
        })
        .await;
        namespace.kubectl(&["scale", "webhook", "shop", "--replicas=1"]).await.ok();
        namespace.wait_for("webhook/shop", "Ready").await;
        namespace.kubectl(&["scale", "webhook", "shop", "--replicas=2"]).await.refused();
    })
    .await;
}
