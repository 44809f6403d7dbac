//! Second step: judges a Webhook and its endpoints, and makes the configuration of those that can be delivered to.
//!
//! No client and no clock: decides from what was read. The judgements themselves are `posthaste_delivery_config`'s,
//! which the standalone mode shares; here is what only a cluster has: names that are taken, resources that cannot be
//! read, children of earlier owners.

use std::collections::HashSet;

use jiff::Timestamp;
use posthaste_crds::{
    conditions::accepted,
    v1alpha1::{Webhook, WebhookEndpoint},
};
use posthaste_delivery_config::{
    AddressPolicy, Index, StatusBudget,
    render::{self, EndpointOutcome, Rendered, render},
    resolve::{self, Lookup, Outcome, Parent, Refusal, Status},
};

use crate::{
    children::Observed,
    endpoint::signing_key::Keys,
    references::{Content, Contents},
};

/// All that a judgement depends on.
#[derive(Clone, Copy)]
pub struct Input<'a> {
    /// The Webhook.
    pub webhook: &'a Webhook,
    /// Its endpoints, without those that are being deleted.
    pub endpoints: &'a [&'a WebhookEndpoint],
    /// All endpoints of its namespace.
    pub neighbours: &'a [&'a WebhookEndpoint],
    /// UIDs of endpoints that exist but cannot be read. They must not pass for deleted.
    pub unreadable: &'a HashSet<String>,
    /// What was looked up.
    pub contents: &'a Contents,
    /// How it is with generated keys.
    pub keys: &'a Keys,
    /// The index that is in its Secret now.
    pub previous: Option<&'a Index>,
    /// Random text, for a Webhook that has no index yet.
    pub salt: &'a str,
    /// What the administrator opened and closed for this namespace.
    pub address_policy: &'a AddressPolicy,
    /// This Webhook's share of the status writes.
    pub status: &'a StatusBudget,
    /// The time.
    pub now: Timestamp,
}

/// Judges.
pub fn validate(input: &Input) -> Rendered {
    let lookup = lookup(input);
    let outcome = resolve::webhook::validate(
        input.webhook,
        input.neighbours.iter().copied().filter(|endpoint| !is_leftover(input.webhook, endpoint)),
    );
    let mut rendered = if outcome.status == Status::False {
        refused(input, outcome)
    } else {
        // What cannot be read must not count as deleted.
        let previous = input.previous.map(|index| index.without(input.unreadable));
        let status = input.webhook.status.as_ref();
        let loaded =
            status.and_then(|status| status.configuration.as_ref()).and_then(|loaded| loaded.revision.as_deref());
        render(&render::Input {
            webhook: input.webhook,
            endpoints: input.endpoints,
            lookup: &lookup,
            address_policy: input.address_policy,
            status: input.status,
            previous: previous.as_ref(),
            acknowledged: loaded,
            salt: input.salt,
            now: input.now,
        })
    };
    for endpoint in &mut rendered.endpoints {
        if let Some(secret) = input.keys.taken.get(&endpoint.uid) {
            endpoint.accepted = key_is_taken(secret);
        }
    }
    rendered
}

/// The same when the Webhook turns out not to be acceptable: what was written before stays in force.
pub fn refused(input: &Input, webhook: Outcome) -> Rendered {
    let lookup = lookup(input);
    let judge = |endpoint: &&WebhookEndpoint| {
        let verdict = resolve::verdict(Parent::Refused(input.webhook), endpoint, &lookup);
        EndpointOutcome {
            uid: endpoint.metadata.uid.clone().unwrap_or_default(),
            name: endpoint.metadata.name.clone().unwrap_or_default(),
            accepted: verdict.accepted,
            resolved_refs: verdict.resolved_refs,
            attached: false,
        }
    };
    let resolved_refs = resolve::resolved_refs(input.webhook, &lookup);
    Rendered { webhook, resolved_refs, configuration: None, endpoints: input.endpoints.iter().map(judge).collect() }
}

/// What endpoints may use: everything that was read, without Secrets in the place of a generated key that are not ours.
fn lookup(input: &Input) -> Lookup {
    let mut lookup = Lookup::default();
    let withheld: HashSet<_> = input.keys.withheld().collect();
    for ((_, key), content) in input.contents {
        match content {
            Content::Secret(_) if withheld.contains(key.name.as_str()) => {}
            Content::Secret(secret) => lookup.insert_secret_object(secret),
            Content::Service(service) => lookup.insert_service_object(service),
            Content::Absent => {}
        }
    }
    lookup
}

fn key_is_taken(secret: &str) -> Outcome {
    let message = format!(
        "Secret {secret:?}, which the generated signing key would be kept in, exists and does not belong to this endpoint; delete it or set signing.keys"
    );
    Refusal::new(accepted::NAME_CONFLICT, message).into()
}

/// An inline endpoint of a deleted Webhook of the same name, which is on its way out too.
fn is_leftover(webhook: &Webhook, endpoint: &WebhookEndpoint) -> bool {
    Observed::any(&endpoint.metadata).controller.is_some_and(|controller| {
        controller.kind == "Webhook"
            && Some(&controller.name) == webhook.metadata.name.as_ref()
            && Some(&controller.uid) != webhook.metadata.uid.as_ref()
    })
}

#[cfg(test)]
mod tests;
