//! From manifests to tables.

use std::{fs, path::PathBuf};

use http::StatusCode;

use super::*;
use crate::{
    config::testing::KEY,
    run::testing::{Receiver, post},
};

const MANIFESTS: &str = "
apiVersion: posthaste.dev/v1alpha1
kind: Webhook
metadata: {name: orders, namespace: shop}
spec:
  limits: {inFlight: 64}
  defaults: {delivery: {retry: {schedule: [20ms, 20ms]}}}
---
apiVersion: v1
kind: Secret
metadata: {name: key, namespace: shop}
stringData: {k1: whsec_KEY}
---
apiVersion: posthaste.dev/v1alpha1
kind: WebhookEndpoint
metadata: {name: good, namespace: shop}
spec:
  webhookRef: {name: orders}
  target: {serviceRef: {name: good}}
  signing: {keys: [{id: k1, secretKeyRef: {name: key, key: k1}}]}
---
apiVersion: posthaste.dev/v1alpha1
kind: WebhookEndpoint
metadata: {name: bad, namespace: shop}
spec:
  webhookRef: {name: orders}
  target: {serviceRef: {name: bad}}
  signing: {keys: [{id: k1, secretKeyRef: {name: key, key: k1}}]}
---
apiVersion: posthaste.dev/v1alpha1
kind: WebhookEndpoint
metadata: {name: incomplete, namespace: shop}
spec:
  webhookRef: {name: orders}
  target: {urlFrom: {secretKeyRef: {name: missing, key: url}}}
";

fn options(file: PathBuf, services: &[String]) -> Options {
    Options {
        standalone: StandaloneArgs {
            files: vec![file],
            services: services.iter().map(|service| service.parse().unwrap()).collect(),
            allow: Vec::new(),
            until_drained: true,
        },
        data_directory: None,
        listen: Some(SocketAddr::from(([127, 0, 0, 1], 0))),
        admin: None,
    }
}

#[tokio::test]
async fn manifests_are_delivered_from_and_end_as_the_tables_of_kubectl() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("orders.yaml");
    fs::write(&file, MANIFESTS.replace("KEY", KEY)).unwrap();
    let (good, bad) = (Receiver::healthy().await, Receiver::start(|_| StatusCode::INTERNAL_SERVER_ERROR).await);
    let services = [format!("shop/good={}", good.address()), format!("shop/bad={}", bad.address())];
    let (_trigger, shutdown) = shutdown::channel();
    let mut out = Vec::new();
    let started = Standalone::start(options(file, &services), &shutdown, &mut out).await.unwrap();
    let mut standalone = started.expect("nobody asked it to stop");
    let (status, body) = post(standalone.delivery.address(), r#"{"type": "order.created", "data": 1}"#).await;
    assert_eq!(status, StatusCode::ACCEPTED, "{body}");
    standalone.wait(&shutdown, true).await.unwrap();
    let temporary = standalone.directory.path().to_owned();
    let tables = standalone.finish().await;
    assert!(!temporary.exists());
    assert_eq!((good.received().len(), bad.received().len()), (1, 3));

    let out = String::from_utf8(out).unwrap();
    assert!(out.contains("everyone on this machine can post events"), "{out}");
    assert!(out.contains("(WebhookEndpoint \"incomplete\"): ") && out.contains("add its manifest"), "{out}");
    let rows: Vec<Vec<&str>> = tables.lines().map(|line| line.split_whitespace().collect()).collect();
    let row =
        |name: &str| rows.iter().find(|row| row.first() == Some(&name)).unwrap_or_else(|| panic!("{name}: {tables}"));
    // What is pending is kept for the endpoint that cannot run.
    assert_eq!(row("orders")[..7], ["orders", "True", "2", "1/2", "1", "3", "1"], "{tables}");
    assert_eq!(row("good")[..9], ["good", "orders", "True", "True", "Delivering", "Closed", "1", "0", "0"], "{tables}");
    assert_eq!(row("bad")[..9], ["bad", "orders", "True", "False", "ServerError", "Closed", "0", "3", "0"], "{tables}");
    assert_eq!(row("incomplete")[..3], ["incomplete", "orders", "False"], "{tables}");
}

#[tokio::test]
async fn manifests_that_are_wrong_are_told_line_by_line() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("orders.yaml");
    fs::write(&file, MANIFESTS.replace("inFlight: 64", "inFlight: 0")).unwrap();
    let (_trigger, shutdown) = shutdown::channel();
    let error = run(options(file, &[]), shutdown, &mut Vec::new()).await.unwrap_err().to_string();
    assert!(error.contains("orders.yaml, document 1 (Webhook \"orders\"): spec.limits.inFlight"), "{error}");
}
