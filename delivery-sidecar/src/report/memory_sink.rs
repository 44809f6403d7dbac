//! Keeps statuses in memory: what a standalone process has instead of a cluster.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use posthaste_crds::v1alpha1::{WebhookEndpointStatus, WebhookStatus};

use super::sink::{SinkError, StatusSink};

/// Keeps statuses in memory. Share it by `Arc`: the reporter takes one clone, whoever prints tables another.
#[derive(Debug, Default)]
pub struct MemorySink {
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    webhook: WebhookStatus,
    endpoints: BTreeMap<String, (String, WebhookEndpointStatus)>,
}

impl MemorySink {
    /// Nothing applied yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// The Webhook's status as it was applied last.
    pub fn webhook(&self) -> WebhookStatus {
        self.lock().webhook.clone()
    }

    /// The endpoints' statuses as they were applied last, by name.
    pub fn endpoints(&self) -> BTreeMap<String, WebhookEndpointStatus> {
        self.lock().endpoints.iter().map(|(name, (_, status))| (name.clone(), status.clone())).collect()
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl StatusSink for MemorySink {
    async fn look_webhook(&self) -> Result<Option<WebhookStatus>, SinkError> {
        Ok(Some(self.webhook()))
    }

    async fn apply_webhook(&self, status: &WebhookStatus) -> Result<(), SinkError> {
        self.lock().webhook = status.clone();
        Ok(())
    }

    async fn look_endpoint(&self, name: &str, uid: &str) -> Result<Option<WebhookEndpointStatus>, SinkError> {
        let inner = self.lock();
        Ok(inner.endpoints.get(name).filter(|(known, _)| known == uid).map(|(_, status)| status.clone()))
    }

    async fn apply_endpoint(&self, name: &str, uid: &str, status: &WebhookEndpointStatus) -> Result<(), SinkError> {
        self.lock().endpoints.insert(name.into(), (uid.into(), status.clone()));
        Ok(())
    }
}
