//! Applies children by server-side apply, and never one that somebody else made.
//!
//! Guarantees: an object without our controller reference is not touched; a child that is as it was left is not written
//! again. Assumption: one operator works at a time (the Lease sees to that).

use std::{fmt, sync::Mutex};

use kube::{
    Api, Client,
    api::{DeleteParams, DynamicObject, Patch, PatchParams, Preconditions},
    core::response::Status,
};
use posthaste_crds::OPERATOR_MANAGER;
use serde::Serialize;
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::{
    child_kind::{Child, ChildKind},
    children::{Applied, Children, Observed, version},
    key::Key,
    metrics::Metrics,
};

/// A child as it should be.
#[derive(Clone)]
pub struct Desired {
    /// Its kind.
    pub kind: ChildKind,
    /// Its namespace and name.
    pub key: Key,
    body: Body,
    hash: [u8; 32],
}

/// An object's JSON. It may be a Secret's, so that it is never shown.
#[derive(Clone, Serialize)]
#[serde(transparent)]
struct Body(Value);

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

impl fmt::Debug for Desired {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind, self.key)
    }
}

impl Desired {
    /// From a typed object.
    ///
    /// # Errors
    /// When it cannot be written as JSON.
    pub fn new<K: Child>(object: &K) -> Result<Self, serde_json::Error> {
        let body = serde_json::to_value(object)?;
        let hash = Sha256::digest(serde_json::to_vec(&body)?).into();
        Ok(Self { kind: K::KIND, key: Key::of(object), body: Body(body), hash })
    }
}

/// Who children belong to.
#[derive(Clone, Debug)]
pub struct Owner {
    /// `Webhook` or `WebhookEndpoint`.
    pub kind: &'static str,
    /// Name of the owner.
    pub name: String,
    /// UID of the owner.
    pub uid: String,
    /// Name of the Webhook that the children are for.
    pub webhook: String,
}

/// Why a child is not as it should be.
#[derive(Debug, thiserror::Error)]
pub enum ApplyError {
    /// Somebody else has an object of that name.
    #[error("{kind} {name} exists and does not belong to this resource")]
    Conflict {
        /// Its kind.
        kind: ChildKind,
        /// Its name.
        name: String,
    },
    /// The child of an earlier owner of the same name is still being removed.
    #[error("{kind} {name} of a deleted resource with the same name is still being removed")]
    Leftover {
        /// Its kind.
        kind: ChildKind,
        /// Its name.
        name: String,
    },
    /// The API server does not want it so: a value is wrong, or a quota is used up.
    #[error("the API server refused {kind} {name}: {message}")]
    Refused {
        /// Its kind.
        kind: ChildKind,
        /// Its name.
        name: String,
        /// What the API server said.
        message: String,
    },
    /// Its namespace is being removed, and nothing is made there any more.
    #[error("cannot create {kind} {name}: its namespace is being terminated")]
    Terminating {
        /// Its kind.
        kind: ChildKind,
        /// Its name.
        name: String,
    },
    /// It cannot be written as JSON.
    #[error("cannot write a {kind} as JSON: {source}")]
    Serialize {
        /// Its kind.
        kind: ChildKind,
        /// Why.
        source: serde_json::Error,
    },
    /// The API server could not be asked.
    #[error("cannot {verb} {kind} {name}: {source}")]
    Api {
        /// What was tried.
        verb: &'static str,
        /// Kind of the child.
        kind: ChildKind,
        /// Name of the child.
        name: String,
        /// What went wrong.
        source: kube::Error,
    },
}

impl ApplyError {
    /// From an answer of the API server.
    pub fn from_api(verb: &'static str, desired: &Desired, source: kube::Error) -> Self {
        let (kind, name) = (desired.kind, desired.key.name.clone());
        match source {
            kube::Error::Api(status) if is_terminating(&status) => Self::Terminating { kind, name },
            kube::Error::Api(status) if is_refusal(&status) => {
                Self::Refused { kind, name, message: shorten(&status.message) }
            }
            source => Self::Api { verb, kind, name, source },
        }
    }
}

/// What is to be done about a child.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// It is not there: create it, if it is still not there then.
    Create,
    /// It is ours and differs.
    Apply,
    /// It is ours and as it was left.
    Skip,
    /// It belongs to somebody else.
    Conflict,
    /// It belongs to a deleted owner of the same kind and name.
    Leftover,
}

/// Decides from what exists, what was applied last, and the hash of what should be.
pub fn decide(owner: &Owner, observed: Option<&Observed>, applied: Option<&Applied>, hash: &[u8; 32]) -> Decision {
    let Some(observed) = observed else { return Decision::Create };
    match &observed.controller {
        Some(controller) if controller.uid == owner.uid => {
            let unchanged = applied.is_some_and(|applied| applied.version == observed.version && applied.hash == *hash);
            if unchanged { Decision::Skip } else { Decision::Apply }
        }
        Some(controller) if controller.kind == owner.kind && controller.name == owner.name => Decision::Leftover,
        _ => Decision::Conflict,
    }
}

/// Applies children for one scope.
#[derive(Clone, Copy)]
pub struct Applier<'a> {
    /// The API server.
    pub client: &'a Client,
    /// What is known of children.
    pub children: &'a Mutex<Children>,
    /// Counts requests.
    pub metrics: &'a Metrics,
}

