//! ServiceAccount `<webhook>-delivery`: what the delivery pod runs as.

use k8s_openapi::api::core::v1::ServiceAccount;
use posthaste_crds::names;

use super::Parent;

/// Builds it. The token is mounted by the pod that asks for it, not by every pod that might use the account.
pub fn build(parent: &Parent) -> ServiceAccount {
    ServiceAccount {
        metadata: parent.meta(names::delivery(parent.name)),
        automount_service_account_token: Some(false),
        ..ServiceAccount::default()
    }
}
