//! The judgement on one endpoint.

use posthaste_crds::{
    conditions::resolved_refs,
    v1alpha1::{Webhook, WebhookEndpoint},
};

use super::{Lookup, Outcome, Refusal, accept, delivery, headers, keys, outcome::all, target};
use crate::Endpoint;

/// The Webhook that an endpoint names, as far as it can be relied on.
#[derive(Clone, Copy, Debug)]
pub enum Parent<'a> {
    /// There is none.
    Missing,
    /// It is there, and not accepted itself.
    Refused(&'a Webhook),
    /// It is there and accepted.
    Accepted(&'a Webhook),
}

impl<'a> Parent<'a> {
    fn webhook(self) -> Option<&'a Webhook> {
        match self {
            Self::Missing => None,
            Self::Refused(webhook) | Self::Accepted(webhook) => Some(webhook),
        }
    }
}

/// What can be said of one endpoint on its own. Limits that endpoints share are judged by [`crate::render()`].
#[derive(Clone, Debug, PartialEq)]
pub struct Verdict {
    /// Condition `Accepted`.
    pub accepted: Outcome,
    /// Condition `ResolvedRefs`. Judged apart from `Accepted`, so that both problems are seen at once.
    pub resolved_refs: Outcome,
    /// Its effective configuration, when both are true.
    pub endpoint: Option<Endpoint>,
}

/// Judges one endpoint. All that it refers to ([`super::references`]) must have been looked up.
pub fn verdict(parent: Parent, endpoint: &WebhookEndpoint, lookup: &Lookup) -> Verdict {
    let accepted = accept::outcome(&parent, endpoint);
    match resolve(parent.webhook(), endpoint, lookup) {
        Ok(effective) => {
            let endpoint = accepted.is_true().then_some(effective);
            let resolved_refs =
                Outcome::holds(resolved_refs::RESOLVED, "Everything that the endpoint refers to is there");
            Verdict { accepted, resolved_refs, endpoint }
        }
        Err(refusal) => Verdict { accepted, resolved_refs: refusal.into(), endpoint: None },
    }
}

/// Follows every reference and fills in every inherited field.
fn resolve(webhook: Option<&Webhook>, endpoint: &WebhookEndpoint, lookup: &Lookup) -> Result<Endpoint, Refusal> {
    let settings = &endpoint.spec.settings;
    let namespace = endpoint.metadata.namespace.as_deref().unwrap_or_default();
    let mut refusals = Vec::new();
    let target =
        target::resolve(&settings.target, webhook, namespace, lookup).map_err(|refusal| refusals.push(refusal));
    let mut sent = Vec::new();
    for header in headers::effective(webhook, endpoint) {
        // Without this, a template that does not compile would be told twice: it is a matter of `Accepted`.
        if headers::compile(&header).is_ok() {
            sent.extend(headers::resolve(&header, lookup).map_err(|refusal| refusals.push(refusal)));
        }
    }
    let mut signing_keys = Vec::new();
    for key in keys::resolve(endpoint, lookup) {
        signing_keys.extend(key.map_err(|refusal| refusals.push(refusal)));
    }
    let (Ok(target), []) = (target, refusals.as_slice()) else { return Err(all(&refusals)) };
    let inherited = webhook.and_then(|webhook| webhook.spec.defaults.as_ref()).and_then(|d| d.delivery.as_ref());
    Ok(Endpoint {
        uid: endpoint.metadata.uid.clone().unwrap_or_default(),
        name: endpoint.metadata.name.clone().unwrap_or_default(),
        generation: endpoint.metadata.generation.unwrap_or_default(),
        display_name: settings.display_name.clone(),
        parameters: settings.parameters.clone().unwrap_or_default(),
        tenant: settings.tenant.clone(),
        event_types: settings.event_types.clone(),
        filter: settings.filter.clone(),
        target,
        headers: sent,
        signing_keys,
        delivery: delivery::resolve(settings.delivery.as_ref(), inherited),
        enabled: settings.enabled.unwrap_or(true),
        suspend: settings.suspend.unwrap_or(false),
    })
}
