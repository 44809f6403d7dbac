//! The watches of one scope: they keep the caches and say what to reconcile.
//!
//! Each watch is a task of its own. An event first updates the caches, then asks for reconciles; so a reconcile never
//! misses what caused it. A queue that is full makes the watch wait.

pub mod changes;
pub mod fingerprint;
mod triggers;

use std::{fmt::Debug, sync::Arc};

use futures::{StreamExt, pin_mut};
use k8s_openapi::{
    NamespaceResourceScope,
    api::{
        apps::v1::Deployment,
        core::v1::{PersistentVolumeClaim, Secret, Service, ServiceAccount},
        networking::v1::NetworkPolicy,
        rbac::v1::{Role, RoleBinding},
    },
};
use kube::{
    Resource, ResourceExt,
    core::DeserializeGuard,
    runtime::{
        WatchStreamExt,
        reflector::store::Writer,
        watcher::{self, Event, watcher},
    },
};
use posthaste_crds::{
    labels,
    v1alpha1::{Webhook, WebhookEndpoint},
};
use serde::de::DeserializeOwned;
use tokio::{
    sync::{Notify, oneshot},
    task::JoinSet,
};

pub use self::triggers::{Queues, Trigger, Triggers};
use self::{
    changes::Changes,
    fingerprint::{report_fingerprint, spec_fingerprint, webhook_fingerprint},
};
use crate::{
    child_kind::ChildKind,
    children::Observed,
    context::{Context, Meta},
    key::Key,
    references::ReferenceKind,
    sync::lock,
};

/// The writing ends of the two caches of whole objects.
pub struct Writers {
    /// Webhooks.
    pub webhooks: Writer<DeserializeGuard<Webhook>>,
    /// Endpoints.
    pub endpoints: Writer<DeserializeGuard<WebhookEndpoint>>,
}

/// Starts all watches of a scope in `tasks`. Returns what to await before the first reconcile: one signal a watch, for
/// its first complete list. `webhooks_changed` is notified when a Webhook appears, changes or goes.
pub fn start(
    context: &Arc<Context>,
    writers: Writers,
    webhooks_changed: &Arc<Notify>,
    tasks: &mut JoinSet<()>,
) -> Vec<oneshot::Receiver<()>> {
    let ours = watcher::Config::default().labels(&format!("{}={}", labels::MANAGED_BY, labels::MANAGED_BY_VALUE));
    let all = watcher::Config::default();
    let mut start = Starter { context, tasks, synced: Vec::new() };
    start.webhooks(writers.webhooks, Arc::clone(webhooks_changed));
    start.endpoints(writers.endpoints);
    start.watch("Deployment", ours.clone(), |context: &Context, event: &Event<Deployment>| {
        to_webhooks(lock(&context.children).observe(ChildKind::Deployment, event, Observed::deployment))
    });
    start.children::<ServiceAccount>(ChildKind::ServiceAccount, &ours);
    start.children::<Role>(ChildKind::Role, &ours);
    start.children::<RoleBinding>(ChildKind::RoleBinding, &ours);
    start.children::<PersistentVolumeClaim>(ChildKind::PersistentVolumeClaim, &ours);
    start.children::<NetworkPolicy>(ChildKind::NetworkPolicy, &ours);
    // Of these two, others' objects matter as well: endpoints refer to them.
    start.referred::<Secret>(ChildKind::Secret, ReferenceKind::Secret, &all);
    start.referred::<Service>(ChildKind::Service, ReferenceKind::Service, &all);
    start.synced
}

struct Starter<'a> {
    context: &'a Arc<Context>,
    tasks: &'a mut JoinSet<()>,
    synced: Vec<oneshot::Receiver<()>>,
}

