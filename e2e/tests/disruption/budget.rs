//! What Posthaste costs the API server, by its own request metrics.

use std::time::{Duration, Instant};

use posthaste_e2e::{
    cluster::{
        Chart, Namespace, ReceiverPod, eventually_for, in_namespace,
        manifests::{SECRET_1, endpoint, keys, webhook},
        requests,
    },
    receiver::Behaviour,
};
use serde_json::json;

/// Requests that a cluster makes without Posthaste: the node's heartbeat, leases, and the Events of its own parts, which
/// are of the core group while Posthaste's are looked at one by one.
const NOT_OURS: [&str; 3] = ["leases/", "nodes/status", "events/"];

/// How many Events Posthaste has reported in a namespace.
async fn own_events(namespace: &Namespace) -> usize {
    let path = "jsonpath={range .items[*]}{.reportingComponent}{\"\\n\"}{end}";
    let reporters = namespace.kubectl(&["get", "events", "-o", path]).await.ok();
    reporters.lines().filter(|reporter| reporter.contains("posthaste")).count()
}

#[tokio::test]
async fn an_idle_installation_writes_nothing_but_its_lease() {
    Chart::install(&[]).await;
    in_namespace("idle", async |namespace| {
        let receiver = ReceiverPod::start(namespace).await;
        receiver.secrets("acme", &[SECRET_1]).await;
        namespace.start_webhook("shop", &endpoint("shop", "acme", "")).await;
        namespace.wait_for("whe/acme", "Ready").await;
        let token = namespace.publisher("backend", "shop").await;
        receiver.publish("shop", &token, &json!({"type": "a", "data": {}})).await;
        receiver.wait_for("acme", 1).await;
        // Until the last count has been written.
        tokio::time::sleep(Duration::from_secs(25)).await;

        let events = own_events(namespace).await;
        let before = requests(&namespace.client).await;
        tokio::time::sleep(Duration::from_secs(60)).await;
        assert_eq!(own_events(namespace).await, events, "no Events");
        let mut writes = requests(&namespace.client).await.writes_since(&before);
        println!("writes in a minute: {writes:?}");
        let leases: u64 = writes.iter().filter(|(what, _)| what.contains("leases/")).map(|(_, count)| count).sum();
        writes.retain(|what, _| !NOT_OURS.iter().any(|known| what.contains(known)));
        assert!(writes.is_empty(), "{writes:?}");
        // The node and the API server renew theirs every 10 s, the operator every 5 s.
        assert!(leases <= 26, "{leases}");
    })
    .await;
}

/// Status writes a second in the test below, less than the default, so that the bound is tight.
const PER_SECOND: u64 = 2;
/// Most transitions that are written before there is a write for them.
const BORROWED: u64 = 50;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn status_writes_stay_within_the_budget_while_50_endpoints_fail_and_recover() {
    Chart::install(&["--set", &format!("status.writesPerSecond={PER_SECOND}")]).await;
    in_namespace("budget", async |namespace| {
        let receiver = ReceiverPod::start(namespace).await;
        let names: Vec<_> = (0..50).map(|number| format!("target-{number}")).collect();
        let mut manifests = webhook("shop") + &keys();
        for name in &names {
            manifests += &endpoint("shop", name, "");
            receiver.secrets(name, &[SECRET_1]).await;
        }
        namespace.apply(&manifests).await;
        namespace.wait_for("webhook/shop", "Ready").await;
        let endpoints = namespace.endpoints();
        let all = async |healthy: &str| {
            eventually_for(Duration::from_secs(180), &format!("all are {healthy}"), async || {
                let list = endpoints.list(&Default::default()).await.map_err(|error| error.to_string())?;
                let count = list
                    .items
                    .iter()
                    .filter_map(|endpoint| endpoint.status.as_ref()?.conditions.as_ref())
                    .filter(|all| all.iter().any(|one| one.type_ == "Healthy" && one.status == healthy))
                    .count();
                if count == 50 { Ok(()) } else { Err(format!("{count} of 50")) }
            })
            .await;
        };
        all("Unknown").await;
        let token = namespace.publisher("backend", "shop").await;

        let start = Instant::now();
        let before = requests(&namespace.client).await;
        for (round, status, healthy) in [("first", 503, "False"), ("second", 200, "True")] {
            for name in &names {
                receiver.behave(name, Behaviour::status(status)).await;
            }
            for number in 0..20 {
                let id = format!("{round}-{number}");
                receiver.publish("shop", &token, &json!({"id": id, "type": "a", "data": {}})).await;
            }
            all(healthy).await;
        }
        tokio::time::sleep(Duration::from_secs(20)).await;
        let seconds = start.elapsed().as_secs();
        let writes = requests(&namespace.client).await.writes_since(&before);
        let status: u64 = writes
            .iter()
            .filter(|(what, _)| what.contains("webhookendpoints/status") || what.contains("webhooks/status"))
            .map(|(_, count)| count)
            .sum();
        // What may be saved up, what transitions may borrow, and what comes back meanwhile. Without the bucket, 51 resources
        // written every ten seconds would be five a second.
        let allowed = 4 * PER_SECOND + BORROWED + PER_SECOND * seconds;
        println!("{status} status writes in {seconds} s for {} attempts or more; allowed {allowed}", 2 * 20 * 50);
        assert!(status <= allowed, "{writes:?} in {seconds} s");
        assert!(status >= 100, "each transition was shown: {writes:?}");
    })
    .await;
}
