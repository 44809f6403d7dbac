//! Posting events over TLS and with keys: what is rotated is used without a restart.

use posthaste_e2e::cluster::{Chart, Namespace, ReceiverPod, eventually, in_namespace};
use serde_json::json;

const OLD: &str = "4b1f0f0e6f7d4c1c9a53d4b5c0a7e911";
const NEW: &str = "9e0c6d6a3a2f4f1e8b7745d21f3c8a60";

/// A certificate for the ingest Service and its key, in PEM.
struct Pair {
    certificate: String,
    key: String,
}

impl Pair {
    fn new(namespace: &Namespace) -> Self {
        let made = rcgen::generate_simple_self_signed([format!("shop-ingest.{}.svc", namespace.name)]);
        let made = made.expect("a certificate can be made");
        Self { certificate: made.cert.pem(), key: made.signing_key.serialize_pem() }
    }
}

/// Writes `shop-tls` as cert-manager does.
async fn write_pair(namespace: &Namespace, certificate: &str, key: &str) {
    let secret = json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "shop-tls"}, "type": "kubernetes.io/tls",
        "stringData": {"tls.crt": certificate, "tls.key": key},
    });
    namespace.apply(&secret.to_string()).await;
}

fn event() -> String {
    json!({"type": "a", "data": {}}).to_string()
}

/// Waits until a post that trusts this certificate only is accepted.
async fn accepted_over(receiver: &ReceiverPod<'_>, certificate: &str) {
    eventually("an event is accepted over TLS", async || {
        let answer = receiver.post_https("shop", certificate, &event()).await;
        if answer.status == 202 { Ok(()) } else { Err(format!("{}: {}", answer.status, answer.body)) }
    })
    .await;
}

#[tokio::test]
async fn a_certificate_is_reloaded_without_a_restart() {
    Chart::ensure().await;
    in_namespace("tls", async |namespace| {
        let receiver = ReceiverPod::start(namespace).await;
        namespace.start_webhook("shop", "").await;
        let pods = namespace.delivery_pods("shop").await;
        let (first, second) = (Pair::new(namespace), Pair::new(namespace));

        let ingest = json!({"authentication": "None", "tls": {"secretRef": {"name": "shop-tls"}}});
        namespace.patch("wh/shop", &json!({"spec": {"ingest": ingest}})).await;
        let message = namespace.wait_for_reason("wh/shop", "ResolvedRefs", "False", "SecretNotFound").await;
        assert!(message.contains("ingest.tls.secretRef") && message.contains("shop-tls"), "{message}");
        namespace.wait_for_reason("wh/shop", "Ready", "False", "UnresolvedRefs").await;

        write_pair(namespace, &first.certificate, &first.key).await;
        namespace.wait_for("wh/shop", "Ready").await;
        let webhook = namespace.get("wh/shop").await.expect("it is there");
        let url = format!("https://shop-ingest.{}.svc/v1/events", namespace.name);
        assert_eq!(webhook["status"]["address"]["url"], url.as_str());
        let service = namespace.get("service/shop-ingest").await.expect("it is there");
        assert_eq!(service["spec"]["ports"].as_array().map(Vec::len), Some(1), "{service}");
        assert_eq!(service["spec"]["ports"][0]["port"], 443);
        assert_eq!(service["spec"]["ports"][0]["appProtocol"], "https");
        accepted_over(&receiver, &first.certificate).await;

        write_pair(namespace, &second.certificate, &second.key).await;
        accepted_over(&receiver, &second.certificate).await;
        let answer = receiver.post_https("shop", &first.certificate, &event()).await;
        assert_eq!(answer.status, 0, "new connections get the new certificate only: {}", answer.body);

        write_pair(namespace, &first.certificate, &second.key).await;
        let message = namespace.wait_for_reason("wh/shop", "ResolvedRefs", "False", "InvalidValue").await;
        assert!(message.contains("not the key of the first certificate"), "{message}");
        accepted_over(&receiver, &second.certificate).await;

        write_pair(namespace, &first.certificate, &first.key).await;
        namespace.wait_for_reason("wh/shop", "ResolvedRefs", "True", "ResolvedRefs").await;
        accepted_over(&receiver, &first.certificate).await;
        assert_eq!(namespace.delivery_pods("shop").await, pods, "no pod was restarted");
    })
    .await;
}

#[tokio::test]
async fn keys_of_producers_rotate_with_both_valid_in_between_and_without_a_restart() {
    Chart::ensure().await;
    in_namespace("bearer", async |namespace| {
        let receiver = ReceiverPod::start(namespace).await;
        namespace.start_webhook("shop", "").await;
        let pods = namespace.delivery_pods("shop").await;
        let until = async |what: &str, expected: [u16; 3]| {
            eventually(what, async || {
                let mut found = [0; 3];
                for (status, key) in found.iter_mut().zip([Some(OLD), Some(NEW), None]) {
                    *status = receiver.post("shop", key, "application/json", &event()).await.status;
                }
                if found == expected { Ok(()) } else { Err(format!("{found:?}")) }
            })
            .await;
        };

        let ingest = json!({"authentication": "BearerKeys", "bearerKeys": {"secretRef": {"name": "producers"}}});
        namespace.patch("wh/shop", &json!({"spec": {"ingest": ingest}})).await;
        namespace.wait_for_reason("wh/shop", "ResolvedRefs", "False", "SecretNotFound").await;
        until("without the Secret producers are asked to come back", [503, 503, 503]).await;

        namespace
            .kubectl(&["create", "secret", "generic", "producers", &format!("--from-literal=old={OLD}")])
            .await
            .ok();
        until("the old key is valid", [202, 401, 401]).await;
        namespace.wait_for("wh/shop", "Ready").await;
        namespace.patch("secret/producers", &json!({"stringData": {"new": NEW}})).await;
        until("both keys are valid", [202, 202, 401]).await;
        namespace.patch("secret/producers", &json!({"data": {"old": null}})).await;
        until("the new key is valid", [401, 202, 401]).await;

        namespace.patch("secret/producers", &json!({"stringData": {"short": "0123456789"}})).await;
        let message = namespace.wait_for_reason("wh/shop", "ResolvedRefs", "False", "InvalidValue").await;
        assert!(message.contains("\"short\"") && !message.contains("0123456789"), "{message}");
        until("a key that cannot be used hinders no other", [401, 202, 401]).await;

        let template = "go-template={{index .data \"index.json\" | base64decode}}";
        let written = namespace.kubectl(&["get", "secret", "shop-delivery", "-o", template]).await.ok();
        assert!(written.contains("bearerKeys") && !written.contains(NEW), "only hashes are written");
        assert_eq!(namespace.delivery_pods("shop").await, pods, "no pod was restarted");
    })
    .await;
}
