//! The delivery pod killed without warning.

use std::{fs, process::Command};

use posthaste_e2e::{
    cluster::{
        Chart, Namespace, ReceiverPod, eventually, in_namespace,
        manifests::{SECRET_1, endpoint, keys, webhook},
    },
    receiver::{Behaviour, Flood},
};
use serde_json::json;

const EVENTS: u32 = 5000;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_event_accepted_before_or_after_a_sigkill_arrives() {
    Chart::install(&[]).await;
    in_namespace("kill", async |namespace| {
        let receiver = ReceiverPod::start(namespace).await;
        receiver.secrets("acme", &[SECRET_1]).await;
        receiver.behave("acme", Behaviour { delay_ms: 20, ..Behaviour::default() }).await;
        let webhook = webhook("shop").replace("emptyDir: {}", "volumeClaim: {size: 1Gi}");
        namespace.apply(&(webhook + &keys() + &endpoint("shop", "acme", ""))).await;
        namespace.wait_for("webhook/shop", "Ready").await;
        namespace.wait_for("whe/acme", "Ready").await;
        let token = namespace.publisher("backend", "shop").await;
        let pods = namespace.delivery_pods("shop").await;

        let flood = Flood {
            url: posthaste_crds::names::ingest_url("shop", &namespace.name),
            token: Some(token),
            event_type: "order.created".to_owned(),
            prefix: "evt".to_owned(),
            count: EVENTS,
            concurrency: 32,
            tries: 60,
        };
        // All are accepted before any is delivered, so that all 5,000 are under way when the pod dies.
        namespace.patch("whe/acme", &json!({"spec": {"suspend": true}})).await;
        namespace.wait_for_reason("whe/acme", "Healthy", "Unknown", "Suspended").await;
        let flooded = receiver.flood(&flood).await;
        assert_eq!(flooded.accepted, EVENTS, "{flooded:?}");
        namespace.patch("whe/acme", &json!({"spec": {"suspend": false}})).await;
        receiver.wait_for("acme", 500).await;
        let killed = kill(namespace, &pods[0]).await;
        let before = receiver.summary("acme").await;
        assert!(before.acknowledged < u64::from(EVENTS), "it was killed in the middle: {before:?}");

        let summary = receiver.wait_for("acme", u64::from(EVENTS)).await;
        println!("killed by {killed}; {flooded:?}; {summary:?}");
        assert_eq!(summary.unique, u64::from(EVENTS), "{summary:?}");
        assert_eq!(summary.invalid, 0, "{summary:?}");
        // What was in flight, and what was delivered within the last outcomes that had not been synced.
        assert!(summary.duplicates <= 100, "{summary:?}");
        eventually("the counts agree", async || {
            let delivery = namespace.get("whe/acme").await.ok_or("gone")?["status"]["delivery"].clone();
            if delivery["pending"] == 0 && delivery["delivered"] == EVENTS { Ok(()) } else { Err(delivery.to_string()) }
        })
        .await;
    })
    .await;
}

/// Kills the container's process with SIGKILL where the node is this machine, or removes the pod without grace.
async fn kill(namespace: &Namespace, uid: &str) -> &'static str {
    let of_pod = |process: &fs::DirEntry| {
        let path = process.path();
        let in_pod = fs::read_to_string(path.join("cgroup"))
            .is_ok_and(|cgroup| cgroup.contains(uid) || cgroup.contains(&uid.replace('-', "_")));
        in_pod && fs::read_to_string(path.join("cmdline")).is_ok_and(|command| command.contains("delivery-sidecar"))
    };
    let processes = fs::read_dir("/proc").expect("/proc is there");
    let process = processes.flatten().find(of_pod).map(|process| process.file_name().to_string_lossy().into_owned());
    if let Some(id) = process {
        assert!(Command::new("kill").args(["-9", &id]).status().expect("kill runs").success());
        return "SIGKILL";
    }
    assert!(std::env::var_os("E2E_KUBECONFIG").is_some(), "the node is this machine, and the process is not found");
    let selector = posthaste_crds::names::selector("shop");
    namespace.kubectl(&["delete", "pod", "-l", &selector, "--force", "--grace-period=0"]).await.ok();
    "removal of the pod"
}
