//! Generated signing keys: a Secret `<endpoint>-signing` for each endpoint that names no keys.
//!
//! A key is made once. It is never overwritten, and stays when the endpoint gets keys of its own: they may be meant to
//! take turns with it, and it can be referred to like any other. It goes with its endpoint.

use std::collections::{HashMap, HashSet};

use futures::{StreamExt, stream};
use k8s_openapi::{ByteString, api::core::v1::Secret};
use kube::{
    Api, Resource,
    api::{ObjectMeta, Patch, PatchParams},
};
use posthaste_crds::{OPERATOR_MANAGER, labels, v1alpha1::WebhookEndpoint};
use posthaste_delivery_config::{Redacted, resolve::generated_key};

use crate::{
    apply::{Decision, Owner, decide, is_terminating},
    child_kind::ChildKind,
    children::{Applied, Observed, version},
    context::Context,
    key::Key,
    references::{Content, Contents, ReferenceKind},
    sync::lock,
    webhook::build::child_labels,
};

/// Writes at the same time.
const WRITES: usize = 16;

/// How it is with the generated keys of some endpoints.
#[derive(Debug, Default)]
pub struct Keys {
    /// UIDs of endpoints whose key's name is taken by somebody else's Secret, with that name.
    pub taken: HashMap<String, String>,
    /// UIDs of endpoints whose key is not there yet: nothing is to be said of them now.
    pub pending: HashSet<String>,
    /// Names of Secrets of earlier endpoints of the same name, on their way out.
    leftover: HashSet<String>,
    failure: Option<Error>,
}

impl Keys {
    /// Names of Secrets that must not be used as keys.
    pub fn withheld(&self) -> impl Iterator<Item = &str> {
        self.taken.values().chain(&self.leftover).map(String::as_str)
    }

    /// The first failure, if any.
    ///
    /// # Errors
    /// That one.
    pub fn result(self) -> Result<(), Error> {
        self.failure.map_or(Ok(()), Err)
    }
}

/// A key could not be made.
#[derive(Debug, thiserror::Error)]
#[error("cannot create Secret {secret} for a signing key: {source}")]
pub struct Error {
    secret: String,
    source: kube::Error,
}

impl Error {
    /// Whether the namespace is being removed.
    pub fn is_terminating(&self) -> bool {
        matches!(&self.source, kube::Error::Api(status) if is_terminating(status))
    }
}

/// Makes the keys that are missing, and adds them to `contents`, which has what was looked up before. A failure for one
/// endpoint is told at the end and keeps no other from its key.
pub async fn ensure(context: &Context, endpoints: &[&WebhookEndpoint], contents: &mut Contents) -> Keys {
    let mut keys = Keys::default();
    let mut missing = Vec::new();
    for endpoint in endpoints {
        let Some(reference) = generated_key(endpoint) else { continue };
        let (uid, namespace) = (endpoint.metadata.uid.clone(), endpoint.metadata.namespace.clone());
        let (uid, secret) = (uid.unwrap_or_default(), Key::new(namespace.unwrap_or_default(), reference.name));
        match standing(endpoint, contents.get(&(ReferenceKind::Secret, secret.clone()))) {
            Decision::Create => missing.push((uid, build(endpoint, &secret.name, rand::random()), secret)),
            Decision::Conflict => drop(keys.taken.insert(uid, secret.name)),
            Decision::Leftover => {
                keys.leftover.insert(secret.name);
                keys.pending.insert(uid);
            }
            Decision::Apply | Decision::Skip => {}
        }
    }
    let mut created = stream::iter(missing)
        .map(async |(uid, secret, key)| (uid, create(context, &key, &secret).await, key))
        .buffer_unordered(WRITES);
    while let Some((uid, result, secret)) = created.next().await {
        match result {
            Ok(content) => drop(contents.insert((ReferenceKind::Secret, secret), content)),
            Err(source) => {
                keys.pending.insert(uid);
                keys.failure.get_or_insert(Error { secret: secret.name, source });
            }
        }
    }
    keys
}

/// Whose the Secret in the place of the key is.
fn standing(endpoint: &WebhookEndpoint, content: Option<&Content>) -> Decision {
    let observed = match content {
        Some(Content::Secret(secret)) => Some(Observed::any(&secret.metadata)),
        Some(Content::Absent | Content::Service(_)) | None => None,
    };
    decide(&owner(endpoint), observed.as_ref(), None, &[0; 32])
}

fn owner(endpoint: &WebhookEndpoint) -> Owner {
    Owner {
        kind: "WebhookEndpoint",
        name: endpoint.metadata.name.clone().unwrap_or_default(),
        uid: endpoint.metadata.uid.clone().unwrap_or_default(),
        webhook: endpoint.spec.webhook_ref.name.clone(),
    }
}

