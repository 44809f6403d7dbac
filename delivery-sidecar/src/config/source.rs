//! Where the configuration is read from.

use futures::future::BoxFuture;
use k8s_openapi::api::core::v1::Secret;
use kube::{Api, Client};
use posthaste_crds::names;
use posthaste_delivery_config::contract::{CHUNK_KEY, INDEX_KEY};

/// Reads the documents of one Webhook's configuration.
///
/// # Errors
/// A text for people that says what could not be read and never what was in it.
pub trait Source: Send + Sync {
    /// The index; `None` when there is none.
    fn index(&self) -> BoxFuture<'_, Result<Option<Vec<u8>>, String>>;
    /// A chunk; `None` when there is none of this number.
    fn chunk(&self, number: u8) -> BoxFuture<'_, Result<Option<Vec<u8>>, String>>;
}

/// Reads them from Secrets. Needs `get` on each of them by name, and nothing else.
#[derive(Clone)]
pub struct KubeSource {
    secrets: Api<Secret>,
    webhook: String,
}

impl KubeSource {
    /// For the Webhook of that name and namespace.
    pub fn new(client: Client, namespace: &str, webhook: &str) -> Self {
        Self { secrets: Api::namespaced(client, namespace), webhook: webhook.to_owned() }
    }

    /// Name of the Secret with the index.
    pub fn index_name(&self) -> String {
        names::delivery(&self.webhook)
    }

    /// The Secrets of its namespace.
    pub fn secrets(&self) -> &Api<Secret> {
        &self.secrets
    }

    async fn get(&self, name: String, key: &str) -> Result<Option<Vec<u8>>, String> {
        match self.secrets.get_opt(&name).await {
            Ok(secret) => Ok(secret.and_then(|secret| document(secret, key))),
            Err(error) => Err(format!("Secret {name}: {error}")),
        }
    }
}

impl Source for KubeSource {
    fn index(&self) -> BoxFuture<'_, Result<Option<Vec<u8>>, String>> {
        Box::pin(self.get(self.index_name(), INDEX_KEY))
    }

    fn chunk(&self, number: u8) -> BoxFuture<'_, Result<Option<Vec<u8>>, String>> {
        Box::pin(self.get(names::config_chunk(&self.webhook, number), CHUNK_KEY))
    }
}

/// One document of a Secret.
pub(super) fn document(secret: Secret, key: &str) -> Option<Vec<u8>> {
    secret.data?.remove(key).map(|document| document.0)
}
