//! Fourth step: makes the children as they should be.
//!
//! Writes children and nothing else. All are checked before the first is written, so that a name that is taken leaves
//! everything as it was: a pod must not run under a ServiceAccount, on a volume or with a configuration of somebody else.

use std::sync::Arc;

use k8s_openapi::api::core::v1::Secret;
use kube::{
    Api,
    api::{Patch, PatchParams},
};
use posthaste_crds::{conditions::accepted, v1alpha1::WebhookEndpoint};
use posthaste_delivery_config::resolve::Refusal;

use super::build::{Parent, inline_endpoint};
use crate::{
    apply::{ApplyError, Decision, Desired},
    child_kind::ChildKind,
    context::Context,
    key::Key,
    references::{Content, ReferenceKind},
    sync::lock,
};

/// What should be there.
pub struct Plan {
    /// The children, in order.
    pub children: Vec<Desired>,
    /// The index Secret, which is among the children, for remembering what was written.
    pub index: Secret,
    /// The endpoints that are written inside the Webhook.
    pub inline: Vec<WebhookEndpoint>,
}

/// What somebody has to act on; the rest was applied as far as it does not depend on it.
#[derive(Debug)]
pub enum Obstacle {
    /// A name is taken. Nothing was applied.
    Taken(Refusal),
    /// The API server refused an object.
    Refused(Refusal),
}

/// Applies the plan and deletes what is no longer in it.
pub async fn apply(context: &Context, parent: &Parent<'_>, plan: &Plan) -> Result<Option<Obstacle>, ApplyError> {
    let (applier, owner) = (context.applier(), parent.owner());
    let mut decided = Vec::with_capacity(plan.children.len());
    for child in &plan.children {
        match applier.check(&owner, child).await {
            Ok(decision) => decided.push((child, decision)),
            Err(ApplyError::Conflict { kind, name }) => return Ok(Some(Obstacle::Taken(taken(kind, &name)))),
            Err(error) => return Err(error),
        }
    }
    let mut obstacle = None;
    for (child, decision) in decided {
        match applier.act(&owner, child, decision).await {
            Ok(()) => {}
            Err(ApplyError::Conflict { kind, name }) => return Ok(Some(Obstacle::Taken(taken(kind, &name)))),
            Err(error @ ApplyError::Refused { kind, .. }) => {
                obstacle.get_or_insert(Obstacle::Refused(Refusal::new(accepted::INVALID, error.to_string())));
                if kind == ChildKind::Secret {
                    // An index must not name a chunk that is not there.
                    return Ok(obstacle);
                }
            }
            Err(error) => return Err(error),
        }
        if child.kind == ChildKind::Secret
            && plan.index.metadata.name.as_deref() == Some(&child.key.name)
            && decision != Decision::Skip
        {
            remember_index(context, &plan.index, &child.key);
        }
    }
    for endpoint in &plan.inline {
        match inline(context, parent, endpoint).await {
            Ok(()) => {}
            Err(ApplyError::Conflict { name, .. }) => {
                obstacle.get_or_insert(Obstacle::Refused(inline_taken(&name)));
            }
            Err(error @ ApplyError::Refused { .. }) => {
                obstacle.get_or_insert(Obstacle::Refused(Refusal::new(accepted::INVALID, error.to_string())));
            }
            Err(error) => return Err(error),
        }
    }
    if obstacle.is_none() {
        let children = plan.children.iter().map(|child| (child.kind, child.key.name.as_str()));
        let inline = plan.inline.iter().filter_map(|endpoint| endpoint.metadata.name.as_deref());
        let keep = children.chain(inline.map(|name| (ChildKind::WebhookEndpoint, name)));
        applier.delete_orphans(&owner, parent.namespace, keep).await?;
    }
    Ok(obstacle)
}

fn taken(kind: ChildKind, name: &str) -> Refusal {
    let message = format!(
        "{kind} {name:?} exists and does not belong to this Webhook; delete or rename it, or create the Webhook under another name"
    );
    Refusal::new(accepted::NAME_CONFLICT, message)
}

fn inline_taken(name: &str) -> Refusal {
    let message = format!(
        "spec.endpoints: WebhookEndpoint {name:?} exists and does not belong to this Webhook; rename one of the two"
    );
    Refusal::new(accepted::NAME_CONFLICT, message)
}

/// Keeps the index that was just written, so that the next reconcile need not read it. A read that comes in between
/// finds the same.
fn remember_index(context: &Context, index: &Secret, key: &Key) {
    let version =
        lock(&context.children).applied(ChildKind::Secret, key).and_then(|applied| applied.resource_version.clone());
    if version.is_some() {
        let mut index = index.clone();
        index.metadata.resource_version = version;
        lock(&context.references).written(&(ReferenceKind::Secret, key.clone()), Content::Secret(Arc::new(index)));
    }
}

/// Applies an inline endpoint, and reverts what somebody added to it.
async fn inline(context: &Context, parent: &Parent<'_>, endpoint: &WebhookEndpoint) -> Result<(), ApplyError> {
    let serialized = |source| ApplyError::Serialize { kind: ChildKind::WebhookEndpoint, source };
    let desired = Desired::new(endpoint).map_err(serialized)?;
    context.applier().apply(&parent.owner(), &desired).await?;
    let cached = context.endpoints.get(&desired.key.object_ref());
    let Some(observed) = cached.as_ref().and_then(|cached| cached.0.as_ref().ok()) else { return Ok(()) };
    if observed.spec == endpoint.spec {
        return Ok(());
    }
    let Some(patch) = inline_endpoint::revert(&observed.spec, &endpoint.spec).map_err(serialized)? else {
        return Ok(());
    };
    let api: Api<WebhookEndpoint> = Api::namespaced(context.shared.client.clone(), parent.namespace);
    let params =
        PatchParams { field_manager: Some(posthaste_crds::OPERATOR_MANAGER.to_owned()), ..PatchParams::default() };
    let result = api.patch_metadata(&desired.key.name, &params, &Patch::Merge(&patch)).await;
    context.shared.metrics.patched(ChildKind::WebhookEndpoint.as_str(), result.is_ok());
    match result {
        Ok(_) => {
            tracing::info!(endpoint = %desired.key, "reverted an edit of an endpoint that is written inside its Webhook");
        }
        Err(kube::Error::Api(status)) if status.is_not_found() => {}
        Err(source) => return Err(ApplyError::from_api("revert", &desired, source)),
    }
    Ok(())
}
