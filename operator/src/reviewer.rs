//! Keeps the subjects of the ClusterRoleBinding that lets delivery sidecars check callers' tokens.
//!
//! TokenReview is not namespaced, so no Role of the sidecar's own namespace can allow it. The chart makes the binding;
//! here its subjects are kept equal to the ServiceAccounts of the Webhooks: however events are posted, who looks at deliveries
//! has a token. Writes only when the set differs, and only the subjects.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use futures::{StreamExt, pin_mut};
use k8s_openapi::api::rbac::v1::{ClusterRoleBinding, Subject};
use kube::{
    Api, Resource,
    api::{Patch, PatchParams},
    core::DeserializeGuard,
    runtime::{
        WatchStreamExt,
        watcher::{self, Event, watcher},
    },
};
use posthaste_crds::{OPERATOR_MANAGER, names, v1alpha1::Webhook};
use serde_json::{Value, json};
use tokio::{sync::Notify, time::sleep};

use crate::{backoff, context::Context, key::Key};

/// Least time between two writes, so that many new Webhooks are taken together.
const BREATHER: Duration = Duration::from_secs(1);

/// The ServiceAccounts that have to be subjects. One whose Webhook cannot be read keeps what it has.
pub fn subjects<'a>(webhooks: impl IntoIterator<Item = &'a DeserializeGuard<Webhook>>) -> BTreeSet<Key> {
    let account = |webhook: &DeserializeGuard<Webhook>| {
        let Key { namespace, name } = Key::of(webhook);
        Key::new(namespace, names::delivery(&name))
    };
    webhooks.into_iter().map(account).collect()
}

/// The merge patch that makes the binding's subjects these; `None` if they are.
pub fn patch(binding: &ClusterRoleBinding, subjects: &BTreeSet<Key>) -> Option<Value> {
    let current = binding.subjects.iter().flatten();
    let ours: BTreeSet<Key> = current.clone().filter_map(account).collect();
    if ours == *subjects && current.count() == subjects.len() {
        return None;
    }
    let subjects: Vec<Value> = subjects
        .iter()
        .map(|key| json!({"kind": "ServiceAccount", "name": key.name, "namespace": key.namespace}))
        .collect();
    // The resource version makes a write that is based on an old state fail instead of undoing a newer one.
    Some(json!({"metadata": {"resourceVersion": binding.metadata.resource_version}, "subjects": subjects}))
}

fn account(subject: &Subject) -> Option<Key> {
    (subject.kind == "ServiceAccount").then(|| Key::new(subject.namespace.clone().unwrap_or_default(), &subject.name))
}

/// Keeps the binding. Runs until its task is ended.
pub async fn run(context: Arc<Context>, name: String, webhooks_changed: Arc<Notify>) {
    let api: Api<ClusterRoleBinding> = Api::all(context.shared.client.clone());
    let config = watcher::Config::default().fields(&format!("metadata.name={name}"));
    let events = watcher(api.clone(), config).default_backoff();
    pin_mut!(events);
    let (mut binding, mut listed, mut failures) = (None, None, 0);
    loop {
        tokio::select! {
            () = webhooks_changed.notified() => {}
            () = sleep(backoff::delay(failures, 0.0)), if failures > 0 => {}
            event = events.next() => match event {
                Some(Ok(event)) => {
                    let complete = !matches!(event, Event::Init | Event::InitApply(_));
                    observe(&mut binding, &mut listed, event);
                    if complete && binding.is_none() {
                        tracing::error!(name, "the ClusterRoleBinding for token reviews is missing; install the chart again");
                    }
                    if !complete {
                        continue;
                    }
                }
                Some(Err(error)) => {
                    context.shared.metrics.watch_failed("ClusterRoleBinding");
                    tracing::warn!(%error, "the watch of the ClusterRoleBinding failed; trying again");
                    continue;
                }
                None => return,
            },
        }
        let Some(current) = &binding else { continue };
        let webhooks = context.webhooks.state();
        let alive = webhooks.iter().map(AsRef::as_ref).filter(|webhook| webhook.meta().deletion_timestamp.is_none());
        let Some(patch) = patch(current, &subjects(alive)) else {
            failures = 0;
            continue;
        };
        let params = PatchParams { field_manager: Some(OPERATOR_MANAGER.to_owned()), ..PatchParams::default() };
        let result = api.patch(&name, &params, &Patch::Merge(&patch)).await;
        context.shared.metrics.patched("ClusterRoleBinding", result.is_ok());
        match result {
            Ok(written) => {
                (binding, failures) = (Some(written), 0);
                sleep(BREATHER).await;
            }
            Err(error) => {
                failures += 1;
                tracing::warn!(%error, name, "cannot write the subjects of the ClusterRoleBinding");
            }
        }
    }
}

