//! Which other objects an endpoint depends on.

use std::collections::BTreeSet;

use posthaste_crds::v1alpha1::{Header, SecretKeyRef, Webhook, WebhookEndpoint};

use super::{headers, keys};

/// Objects of the same namespace, and what is needed of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct References {
    /// Keys of Secrets.
    pub secrets: BTreeSet<SecretKeyRef>,
    /// Names of Secrets that are needed as a whole.
    pub whole_secrets: BTreeSet<String>,
    /// Ports of Services.
    pub services: BTreeSet<ServicePort>,
}

/// A port of a Service.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ServicePort {
    /// Name of the Service.
    pub name: String,
    /// Number of its port.
    pub port: u16,
}

impl References {
    /// Names of the Secrets, each once.
    pub fn secret_names(&self) -> BTreeSet<&str> {
        let of_keys = self.secrets.iter().map(|reference| reference.name.as_str());
        of_keys.chain(self.whole_secrets.iter().map(String::as_str)).collect()
    }

    /// Names of the Services, each once.
    pub fn service_names(&self) -> BTreeSet<&str> {
        self.services.iter().map(|service| service.name.as_str()).collect()
    }

    /// Adds those of another.
    pub fn extend(&mut self, other: Self) {
        self.secrets.extend(other.secrets);
        self.whole_secrets.extend(other.whole_secrets);
        self.services.extend(other.services);
    }

    fn add_headers<'a>(&mut self, headers: impl IntoIterator<Item = &'a Header>) {
        let sources = headers.into_iter().filter_map(|header| header.value_from.as_ref());
        self.secrets.extend(sources.map(|source| source.secret_key_ref.clone()));
    }
}

/// Everything that has to be looked up before an endpoint can be judged: its own references, its Webhook's default
/// headers as far as it does not override them, and its generated signing key if it has no others.
pub fn references(webhook: &Webhook, endpoint: &WebhookEndpoint) -> References {
    let settings = &endpoint.spec.settings;
    let mut references = References::default();
    if let Some(source) = &settings.target.url_from {
        references.secrets.insert(source.secret_key_ref.clone());
    }
    if let Some(service) = &settings.target.service_ref {
        references.services.insert(ServicePort { name: service.name.clone(), port: service.port });
    }
    references.add_headers(headers::effective(Some(webhook), endpoint).map(|header| header.header));
    let keys = settings.signing.iter().flat_map(|signing| signing.keys.iter().flatten());
    references.secrets.extend(keys.map(|key| key.secret_key_ref.clone()));
    references.secrets.extend(keys::generated_key(endpoint));
    references
}

/// What a Webhook's default headers refer to.
pub fn default_references(webhook: &Webhook) -> References {
    let mut references = References::default();
    references.add_headers(headers::defaults(webhook));
    references
}
