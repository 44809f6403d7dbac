//! Installing Posthaste by Helm.

use std::path::{Path, PathBuf};

use tokio::sync::{Mutex, OnceCell};

use super::{helm, kubectl};

/// Where the operator runs.
pub const OPERATOR_NAMESPACE: &str = "posthaste-system";

/// The charts of this checkout, with the images that the tests use.
pub struct Chart;

static INSTALLED: OnceCell<()> = OnceCell::const_new();
/// Helm refuses a second operation on a release while one is under way.
static HELM: Mutex<()> = Mutex::const_new(());

impl Chart {
    /// Installs both charts unless this process did so before.
    pub async fn ensure() {
        INSTALLED.get_or_init(async || Self::install(&[]).await).await;
    }

    /// Installs or upgrades both charts, with further arguments to `helm`.
    pub async fn install(extra: &[&str]) {
        let _one_at_a_time = HELM.lock().await;
        let crds = charts().join("posthaste-crds");
        helm(&[
            "upgrade",
            "--install",
            "posthaste-crds",
            path(&crds),
            "--namespace",
            OPERATOR_NAMESPACE,
            "--create-namespace",
        ])
        .await
        .ok();
        let chart = charts().join("posthaste");
        let mut args = vec!["upgrade", "--install", "posthaste", path(&chart), "--namespace", OPERATOR_NAMESPACE];
        args.extend(["--set", "operator.image.repository=localhost/posthaste-operator"]);
        args.extend(["--set", "operator.image.tag=dev"]);
        args.extend(["--set", "delivery.image.repository=localhost/posthaste-delivery"]);
        args.extend(["--set", "delivery.image.tag=dev"]);
        args.extend(["--wait", "--timeout", "120s"]);
        args.extend(extra);
        helm(&args).await.ok();
    }

    /// Removes the operator; the resource definitions, and what users made, stay.
    pub async fn uninstall() {
        helm(&["uninstall", "posthaste", "--namespace", OPERATOR_NAMESPACE, "--wait"]).await.ok();
        let wait = ["wait", "--namespace", OPERATOR_NAMESPACE, "--for=delete", "pod", "--all", "--timeout=60s"];
        kubectl(&wait, "").await;
    }
}

fn charts() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../charts")
}

fn path(path: &Path) -> &str {
    path.to_str().expect("the path of this checkout is UTF-8")
}
