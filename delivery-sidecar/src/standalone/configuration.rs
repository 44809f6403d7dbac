//! From resources to the configuration that a delivery runs with: what the operator does in a cluster, by the same
//! functions.

use std::{collections::BTreeSet, net::IpAddr};

use futures::future::BoxFuture;
use ipnet::IpNet;
use jiff::Timestamp;
use posthaste_crds::v1alpha1::{Authentication, Webhook, WebhookEndpoint};
use posthaste_delivery_config::{
    AddressPolicy, Rendered, StatusBudget, StatusMode, render,
    render::{Configuration, EndpointOutcome, Input},
    resolve::{Lookup, Outcome, Service, generated_key},
};

use super::{
    documents::{Document, Problem},
    keys::KeyDirectory,
    manifests::Manifests,
};
use crate::{args::ServiceAddress, config::Source};

/// Status is written to memory, where nobody has to be spared.
const MEMORY: StatusBudget = StatusBudget {
    mode: StatusMode::Full,
    per_second: 100_000.0,
    burst: 100_000.0,
    programmed_per_second: 100_000.0,
    min_interval_ms: 0,
};

/// What the command line says about the surroundings.
#[derive(Clone, Debug)]
pub struct Surroundings<'a> {
    /// Where Services are.
    pub services: &'a [ServiceAddress],
    /// Networks that may be delivered to.
    pub allow: &'a [IpNet],
    /// Events are taken in from this machine only.
    pub loopback_only: bool,
}

/// A configuration and what is to be said of it.
#[derive(Debug)]
pub struct Resolved {
    /// The Webhook.
    pub webhook: Webhook,
    /// Its endpoints, by name.
    pub endpoints: Vec<WebhookEndpoint>,
    /// What the operator would say of the Webhook.
    pub accepted: Outcome,
    /// What the operator would say of the endpoints, in their order.
    pub outcomes: Vec<EndpointOutcome>,
    /// The configuration.
    pub configuration: Configuration,
    /// What differs from a cluster, for people.
    pub notes: Vec<String>,
    /// Endpoints that cannot be delivered to, and why.
    pub warnings: Vec<Problem>,
}

/// Why there is nothing to run.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ResolveError {
    /// The files have no Webhook.
    #[error("there is no Webhook in these files")]
    NoWebhook,
    /// A document stands in the way.
    #[error(transparent)]
    Document(#[from] Problem),
}

/// Resolves the one Webhook of the manifests.
///
/// # Errors
/// When there is not exactly one Webhook, or it cannot run.
pub fn resolve(
    manifests: Manifests,
    surroundings: &Surroundings,
    keys: &KeyDirectory,
    now: Timestamp,
) -> Result<Resolved, ResolveError> {
    let Manifests { webhooks, endpoints, secrets, skipped } = manifests;
    let (document, mut webhook) = only_one(webhooks)?;
    let mut notes = Vec::new();
    if !skipped.is_empty() {
        let kinds: Vec<String> = skipped.iter().map(|(kind, count)| format!("{count} {kind}")).collect();
        notes.push(format!("not used here: {}", kinds.join(", ")));
    }
    replace_authentication(&document, &mut webhook, surroundings, &mut notes)?;

    let own = |document: &Document, endpoint: &WebhookEndpoint| {
        endpoint.spec.webhook_ref.name == webhook_name(&webhook) && Some(&document.namespace) == namespace(&webhook)
    };
    let (endpoints, strangers): (Vec<_>, Vec<_>) =
        endpoints.into_iter().partition(|(document, endpoint)| own(document, endpoint));
    let strangers = strangers.iter().map(|(document, endpoint)| {
        let (name, namespace) = (&endpoint.spec.webhook_ref.name, &document.namespace);
        document.problem(format!("spec.webhookRef.name: there is no Webhook {name:?} in namespace {namespace:?}"))
    });
    let mut warnings: Vec<Problem> = strangers.collect();

    let mut lookup = Lookup::default();
    let mut given = BTreeSet::new();
    for secret in secrets.iter().filter(|secret| secret.metadata.namespace == webhook.metadata.namespace) {
        lookup.insert_secret_object(secret);
        given.extend(secret.metadata.name.clone());
    }
    for service in surroundings.services.iter().filter(|service| Some(&service.namespace) == namespace(&webhook)) {
        lookup.insert_service(&service.name, Service::At(service.address.clone()));
    }
    add_generated_keys(&endpoints, &given, keys, &mut lookup, &mut notes)?;

    let references: Vec<&WebhookEndpoint> = endpoints.iter().map(|(_, endpoint)| endpoint).collect();
    let rendered = render(&Input {
        webhook: &webhook,
        endpoints: &references,
        lookup: &lookup,
        address_policy: &AddressPolicy { allow: allowed(surroundings), deny: Vec::new() },
        status: &MEMORY,
        previous: None,
        acknowledged: None,
        salt: &uuid::Uuid::now_v7().to_string(),
        now,
    });
    let Rendered { webhook: accepted, resolved_refs, configuration, endpoints: outcomes } = rendered;
    let Some(configuration) = configuration else { return Err(document.problem(accepted.message).into()) };
    if !resolved_refs.is_true() {
        warnings.push(document.problem(resolved_refs.message));
    }
    for ((document, _), outcome) in endpoints.iter().zip(&outcomes) {
        let wrong = [&outcome.accepted, &outcome.resolved_refs].into_iter().filter(|judged| !judged.is_true());
        warnings.extend(wrong.map(|judged| document.problem(with_hint(judged))));
    }
    let endpoints = endpoints.into_iter().map(|(_, endpoint)| endpoint).collect();
    Ok(Resolved { webhook, endpoints, accepted, outcomes, configuration, notes, warnings })
}

