//! What goes when something is deleted.

use posthaste_e2e::{
    cluster::{
        Chart, ReceiverPod, eventually, in_namespace,
        manifests::{SECRET_1, endpoint},
    },
    receiver::Behaviour,
};
use serde_json::json;

#[tokio::test]
async fn deleting_a_webhook_removes_all_that_was_made_for_it_and_nothing_else() {
    Chart::ensure().await;
    in_namespace("deletion", async |namespace| {
        ReceiverPod::start(namespace).await;
        let manifest = endpoint("shop", "acme", "");
        let without_keys: Vec<_> = manifest.lines().filter(|line| !line.contains("signing:")).collect();
        let manifest = without_keys.join("\n");
        namespace.start_webhook("shop", &manifest).await;
        namespace.wait_for("whe/acme", "Ready").await;
        let kinds = "deployments,services,secrets,serviceaccounts,roles,rolebindings,networkpolicies,persistentvolumeclaims,pods";
        let owned = ["get", kinds, "-l", "posthaste.dev/webhook=shop", "-o", "name"];
        assert!(namespace.kubectl(&owned).await.ok().lines().count() >= 9);

        namespace.kubectl(&["delete", "webhook", "shop", "--timeout=30s"]).await.ok();
        eventually("all children are gone", async || {
            let rest = namespace.kubectl(&owned).await.ok();
            let rest: Vec<_> = rest.lines().filter(|line| !line.contains("acme-signing")).collect();
            if rest.is_empty() { Ok(()) } else { Err(rest.join(" ")) }
        })
        .await;
        namespace.wait_for_reason("whe/acme", "Accepted", "False", "WebhookNotFound").await;
        namespace.wait_for_reason("whe/acme", "Programmed", "Unknown", "NotDelivering").await;
        for object in ["secret/keys", "service/receiver", "whe/acme", "secret/acme-signing"] {
            assert!(namespace.get(object).await.is_some(), "{object} was not ours to remove");
        }
        namespace.kubectl(&["delete", "whe", "acme", "--timeout=30s"]).await.ok();
        eventually("the generated key goes with its endpoint", async || {
            namespace.get("secret/acme-signing").await.map_or(Ok(()), |_| Err("still there".to_owned()))
        })
        .await;
    })
    .await;
}

#[tokio::test]
async fn deleting_an_endpoint_drops_what_is_pending_for_it_and_frees_the_others() {
    Chart::ensure().await;
    in_namespace("drop", async |namespace| {
        let receiver = ReceiverPod::start(namespace).await;
        receiver.secrets("stays", &[SECRET_1]).await;
        receiver.behave("goes", Behaviour::status(500)).await;
        namespace.start_webhook("shop", &(endpoint("shop", "goes", "") + &endpoint("shop", "stays", ""))).await;
        namespace.wait_for("whe/goes", "Ready").await;
        namespace.wait_for("whe/stays", "Ready").await;
        let token = namespace.publisher("backend", "shop").await;
        receiver.publish("shop", &token, &json!({"type": "a", "data": {}})).await;
        receiver.wait_for("stays", 1).await;
        namespace.wait_for_reason("whe/goes", "Healthy", "False", "ServerError").await;
        namespace.kubectl(&["delete", "whe", "goes", "--timeout=30s"]).await.ok();
        eventually("nothing is pending any more", async || {
            let status = namespace.get("wh/shop").await.ok_or("gone")?["status"].clone();
            let done = status["delivery"]["pending"] == 0 && status["endpoints"]["display"] == "1/1";
            if done { Ok(()) } else { Err(status.to_string()) }
        })
        .await;
        assert_eq!(receiver.publish("shop", &token, &json!({"type": "a", "data": {}})).await["deliveries"], 1);
    })
    .await;
}