impl Starter<'_> {
    fn webhooks(&mut self, mut writer: Writer<DeserializeGuard<Webhook>>, changed: Arc<Notify>) {
        let mut changes = Changes::default();
        self.watch("Webhook", watcher::Config::default(), move |context, event: &Event<DeserializeGuard<Webhook>>| {
            writer.apply_watcher_event(event);
            let changes = changes.observe(event, |webhook| (webhook_fingerprint(webhook), ()));
            context.shared.count(context.number, context.webhooks.len());
            let mut triggers = Vec::new();
            for change in changes {
                changed.notify_one();
                if change.gone {
                    context.forget_webhook(&change.key);
                    triggers.extend(orphaned(context, &change.key).map(Trigger::Endpoint));
                } else {
                    triggers.push(Trigger::Webhook(change.key));
                }
            }
            triggers
        });
    }

    fn endpoints(&mut self, mut writer: Writer<DeserializeGuard<WebhookEndpoint>>) {
        let (mut specs, mut reports) = (Changes::default(), Changes::default());
        let look = move |context: &Context, event: &Event<DeserializeGuard<WebhookEndpoint>>| {
            writer.apply_watcher_event(event);
            let children = lock(&context.children)
                .observe(ChildKind::WebhookEndpoint, event, |endpoint| Observed::ours(endpoint.meta()));
            let mut triggers = to_webhooks(children);
            for change in specs.observe(event, |endpoint| (spec_fingerprint(endpoint), webhook_of(endpoint))) {
                triggers.extend(change.note.map(Trigger::Webhook));
                if change.gone {
                    context.forget_endpoint(&change.key);
                } else {
                    triggers.push(Trigger::Endpoint(change.key));
                }
            }
            // What the sidecar reports matters to the endpoint alone; a Webhook with thousands of endpoints is not
            // reconciled for each that was programmed.
            let reports = reports.observe(event, |endpoint| (report_fingerprint(endpoint), ()));
            triggers
                .extend(reports.into_iter().filter(|change| !change.gone).map(|change| Trigger::Endpoint(change.key)));
            triggers
        };
        self.watch("WebhookEndpoint", watcher::Config::default(), look);
    }

    fn children<K>(&mut self, kind: ChildKind, config: &watcher::Config)
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope>
            + Clone
            + Debug
            + DeserializeOwned
            + Send
            + Sync
            + 'static,
    {
        self.watch(kind.as_str(), config.clone(), move |context, event: &Event<Meta<K>>| {
            to_webhooks(lock(&context.children).observe(kind, event, |object| Observed::ours(object.meta())))
        });
    }

    fn referred<K>(&mut self, kind: ChildKind, reference: ReferenceKind, config: &watcher::Config)
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope>
            + Clone
            + Debug
            + DeserializeOwned
            + Send
            + Sync
            + 'static,
    {
        self.watch(kind.as_str(), config.clone(), move |context, event: &Event<Meta<K>>| {
            let mut webhooks = lock(&context.children).observe(kind, event, |object| Observed::ours(object.meta()));
            webhooks.extend(lock(&context.references).observe(reference, event));
            to_webhooks(webhooks)
        });
    }

    /// Starts one watch. `handle` updates the caches and says what to reconcile.
    fn watch<K>(
        &mut self,
        kind: &'static str,
        config: watcher::Config,
        mut handle: impl FnMut(&Context, &Event<K>) -> Vec<Trigger> + Send + 'static,
    ) where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope>
            + Clone
            + Debug
            + DeserializeOwned
            + Send
            + Sync
            + 'static,
    {
        let (signal, synced) = oneshot::channel();
        self.synced.push(synced);
        let context = Arc::clone(self.context);
        self.tasks.spawn(async move {
            let api = context.scope.api::<K>(&context.shared.client);
            let strip = |object: &mut K| object.managed_fields_mut().clear();
            let events = watcher(api, config).modify(strip).default_backoff();
            pin_mut!(events);
            let mut signal = Some(signal);
            while let Some(event) = events.next().await {
                match event {
                    Ok(event) => {
                        let triggers = handle(&context, &event);
                        if matches!(event, Event::InitDone) {
                            signal.take().map(|signal| signal.send(()));
                        }
                        for trigger in triggers {
                            context.triggers.send(trigger).await;
                        }
                    }
                    Err(error) => {
                        context.shared.metrics.watch_failed(kind);
                        tracing::warn!(%error, kind, "a watch failed; trying again");
                    }
                }
            }
        });
    }
}

fn to_webhooks(keys: Vec<Key>) -> Vec<Trigger> {
    keys.into_iter().map(Trigger::Webhook).collect()
}

/// Endpoints that name a Webhook.
fn orphaned<'a>(context: &Context, webhook: &'a Key) -> impl Iterator<Item = Key> + use<'a> {
    let endpoints = context.endpoints_in(&webhook.namespace);
    endpoints
        .into_iter()
        .filter(|endpoint| webhook_of(endpoint).as_ref() == Some(webhook))
        .map(|endpoint| Key::of(&*endpoint))
}

/// The Webhook that an endpoint names, if the endpoint can be read.
pub fn webhook_of(endpoint: &DeserializeGuard<WebhookEndpoint>) -> Option<Key> {
    let webhook = &endpoint.0.as_ref().ok()?.spec.webhook_ref.name;
    Some(Key::new(endpoint.namespace().unwrap_or_default(), webhook))
}
