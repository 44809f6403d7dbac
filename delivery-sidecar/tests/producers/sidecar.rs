//! The real program, with keys of producers and one endpoint.

use std::{net::SocketAddr, process::Stdio, sync::Arc, time::Duration};

use axum::{Router, extract::State, http::HeaderMap, routing};
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    net::TcpListener,
    process::{Child, Command},
    sync::watch,
    time::timeout,
};

/// The key that producers have.
pub const KEY: &str = "5a1d0b7f4c9e42d8a6f3e1b2c7d80946";
/// A sidecar or a delivery that takes longer has failed.
const PATIENCE: Duration = Duration::from_secs(60);

type Ids = Arc<watch::Sender<Vec<String>>>;

/// See the module. Killed when it is dropped.
pub struct Sidecar {
    address: SocketAddr,
    ids: Ids,
    _child: Child,
    _directory: TempDir,
}

impl Sidecar {
    /// Starts it and a receiver.
    pub async fn start() -> Self {
        let ids = Ids::default();
        let receiver = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let target = receiver.local_addr().unwrap();
        let router = Router::new().route("/", routing::post(receive)).with_state(Arc::clone(&ids));
        tokio::spawn(async move { axum::serve(receiver, router).await });

        let directory = tempfile::tempdir().unwrap();
        let manifests = directory.path().join("manifests.yaml");
        std::fs::write(&manifests, manifest(target)).unwrap();
        let mut child = Command::new(env!("CARGO_BIN_EXE_delivery-sidecar"))
            .args(["run", "--allow-cidr", "127.0.0.0/8", "--listen", "127.0.0.1:0", "--filename"])
            .arg(&manifests)
            .env("POSTHASTE_LOG", "warn")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let address = async {
            loop {
                let line = lines.next_line().await.unwrap().expect("it says where it takes events");
                let address = line.strip_prefix("taking events at http://");
                if let Some(address) = address.and_then(|rest| rest.strip_suffix("/v1/events")) {
                    return address.parse().unwrap();
                }
            }
        };
        let address = timeout(PATIENCE, address).await.expect("it starts");
        Self { address, ids, _child: child, _directory: directory }
    }

    /// Where it takes events.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The ids of what was delivered, once there is one.
    pub async fn delivered(&self) -> Vec<String> {
        let mut ids = self.ids.subscribe();
        let delivered = timeout(PATIENCE, ids.wait_for(|ids| !ids.is_empty())).await.expect("it is delivered").unwrap();
        delivered.clone()
    }
}

async fn receive(State(ids): State<Ids>, headers: HeaderMap) {
    let id = headers["webhook-id"].to_str().unwrap().to_owned();
    ids.send_modify(|ids| ids.push(id));
}

fn manifest(receiver: SocketAddr) -> String {
    format!(
        "
apiVersion: posthaste.dev/v1alpha1
kind: Webhook
metadata: {{name: orders}}
spec:
  ingest: {{authentication: BearerKeys, bearerKeys: {{secretRef: {{name: producers}}}}}}
  limits: {{allowHTTP: true}}
---
apiVersion: v1
kind: Secret
metadata: {{name: producers}}
stringData: {{shop: {KEY}}}
---
apiVersion: posthaste.dev/v1alpha1
kind: WebhookEndpoint
metadata: {{name: audit}}
spec:
  webhookRef: {{name: orders}}
  target: {{url: 'http://{receiver}/', allowHTTP: true}}
"
    )
}
