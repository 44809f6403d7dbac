//! Deliveries do not need the operator; an upgrade of the chart keeps what is pending.

use posthaste_e2e::{
    cluster::{
        Chart, OPERATOR_NAMESPACE, ReceiverPod, eventually, in_namespace, kubectl,
        manifests::{SECRET_1, endpoint, keys, webhook},
    },
    receiver::{Behaviour, Flood},
};
use serde_json::json;

#[tokio::test]
async fn deliveries_go_on_while_the_operator_is_away_and_it_takes_over_again() {
    Chart::install(&[]).await;
    in_namespace("away", async |namespace| {
        let receiver = ReceiverPod::start(namespace).await;
        receiver.secrets("acme", &[SECRET_1]).await;
        namespace.start_webhook("shop", &endpoint("shop", "acme", "")).await;
        namespace.wait_for("whe/acme", "Ready").await;
        let token = namespace.publisher("backend", "shop").await;
        let pods = namespace.delivery_pods("shop").await;

        // One that is complete, with a volume and an endpoint inside it, to be deleted while nobody looks.
        let inline = "  endpoints: [{name: audit, target: {serviceRef: {name: receiver, port: 9000}}}]\n";
        let doomed = webhook("doomed").replace("emptyDir: {}", "volumeClaim: {size: 1Gi}") + inline;
        namespace.apply(&doomed).await;
        namespace.wait_for("webhook/doomed", "Ready").await;

        let flood = Flood {
            url: posthaste_crds::names::ingest_url("shop", &namespace.name),
            token: Some(token.clone()),
            event_type: "order.created".to_owned(),
            prefix: "evt".to_owned(),
            count: 300,
            concurrency: 1,
            tries: 30,
        };
        receiver.behave("acme", Behaviour { delay_ms: 50, ..Behaviour::default() }).await;
        let (flooded, ()) = futures::join!(receiver.flood(&flood), Chart::uninstall());
        assert_eq!(flooded.accepted, 300, "{flooded:?}");
        receiver.wait_for("acme", 300).await;
        let left =
            kubectl(&["get", "deployments,services,serviceaccounts,roles", "-n", OPERATOR_NAMESPACE, "-o", "name"], "");
        let left = left.await.ok();
        assert!(!left.contains("/posthaste"), "{left}");
        for kept in [
            "crd/webhooks.posthaste.dev",
            "crd/webhookendpoints.posthaste.dev",
            "clusterrole/posthaste-delivery-reviewer",
        ] {
            assert!(kubectl(&["get", kept], "").await.success, "{kept} stays");
        }
        assert!(!kubectl(&["get", "clusterrole/posthaste"], "").await.success, "the operator's rights go");

        // Nothing hangs on the operator: what is deleted meanwhile goes, with all that was made for it.
        namespace.kubectl(&["delete", "webhook", "doomed", "--timeout=20s"]).await.ok();
        eventually("its children are gone", async || {
            let kinds = "deployments,services,pods,roles,persistentvolumeclaims,webhookendpoints";
            let rest =
                namespace.kubectl(&["get", kinds, "-l", "posthaste.dev/webhook=doomed", "-o", "name"]).await.ok();
            if rest.is_empty() { Ok(()) } else { Err(rest) }
        })
        .await;

        Chart::install(&[]).await;
        namespace.patch("whe/acme", &json!({"spec": {"target": {"serviceRef": {"path": "/hooks/moved"}}}})).await;
        receiver.secrets("moved", &[SECRET_1]).await;
        namespace.wait_for("whe/acme", "Ready").await;
        receiver.publish("shop", &token, &json!({"type": "a", "data": {}})).await;
        receiver.wait_for("moved", 1).await;
        assert_eq!(namespace.delivery_pods("shop").await, pods, "no pod was restarted");
    })
    .await;
}

#[tokio::test]
async fn an_upgrade_that_replaces_the_delivery_pod_keeps_the_journal() {
    Chart::install(&[]).await;
    in_namespace("upgrade", async |namespace| {
        let receiver = ReceiverPod::start(namespace).await;
        receiver.secrets("acme", &[SECRET_1]).await;
        receiver.behave("acme", Behaviour::status(500)).await;
        let webhook = webhook("shop").replace("emptyDir: {}", "volumeClaim: {size: 1Gi}");
        namespace.apply(&(webhook + &keys() + &endpoint("shop", "acme", ""))).await;
        namespace.wait_for("webhook/shop", "Ready").await;
        namespace.wait_for("whe/acme", "Ready").await;
        let token = namespace.publisher("backend", "shop").await;
        for id in ["one", "two", "three"] {
            receiver.publish("shop", &token, &json!({"id": id, "type": "a", "data": {}})).await;
        }
        namespace.wait_for_reason("whe/acme", "Healthy", "False", "ServerError").await;
        let pods = namespace.delivery_pods("shop").await;

        // Another log level is another pod template, as another image would be.
        Chart::install(&["--set", "log.level=debug"]).await;
        eventually("the pod is another one", async || {
            let now = namespace.delivery_pods("shop").await;
            if now.len() == 1 && now != pods { Ok(()) } else { Err(format!("{now:?}")) }
        })
        .await;
        receiver.behave("acme", Behaviour::default()).await;
        namespace.wait_for("webhook/shop", "Ready").await;
        let summary = receiver.wait_for("acme", 3).await;
        assert_eq!(summary.acknowledged, 3);
        eventually("counts go on from where they were", async || {
            let delivery = namespace.get("whe/acme").await.ok_or("gone")?["status"]["delivery"].clone();
            let failed = delivery["failed"].as_i64().unwrap_or_default();
            if delivery["delivered"] == 3 && failed >= 3 { Ok(()) } else { Err(delivery.to_string()) }
        })
        .await;
        Chart::install(&[]).await;
    })
    .await;
}

#[tokio::test]
async fn the_operator_shows_health_readiness_and_metrics() {
    Chart::install(&[]).await;
    let path = |path: &str| format!("/api/v1/namespaces/{OPERATOR_NAMESPACE}/pods/{}/proxy/{path}", "{pod}");
    let selector = [
        "--namespace",
        OPERATOR_NAMESPACE,
        "get",
        "pods",
        "-l",
        "app.kubernetes.io/name=posthaste",
        "-o",
        "jsonpath={.items[0].metadata.name}",
    ];
    let pod = kubectl(&selector, "").await.ok();
    let get = async |what: &str| {
        let raw = path(what).replace("{pod}", &format!("{pod}:8080"));
        kubectl(&["get", "--raw", &raw], "").await
    };
    assert!(get("healthz").await.success);
    assert!(get("readyz").await.success);
    let metrics = get("metrics").await.ok();
    assert!(metrics.contains("posthaste_operator_reconcil"), "{metrics}");
}
