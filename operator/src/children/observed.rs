//! What is kept of an object, and what counts as a change of it.

use std::hash::{DefaultHasher, Hash, Hasher};

use k8s_openapi::api::apps::v1::Deployment;
use kube::{Resource, api::ObjectMeta};
use posthaste_crds::labels;

/// The controller of an object, from its owner references.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Controller {
    /// Its kind.
    pub kind: String,
    /// Its name.
    pub name: String,
    /// Its UID.
    pub uid: String,
}

/// How far a Deployment's rollout is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rollout {
    /// `metadata.generation`.
    pub generation: i64,
    /// `status.observedGeneration`.
    pub observed_generation: i64,
    /// Pods that the status counts.
    pub replicas: i32,
    /// Those of the current template.
    pub updated: i32,
    /// Those that are available.
    pub available: i32,
    /// What Kubernetes says about a rollout that does not get on.
    pub problem: Option<String>,
}

/// What is kept of an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Observed {
    /// Its UID.
    pub uid: String,
    /// Changes when somebody changes the object itself; see [`version`].
    pub version: u64,
    /// Its controller.
    pub controller: Option<Controller>,
    /// The Webhook that its label names.
    pub webhook: Option<String>,
    /// It is being deleted.
    pub deleting: bool,
    /// Deployments only.
    pub rollout: Option<Rollout>,
}

impl Observed {
    /// From an object's metadata. `None` if it is not one of ours: neither our label nor one of our kinds as controller.
    pub fn ours(meta: &ObjectMeta) -> Option<Self> {
        let observed = Self::any(meta);
        let label = |name: &str| meta.labels.as_ref().and_then(|labels| labels.get(name));
        let managed = label(labels::MANAGED_BY).is_some_and(|value| value == labels::MANAGED_BY_VALUE);
        let controlled = observed
            .controller
            .as_ref()
            .is_some_and(|owner| owner.kind == "Webhook" || owner.kind == "WebhookEndpoint");
        (managed || controlled).then_some(observed)
    }

    /// From an object's metadata, whosever it is.
    pub fn any(meta: &ObjectMeta) -> Self {
        let mut owners = meta.owner_references.iter().flatten();
        let controller = owners.find(|owner| owner.controller == Some(true)).map(|owner| Controller {
            kind: owner.kind.clone(),
            name: owner.name.clone(),
            uid: owner.uid.clone(),
        });
        Self {
            uid: meta.uid.clone().unwrap_or_default(),
            version: version(meta),
            controller,
            webhook: meta.labels.as_ref().and_then(|labels| labels.get(labels::WEBHOOK)).cloned(),
            deleting: meta.deletion_timestamp.is_some(),
            rollout: None,
        }
    }

    /// From a Deployment, with its rollout.
    pub fn deployment(deployment: &Deployment) -> Option<Self> {
        let mut observed = Self::ours(deployment.meta())?;
        let status = deployment.status.clone().unwrap_or_default();
        let problem = status.conditions.iter().flatten().find(|condition| {
            (condition.type_ == "ReplicaFailure" && condition.status == "True")
                || (condition.type_ == "Progressing" && condition.status == "False")
        });
        observed.rollout = Some(Rollout {
            generation: deployment.metadata.generation.unwrap_or(0),
            observed_generation: status.observed_generation.unwrap_or(0),
            replicas: status.replicas.unwrap_or(0),
            updated: status.updated_replicas.unwrap_or(0),
            available: status.available_replicas.unwrap_or(0),
            problem: problem.and_then(|condition| condition.message.clone()),
        });
        Some(observed)
    }

    /// The Webhook to reconcile when this object changes.
    pub(super) fn concerns(&self) -> Option<&str> {
        let controller = self.controller.as_ref().filter(|owner| owner.kind == "Webhook");
        controller.map(|owner| owner.name.as_str()).or(self.webhook.as_deref())
    }
}

/// A hash that changes when somebody changes the object itself, but, where Kubernetes counts generations, not when its
/// status changes.
pub fn version(meta: &ObjectMeta) -> u64 {
    let mut hasher = DefaultHasher::new();
    meta.uid.hash(&mut hasher);
    match meta.generation.filter(|generation| *generation > 0) {
        None => meta.resource_version.hash(&mut hasher),
        Some(generation) => {
            generation.hash(&mut hasher);
            meta.labels.hash(&mut hasher);
            // The Deployment controller keeps notes of its own here.
            let annotations = meta.annotations.iter().flatten();
            annotations
                .filter(|(name, _)| !name.starts_with("deployment.kubernetes.io/"))
                .for_each(|entry| entry.hash(&mut hasher));
            for owner in meta.owner_references.iter().flatten() {
                (&owner.uid, owner.controller).hash(&mut hasher);
            }
        }
    }
    hasher.finish()
}
