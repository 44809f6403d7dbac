//! Installing by Helm into a cluster that knows nothing of Posthaste yet. Runs first, and is alone in its file: nothing else may install before it
//! has looked.

use posthaste_e2e::cluster::{Chart, OPERATOR_NAMESPACE, helm, kubectl};

#[tokio::test]
async fn helm_installs_into_an_empty_cluster_and_says_what_to_do_next() {
    let crds = kubectl(&["get", "crds", "-o", "name"], "").await.ok();
    if !crds.contains("posthaste.dev") {
        // In words that depend on what kubectl remembers of an earlier cluster at this address.
        let before = kubectl(&["get", "webhooks"], "").await.refused();
        let words = ["doesn't have a resource type", "could not find the requested resource"];
        assert!(words.iter().any(|words| before.contains(words)), "{before}");
    }

    Chart::install(&[]).await;

    let crds = kubectl(&["get", "crds", "-o", "name"], "").await.ok();
    for kind in ["webhooks.posthaste.dev", "webhookendpoints.posthaste.dev"] {
        assert!(crds.contains(kind), "{crds}");
    }
    let rollout = ["--namespace", OPERATOR_NAMESPACE, "rollout", "status", "deployment/posthaste", "--timeout=60s"];
    assert!(kubectl(&rollout, "").await.ok().contains("successfully rolled out"));
    let notes = helm(&["get", "notes", "posthaste", "--namespace", OPERATOR_NAMESPACE]).await.ok();
    assert!(notes.contains("kubectl"), "{notes}");
}
