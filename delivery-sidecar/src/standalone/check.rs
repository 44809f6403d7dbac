//! Checks manifests as the API server and the operator would.

use std::path::PathBuf;

use jiff::Timestamp;
use posthaste_crds::offline;
use posthaste_delivery_config::resolve::{self, Lookup, Outcome, Parent};

use super::{
    documents::{self, Document, Problem},
    manifests::{self, Manifests},
};

/// Reads manifests and checks each against its schema and the rules in it.
///
/// # Errors
/// Everything that is wrong; never empty.
pub fn read(paths: &[PathBuf], now: Timestamp) -> Result<Manifests, Vec<Problem>> {
    let (documents, mut problems) = documents::read(paths);
    for document in documents.iter().filter(|document| manifests::is_of_our_group(&document.api_version)) {
        if let Err(wrong) = offline::validate(&document.value) {
            problems.extend(wrong.iter().map(|wrong| document.problem(wrong.to_string())));
        }
    }
    if !problems.is_empty() {
        // What is of the wrong shape would only be told a second time.
        return Err(problems);
    }
    let (manifests, problems) = manifests::assemble(documents, now);
    if problems.is_empty() { Ok(manifests) } else { Err(problems) }
}

/// What the operator would refuse of resources that it finds together: conditions `Accepted` that would be false. What
/// resources refer to is not looked at, and a Webhook that is not among them may be in the cluster.
pub fn judge(manifests: &Manifests) -> Vec<Problem> {
    let Manifests { webhooks, endpoints, .. } = manifests;
    let refused = |document: &Document, outcome: &Outcome| {
        (!outcome.is_true()).then(|| document.problem(outcome.message.clone()))
    };
    let mut problems = Vec::new();
    for (document, webhook) in webhooks {
        let neighbours = endpoints.iter().filter(|(other, _)| other.namespace == document.namespace);
        let outcome = resolve::webhook::validate(webhook, neighbours.map(|(_, endpoint)| endpoint));
        problems.extend(refused(document, &outcome));
    }
    for (document, endpoint) in endpoints {
        let named = &endpoint.spec.webhook_ref.name;
        let webhook = webhooks.iter().find(|(other, _)| other.namespace == document.namespace && other.name == *named);
        if let Some((_, webhook)) = webhook {
            let verdict = resolve::verdict(Parent::Accepted(webhook), endpoint, &Lookup::default());
            problems.extend(refused(document, &verdict.accepted));
        }
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str) -> Vec<String> {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("x.yaml");
        std::fs::write(&file, text).unwrap();
        let problems = match read(&[file], Timestamp::UNIX_EPOCH) {
            Ok(manifests) => judge(&manifests),
            Err(problems) => problems,
        };
        let directory = format!("{}/", directory.path().display());
        problems.iter().map(|problem| problem.to_string().replace(&directory, "")).collect()
    }

    #[test]
    fn good_manifests_pass() {
        let problems = check(
            "
apiVersion: posthaste.dev/v1alpha1
kind: Webhook
metadata: {name: orders}
spec: {}
---
apiVersion: posthaste.dev/v1alpha1
kind: WebhookEndpoint
metadata: {name: acme}
spec: {webhookRef: {name: orders}, target: {url: 'https://acme.example/hook'}}
---
apiVersion: v1
kind: Service
metadata: {name: other}
",
        );
        assert!(problems.is_empty(), "{problems:?}");
    }

    #[test]
    fn each_problem_names_its_document_and_field() {
        let problems = check(
            "
apiVersion: posthaste.dev/v1alpha1
kind: Webhook
metadata: {name: orders}
spec: {replicas: 5}
---
apiVersion: posthaste.dev/v1alpha1
kind: WebhookEndpoint
metadata: {name: acme}
spec: {webhookRef: {name: orders}, displayName: 5, target: {url: 'https://acme.example/hook'}}
",
        );
        assert_eq!(problems.len(), 2, "{problems:?}");
        assert!(problems[0].starts_with("x.yaml, document 1 (Webhook \"orders\"): spec.replicas"), "{}", problems[0]);
        assert!(
            problems[1].starts_with("x.yaml, document 2 (WebhookEndpoint \"acme\"): spec.displayName"),
            "{}",
            problems[1]
        );
    }

    #[test]
    fn what_only_the_two_kinds_together_show_is_found() {
        let problems = check(
            "
apiVersion: posthaste.dev/v1alpha1
kind: Webhook
metadata: {name: orders}
spec: {}
---
apiVersion: posthaste.dev/v1alpha1
kind: WebhookEndpoint
metadata: {name: acme}
spec: {webhookRef: {name: orders}, target: {url: 'http://acme.example/hook', allowHTTP: true}}
",
        );
        assert_eq!(problems.len(), 1, "{problems:?}");
        assert!(problems[0].contains("limits.allowHTTP"), "{}", problems[0]);
    }
}
