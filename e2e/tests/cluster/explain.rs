//! What `kubectl explain` tells about the kinds.

use posthaste_e2e::cluster::{Chart, kubectl};

#[tokio::test]
async fn kubectl_explains_both_kinds() {
    Chart::ensure().await;
    for kind in ["webhooks", "webhookendpoints"] {
        let explained = kubectl(&["explain", kind, "--recursive"], "").await.ok();
        assert!(explained.contains("FIELDS:"), "{explained}");
        let spec = kubectl(&["explain", &format!("{kind}.spec")], "").await.ok();
        assert!(!spec.contains("<no description>"), "{spec}");
    }
}
