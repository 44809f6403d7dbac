//! All steps together, in one process: the real journal on a disk, the real sender to a receiver on this machine.

mod deliveries;
mod documented;
mod edits;
mod replay;
mod restart;
mod space;
mod stories;

use std::{net::SocketAddr, path::Path, sync::Arc, time::Duration};

use http::StatusCode;
use jiff::Timestamp;
use posthaste_delivery_config::{AddressPolicy, Endpoint, Index, Redacted, Tombstone, Waiting, WebhookConfig};
use tokio::sync::watch;

use super::{Delivery, Setup, testing::post};
use crate::{
    admin::Readiness,
    api::Everyone,
    config::{
        Loaded, Loader, State,
        testing::{Written, endpoint, webhook},
    },
    ingest::auth::NoApiServer,
    report::{MemorySink, ReportMetrics},
    shutdown::{self, Trigger},
    telemetry::Metrics,
};

/// A delivery with all that belongs to it.
struct Process {
    delivery: Delivery,
    sink: Arc<MemorySink>,
    configurations: watch::Sender<State>,
    readiness: Readiness,
    metrics: Metrics,
    _trigger: Trigger,
}

/// A configuration that is still to be loaded.
#[derive(Clone)]
struct Configuration {
    webhook: WebhookConfig,
    endpoints: Vec<Endpoint>,
    parked: Vec<String>,
    waiting: Option<Vec<Waiting>>,
    deleted: Vec<String>,
}

impl Configuration {
    fn new(endpoints: Vec<Endpoint>) -> Self {
        let address_policy = AddressPolicy { allow: vec!["127.0.0.0/8".parse().unwrap()], deny: Vec::new() };
        let webhook = WebhookConfig { address_policy, ..webhook(1) };
        Self { webhook, endpoints, parked: Vec::new(), waiting: None, deleted: Vec::new() }
    }

    async fn load(&self) -> Arc<Loaded> {
        let written = Written::default();
        written.write(self.webhook.generation, &[(0, self.endpoints.clone())]);
        let mut index: Index = serde_json::from_slice(&written.current_index()).unwrap();
        index.webhook = self.webhook.clone();
        index.parked.clone_from(&self.parked);
        index.waiting.clone_from(&self.waiting);
        let tombstone = |uid: &String| Tombstone { uid: uid.clone(), time: Timestamp::now() };
        index.tombstones = self.deleted.iter().map(tombstone).collect();
        written.write_index(&index);
        Arc::new(Loader::default().load(&written.current_index(), &written).await.unwrap())
    }
}

/// An endpoint of that name and URL, which is tried again after 20 ms, 40 ms and 80 ms.
fn endpoint_at(name: &str, url: String) -> Endpoint {
    let mut endpoint = endpoint(name);
    endpoint.target.url = Redacted::new(url);
    endpoint.delivery.retry.schedule_ms = vec![20, 40, 80];
    endpoint
}

impl Process {
    async fn start(directory: &Path, configuration: &Configuration) -> Self {
        Self::start_with(directory, configuration, Readiness::new()).await
    }

    async fn start_with(directory: &Path, configuration: &Configuration, readiness: Readiness) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let sink = Arc::new(MemorySink::new());
        let metrics = Metrics::new();
        let loaded = configuration.load().await;
        let (configurations, receiver) = watch::channel(State { loaded: Some(Arc::clone(&loaded)), error: None });
        let setup = Setup {
            data_directory: directory.to_owned(),
            loaded,
            configurations: receiver,
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            authorizer: Arc::new(NoApiServer),
            operators: Arc::new(Everyone),
            sink: Arc::clone(&sink),
            metrics: metrics.clone(),
            report_metrics: ReportMetrics::default(),
            readiness: readiness.clone(),
        };
        let (trigger, shutdown) = shutdown::channel();
        let delivery = Delivery::start(setup, &shutdown).await.unwrap().expect("nobody asked it to stop");
        Self { delivery, sink, configurations, readiness, metrics, _trigger: trigger }
    }

    async fn configure(&self, configuration: &Configuration) {
        self.configurations.send_replace(State { loaded: Some(configuration.load().await), error: None });
    }

    /// Posts an event.
    async fn post(&self, event: &str) -> (StatusCode, String) {
        post(self.delivery.address(), event).await
    }

    /// Posts an event with that id, which must be accepted.
    async fn post_id(&self, id: &str) {
        let event = format!(r#"{{"id": "{id}", "type": "order.created", "data": {{"of": "{id}"}}}}"#);
        let (status, body) = self.post(&event).await;
        assert_eq!(status, StatusCode::ACCEPTED, "{body}");
    }

    /// Waits until a metric, with its labels as in `name{label="value"}`, has the value wanted.
    async fn metric(&self, name: &str, wanted: impl Fn(u64) -> bool) {
        let value = || {
            let text = self.metrics.render();
            let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ').map(str::to_owned));
            line.and_then(|value| value.parse().ok()).unwrap_or_else(|| panic!("{name} is no metric"))
        };
        let look = async {
            while !wanted(value()) {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        let in_time = tokio::time::timeout(Duration::from_secs(30), look).await;
        assert!(in_time.is_ok(), "{name} is {}", value());
    }

    /// Waits until nothing is pending.
    async fn drained(&self) {
        while !self.delivery.is_drained().await {
            tokio::task::yield_now().await;
        }
    }

    /// Stops it, and says what it reported of endpoints last.
    async fn stop(self) -> Arc<MemorySink> {
        self.delivery.stop().await;
        self.sink
    }
}
