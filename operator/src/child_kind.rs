//! The kinds of objects that are made for a Webhook.

use k8s_openapi::api::{
    apps::v1::Deployment,
    core::v1::{PersistentVolumeClaim, Secret, Service, ServiceAccount},
    networking::v1::NetworkPolicy,
    rbac::v1::{Role, RoleBinding},
};
use kube::{Resource, api::ApiResource};
use posthaste_crds::v1alpha1::WebhookEndpoint;
use serde::Serialize;

/// A kind of child.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ChildKind {
    /// What the delivery pod runs as.
    ServiceAccount,
    /// What it may do, and what publishers may do.
    Role,
    /// Gives the delivery pod its Role.
    RoleBinding,
    /// Configuration, and generated signing keys.
    Secret,
    /// The journal's volume.
    PersistentVolumeClaim,
    /// Where events are posted.
    Service,
    /// Who may connect to the delivery pod.
    NetworkPolicy,
    /// The delivery pod.
    Deployment,
    /// Endpoints that are written inside their Webhook.
    WebhookEndpoint,
}

impl ChildKind {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::ServiceAccount,
        Self::Role,
        Self::RoleBinding,
        Self::Secret,
        Self::PersistentVolumeClaim,
        Self::Service,
        Self::NetworkPolicy,
        Self::Deployment,
        Self::WebhookEndpoint,
    ];

    /// As in manifests.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ServiceAccount => "ServiceAccount",
            Self::Role => "Role",
            Self::RoleBinding => "RoleBinding",
            Self::Secret => "Secret",
            Self::PersistentVolumeClaim => "PersistentVolumeClaim",
            Self::Service => "Service",
            Self::NetworkPolicy => "NetworkPolicy",
            Self::Deployment => "Deployment",
            Self::WebhookEndpoint => "WebhookEndpoint",
        }
    }

    /// Where the API server has it.
    pub fn api_resource(self) -> ApiResource {
        match self {
            Self::ServiceAccount => ApiResource::erase::<ServiceAccount>(&()),
            Self::Role => ApiResource::erase::<Role>(&()),
            Self::RoleBinding => ApiResource::erase::<RoleBinding>(&()),
            Self::Secret => ApiResource::erase::<Secret>(&()),
            Self::PersistentVolumeClaim => ApiResource::erase::<PersistentVolumeClaim>(&()),
            Self::Service => ApiResource::erase::<Service>(&()),
            Self::NetworkPolicy => ApiResource::erase::<NetworkPolicy>(&()),
            Self::Deployment => ApiResource::erase::<Deployment>(&()),
            Self::WebhookEndpoint => ApiResource::erase::<WebhookEndpoint>(&()),
        }
    }
}

impl std::fmt::Display for ChildKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A type that is one of the [`ChildKind`]s.
pub trait Child: Resource<DynamicType = ()> + Serialize {
    /// Which one.
    const KIND: ChildKind;
}

macro_rules! child {
    ($($kind:ident),*) => {$(
        impl Child for $kind {
            const KIND: ChildKind = ChildKind::$kind;
        }
    )*};
}

child!(
    ServiceAccount,
    Role,
    RoleBinding,
    Secret,
    PersistentVolumeClaim,
    Service,
    NetworkPolicy,
    Deployment,
    WebhookEndpoint
);
