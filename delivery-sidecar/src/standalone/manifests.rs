//! From documents to resources: what the API server would hold after `kubectl apply`.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use k8s_openapi::{
    api::core::v1::Secret,
    apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference, Time},
};
use kube::Resource;
use posthaste_crds::{
    GROUP, names,
    v1alpha1::{Webhook, WebhookEndpoint, WebhookEndpointSpec, WebhookRef},
};
use serde::de::DeserializeOwned;

use super::documents::{Document, Problem};

/// The resources of all documents.
#[derive(Debug, Default)]
pub struct Manifests {
    /// Webhooks.
    pub webhooks: Vec<(Document, Webhook)>,
    /// Endpoints, those that are written inside a Webhook among them, each with the document that it is in.
    pub endpoints: Vec<(Document, WebhookEndpoint)>,
    /// Secrets.
    pub secrets: Vec<Secret>,
    /// How many documents of other kinds there are.
    pub skipped: BTreeMap<String, usize>,
}

/// Sorts documents into resources. They must have passed the schemas; what still cannot be read is a problem.
///
/// UIDs are made of namespace and name, so that they are the same each time.
pub fn assemble(documents: Vec<Document>, now: Timestamp) -> (Manifests, Vec<Problem>) {
    let mut manifests = Manifests::default();
    let mut problems = Vec::new();
    let mut seen = BTreeSet::new();
    for document in documents {
        if !seen.insert((document.kind.clone(), document.namespace.clone(), document.name.clone())) {
            problems.push(document.problem("is there twice in these files; remove one"));
            continue;
        }
        let result = match (document.api_version.as_str(), document.kind.as_str()) {
            (version, "Webhook") if is_ours(version) => manifests.add_webhook(document, now),
            (version, "WebhookEndpoint") if is_ours(version) => manifests.add_endpoint(document, now),
            ("v1", "Secret") => typed(&document).map(|secret| manifests.secrets.push(secret)),
            _ => {
                *manifests.skipped.entry(document.kind).or_default() += 1;
                Ok(())
            }
        };
        problems.extend(result.err());
    }
    manifests.endpoints.sort_by(|(_, a), (_, b)| a.metadata.name.cmp(&b.metadata.name));
    (manifests, problems)
}

/// Whether it is of a version of ours that this build knows.
fn is_ours(api_version: &str) -> bool {
    api_version == Webhook::api_version(&())
}

/// Whether it is of our group, in whatever version.
pub fn is_of_our_group(api_version: &str) -> bool {
    api_version.split('/').next() == Some(GROUP)
}

impl Manifests {
    fn add_webhook(&mut self, document: Document, now: Timestamp) -> Result<(), Problem> {
        let mut webhook: Webhook = typed(&document)?;
        fill(&mut webhook.metadata, "webhook", now);
        for inline in webhook.spec.endpoints.iter().flatten() {
            let name = names::inline_endpoint(&document.name, &inline.name);
            let webhook_ref = WebhookRef { name: document.name.clone() };
            let spec = WebhookEndpointSpec { webhook_ref, settings: inline.settings.clone() };
            let mut endpoint = WebhookEndpoint::new(&name, spec);
            endpoint.metadata.namespace = Some(document.namespace.clone());
            endpoint.metadata.owner_references = Some(vec![controlled_by(&webhook)]);
            fill(&mut endpoint.metadata, "endpoint", now);
            self.endpoints.push((document.clone(), endpoint));
        }
        self.webhooks.push((document, webhook));
        Ok(())
    }

    fn add_endpoint(&mut self, document: Document, now: Timestamp) -> Result<(), Problem> {
        let mut endpoint: WebhookEndpoint = typed(&document)?;
        fill(&mut endpoint.metadata, "endpoint", now);
        self.endpoints.push((document, endpoint));
        Ok(())
    }
}

fn typed<T: DeserializeOwned>(document: &Document) -> Result<T, Problem> {
    // For a Secret the message could quote what it found.
    let secret = document.kind == "Secret";
    serde_json::from_value(document.value.clone()).map_err(|error| {
        document.problem(if secret {
            "is not a Secret: data must be texts in base64, stringData texts".to_owned()
        } else {
            error.to_string()
        })
    })
}

/// What an API server fills in.
fn fill(metadata: &mut ObjectMeta, kind: &str, now: Timestamp) {
    let part = |text: &Option<String>| text.clone().unwrap_or_default();
    metadata.uid = Some(format!("{kind}/{}/{}", part(&metadata.namespace), part(&metadata.name)));
    metadata.generation = Some(1);
    metadata.creation_timestamp = Some(Time(now));
}

fn controlled_by(webhook: &Webhook) -> OwnerReference {
    OwnerReference {
        api_version: Webhook::api_version(&()).into_owned(),
        kind: Webhook::kind(&()).into_owned(),
        name: webhook.metadata.name.clone().unwrap_or_default(),
        uid: webhook.metadata.uid.clone().unwrap_or_default(),
        controller: Some(true),
        block_owner_deletion: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::standalone::documents;

    fn read(text: &str) -> (Manifests, Vec<Problem>) {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("x.yaml");
        std::fs::write(&file, text).unwrap();
        let (documents, problems) = documents::read(&[file]);
        assert!(problems.is_empty(), "{problems:?}");
        assemble(documents, Timestamp::UNIX_EPOCH)
    }

    const WEBHOOK: &str = "
apiVersion: posthaste.dev/v1alpha1
kind: Webhook
metadata: {name: orders, namespace: shop}
spec:
  endpoints:
  - {name: audit, target: {url: 'https://audit.example.com/hook'}}
";

    #[test]
    fn an_endpoint_inside_a_webhook_becomes_a_resource_of_it() {
        let (manifests, problems) = read(WEBHOOK);
        assert!(problems.is_empty(), "{problems:?}");
        let metadata = &manifests.endpoints[0].1.metadata;
        assert_eq!(metadata.name.as_deref(), Some("orders-audit"));
        assert_eq!(metadata.owner_references.as_ref().unwrap()[0].uid, "webhook/shop/orders");
        assert_eq!(metadata.uid.as_deref(), Some("endpoint/shop/orders-audit"));
    }

    #[test]
    fn other_kinds_are_counted_and_left_alone() {
        let (manifests, problems) = read(
            "
apiVersion: v1
kind: Namespace
metadata: {name: shop}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: receiver}
",
        );
        assert!(problems.is_empty());
        assert_eq!(manifests.skipped.keys().collect::<Vec<_>>(), ["Deployment", "Namespace"]);
    }

    #[test]
    fn what_is_there_twice_is_a_problem() {
        let (_, problems) = read(&format!("{WEBHOOK}---{WEBHOOK}"));
        assert!(problems[0].to_string().contains("document 2 (Webhook \"orders\"): is there twice"), "{}", problems[0]);
    }

    #[test]
    fn a_broken_secret_is_told_without_its_content() {
        let (_, problems) = read(
            "
apiVersion: v1
kind: Secret
metadata: {name: a}
data: {key: 'not base64!'}
",
        );
        assert!(problems[0].to_string().contains("must be texts in base64"));
        assert!(!problems[0].to_string().contains("not base64"));
    }
}
