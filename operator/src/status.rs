//! Writes one manager's part of a resource's status.

use kube::{
    Api, Client,
    api::{ApiResource, DynamicObject, Patch, PatchParams},
};
use posthaste_crds::{DELIVERY_MANAGER, OPERATOR_MANAGER};
use serde::Serialize;
use serde_json::json;

use crate::{key::Key, metrics::Metrics};

/// In whose name a status is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manager {
    /// The operator's own part.
    Operator,
    /// The delivery sidecar's part, when no sidecar is in charge of it any more.
    Delivery,
}

impl Manager {
    fn as_str(self) -> &'static str {
        match self {
            Self::Operator => OPERATOR_MANAGER,
            Self::Delivery => DELIVERY_MANAGER,
        }
    }
}

/// Where statuses of a kind are written.
pub struct StatusWriter<'a> {
    /// The API server.
    pub client: &'a Client,
    /// Counts writes.
    pub metrics: &'a Metrics,
    /// The kind.
    pub resource: ApiResource,
    /// Its label in metrics.
    pub label: &'static str,
}

impl StatusWriter<'_> {
    /// Applies the whole of a manager's part: what it wrote before and is not in `status` is removed. `false` if the
    /// resource is gone.
    ///
    /// # Errors
    /// When the API server does not take it.
    pub async fn apply(&self, key: &Key, manager: Manager, status: &impl Serialize) -> Result<bool, kube::Error> {
        let body = json!({
            "apiVersion": self.resource.api_version,
            "kind": self.resource.kind,
            "metadata": {"name": key.name, "namespace": key.namespace},
            "status": status,
        });
        let api: Api<DynamicObject> = Api::namespaced_with(self.client.clone(), &key.namespace, &self.resource);
        let params = PatchParams::apply(manager.as_str()).force();
        let result = api.patch_status(&key.name, &params, &Patch::Apply(&body)).await;
        match result {
            Err(kube::Error::Api(status)) if status.is_not_found() => Ok(false),
            result => {
                self.metrics.patched(self.label, result.is_ok());
                result.map(|_| true)
            }
        }
    }
}
