//! From a Webhook and all its endpoints to the configuration Secrets.
//!
//! Pure and deterministic: equal input gives equal bytes, so that a write that changes nothing changes no
//! resourceVersion. `now` appears in the output only with an endpoint that has just gone.

mod chunks;
mod limits;
mod tombstones;
mod waiting;

use std::collections::BTreeMap;

use jiff::Timestamp;
use posthaste_crds::v1alpha1::{Webhook, WebhookEndpoint};
use serde::Serialize;

pub use chunks::{RenderedChunk, chunk_number};
pub use tombstones::MAX_LISTED;

use crate::{
    AddressPolicy, CONTRACT_VERSION, Index, Redacted, StatusBudget,
    contract::MAX_INDEX_BYTES,
    hash,
    resolve::{self, Lookup, Outcome, Parent, Status, Verdict},
};

/// Everything that a configuration is made from.
#[derive(Clone, Copy, Debug)]
pub struct Input<'a> {
    /// The Webhook.
    pub webhook: &'a Webhook,
    /// Every endpoint that names it. A UID that is missing here and was in `previous` counts as deleted, so this must
    /// come from a complete list.
    pub endpoints: &'a [&'a WebhookEndpoint],
    /// What the Webhook and the endpoints refer to.
    pub lookup: &'a Lookup,
    /// What the cluster's administrator opened and closed for this namespace.
    pub address_policy: &'a AddressPolicy,
    /// This Webhook's share of the status writes.
    pub status: &'a StatusBudget,
    /// The index that is in the Secret now, if there is one.
    pub previous: Option<&'a Index>,
    /// `status.configuration.revision` of the Webhook: what the sidecar has loaded.
    pub acknowledged: Option<&'a str>,
    /// Random text, for the first index of a Webhook; later ones keep the salt of `previous`.
    pub salt: &'a str,
    /// The time, for endpoints that have just gone.
    pub now: Timestamp,
}

/// What came of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Rendered {
    /// Condition `Accepted` of the Webhook.
    pub webhook: Outcome,
    /// Condition `ResolvedRefs` of the Webhook.
    pub resolved_refs: Outcome,
    /// What to write, or `None` when the Webhook is not accepted: what was written before stays in force.
    pub configuration: Option<Configuration>,
    /// One for each endpoint of the input, in its order.
    pub endpoints: Vec<EndpointOutcome>,
}

/// What to write into the Secrets: the chunks first, the index last.
#[derive(Clone, Debug, PartialEq)]
pub struct Configuration {
    /// The index.
    pub index: Index,
    /// Chunks that hold endpoints, by number. Secrets of other numbers are to be removed after the index is written.
    pub chunks: BTreeMap<u8, RenderedChunk>,
}

impl Configuration {
    /// The index as it is written under [`crate::contract::INDEX_KEY`].
    pub fn index_json(&self) -> String {
        json(&self.index)
    }
}

/// What is to be said of one endpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndpointOutcome {
    /// Its UID.
    pub uid: String,
    /// Its name.
    pub name: String,
    /// Condition `Accepted`.
    pub accepted: Outcome,
    /// Condition `ResolvedRefs`.
    pub resolved_refs: Outcome,
    /// It is in the configuration.
    pub attached: bool,
}

impl Rendered {
    /// How many endpoints receive events: `status.attachedEndpoints`.
    pub fn attached(&self) -> usize {
        self.endpoints.iter().filter(|endpoint| endpoint.attached).count()
    }
}

/// Judges a Webhook and its endpoints, and makes the configuration of those that can be delivered to.
pub fn render(input: &Input) -> Rendered {
    let outcome = resolve::webhook::validate(input.webhook, input.endpoints.iter().copied());
    let uid = input.webhook.metadata.uid.as_deref().unwrap_or_default();
    let previous = input.previous.map(|previous| &previous.webhook).filter(|previous| previous.uid == uid);
    let config =
        resolve::webhook::configuration(input.webhook, input.lookup, previous, input.address_policy, input.status);
    let (webhook, config) = match (outcome.status, config) {
        (Status::True, Ok(config)) => (outcome, Some(config)),
        (Status::True, Err(refusal)) => (refusal.into(), None),
        (Status::False | Status::Unknown, _) => (outcome, None),
    };
    let parent = if config.is_some() { Parent::Accepted(input.webhook) } else { Parent::Refused(input.webhook) };
    let mut verdicts: Vec<Verdict> =
        input.endpoints.iter().map(|endpoint| resolve::verdict(parent, endpoint, input.lookup)).collect();
    let order = limits::by_age(input.endpoints);
    limits::apply(input.webhook, input.endpoints, &order, &mut verdicts);
    let chunks = chunks::fill(&order, &mut verdicts);
    let configuration = config.map(|webhook| {
        let (parked, tombstones) = tombstones::absent(input, &verdicts);
        let kept = input.previous.filter(|previous| previous.webhook.uid == webhook.uid);
        let salt = kept.map(|previous| previous.salt.expose()).filter(|salt| !salt.is_empty()).unwrap_or(input.salt);
        let mut index = Index {
            contract_version: CONTRACT_VERSION,
            revision: String::new(),
            salt: Redacted::new(salt),
            chunks: chunks.iter().map(|(number, chunk)| chunk.reference(*number)).collect(),
            webhook,
            parked,
            waiting: None,
            tombstones: Vec::new(),
        };
        let taken = json(&index).len() + hash::REVISION_DIGITS + waiting::reserve(index.parked.len());
        let mut room = MAX_INDEX_BYTES.saturating_sub(taken);
        index.tombstones = tombstones::fitting(tombstones, &mut room);
        index.waiting = Some(waiting::waiting(input, &verdicts, &index.parked, room));
        // The chunks' hashes are in the index, so this covers all of their content.
        index.revision = hash::revision(salt, json(&index).as_bytes());
        Configuration { index, chunks }
    });
    let resolved_refs = resolve::resolved_refs(input.webhook, input.lookup);
    Rendered { webhook, resolved_refs, configuration, endpoints: outcomes(input.endpoints, verdicts) }
}

fn outcomes(endpoints: &[&WebhookEndpoint], verdicts: Vec<Verdict>) -> Vec<EndpointOutcome> {
    let name = |endpoint: &WebhookEndpoint| endpoint.metadata.name.clone().unwrap_or_default();
    endpoints
        .iter()
        .zip(verdicts)
        .map(|(endpoint, Verdict { accepted, resolved_refs, endpoint: effective })| EndpointOutcome {
            uid: uid(endpoint).to_owned(),
            name: name(endpoint),
            accepted,
            resolved_refs,
            attached: effective.is_some(),
        })
        .collect()
}

fn uid(endpoint: &WebhookEndpoint) -> &str {
    endpoint.metadata.uid.as_deref().unwrap_or_default()
}

/// The contract's types have string keys and no values that JSON cannot express, so this cannot fail.
pub(crate) fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("the contract's types are expressible in JSON")
}
