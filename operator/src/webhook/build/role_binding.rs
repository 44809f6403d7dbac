//! RoleBinding `<webhook>-delivery`: gives the delivery pod its Role.

use k8s_openapi::api::rbac::v1::{RoleBinding, RoleRef, Subject};
use posthaste_crds::names;

use super::Parent;

/// Builds it.
pub fn build(parent: &Parent) -> RoleBinding {
    let name = names::delivery(parent.name);
    RoleBinding {
        metadata: parent.meta(name.clone()),
        role_ref: RoleRef {
            api_group: "rbac.authorization.k8s.io".to_owned(),
            kind: "Role".to_owned(),
            name: name.clone(),
        },
        subjects: Some(vec![Subject {
            kind: "ServiceAccount".to_owned(),
            name,
            namespace: Some(parent.namespace.to_owned()),
            ..Subject::default()
        }]),
    }
}