impl Applier<'_> {
    /// What is to be done about a child. Asks the API server only about what no watch of ours has seen: an object that
    /// is not there, or one without our marks.
    pub async fn check(&self, owner: &Owner, desired: &Desired) -> Result<Decision, ApplyError> {
        let (observed, applied) = {
            let children = self.lock();
            let observed = children.get(desired.kind, &desired.key).cloned();
            (observed, children.applied(desired.kind, &desired.key).cloned())
        };
        let observed = if observed.is_some() {
            observed
        } else {
            let found = self.api(desired.kind, &desired.key.namespace).get_metadata_opt(&desired.key.name).await;
            let found = found.map_err(|source| ApplyError::from_api("read", desired, source))?;
            found.map(|object| Observed::any(&object.metadata))
        };
        match decide(owner, observed.as_ref(), applied.as_ref(), &desired.hash) {
            Decision::Conflict => Err(ApplyError::Conflict { kind: desired.kind, name: desired.key.name.clone() }),
            Decision::Leftover => Err(ApplyError::Leftover { kind: desired.kind, name: desired.key.name.clone() }),
            decision => Ok(decision),
        }
    }

    /// Does what [`check`](Self::check) decided.
    pub async fn act(&self, owner: &Owner, desired: &Desired, decision: Decision) -> Result<(), ApplyError> {
        // Without `force`, an object that somebody made since the check is not taken over: its fields conflict.
        let force = match decision {
            Decision::Create => false,
            Decision::Apply => true,
            Decision::Skip | Decision::Conflict | Decision::Leftover => return Ok(()),
        };
        let params = PatchParams { force, ..PatchParams::apply(OPERATOR_MANAGER) };
        let api = self.api(desired.kind, &desired.key.namespace);
        let result = api.patch_metadata(&desired.key.name, &params, &Patch::Apply(&desired.body)).await;
        self.metrics.patched(desired.kind.as_str(), result.is_ok());
        let object = result.map_err(|source| match source {
            kube::Error::Api(status) if status.is_conflict() && !force => {
                ApplyError::Conflict { kind: desired.kind, name: desired.key.name.clone() }
            }
            source => ApplyError::from_api("apply", desired, source),
        })?;
        tracing::info!(kind = %desired.kind, object = %desired.key, "applied");
        let applied = Applied {
            hash: desired.hash,
            version: version(&object.metadata),
            resource_version: object.metadata.resource_version,
            webhook: owner.webhook.clone(),
        };
        self.lock().record(desired.kind, desired.key.clone(), applied);
        Ok(())
    }

    /// Checks and acts.
    pub async fn apply(&self, owner: &Owner, desired: &Desired) -> Result<Decision, ApplyError> {
        let decision = self.check(owner, desired).await?;
        self.act(owner, desired, decision).await?;
        Ok(decision)
    }

    /// Deletes what the owner controls and is not in `keep`, of the kinds that can become superfluous. A volume never
    /// does: what is on it is worth more than the mistake that made it look so.
    pub async fn delete_orphans<'k>(
        &self,
        owner: &Owner,
        namespace: &str,
        keep: impl IntoIterator<Item = (ChildKind, &'k str)>,
    ) -> Result<(), ApplyError> {
        let keep: std::collections::HashSet<_> = keep.into_iter().collect();
        let controlled = self.lock().controlled_by(namespace, &owner.uid);
        for (kind, key, uid) in controlled {
            if !can_be_orphaned(kind) || keep.contains(&(kind, key.name.as_str())) {
                continue;
            }
            // The UID keeps a successor of the same name from being deleted instead.
            let params =
                DeleteParams::background().preconditions(Preconditions { uid: Some(uid), resource_version: None });
            match self.api(kind, namespace).delete(&key.name, &params).await {
                Ok(_) => tracing::info!(%kind, object = %key, "deleted, it is no longer needed"),
                Err(kube::Error::Api(status)) if status.is_not_found() || status.is_conflict() => {}
                Err(source) => return Err(ApplyError::Api { verb: "delete", kind, name: key.name, source }),
            }
            self.lock().forget_child(kind, &key);
        }
        Ok(())
    }

    fn api(&self, kind: ChildKind, namespace: &str) -> Api<DynamicObject> {
        Api::namespaced_with(self.client.clone(), namespace, &kind.api_resource())
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Children> {
        crate::sync::lock(self.children)
    }
}

fn can_be_orphaned(kind: ChildKind) -> bool {
    match kind {
        // Chunks that hold nothing any more; endpoints that were removed from their Webhook; policies when they are
        // turned off.
        ChildKind::Secret | ChildKind::WebhookEndpoint | ChildKind::NetworkPolicy => true,
        ChildKind::ServiceAccount
        | ChildKind::Role
        | ChildKind::RoleBinding
        | ChildKind::PersistentVolumeClaim
        | ChildKind::Service
        | ChildKind::Deployment => false,
    }
}

/// Whether an object was refused because its namespace is being removed. The namespace does not come back: whoever
/// wanted the object goes with it, so that nobody has to be told and nothing is to be tried again.
pub fn is_terminating(status: &Status) -> bool {
    let causes = status.details.iter().flat_map(|details| &details.causes);
    status.is_forbidden() && causes.into_iter().any(|cause| cause.reason == "NamespaceTerminating")
}

/// Invalid values, and what admission (a quota, a policy) forbids. Another 403 than admission's means that the
/// operator's own rights are missing, and says so just as well.
fn is_refusal(status: &Status) -> bool {
    status.is_invalid() || status.is_forbidden() || status.code == 400
}

/// Keeps a message within what a condition may say.
fn shorten(message: &str) -> String {
    const MOST: usize = 1024;
    match message.char_indices().nth(MOST) {
        None => message.to_owned(),
        Some((end, _)) => format!("{}...", &message[..end]),
    }
}

#[cfg(test)]
mod tests;
