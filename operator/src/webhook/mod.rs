//! The reconcile of a Webhook and of all that belongs to it, in five steps:
//!
//! 1. [`dereference`] reads what it and its endpoints refer to;
//! 2. [`validate`] judges it and them, and makes the configuration;
//! 3. [`build`] makes the children;
//! 4. [`apply`] writes those that differ and deletes those that are no longer needed;
//! 5. [`update_status`] writes what came of it, if that is news.
//!
//! Only the first, the fourth and the last talk to the API server. What was found out about endpoints goes to the
//! board, from which each endpoint's own reconcile ([`crate::endpoint`]) takes it.
//!
//! There are no finalizers: children go with their Webhook by garbage collection, whether an operator runs or not.

pub mod apply;
pub mod build;
pub mod dereference;
pub mod update_status;
pub mod validate;

use std::{collections::HashSet, sync::Arc, time::Duration};

use kube::{Resource, core::DeserializeGuard, runtime::controller::Action};
use posthaste_crds::v1alpha1::{Webhook, WebhookEndpoint};
use posthaste_delivery_config::{
    render::{Configuration, Rendered},
    resolve::generated_key,
};
use tokio::time::Instant;

use self::{
    apply::{Obstacle, Plan},
    build::Parent,
    update_status::Findings,
};
use crate::{
    apply::ApplyError,
    backoff,
    board::Verdict,
    child_kind::ChildKind,
    children::Rollout,
    context::Context,
    endpoint::signing_key,
    key::Key,
    sync::lock,
    watch::{Trigger, webhook_of},
};

/// What a user has to mend is looked at again no more often than this, where no watch tells that it was mended.
const PATIENCE: Duration = Duration::from_mins(1);

