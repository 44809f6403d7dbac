//! The program, again and again on one directory.

use std::{
    fs::{File, OpenOptions},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Stdio,
};

use serde_json::json;
use tokio::{
    net::TcpListener,
    process::{Child, Command},
};

use crate::{CONCURRENCY, ENDPOINTS};

/// The key of all endpoints.
pub const KEY: &str = "whsec_v66DgDACyLuzGNVT85yArBxvQav/aVXn";

/// What every process is started with.
pub struct Program {
    directory: PathBuf,
    ingest: SocketAddr,
}

/// A process.
pub struct Sidecar {
    child: Child,
    log: PathBuf,
}

impl Sidecar {
    /// Writes manifests into `directory`, whose endpoints are at `receiver`.
    pub async fn prepare(directory: &Path, receiver: SocketAddr) -> Program {
        let webhook = json!({
            "apiVersion": "posthaste.dev/v1alpha1", "kind": "Webhook", "metadata": {"name": "orders"},
            "spec": {"ingest": {"authentication": "None"}, "limits": {"allowHTTP": true}, "defaults": {"delivery": {
                "concurrency": CONCURRENCY,
                "retry": {"maxAttempts": 100, "backoff": {"base": "20ms", "max": "100ms"}},
                "circuitBreaker": {"type": "Disabled"},
            }}},
        });
        let secret = json!({
            "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "keys"}, "stringData": {"key": KEY},
        });
        let endpoint = |name: &&str| {
            json!({
                "apiVersion": "posthaste.dev/v1alpha1", "kind": "WebhookEndpoint", "metadata": {"name": name},
                "spec": {
                    "webhookRef": {"name": "orders"},
                    "target": {"url": format!("http://{receiver}/hooks/{name}"), "allowHTTP": true},
                    "signing": {"keys": [{"id": "k1", "secretKeyRef": {"name": "keys", "key": "key"}}]},
                },
            })
        };
        let manifests = [webhook, secret].into_iter().chain(ENDPOINTS.iter().map(endpoint));
        // JSON is YAML.
        let text = manifests.fold(String::new(), |text, manifest| text + "---\n" + &manifest.to_string() + "\n");
        std::fs::write(directory.join("manifests.yaml"), text).unwrap();
        // A port that nobody listened on a moment ago.
        let ingest = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
        Program { directory: directory.to_owned(), ingest }
    }

    /// Kills it where it stands.
    pub async fn kill(&mut self) {
        let ended = self.child.try_wait().unwrap();
        assert!(ended.is_none(), "it ended by itself: {ended:?}\n{}", std::fs::read_to_string(&self.log).unwrap());
        self.child.kill().await.unwrap();
    }
}

impl Program {
    /// Where events are taken.
    pub fn ingest(&self) -> SocketAddr {
        self.ingest
    }

    /// Starts a process, without waiting for anything.
    pub fn start(&self) -> Sidecar {
        let log = self.directory.join("log");
        let child = Command::new(env!("CARGO_BIN_EXE_delivery-sidecar"))
            .args(["run", "--allow-cidr", "127.0.0.0/8", "--listen", &self.ingest.to_string()])
            .arg("--filename")
            .arg(self.directory.join("manifests.yaml"))
            .arg("--data-directory")
            .arg(self.directory.join("data"))
            .env_remove("POSTHASTE_LOG")
            .stdin(Stdio::null())
            .stdout(File::create(self.directory.join("output")).unwrap())
            .stderr(OpenOptions::new().create(true).append(true).open(&log).unwrap())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        Sidecar { child, log }
    }
}
