//! Resources as a user would write them, with what the API server adds.

use posthaste_crds::v1alpha1::{Webhook, WebhookEndpoint};
use posthaste_delivery_config::{
    AddressPolicy, Index, Rendered, StatusBudget, contract,
    render::{Configuration, Input, render},
    resolve::Lookup,
};

pub const UID: &str = "5d0e2c1a-0000-4000-8000-000000000000";

/// A Webhook `trees` in namespace `garden` with this spec.
pub fn webhook(spec: &str) -> Webhook {
    let mut webhook: Webhook = serde_yaml::from_str(&format!(
        "{{apiVersion: posthaste.dev/v1alpha1, kind: Webhook, metadata: {{name: trees, namespace: garden, uid: {UID}, generation: 3}}, spec: {{}}}}"
    ))
    .unwrap();
    webhook.spec = serde_yaml::from_str(spec).unwrap();
    webhook
}

/// An endpoint of `trees` with these settings and a UID that is its name.
pub fn endpoint(name: &str, settings: &str) -> WebhookEndpoint {
    let mut endpoint: WebhookEndpoint = serde_yaml::from_str(&format!(
        "{{apiVersion: posthaste.dev/v1alpha1, kind: WebhookEndpoint,
          metadata: {{name: {name}, namespace: garden, uid: {name}, generation: 1, creationTimestamp: '2026-01-01T00:00:00Z'}},
          spec: {{webhookRef: {{name: trees}}, target: {{url: 'https://receiver.example/'}}}}}}"
    ))
    .unwrap();
    endpoint.spec.settings = serde_yaml::from_str(settings).unwrap();
    endpoint
}

/// Settings of an endpoint that lacks nothing: its key is `keys/key`.
pub const PLAIN: &str = "
    target: {url: 'https://receiver.example/'}
    signing: {keys: [{id: k1, secretKeyRef: {name: keys, key: key}}]}
";

/// A lookup with the Secret that [`PLAIN`] names.
pub fn lookup() -> Lookup {
    let mut lookup = Lookup::default();
    lookup.insert_secret("keys", [("key".to_owned(), KEY.as_bytes().to_vec())]);
    lookup
}

pub const KEY: &str = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=";

/// Renders with defaults for all that a test does not care about.
pub struct Render<'a> {
    pub webhook: &'a Webhook,
    pub endpoints: &'a [WebhookEndpoint],
    pub lookup: &'a Lookup,
    pub previous: Option<&'a Index>,
    pub acknowledged: Option<&'a str>,
    pub now: &'a str,
}

impl<'a> Render<'a> {
    pub fn new(webhook: &'a Webhook, endpoints: &'a [WebhookEndpoint], lookup: &'a Lookup) -> Self {
        Self { webhook, endpoints, lookup, previous: None, acknowledged: None, now: "2026-03-01T12:00:00Z" }
    }

    pub fn run(&self) -> Rendered {
        let endpoints: Vec<&WebhookEndpoint> = self.endpoints.iter().collect();
        render(&Input {
            salt: "salt",
            webhook: self.webhook,
            endpoints: &endpoints,
            lookup: self.lookup,
            address_policy: &AddressPolicy::default(),
            status: &StatusBudget::default(),
            previous: self.previous,
            acknowledged: self.acknowledged,
            now: self.now.parse().unwrap(),
        })
    }

    pub fn configuration(&self) -> Configuration {
        self.run().configuration.unwrap()
    }
}

/// All endpoints of a configuration, read back as a sidecar does.
pub fn read_back(configuration: &Configuration) -> Vec<posthaste_delivery_config::Endpoint> {
    let index = contract::read_index(configuration.index_json().as_bytes()).unwrap();
    assert_eq!(index, configuration.index);
    let mut endpoints = Vec::new();
    for chunk in &index.chunks {
        let bytes = configuration.chunks[&chunk.number].json.expose().as_bytes();
        endpoints.extend(contract::read_chunk(bytes, &chunk.hash).unwrap().endpoints);
    }
    endpoints
}