async fn create(context: &Context, key: &Key, secret: &Secret) -> Result<Content, kube::Error> {
    let api: Api<Secret> = Api::namespaced(context.shared.client.clone(), &key.namespace);
    // Without `force`: a Secret that somebody made since the look-up is not overwritten.
    let result = api.patch(&key.name, &PatchParams::apply(OPERATOR_MANAGER), &Patch::Apply(Unshown(secret))).await;
    context.shared.metrics.patched(ChildKind::Secret.as_str(), result.is_ok());
    let secret = result?;
    tracing::info!(secret = %key, "made a signing key");
    let applied = Applied {
        hash: [0; 32],
        version: version(&secret.metadata),
        resource_version: secret.metadata.resource_version.clone(),
        webhook: Observed::any(&secret.metadata).webhook.unwrap_or_default(),
    };
    lock(&context.children).record(ChildKind::Secret, key.clone(), applied);
    let content = Content::secret(secret);
    lock(&context.references).written(&(ReferenceKind::Secret, key.clone()), content.clone());
    Ok(content)
}

/// A Secret on its way to the API server, of which `Debug` shows nothing.
#[derive(serde::Serialize)]
#[serde(transparent)]
struct Unshown<'a>(&'a Secret);

impl std::fmt::Debug for Unshown<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("[redacted]")
    }
}

/// The Secret with a key, written as Standard Webhooks writes symmetric keys.
fn build(endpoint: &WebhookEndpoint, name: &str, random: [u8; 32]) -> Secret {
    let key =
        Redacted::new(format!("whsec_{}", base64::Engine::encode(&base64::engine::general_purpose::STANDARD, random)));
    let mut labels = child_labels(&endpoint.spec.webhook_ref.name);
    labels.insert(labels::ENDPOINT.to_owned(), endpoint.metadata.name.clone().unwrap_or_default());
    Secret {
        metadata: ObjectMeta {
            name: Some(name.to_owned()),
            namespace: endpoint.metadata.namespace.clone(),
            labels: Some(labels),
            owner_references: endpoint.controller_owner_ref(&()).map(|owner| vec![owner]),
            ..ObjectMeta::default()
        },
        type_: Some("Opaque".to_owned()),
        data: Some(
            [(
                posthaste_delivery_config::resolve::GENERATED_KEY.to_owned(),
                ByteString(key.expose().as_bytes().to_vec()),
            )]
            .into(),
        ),
        ..Secret::default()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::{Value, json};

    use super::*;

    fn endpoint() -> WebhookEndpoint {
        serde_json::from_value(json!({
            "apiVersion": "posthaste.dev/v1alpha1", "kind": "WebhookEndpoint",
            "metadata": {"name": "aunt", "namespace": "mail", "uid": "e1"},
            "spec": {"webhookRef": {"name": "letters"}, "target": {"url": "https://aunt.example/post"}},
        }))
        .unwrap()
    }

    fn content(owners: &Value) -> Content {
        let secret = json!({"metadata": {"name": "aunt-signing", "namespace": "mail", "ownerReferences": owners}});
        Content::Secret(Arc::new(serde_json::from_value(secret).unwrap()))
    }

    #[test]
    fn a_key_is_made_only_where_there_is_none_and_nobody_elses_is_used() {
        let owner = |uid| json!([{"apiVersion": "posthaste.dev/v1alpha1", "kind": "WebhookEndpoint", "name": "aunt", "uid": uid, "controller": true}]);
        for (content, expected) in [
            (None, Decision::Create),
            (Some(Content::Absent), Decision::Create),
            (Some(content(&owner("e1"))), Decision::Apply),
            (Some(content(&owner("e0"))), Decision::Leftover),
            (Some(content(&json!([]))), Decision::Conflict),
        ] {
            assert_eq!(standing(&endpoint(), content.as_ref()), expected);
        }
    }

    #[test]
    fn the_secret_belongs_to_its_endpoint_and_holds_a_key_that_is_accepted_back() {
        let endpoint = endpoint();
        let secret = build(&endpoint, "aunt-signing", [7; 32]);
        let owner = &secret.metadata.owner_references.as_ref().unwrap()[0];
        assert_eq!((owner.kind.as_str(), owner.uid.as_str(), owner.controller), ("WebhookEndpoint", "e1", Some(true)));
        assert_eq!(secret.metadata.labels.as_ref().unwrap()["posthaste.dev/webhook"], "letters");
        let mut lookup = posthaste_delivery_config::resolve::Lookup::default();
        lookup.insert_secret_object(&secret);
        let webhook = serde_json::from_value(json!({
            "apiVersion": "posthaste.dev/v1alpha1", "kind": "Webhook", "metadata": {"name": "letters"}, "spec": {},
        }))
        .unwrap();
        let verdict = posthaste_delivery_config::resolve::verdict(
            posthaste_delivery_config::resolve::Parent::Accepted(&webhook),
            &endpoint,
            &lookup,
        );
        assert_eq!(verdict.endpoint.unwrap().signing_keys.len(), 1, "{:?}", verdict.resolved_refs);
    }

    #[test]
    fn debug_output_shows_no_key() {
        assert_eq!(format!("{:?}", Unshown(&build(&endpoint(), "aunt-signing", [7; 32]))), "[redacted]");
    }
}
