//! What Prometheus and Grafana make of Posthaste.

use std::path::Path;

use posthaste_e2e::cluster::{
    Chart, OPERATOR_NAMESPACE, Prometheus, ReceiverPod, eventually, in_namespace,
    manifests::{SECRET_1, endpoint},
};
use serde_json::{Value, json};

const MONITORING: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../charts/posthaste/monitoring");

/// The number that an expression comes to.
async fn number(prometheus: &Prometheus, expression: &str) -> Result<f64, String> {
    let samples = prometheus.query(expression).await?;
    let value = samples.first().and_then(|sample| sample["value"][1].as_str()).ok_or("no sample yet")?;
    value.parse().map_err(|_| format!("{value} is no number"))
}

/// All expressions of the dashboard, for all namespaces and Webhooks.
fn dashboard_expressions() -> Vec<String> {
    let text = std::fs::read_to_string(Path::new(MONITORING).join("dashboard.json")).expect("the dashboard is there");
    let dashboard: Value = serde_json::from_str(&text).expect("the dashboard is JSON");
    let panels = dashboard["panels"].as_array().expect("it has panels").iter();
    panels
        .flat_map(|panel| panel["targets"].as_array().cloned().unwrap_or_default())
        .map(|target| target["expr"].as_str().expect("a target has an expression").to_owned())
        .map(|text| text.replace("$namespace", ".*").replace("$webhook", ".*").replace("$__rate_interval", "1m"))
        .collect()
}

#[tokio::test]
async fn prometheus_scrapes_operator_and_sidecar_evaluates_the_alerts_and_fills_the_dashboard() {
    Chart::ensure().await;
    in_namespace("monitoring", async |namespace| {
        let receiver = ReceiverPod::start(namespace).await;
        receiver.secrets("acme", &[SECRET_1]).await;
        namespace.start_webhook("shop", &endpoint("shop", "acme", "")).await;
        namespace.wait_for("whe/acme", "Ready").await;
        let namespaces = [namespace.name.as_str(), OPERATOR_NAMESPACE];
        let prometheus = Prometheus::start(&namespaces, &Path::new(MONITORING).join("alerts.yaml")).await;

        let token = namespace.publisher("backend", "shop").await;
        receiver.publish("shop", &token, &json!({"type": "a", "data": {}})).await;
        receiver.wait_for("acme", 1).await;
        let of_shop = format!("{{namespace=\"{}\",posthaste_dev_webhook=\"shop\"}}", namespace.name);
        for (expression, expected) in [
            (format!("up{of_shop}"), 1.0),
            (format!("posthaste_endpoints{of_shop}"), 1.0),
            (format!("sum(posthaste_ingest_events_total{{result=\"accepted\",namespace=\"{}\"}})", namespace.name), 1.0),
            (format!("sum(posthaste_attempts_total{{result=\"Succeeded\",namespace=\"{}\"}})", namespace.name), 1.0),
            ("sum(posthaste_operator_leading)".to_owned(), 1.0),
        ] {
            eventually(&expression, async || {
                let found = number(&prometheus, &expression).await?;
                if (found - expected).abs() < f64::EPSILON { Ok(()) } else { Err(found.to_string()) }
            })
            .await;
        }

        for expression in dashboard_expressions() {
            prometheus.query(&expression).await.unwrap_or_else(|error| panic!("{expression}: {error}"));
        }
        let rules = eventually("each alert has been evaluated", async || {
            let rules = prometheus.alerting_rules().await?;
            let rest = rules.iter().any(|rule| rule["health"] == "unknown");
            if rules.is_empty() || rest { Err(format!("{rules:?}")) } else { Ok(rules) }
        })
        .await;
        for rule in rules {
            assert_eq!(rule["health"], "ok", "{rule}");
            assert_ne!(rule["state"], "firing", "nothing is wrong: {rule}");
        }
    })
    .await;
}
