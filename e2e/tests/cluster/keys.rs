//! Signing keys: given, generated, rotated.

use posthaste_e2e::cluster::{
    Chart, ReceiverPod, eventually, in_namespace,
    manifests::{SECRET_1, SECRET_2, endpoint},
};
use serde_json::json;

#[tokio::test]
async fn keys_rotate_with_both_valid_in_between_and_without_a_restart() {
    Chart::ensure().await;
    in_namespace("rotation", async |namespace| {
        let receiver = ReceiverPod::start(namespace).await;
        // The receiver reports by which of its secrets a delivery is verified: 0 is the old one, 1 the new one.
        receiver.secrets("acme", &[SECRET_1, SECRET_2]).await;
        namespace.start_webhook("shop", &endpoint("shop", "acme", "")).await;
        namespace.wait_for("whe/acme", "Ready").await;
        let token = namespace.publisher("backend", "shop").await;
        let pods = namespace.delivery_pods("shop").await;
        let key = |id: &str| json!({"id": id, "secretKeyRef": {"name": "keys", "key": id}});
        let expired =
            json!({"id": "k1", "secretKeyRef": {"name": "keys", "key": "k1"}, "notAfter": "2020-01-01T00:00:00Z"});

        for (step, keys, active, verified_by) in [
            ("old", json!([key("k1")]), json!(["k1"]), vec![0]),
            ("both", json!([key("k2"), key("k1")]), json!(["k2", "k1"]), vec![0, 1]),
            ("expired", json!([key("k2"), expired]), json!(["k2"]), vec![1]),
            ("new", json!([key("k2")]), json!(["k2"]), vec![1]),
        ] {
            namespace.patch("whe/acme", &json!({"spec": {"signing": {"keys": keys}}})).await;
            eventually(&format!("{step}: the keys sign"), async || {
                let status = namespace.get("whe/acme").await.ok_or("gone")?["status"].clone();
                if status["signing"]["activeKeyIDs"] == active { Ok(()) } else { Err(status.to_string()) }
            })
            .await;
            let before = receiver.summary("acme").await.acknowledged;
            receiver.publish("shop", &token, &json!({"id": step, "type": "a", "data": {}})).await;
            receiver.wait_for("acme", before + 1).await;
            let received = receiver.received("acme").await;
            let delivery = received.deliveries.iter().find(|delivery| delivery.id == step).expect("it arrived");
            assert_eq!(delivery.verified_by, verified_by, "{step}");
        }
        assert_eq!(namespace.delivery_pods("shop").await, pods, "no pod was restarted");
    })
    .await;
}

#[tokio::test]
async fn a_key_changed_in_its_secret_is_used_without_an_edit_of_the_endpoint() {
    Chart::ensure().await;
    in_namespace("secret", async |namespace| {
        let receiver = ReceiverPod::start(namespace).await;
        receiver.secrets("acme", &[SECRET_1, SECRET_2]).await;
        namespace.start_webhook("shop", &endpoint("shop", "acme", "")).await;
        namespace.wait_for("whe/acme", "Ready").await;
        let token = namespace.publisher("backend", "shop").await;
        let revision =
            async || namespace.get("whe/acme").await.map(|found| found["status"]["configuration"]["revision"].clone());
        let before = revision().await;
        namespace.patch("secret/keys", &json!({"stringData": {"k1": SECRET_2}})).await;
        eventually("the revision changes", async || {
            let now = revision().await;
            if now.is_some() && now != before { Ok(()) } else { Err(format!("{now:?}")) }
        })
        .await;
        receiver.publish("shop", &token, &json!({"type": "a", "data": {}})).await;
        receiver.wait_for("acme", 1).await;
        assert_eq!(receiver.received("acme").await.deliveries[0].verified_by, [1]);
    })
    .await;
}

#[tokio::test]
async fn an_endpoint_without_keys_signs_with_a_generated_one() {
    Chart::ensure().await;
    in_namespace("generated", async |namespace| {
        let receiver = ReceiverPod::start(namespace).await;
        let manifest = endpoint("shop", "acme", "");
        let without_keys: Vec<_> = manifest.lines().filter(|line| !line.contains("signing:")).collect();
        let without_keys = without_keys.join("\n");
        namespace.start_webhook("shop", &without_keys).await;
        namespace.wait_for("whe/acme", "Ready").await;
        let status = namespace.get("whe/acme").await.expect("it is there")["status"].clone();
        let name = status["signing"]["secretName"].as_str().expect("the status names the Secret");
        let template = "go-template={{.data.key | base64decode}}";
        let key = namespace.kubectl(&["get", "secret", name, "-o", template]).await.ok();
        assert!(key.starts_with("whsec_"));
        receiver.secrets("acme", &[&key]).await;
        let token = namespace.publisher("backend", "shop").await;
        receiver.publish("shop", &token, &json!({"type": "a", "data": {}})).await;
        receiver.wait_for("acme", 1).await;
        assert_eq!(receiver.received("acme").await.deliveries[0].verified_by, [0]);
    })
    .await;
}
