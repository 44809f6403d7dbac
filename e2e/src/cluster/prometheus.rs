//! A real Prometheus beside the cluster, which scrapes what the chart's monitors would have it scrape.

use std::{net::TcpListener, path::Path, process::Stdio};

use reqwest::Client;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, Command},
};

use super::eventually;

/// Discovers pods and scrapes them through `kubectl proxy`, which works wherever kubectl does. The labels are those that
/// Prometheus' operator makes of the chart's ServiceMonitor and PodMonitor.
const CONFIGURATION: &str = r"
global: {scrape_interval: 1s, evaluation_interval: 1s}
rule_files: [ALERTS]
scrape_configs:
- job_name: posthaste
  kubernetes_sd_configs:
  - {role: pod, api_server: 'http://PROXY', namespaces: {names: [NAMESPACES]}}
  relabel_configs:
  - {action: keep, source_labels: [__meta_kubernetes_pod_label_app_kubernetes_io_name], regex: 'posthaste(-delivery)?'}
  - {action: keep, source_labels: [__meta_kubernetes_pod_container_port_name], regex: admin}
  - {source_labels: [__meta_kubernetes_namespace], target_label: namespace}
  - {source_labels: [__meta_kubernetes_pod_name], target_label: pod}
  - {source_labels: [__meta_kubernetes_pod_label_posthaste_dev_webhook], target_label: posthaste_dev_webhook}
  - source_labels: [__meta_kubernetes_namespace, __meta_kubernetes_pod_name, __meta_kubernetes_pod_container_port_number]
    regex: (.+);(.+);(.+)
    target_label: __metrics_path__
    replacement: /api/v1/namespaces/$1/pods/$2:$3/proxy/metrics
  - {target_label: __address__, replacement: PROXY}
";

/// Prometheus and the proxy that it scrapes through. Both end with this.
pub struct Prometheus {
    http: Client,
    url: String,
    folder: TempDir,
    // Both end when these are dropped.
    _proxy: Child,
    _server: Child,
}

impl Prometheus {
    /// Starts both, with the rules of `alerts`, and waits until Prometheus is ready.
    pub async fn start(namespaces: &[&str], alerts: &Path) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let (proxy, proxy_address) = kubectl_proxy().await;
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let configuration = CONFIGURATION
            .replace("PROXY", &proxy_address)
            .replace("NAMESPACES", &namespaces.join(", "))
            .replace("ALERTS", &alerts.canonicalize().expect("the alerts are there").display().to_string());
        let file = folder.path().join("prometheus.yaml");
        std::fs::write(&file, configuration).expect("the configuration can be written");
        let address = free_address();
        let server = Command::new("prometheus")
            .arg(format!("--config.file={}", file.display()))
            .arg(format!("--storage.tsdb.path={}", folder.path().join("data").display()))
            .arg(format!("--web.listen-address={address}"))
            .stdout(Stdio::null())
            .stderr(std::fs::File::create(folder.path().join("log")).expect("the log can be made"))
            .kill_on_drop(true)
            .spawn()
            .expect("prometheus is on the PATH: e2e/cluster/cluster build prometheus");
        let prometheus = Self {
            http: Client::new(),
            url: format!("http://{address}"),
            folder,
            _proxy: proxy,
            _server: server,
        };
        eventually("Prometheus is ready", async || {
            let answer = prometheus.http.get(format!("{}/-/ready", prometheus.url)).send().await;
            if answer.is_ok_and(|answer| answer.status().is_success()) {
                Ok(())
            } else {
                Err(std::fs::read_to_string(prometheus.folder.path().join("log")).unwrap_or_default())
            }
        })
        .await;
        prometheus
    }

    /// The result of an instant query, or what Prometheus says against it.
    pub async fn query(&self, expression: &str) -> Result<Vec<Value>, String> {
        let answer = self.get("query", &[("query", expression)]).await?;
        match answer["data"]["result"].as_array() {
            Some(samples) => Ok(samples.clone()),
            None => Err(answer.to_string()),
        }
    }

    /// The alerting rules as Prometheus evaluates them, each with its `name`, `state` and `health`.
    pub async fn alerting_rules(&self) -> Result<Vec<Value>, String> {
        let answer = self.get("rules", &[("type", "alert")]).await?;
        let groups = answer["data"]["groups"].as_array().cloned().unwrap_or_default();
        Ok(groups.iter().flat_map(|group| group["rules"].as_array().cloned().unwrap_or_default()).collect())
    }

    async fn get(&self, path: &str, parameters: &[(&str, &str)]) -> Result<Value, String> {
        let pairs: Vec<_> = parameters.iter().map(|(name, value)| format!("{name}={}", quoted(value))).collect();
        let request = self.http.get(format!("{}/api/v1/{path}?{}", self.url, pairs.join("&")));
        let answer = request.send().await.map_err(|error| error.to_string())?;
        let body = answer.text().await.map_err(|error| error.to_string())?;
        let answer: Value = serde_json::from_str(&body).map_err(|error| format!("{error}: {body}"))?;
        if answer["status"] == json!("success") { Ok(answer) } else { Err(answer["error"].to_string()) }
    }
}

/// For a URL's query: a `%` for each byte, which is always right.
fn quoted(text: &str) -> String {
    text.bytes().fold(String::new(), |quoted, byte| quoted + &format!("%{byte:02X}"))
}

/// An address on loopback that nobody listened at a moment ago.
fn free_address() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
    listener.local_addr().expect("it is bound").to_string()
}

async fn kubectl_proxy() -> (Child, String) {
    let mut child = Command::new("kubectl")
        .args(["proxy", "--port=0"])
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .expect("kubectl is on the PATH");
    let mut lines = BufReader::new(child.stdout.take().expect("standard output is a pipe")).lines();
    let line = lines.next_line().await.expect("the proxy can be read").expect("the proxy says where it serves");
    let address = line.rsplit(' ').next().unwrap_or_default().to_owned();
    (child, address)
}
