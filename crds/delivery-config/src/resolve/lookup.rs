//! What the objects that endpoints refer to hold.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use k8s_openapi::{api::core::v1, apimachinery::pkg::util::intstr::IntOrString};
use posthaste_crds::{conditions::resolved_refs, v1alpha1::SecretKeyRef};
use zeroize::Zeroizing;

use super::Refusal;

/// Contents of the Secrets and Services of one namespace, as far as somebody refers to them. What is not in it does not
/// exist. `Debug` shows names only.
#[derive(Clone, Default)]
pub struct Lookup {
    secrets: BTreeMap<String, BTreeMap<String, Zeroizing<Vec<u8>>>>,
    services: BTreeMap<String, Service>,
}

/// What has to be known of a Service to send to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Service {
    /// It has a virtual address, which takes connections on these TCP ports.
    Virtual(BTreeSet<u16>),
    /// Its name resolves to its pods, so that a connection goes to the pods' own port: port of the Service to port of
    /// the pods, or `None` where the pods' port has a name, which each pod may give another number.
    Headless(BTreeMap<u16, Option<u16>>),
    /// It is another name for something outside of the namespace.
    External,
    /// It is reached at this `host:port`, whichever port is asked for. Only outside of a cluster.
    At(String),
}

impl Lookup {
    /// Adds a Secret by the bytes of its keys.
    pub fn insert_secret(&mut self, name: impl Into<String>, data: impl IntoIterator<Item = (String, Vec<u8>)>) {
        let data = data.into_iter().map(|(key, bytes)| (key, Zeroizing::new(bytes))).collect();
        self.secrets.insert(name.into(), data);
    }

    /// Adds a Secret as Kubernetes has it; `stringData`, which only files have, goes over `data`. One without a name is
    /// nothing that can be referred to.
    pub fn insert_secret_object(&mut self, secret: &v1::Secret) {
        let Some(name) = &secret.metadata.name else { return };
        let data = secret.data.iter().flatten().map(|(key, bytes)| (key.clone(), bytes.0.clone()));
        let text = secret.string_data.iter().flatten().map(|(key, text)| (key.clone(), text.clone().into_bytes()));
        self.insert_secret(name, data.chain(text));
    }

    /// Adds a Service.
    pub fn insert_service(&mut self, name: impl Into<String>, service: Service) {
        self.services.insert(name.into(), service);
    }

    /// Adds a Service as Kubernetes has it.
    pub fn insert_service_object(&mut self, service: &v1::Service) {
        if let Some(name) = &service.metadata.name {
            self.insert_service(name, Service::from(service));
        }
    }

    /// The bytes that a reference stands for.
    pub(super) fn secret(&self, field: &str, reference: &SecretKeyRef) -> Result<&[u8], Refusal> {
        let SecretKeyRef { name, key } = reference;
        let missing = |message| Refusal::new(resolved_refs::SECRET_NOT_FOUND, message);
        let secret = self.secrets.get(name).ok_or_else(|| missing(format!("{field}: there is no Secret {name:?}")))?;
        let value = secret.get(key).ok_or_else(|| missing(format!("{field}: Secret {name:?} has no key {key:?}")))?;
        Ok(value)
    }

    /// The bytes of every key of a Secret.
    pub(super) fn whole_secret(
        &self,
        field: &str,
        name: &str,
    ) -> Result<&BTreeMap<String, Zeroizing<Vec<u8>>>, Refusal> {
        let missing = || Refusal::new(resolved_refs::SECRET_NOT_FOUND, format!("{field}: there is no Secret {name:?}"));
        self.secrets.get(name).ok_or_else(missing)
    }

    /// The text that a reference stands for, without a line end at its end: many tools put one there, and in none of
    /// the texts used here can it be meant.
    pub(super) fn secret_text(&self, field: &str, reference: &SecretKeyRef) -> Result<&str, Refusal> {
        let text = str::from_utf8(self.secret(field, reference)?)
            .map_err(|_| invalid_secret(field, reference, "must be text in UTF-8"))?;
        Ok(without_line_end(text))
    }

    pub(super) fn service(&self, name: &str) -> Option<&Service> {
        self.services.get(name)
    }
}

/// A text without a line end at its end.
pub(super) fn without_line_end(text: &str) -> &str {
    let text = text.strip_suffix('\n').unwrap_or(text);
    text.strip_suffix('\r').unwrap_or(text)
}

/// A refusal of what is in a Secret, without showing it; `must` continues "the value".
pub(super) fn invalid_secret(field: &str, reference: &SecretKeyRef, must: &str) -> Refusal {
    let SecretKeyRef { name, key } = reference;
    Refusal::new(resolved_refs::INVALID_VALUE, format!("{field}: the value of key {key:?} in Secret {name:?} {must}"))
}

impl From<&v1::Service> for Service {
    fn from(service: &v1::Service) -> Self {
        let Some(spec) = &service.spec else { return Self::Virtual(BTreeSet::new()) };
        if spec.type_.as_deref() == Some("ExternalName") {
            return Self::External;
        }
        let tcp = || spec.ports.iter().flatten().filter(|port| port.protocol.as_deref().unwrap_or("TCP") == "TCP");
        let number = |port: i32| u16::try_from(port).ok();
        if spec.cluster_ip.as_deref() != Some("None") {
            return Self::Virtual(tcp().filter_map(|port| number(port.port)).collect());
        }
        Self::Headless(
            tcp()
                .filter_map(|port| {
                    let of_service = number(port.port)?;
                    let of_pods = match &port.target_port {
                        None => Some(of_service),
                        Some(IntOrString::Int(target)) => number(*target),
                        Some(IntOrString::String(_)) => None,
                    };
                    Some((of_service, of_pods))
                })
                .collect(),
        )
    }
}

impl fmt::Debug for Lookup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let secrets: BTreeMap<&str, Vec<&str>> = self
            .secrets
            .iter()
            .map(|(name, data)| (name.as_str(), data.keys().map(String::as_str).collect()))
            .collect();
        f.debug_struct("Lookup").field("secrets", &secrets).field("services", &self.services).finish()
    }
}
