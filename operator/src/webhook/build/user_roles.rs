//! Role `<webhook>-publisher`: for users to bind to those who may post events.

use k8s_openapi::api::rbac::v1::Role;
use posthaste_crds::{GROUP, names};

use super::{Parent, role::rule};

/// Builds it. `webhooks/events` is no resource that the API server serves; the delivery sidecar asks whether a caller
/// may create it.
pub fn build(parent: &Parent) -> Role {
    Role {
        metadata: parent.meta(names::publisher(parent.name)),
        rules: Some(vec![rule(GROUP, "webhooks/events", Some(vec![parent.name.to_owned()]), &["create"])]),
    }
}
