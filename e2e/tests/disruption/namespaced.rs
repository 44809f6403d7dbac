//! Namespaced mode: an operator that was given one namespace touches no other.

use std::time::Duration;

use posthaste_e2e::cluster::{
    Chart, OPERATOR_NAMESPACE, ReceiverPod, in_namespace, kubectl,
    manifests::{SECRET_1, endpoint, webhook},
};
use serde_json::json;

#[tokio::test]
async fn namespaced_mode_serves_its_namespace_and_cannot_touch_another() {
    in_namespace("inside", async |inside| {
        in_namespace("outside", async |outside| {
            Chart::uninstall().await;
            Chart::install(&["--set", &format!("watchNamespaces={{{}}}", inside.name)]).await;

            let receiver = ReceiverPod::start(inside).await;
            receiver.secrets("acme", &[SECRET_1]).await;
            inside.start_webhook("shop", &endpoint("shop", "acme", "")).await;
            inside.wait_for("whe/acme", "Ready").await;
            let token = inside.publisher("backend", "shop").await;
            receiver.publish("shop", &token, &json!({"type": "a", "data": {}})).await;
            receiver.wait_for("acme", 1).await;

            outside.apply(&webhook("shop")).await;
            let account = format!("--as=system:serviceaccount:{OPERATOR_NAMESPACE}:posthaste");
            for (verb, resource, subresource) in [
                ("get", "secrets", ""),
                ("list", "webhooks.posthaste.dev", ""),
                ("patch", "deployments.apps", ""),
                ("patch", "webhooks.posthaste.dev", "status"),
            ] {
                let subresource = format!("--subresource={subresource}");
                let ask = ["auth", "can-i", verb, resource, &subresource, &account];
                assert_eq!(inside.kubectl(&ask).await.stdout.trim(), "yes", "{verb} {resource}");
                assert_eq!(outside.kubectl(&ask).await.stdout.trim(), "no", "{verb} {resource}");
                let anywhere = [&ask[..], &["--all-namespaces"]].concat();
                assert_eq!(kubectl(&anywhere, "").await.stdout.trim(), "no", "{verb} {resource}");
            }
            tokio::time::sleep(Duration::from_secs(5)).await;
            let untouched = outside.get("wh/shop").await.expect("it is there");
            assert!(untouched.get("status").is_none(), "{untouched}");
            assert!(outside.get("deployment/shop-delivery").await.is_none());

            Chart::uninstall().await;
            Chart::install(&[]).await;
            outside.wait_for("webhook/shop", "Ready").await;
        })
        .await;
    })
    .await;
}
