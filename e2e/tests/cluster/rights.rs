//! What the sidecar's own token can do, and what it cannot.

use posthaste_e2e::cluster::{
    Chart, Namespace, Output, in_namespace,
    manifests::{endpoint, keys, webhook},
};

/// Runs `kubectl` with the token of a Webhook's delivery pods.
async fn as_sidecar(namespace: &Namespace, token: &str, args: &[&str]) -> Output {
    let token = format!("--token={token}");
    let empty = "--kubeconfig=/dev/null";
    let (server, ca) = namespace.server().await;
    let (server, ca) = (format!("--server={server}"), format!("--certificate-authority={ca}"));
    let mut all = vec![empty, &server, &ca, &token];
    all.extend(args);
    namespace.kubectl(&all).await
}

#[tokio::test]
async fn the_sidecars_token_writes_its_own_status_and_reads_its_own_configuration_only() {
    Chart::ensure().await;
    in_namespace("rights", async |namespace| {
        let manifests = webhook("shop")
            + "\n---\n"
            + &webhook("other")
            + &keys()
            + &endpoint("shop", "mine", "")
            + &endpoint("other", "theirs", "");
        namespace.apply(&manifests).await;
        namespace.wait_for("webhook/shop", "Ready").await;
        namespace.wait_for("webhook/other", "Ready").await;
        let token = namespace.kubectl(&["create", "token", "shop-delivery"]).await.ok().trim().to_owned();
        let patch = |object: &'static str| {
            ["patch", object, "--subresource=status", "--type=merge", "-p", r#"{"status":{"targetsOmitted":0}}"#]
        };
        let patch_endpoint = |object: &'static str| {
            ["patch", object, "--subresource=status", "--type=merge", "-p", r#"{"status":{"delivery":{"failed":0}}}"#]
        };
        let try_it = async |args: &[&str]| as_sidecar(namespace, &token, args).await;

        // kubectl reads before it patches, which the sidecar may not: what it may do is shown by what gets further.
        let raw = async |path: &str, body: &str| namespace.patch_status_with(&token, path, body).await;
        let own = raw("webhooks/shop", r#"{"status":{"targetsOmitted":0}}"#).await;
        assert_eq!(own.0, 200, "{}", own.1);
        let own = raw("webhookendpoints/mine", r#"{"status":{"delivery":{"failed":0}}}"#).await;
        assert_eq!(own.0, 200, "{}", own.1);
        let foreign = raw("webhooks/other", r#"{"status":{"targetsOmitted":7}}"#).await;
        assert_eq!(foreign.0, 403, "{}", foreign.1);
        let foreign = raw("webhookendpoints/theirs", r#"{"status":{"delivery":{"failed":7}}}"#).await;
        assert_eq!(foreign.0, 403, "{}", foreign.1);
        assert!(foreign.1.contains("posthaste"), "the admission policy says who it is: {}", foreign.1);

        assert!(try_it(&["get", "secret", "shop-delivery"]).await.success);
        for args in [
            &["get", "secret", "keys"][..],
            &["get", "secret", "other-delivery"],
            &["get", "secrets"],
            &["get", "webhooks"],
            &["get", "pods"],
            &["get", "configmaps"],
            &["delete", "webhookendpoint", "mine"],
            &["create", "token", "other-delivery"],
            &patch("webhook/other"),
            &patch_endpoint("webhookendpoint/theirs"),
        ] {
            let refused = try_it(args).await.refused();
            assert!(refused.contains("orbidden"), "{args:?}: {refused}");
        }
    })
    .await;
}
