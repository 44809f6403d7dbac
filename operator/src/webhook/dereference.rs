//! First step: reads all that a Webhook and its endpoints refer to, and the configuration that is written now.
//!
//! May read; writes nothing and judges nothing. A missing object is no error here.

use std::collections::HashSet;

use futures::{StreamExt, TryStreamExt, stream};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::{Secret, Service};
use kube::{Api, Client};
use posthaste_crds::{
    names,
    v1alpha1::{Webhook, WebhookEndpoint},
};
use posthaste_delivery_config::{
    Index,
    contract::{INDEX_KEY, read_index},
    resolve,
};

use crate::{
    context::Context,
    key::Key,
    references::{Content, Contents, Lookup, Reference, ReferenceKind},
    sync::lock,
};

/// Reads at the same time.
const READS: usize = 16;

/// What was read.
pub struct Dereferenced {
    /// Every object that is referred to, with what it holds.
    pub contents: Contents,
    /// The index that is in its Secret now.
    pub previous: Option<Index>,
    /// When it was read.
    pub now: Timestamp,
}

/// Why something could not be read.
#[derive(Debug, thiserror::Error)]
#[error("cannot read {kind:?} {key}: {source}")]
pub struct Error {
    kind: ReferenceKind,
    key: Key,
    source: kube::Error,
}

/// Reads, as far as it is not known already.
pub async fn dereference(
    context: &Context,
    key: &Key,
    webhook: &Webhook,
    endpoints: &[&WebhookEndpoint],
) -> Result<Dereferenced, Error> {
    let index = (ReferenceKind::Secret, Key::new(&key.namespace, names::delivery(&key.name)));
    let mut references = referred(&key.namespace, webhook, endpoints);
    references.insert(index.clone());
    lock(&context.references).set(key, references.clone());
    let contents: Contents = stream::iter(references)
        .map(async |reference| {
            let content = look_up(context, &reference).await?;
            Ok::<_, Error>((reference, content))
        })
        .buffer_unordered(READS)
        .try_collect()
        .await?;
    let previous = contents.get(&index).and_then(previous);
    Ok(Dereferenced { contents, previous, now: Timestamp::now() })
}

fn referred(namespace: &str, webhook: &Webhook, endpoints: &[&WebhookEndpoint]) -> HashSet<Reference> {
    let mut all = resolve::default_references(webhook);
    all.extend(resolve::ingest_references(webhook));
    for endpoint in endpoints {
        all.extend(resolve::references(webhook, endpoint));
    }
    let secrets = all.secret_names().into_iter().map(|name| (ReferenceKind::Secret, Key::new(namespace, name)));
    let services = all.service_names().into_iter().map(|name| (ReferenceKind::Service, Key::new(namespace, name)));
    secrets.chain(services).collect()
}

async fn look_up(context: &Context, reference: &Reference) -> Result<Content, Error> {
    let ticket = match lock(&context.references).look_up(reference) {
        Lookup::Known(content) => return Ok(content),
        Lookup::Read(ticket) => ticket,
    };
    let (kind, key) = reference;
    let content = read(&context.shared.client, *kind, key).await.map_err(|source| Error {
        kind: *kind,
        key: key.clone(),
        source,
    })?;
    lock(&context.references).store(reference, ticket, content.clone());
    Ok(content)
}

async fn read(client: &Client, kind: ReferenceKind, key: &Key) -> Result<Content, kube::Error> {
    Ok(match kind {
        ReferenceKind::Secret => {
            let api: Api<Secret> = Api::namespaced(client.clone(), &key.namespace);
            api.get_opt(&key.name).await?.map_or(Content::Absent, Content::secret)
        }
        ReferenceKind::Service => {
            let api: Api<Service> = Api::namespaced(client.clone(), &key.namespace);
            api.get_opt(&key.name).await?.map_or(Content::Absent, Content::service)
        }
    })
}

/// The index, if it can be read. Without it only the knowledge of which endpoints were deleted since is lost: their
/// deliveries wait until they are dead-lettered.
fn previous(content: &Content) -> Option<Index> {
    let Content::Secret(secret) = content else { return None };
    let bytes = &secret.data.as_ref()?.get(INDEX_KEY)?.0;
    read_index(bytes)
        .inspect_err(
            |error| tracing::warn!(%error, secret = secret.metadata.name, "ignoring the index that is written now"),
        )
        .ok()
}
