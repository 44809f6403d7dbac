//! Names of the objects that the operator makes for a Webhook or an endpoint.

/// Most chunks of a Webhook's configuration; the sidecar's Role names all from the start.
pub const CONFIG_CHUNKS: u8 = 64;

/// Deployment, ServiceAccount, Role, RoleBinding, PersistentVolumeClaim and configuration index: `<webhook>-delivery`.
pub fn delivery(webhook: &str) -> String {
    format!("{webhook}-delivery")
}

/// A Secret with a part of the configuration: `<webhook>-delivery-<chunk>`.
pub fn config_chunk(webhook: &str, chunk: u8) -> String {
    format!("{webhook}-delivery-{chunk}")
}

/// The Service that events are posted to: `<webhook>-ingest`.
pub fn ingest(webhook: &str) -> String {
    format!("{webhook}-ingest")
}

/// The Role that lets its subjects post events: `<webhook>-publisher`.
pub fn publisher(webhook: &str) -> String {
    format!("{webhook}-publisher")
}

/// The Secret with an endpoint's generated signing key: `<endpoint>-signing`.
pub fn signing_secret(endpoint: &str) -> String {
    format!("{endpoint}-signing")
}

/// The resource of an endpoint that is written inside its Webhook: `<webhook>-<name>`.
pub fn inline_endpoint(webhook: &str, name: &str) -> String {
    format!("{webhook}-{name}")
}

/// Where events of a Webhook are posted: the URL of its ingest Service.
pub fn ingest_url(webhook: &str, namespace: &str) -> String {
    format!("http://{}.{namespace}.svc/v1/events", ingest(webhook))
}

/// The same with `ingest.tls`.
pub fn ingest_https_url(webhook: &str, namespace: &str) -> String {
    format!("https://{}.{namespace}.svc/v1/events", ingest(webhook))
}

/// `posthaste.dev/webhook=<webhook>`: the selector of a Webhook's delivery pods.
pub fn selector(webhook: &str) -> String {
    format!("{}={webhook}", crate::labels::WEBHOOK)
}
