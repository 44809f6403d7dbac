//! Roles for users to bind. What they are about is no resource that the API server serves; the delivery sidecar asks
//! whether a caller has these rights.

use k8s_openapi::api::rbac::v1::Role;
use posthaste_crds::{GROUP, names};

use super::{Parent, role::rule};

/// `<webhook>-publisher`: may post events.
pub fn publisher(parent: &Parent) -> Role {
    build(parent, names::publisher(parent.name), "webhooks/events", &["create"])
}

/// `<webhook>-deliveries-reader`: may look at deliveries.
pub fn deliveries_reader(parent: &Parent) -> Role {
    build(parent, names::deliveries_reader(parent.name), "webhooks/deliveries", &["get"])
}

/// `<webhook>-deliveries-operator`: may also have deliveries made again, and test events sent.
pub fn deliveries_operator(parent: &Parent) -> Role {
    build(parent, names::deliveries_operator(parent.name), "webhooks/deliveries", &["get", "create"])
}

fn build(parent: &Parent, name: String, resource: &str, verbs: &[&str]) -> Role {
    Role {
        metadata: parent.meta(name),
        rules: Some(vec![rule(GROUP, resource, Some(vec![parent.name.to_owned()]), verbs)]),
    }
}
