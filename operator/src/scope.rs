//! Which part of the cluster a set of watches covers.

use k8s_openapi::NamespaceResourceScope;
use kube::{Api, Client, Resource};

/// A part of the cluster with watches, caches and controllers of its own. All that a Webhook refers to is in its own
/// namespace, so scopes never need each other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scope {
    /// All namespaces.
    Cluster,
    /// One namespace.
    Namespace(String),
}

impl Scope {
    /// Access to all objects of a kind in this scope.
    pub fn api<K>(&self, client: &Client) -> Api<K>
    where
        K: Resource<Scope = NamespaceResourceScope>,
        K::DynamicType: Default,
    {
        match self {
            Self::Cluster => Api::all(client.clone()),
            Self::Namespace(namespace) => Api::namespaced(client.clone(), namespace),
        }
    }
}