/// Keeps what the watch of the one binding shows.
fn observe(
    binding: &mut Option<ClusterRoleBinding>,
    listed: &mut Option<ClusterRoleBinding>,
    event: Event<ClusterRoleBinding>,
) {
    match event {
        Event::Init => *listed = None,
        Event::InitApply(object) => *listed = Some(object),
        Event::InitDone => *binding = listed.take(),
        Event::Apply(object) => *binding = Some(object),
        Event::Delete(_) => *binding = None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn webhook(name: &str, authentication: &str) -> DeserializeGuard<Webhook> {
        serde_json::from_value(json!({
            "apiVersion": "posthaste.dev/v1alpha1", "kind": "Webhook", "metadata": {"name": name, "namespace": "mail"},
            "spec": {"ingest": {"authentication": authentication}},
        }))
        .unwrap()
    }

    fn binding(subjects: &[(&str, &str)]) -> ClusterRoleBinding {
        let subjects: Vec<_> = subjects
            .iter()
            .map(|(namespace, name)| json!({"kind": "ServiceAccount", "namespace": namespace, "name": name}))
            .collect();
        serde_json::from_value(json!({
            "metadata": {"name": "reviewer", "resourceVersion": "9"},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "reviewer"},
            "subjects": subjects,
        }))
        .unwrap()
    }

    #[test]
    fn every_sidecar_is_a_subject_however_events_are_posted() {
        let webhooks =
            [webhook("letters", "ServiceAccount"), webhook("cards", "None"), webhook("parcels", "Unheard-of")];
        let wanted = ["cards", "letters", "parcels"].map(|name| Key::new("mail", format!("{name}-delivery")));
        assert_eq!(subjects(&webhooks), wanted.into());
    }

    #[test]
    fn patches_only_when_the_set_differs() {
        let wanted: BTreeSet<_> = [Key::new("mail", "a"), Key::new("mail", "b")].into();
        assert_eq!(patch(&binding(&[("mail", "b"), ("mail", "a")]), &wanted), None);
        for other in [vec![("mail", "a")], vec![("mail", "a"), ("mail", "b"), ("mail", "gone")], vec![]] {
            let patch = patch(&binding(&other), &wanted).unwrap();
            assert_eq!(patch["metadata"]["resourceVersion"], "9");
            let names: Vec<_> = patch["subjects"].as_array().unwrap().iter().map(|subject| &subject["name"]).collect();
            assert_eq!(names, ["a", "b"], "{other:?}");
        }
    }

    #[test]
    fn the_last_webhook_takes_its_subject_along() {
        let patch = patch(&binding(&[("mail", "a")]), &BTreeSet::new()).unwrap();
        assert_eq!(patch["subjects"], json!([]));
    }

    #[test]
    fn a_relist_without_the_binding_means_that_it_is_gone() {
        let (mut current, mut listed) = (Some(binding(&[])), None);
        observe(&mut current, &mut listed, Event::Init);
        assert!(current.is_some());
        observe(&mut current, &mut listed, Event::InitDone);
        assert!(current.is_none());
    }
}
