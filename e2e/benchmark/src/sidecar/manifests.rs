//! The manifests of a Webhook and its endpoints. What is not written here is as Posthaste's defaults say.

use std::net::SocketAddr;

use serde_json::{Value, json};

/// The key of all endpoints: one Secret instead of ten thousand.
pub const KEY: &str = "whsec_v66DgDACyLuzGNVT85yArBxvQav/aVXn";

/// A Webhook's endpoints.
#[derive(Clone, Debug, Default)]
pub struct Stream {
    /// They.
    pub endpoints: Vec<Endpoint>,
}

/// An endpoint.
#[derive(Clone, Debug)]
pub struct Endpoint {
    /// Its receiver.
    pub receiver: SocketAddr,
    /// The type of its events.
    pub event_type: String,
    /// Attempts in flight; `None` is the default.
    pub concurrency: Option<u32>,
}

impl Stream {
    /// All manifests as one file.
    pub fn manifests(&self) -> String {
        let webhook = json!({
            "apiVersion": "posthaste.dev/v1alpha1", "kind": "Webhook", "metadata": {"name": "bench"},
            "spec": {"ingest": {"authentication": "None"}, "limits": {"allowHTTP": true}},
        });
        let secret = json!({
            "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "keys"}, "stringData": {"key": KEY},
        });
        let endpoints = self.endpoints.iter().enumerate().map(|(number, endpoint)| endpoint.manifest(number));
        // JSON is YAML.
        let manifests = [webhook, secret].into_iter().chain(endpoints);
        manifests.fold(String::new(), |text, manifest| text + "---\n" + &manifest.to_string() + "\n")
    }
}

impl Endpoint {
    /// One with the default concurrency.
    pub fn new(receiver: SocketAddr, event_type: &str) -> Self {
        Self { receiver, event_type: event_type.to_owned(), concurrency: None }
    }

    fn manifest(&self, number: usize) -> Value {
        let mut manifest = json!({
            "apiVersion": "posthaste.dev/v1alpha1", "kind": "WebhookEndpoint",
            "metadata": {"name": format!("e{number:05}")},
            "spec": {
                "webhookRef": {"name": "bench"},
                "eventTypes": [self.event_type],
                "target": {"url": format!("http://{}/", self.receiver), "allowHTTP": true},
                "signing": {"keys": [{"id": "k1", "secretKeyRef": {"name": "keys", "key": "key"}}]},
            },
        });
        if let Some(concurrency) = self.concurrency {
            manifest["spec"]["delivery"] = json!({"concurrency": concurrency});
        }
        manifest
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manifest_for_the_webhook_the_key_and_each_endpoint() {
        let mut endpoint = Endpoint::new("127.1.0.1:80".parse().unwrap(), "bench.all");
        endpoint.concurrency = Some(32);
        let text = Stream { endpoints: vec![endpoint.clone(), endpoint] }.manifests();
        let manifests: Vec<Value> =
            text.split("---\n").skip(1).map(|manifest| serde_json::from_str(manifest).unwrap()).collect();
        let kinds: Vec<_> = manifests.iter().map(|manifest| manifest["kind"].as_str().unwrap()).collect();
        assert_eq!(kinds, ["Webhook", "Secret", "WebhookEndpoint", "WebhookEndpoint"]);
        assert_eq!(manifests[3]["spec"]["target"]["url"], "http://127.1.0.1:80/");
        assert_eq!(manifests[3]["spec"]["delivery"]["concurrency"], 32);
    }
}