/// Why a reconcile has to be tried again.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Reading failed.
    #[error(transparent)]
    Dereference(#[from] dereference::Error),
    /// A generated signing key could not be made.
    #[error(transparent)]
    SigningKey(#[from] signing_key::Error),
    /// Writing failed.
    #[error(transparent)]
    Apply(#[from] ApplyError),
    /// Writing the status failed.
    #[error("cannot write the status: {0}")]
    Status(#[source] kube::Error),
    /// An object could not be written as JSON.
    #[error("cannot write an object as JSON: {0}")]
    Json(#[from] serde_json::Error),
}

impl Error {
    /// Whether something could not be made because the namespace is being removed.
    fn is_terminating(&self) -> bool {
        match self {
            Self::Apply(error) => matches!(error, ApplyError::Terminating { .. }),
            Self::SigningKey(error) => error.is_terminating(),
            Self::Dereference(_) | Self::Status(_) | Self::Json(_) => false,
        }
    }
}

/// Reconciles. An error is tried again after a growing wait.
pub async fn reconcile(guarded: Arc<DeserializeGuard<Webhook>>, context: Arc<Context>) -> Result<Action, Error> {
    let key = Key::of(&*guarded);
    let webhook = match &guarded.0 {
        Ok(webhook) => webhook,
        Err(invalid) => {
            tracing::error!(webhook = %key, error = %invalid, "a Webhook cannot be read; was it written for a newer version?");
            return Ok(Action::await_change());
        }
    };
    if webhook.metadata.deletion_timestamp.is_some() {
        return Ok(Action::await_change());
    }
    if let Some(wait) = context.breather(&key) {
        return Ok(Action::requeue(wait));
    }
    let result = steps(&key, webhook, &context).await;
    lock(&context.reconciled).insert(key.clone(), Instant::now());
    let satisfied = match result {
        Err(error) if error.is_terminating() => {
            tracing::debug!(webhook = %key, %error, "left alone");
            true
        }
        result => result?,
    };
    if satisfied {
        context.webhook_failures.forget(&key);
        return Ok(Action::await_change());
    }
    let failures = context.webhook_failures.failed(key);
    Ok(Action::requeue(backoff::delay(failures, rand::random()).max(PATIENCE)))
}

/// The five steps. `false` if something is in the way that no watch tells the end of.
async fn steps(key: &Key, webhook: &Webhook, context: &Context) -> Result<bool, Error> {
    let cached = context.endpoints_in(&key.namespace);
    let neighbours: Vec<&WebhookEndpoint> = cached.iter().filter_map(|endpoint| endpoint.0.as_ref().ok()).collect();
    let unreadable: HashSet<String> = cached
        .iter()
        .filter(|endpoint| endpoint.0.is_err())
        .filter_map(|endpoint| endpoint.meta().uid.clone())
        .collect();
    let endpoints: Vec<&WebhookEndpoint> = cached
        .iter()
        .filter(|endpoint| webhook_of(endpoint).as_ref() == Some(key))
        .filter_map(|endpoint| endpoint.0.as_ref().ok())
        .filter(|endpoint| endpoint.metadata.deletion_timestamp.is_none())
        .collect();

    let mut found = dereference::dereference(context, key, webhook, &endpoints).await?;
    // The one thing that is made before it is known what else to make: a key has to be kept before it can be used.
    let keys = signing_key::ensure(context, &endpoints, &mut found.contents).await;

    let input = validate::Input {
        webhook,
        endpoints: &endpoints,
        neighbours: &neighbours,
        unreadable: &unreadable,
        contents: &found.contents,
        keys: &keys,
        previous: found.previous.as_ref(),
        salt: &format!("{:032x}", rand::random::<u128>()),
        address_policy: &context.shared.settings.address_policy(&key.namespace),
        status: &context.shared.status_budget(),
        now: found.now,
    };
    let mut rendered = validate::validate(&input);

    let mut obstacle = None;
    if let Some(configuration) = &rendered.configuration {
        let parent = Parent::new(webhook);
        let plan = plan(&parent, webhook, configuration, context)?;
        obstacle = apply::apply(context, &parent, &plan).await?;
    }
    match &obstacle {
        Some(Obstacle::Taken(refusal)) => rendered = validate::refused(&input, refusal.clone().into()),
        Some(Obstacle::Refused(refusal)) => rendered.webhook = refusal.clone().into(),
        None => {}
    }

    let attached = rendered.configuration.is_some().then(|| rendered.attached());
    let rollout = rollout(context, key, webhook);
    let running =
        webhook.spec.replicas > 0 && (rendered.configuration.is_some() || deployment_is_ours(context, key, webhook));
    announce(context, webhook, &endpoints, &rendered, &keys, running).await;
    let Rendered { webhook: accepted, resolved_refs, .. } = rendered;
    let findings = Findings { accepted, resolved_refs, attached, rollout, delivering: running };
    update_status::update_status(context, key, webhook, &findings, found.now).await.map_err(Error::Status)?;
    keys.result()?;
    Ok(obstacle.is_none())
}

fn plan(parent: &Parent, webhook: &Webhook, configuration: &Configuration, context: &Context) -> Result<Plan, Error> {
    Ok(Plan {
        children: build::children(webhook, configuration, &context.shared.settings)?,
        index: build::config_secret::index(parent, configuration),
        inline: build::inline_endpoint::build(parent),
    })
}

/// The Deployment's rollout, unless the cache does not show yet what was applied last.
fn rollout(context: &Context, key: &Key, webhook: &Webhook) -> Option<Rollout> {
    let deployment = Key::new(&key.namespace, posthaste_crds::names::delivery(&key.name));
    let children = lock(&context.children);
    let observed = children.get(ChildKind::Deployment, &deployment)?;
    let current =
        children.applied(ChildKind::Deployment, &deployment).is_none_or(|applied| applied.version == observed.version);
    let ours = observed.controller.as_ref().map(|controller| &controller.uid) == webhook.metadata.uid.as_ref();
    (current && ours).then(|| observed.rollout.clone()).flatten()
}

fn deployment_is_ours(context: &Context, key: &Key, webhook: &Webhook) -> bool {
    let deployment = Key::new(&key.namespace, posthaste_crds::names::delivery(&key.name));
    let children = lock(&context.children);
    let controller = children.get(ChildKind::Deployment, &deployment).and_then(|observed| observed.controller.as_ref());
    controller.map(|controller| &controller.uid) == webhook.metadata.uid.as_ref()
}

/// Puts up what was found out about endpoints, and asks for the reconcile of those about which it is news.
async fn announce(
    context: &Context,
    webhook: &Webhook,
    endpoints: &[&WebhookEndpoint],
    rendered: &Rendered,
    keys: &signing_key::Keys,
    running: bool,
) {
    // Of a Webhook that is not accepted, the last good configuration may still run, with whoever is in it.
    let in_charge = |attached: bool| running && (attached || rendered.configuration.is_none());
    for (endpoint, outcome) in endpoints.iter().zip(&rendered.endpoints) {
        if keys.pending.contains(&outcome.uid) {
            continue;
        }
        let verdict = Verdict {
            uid: outcome.uid.clone(),
            webhook: webhook.metadata.uid.clone().unwrap_or_default(),
            generation: endpoint.metadata.generation.unwrap_or(0),
            accepted: outcome.accepted.clone(),
            resolved_refs: outcome.resolved_refs.clone(),
            delivering: in_charge(outcome.attached),
            signing_secret: generated_key(endpoint)
                .filter(|_| !keys.taken.contains_key(&outcome.uid))
                .map(|reference| reference.name),
        };
        let endpoint = Key::of(*endpoint);
        let news = lock(&context.board).put(endpoint.clone(), verdict);
        if news {
            context.triggers.send(Trigger::Endpoint(endpoint)).await;
        }
    }
}

/// How long to wait after an error.
pub fn retry(context: &Context, key: &Key, error: &Error) -> Action {
    let failures = context.webhook_failures.failed(key.clone());
    let wait = backoff::delay(failures, rand::random());
    tracing::warn!(webhook = %key, %error, ?wait, "a reconcile failed");
    Action::requeue(wait)
}

#[cfg(test)]
mod tests;
