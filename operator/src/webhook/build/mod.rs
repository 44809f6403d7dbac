//! What a Webhook's children look like. Pure: no client, no clock, no decisions about what exists.

pub mod config_secret;
pub mod deployment;
pub mod inline_endpoint;
pub mod network_policy;
pub mod pvc;
pub mod role;
pub mod role_binding;
pub mod service;
pub mod service_account;
pub mod user_roles;

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kube::{Resource, api::ObjectMeta};
use posthaste_crds::{labels, v1alpha1::Webhook};
use posthaste_delivery_config::render::Configuration;

use crate::{
    apply::{Desired, Owner},
    args::Settings,
    child_kind::Child,
};

/// Port of the delivery pod that takes events.
pub const INGEST_PORT: i32 = 8080;
/// Port of the delivery pod for probes and metrics.
pub const ADMIN_PORT: i32 = 8081;

/// A Webhook's children, in the order in which they are applied: what the pod needs before the pod, and the chunks of
/// the configuration before the index that names them.
pub fn children(
    webhook: &Webhook,
    configuration: &Configuration,
    settings: &Settings,
) -> Result<Vec<Desired>, serde_json::Error> {
    let parent = Parent::new(webhook);
    let mut children = vec![
        Desired::new(&service_account::build(&parent))?,
        Desired::new(&role::build(&parent))?,
        Desired::new(&role_binding::build(&parent))?,
        Desired::new(&user_roles::publisher(&parent))?,
        Desired::new(&user_roles::deliveries_reader(&parent))?,
        Desired::new(&user_roles::deliveries_operator(&parent))?,
    ];
    for (number, chunk) in &configuration.chunks {
        children.push(Desired::new(&config_secret::chunk(&parent, *number, chunk))?);
    }
    children.push(Desired::new(&config_secret::index(&parent, configuration))?);
    push(&mut children, pvc::build(&parent).as_ref())?;
    children.push(Desired::new(&service::build(&parent))?);
    push(&mut children, settings.network_policy.then(|| network_policy::build(&parent)).as_ref())?;
    children.push(Desired::new(&deployment::build(&parent, settings))?);
    Ok(children)
}

fn push<K: Child>(children: &mut Vec<Desired>, child: Option<&K>) -> Result<(), serde_json::Error> {
    children.extend(child.map(Desired::new).transpose()?);
    Ok(())
}

/// The Webhook that children are built for.
pub struct Parent<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its namespace.
    pub namespace: &'a str,
    /// It.
    pub webhook: &'a Webhook,
    reference: OwnerReference,
}

impl<'a> Parent<'a> {
    /// From a Webhook that the API server gave a name, a namespace and a UID.
    pub fn new(webhook: &'a Webhook) -> Self {
        Self {
            name: webhook.metadata.name.as_deref().unwrap_or_default(),
            namespace: webhook.metadata.namespace.as_deref().unwrap_or_default(),
            webhook,
            reference: webhook.controller_owner_ref(&()).unwrap_or_default(),
        }
    }

    /// The same for deciding whose a child is.
    pub fn owner(&self) -> Owner {
        Owner {
            kind: "Webhook",
            name: self.name.to_owned(),
            uid: self.reference.uid.clone(),
            webhook: self.name.to_owned(),
        }
    }

    /// Metadata of a child.
    fn meta(&self, name: String) -> ObjectMeta {
        ObjectMeta {
            name: Some(name),
            namespace: Some(self.namespace.to_owned()),
            labels: Some(child_labels(self.name)),
            owner_references: Some(vec![self.reference.clone()]),
            ..ObjectMeta::default()
        }
    }

    /// Labels that select the delivery pods.
    fn pod_selector(&self) -> BTreeMap<String, String> {
        labels([(labels::APP_NAME, labels::APP_NAME_DELIVERY), (labels::WEBHOOK, self.name)])
    }
}

/// Labels of everything that is made for a Webhook.
pub fn child_labels(webhook: &str) -> BTreeMap<String, String> {
    labels([
        (labels::MANAGED_BY, labels::MANAGED_BY_VALUE),
        (labels::APP_NAME, labels::APP_NAME_DELIVERY),
        (labels::APP_INSTANCE, webhook),
        (labels::WEBHOOK, webhook),
    ])
}

fn labels<const N: usize>(pairs: [(&str, &str); N]) -> BTreeMap<String, String> {
    pairs.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

#[cfg(test)]
mod tests;