fn only_one(webhooks: Vec<(Document, Webhook)>) -> Result<(Document, Webhook), ResolveError> {
    let mut webhooks = webhooks.into_iter();
    match (webhooks.next(), webhooks.next()) {
        (Some(webhook), None) => Ok(webhook),
        (None, _) => Err(ResolveError::NoWebhook),
        (Some(_), Some((document, _))) => {
            let message = "is a second Webhook; one process serves one, so run another process for it";
            Err(document.problem(message).into())
        }
    }
}

fn webhook_name(webhook: &Webhook) -> &str {
    webhook.metadata.name.as_deref().unwrap_or_default()
}

fn namespace(webhook: &Webhook) -> Option<&String> {
    webhook.metadata.namespace.as_ref()
}

/// Without a cluster nobody can review a token. On loopback only this machine's users can post; anywhere else it is
/// not for us to open what was meant to be closed.
fn replace_authentication(
    document: &Document,
    webhook: &mut Webhook,
    surroundings: &Surroundings,
    notes: &mut Vec<String>,
) -> Result<(), Problem> {
    let ingest = webhook.spec.ingest.get_or_insert_default();
    if ingest.authentication.unwrap_or_default() != Authentication::ServiceAccount {
        return Ok(());
    }
    if !surroundings.loopback_only {
        return Err(document.problem(
            "spec.ingest.authentication: ServiceAccount needs a cluster; listen on a loopback address such as \
             127.0.0.1:8080, where it is replaced by None, or write None",
        ));
    }
    ingest.authentication = Some(Authentication::None);
    notes.push("authentication by ServiceAccount needs a cluster: everyone on this machine can post events".to_owned());
    Ok(())
}

fn add_generated_keys(
    endpoints: &[(Document, WebhookEndpoint)],
    given: &BTreeSet<String>,
    keys: &KeyDirectory,
    lookup: &mut Lookup,
    notes: &mut Vec<String>,
) -> Result<(), Problem> {
    for (document, endpoint) in endpoints {
        let Some(reference) = generated_key(endpoint).filter(|reference| !given.contains(&reference.name)) else {
            continue;
        };
        let path = keys.path(&document.namespace, &reference.name);
        let key = keys.get_or_generate(&document.namespace, &reference.name, &mut rand::rng());
        let key = key.map_err(|error| document.problem(format!("signing key {}: {error}", path.display())))?;
        lookup.insert_secret(reference.name, [(reference.key, key.expose().as_bytes().to_vec())]);
        let name = endpoint.metadata.name.as_deref().unwrap_or_default();
        notes.push(format!("the signing key of {name} is in {}", path.display()));
    }
    Ok(())
}

/// What the command line names may be connected to: the networks, and the addresses of Services.
fn allowed(surroundings: &Surroundings) -> Vec<IpNet> {
    const LOOPBACK: [&str; 2] = ["127.0.0.0/8", "::1/128"];
    let services = surroundings.services.iter().flat_map(|service| {
        let host = service.address.rsplit_once(':').map_or("", |(host, _)| host);
        let host = host.trim_start_matches('[').trim_end_matches(']');
        match host.parse::<IpAddr>() {
            Ok(address) => vec![IpNet::from(address)],
            Err(_) if host == "localhost" => LOOPBACK.iter().filter_map(|network| network.parse().ok()).collect(),
            Err(_) => Vec::new(),
        }
    });
    surroundings.allow.iter().copied().chain(services).collect()
}

fn with_hint(judged: &Outcome) -> String {
    let hint = match judged.reason {
        posthaste_crds::conditions::resolved_refs::SERVICE_NOT_FOUND => {
            "; say where it is with --service NAMESPACE/NAME=HOST:PORT"
        }
        posthaste_crds::conditions::resolved_refs::SECRET_NOT_FOUND => "; add its manifest to the files",
        _ => "",
    };
    format!("{}{hint}", judged.message)
}

/// The configuration as the source that it is loaded from.
impl Source for Configuration {
    fn index(&self) -> BoxFuture<'_, Result<Option<Vec<u8>>, String>> {
        Box::pin(async { Ok(Some(self.index_json().into_bytes())) })
    }

    fn chunk(&self, number: u8) -> BoxFuture<'_, Result<Option<Vec<u8>>, String>> {
        let chunk = self.chunks.get(&number).map(|chunk| chunk.json.expose().as_bytes().to_vec());
        Box::pin(async move { Ok(chunk) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        config::Loader,
        standalone::{documents, manifests},
    };

    const ORDERS: &str = "
apiVersion: posthaste.dev/v1alpha1
kind: Webhook
metadata: {name: orders, namespace: shop}
spec: {}
---
apiVersion: posthaste.dev/v1alpha1
kind: WebhookEndpoint
metadata: {name: receiver, namespace: shop}
spec:
  webhookRef: {name: orders}
  target: {serviceRef: {name: receiver}}
";

    fn resolve_text(text: &str, services: &[&str], loopback_only: bool) -> Result<Resolved, ResolveError> {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("x.yaml");
        std::fs::write(&file, text).unwrap();
        let (documents, problems) = documents::read(&[file]);
        assert!(problems.is_empty(), "{problems:?}");
        let (manifests, problems) = manifests::assemble(documents, Timestamp::UNIX_EPOCH);
        assert!(problems.is_empty(), "{problems:?}");
        let services: Vec<ServiceAddress> = services.iter().map(|text| text.parse().unwrap()).collect();
        let surroundings = Surroundings { services: &services, allow: &[], loopback_only };
        let keys = KeyDirectory::open(directory.path()).unwrap();
        resolve(manifests, &surroundings, &keys, Timestamp::UNIX_EPOCH)
    }

    #[tokio::test]
    async fn a_service_that_is_mapped_is_delivered_to_with_a_generated_key() {
        let resolved = resolve_text(ORDERS, &["shop/receiver=127.0.0.1:9000"], true).unwrap();
        assert!(resolved.warnings.is_empty(), "{:?}", resolved.warnings);
        assert!(resolved.notes.iter().any(|note| note.contains("shop_receiver-signing")), "{:?}", resolved.notes);
        let configuration = resolved.configuration;
        let index = configuration.index().await.unwrap().unwrap();
        let loaded = Loader::default().load(&index, &configuration).await.unwrap();
        let endpoint = loaded.endpoints[0].compiled.as_ref().unwrap();
        assert_eq!(endpoint.url.as_str(), "http://127.0.0.1:9000/");
        assert_eq!(loaded.webhook.address_policy.allow, ["127.0.0.1/32".parse().unwrap()]);
    }

    #[test]
    fn an_endpoint_that_cannot_be_delivered_to_says_what_to_do() {
        let resolved = resolve_text(ORDERS, &[], true).unwrap();
        let warning = resolved.warnings[0].to_string();
        assert!(warning.contains("document 2 (WebhookEndpoint \"receiver\")"), "{warning}");
        assert!(warning.contains("--service"), "{warning}");
    }

    #[test]
    fn authentication_is_replaced_on_loopback_only() {
        let resolved = resolve_text(ORDERS, &[], true).unwrap();
        assert!(resolved.notes.iter().any(|note| note.contains("everyone on this machine")));
        let error = resolve_text(ORDERS, &[], false).unwrap_err().to_string();
        assert!(error.contains("spec.ingest.authentication"), "{error}");
        let open = ORDERS.replace("spec: {}", "spec: {ingest: {authentication: None}}");
        assert!(resolve_text(&open, &[], false).is_ok());
    }

    #[test]
    fn keys_of_producers_are_used_as_in_a_cluster_on_any_address() {
        let keys = ORDERS.replace(
            "spec: {}",
            "spec: {ingest: {authentication: BearerKeys, bearerKeys: {secretRef: {name: producers}}}}",
        );
        let resolved = resolve_text(&keys, &[], false).unwrap();
        assert!(resolved.warnings.iter().any(|warning| warning.message.contains("no Secret \"producers\"")));
        let secret = "---\napiVersion: v1\nkind: Secret\nmetadata: {name: producers, namespace: shop}\nstringData: {shop: 0123456789abcdef}\n";
        let resolved = resolve_text(&format!("{keys}{secret}"), &[], false).unwrap();
        assert_eq!(resolved.configuration.index.webhook.bearer_keys.len(), 1);
        assert!(!resolved.warnings.iter().any(|warning| warning.message.contains("producers")));
    }

    #[test]
    fn files_without_a_webhook_are_told() {
        assert_eq!(resolve_text("", &[], true).unwrap_err(), ResolveError::NoWebhook);
    }

    #[test]
    fn a_second_webhook_and_a_foreign_endpoint_are_told() {
        let second = format!("{ORDERS}---\n{}", ORDERS.replace("orders", "others").replace("receiver", "r2"));
        assert!(resolve_text(&second, &[], true).unwrap_err().to_string().contains("run another process"));
        let foreign = ORDERS.replace("webhookRef: {name: orders}", "webhookRef: {name: others}");
        assert!(resolve_text(&foreign, &[], true).unwrap().warnings[0].message.contains("no Webhook \"others\""));
    }
}
