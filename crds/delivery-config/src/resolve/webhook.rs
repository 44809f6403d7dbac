//! Whether a Webhook makes sense: an ordered chain of policies, and its own part of the configuration.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use posthaste_crds::{
    Duration,
    conditions::accepted,
    names, quantity,
    v1alpha1::{self, EmptyDir, JournalStorage, Webhook, WebhookEndpoint},
};

use super::{
    Lookup, Outcome, Refusal,
    delivery::milliseconds,
    headers,
    ingest::{bearer_keys, tls},
    schemas,
};
use crate::{
    AddressPolicy, Authentication, DeadLetter, Limits, RateLimit, StatusBudget, WebhookConfig,
    defaults::{self, journal_bytes},
};

type Policy = fn(&Webhook) -> Result<(), Refusal>;

/// In order.
const POLICIES: [Policy; 4] =
    [header_names_differ, header_values_compile, journal_fits_its_volume, schemas::schemas_compile];

/// Condition `Accepted` of a Webhook, as far as its own fields and the names of its inline endpoints decide it.
///
/// `endpoints` are those of its namespace, or at least those whose names begin with the Webhook's.
pub fn validate<'a>(webhook: &Webhook, endpoints: impl IntoIterator<Item = &'a WebhookEndpoint>) -> Outcome {
    match POLICIES
        .iter()
        .try_for_each(|policy| policy(webhook))
        .and_then(|()| inline_names_are_free(webhook, endpoints))
    {
        Ok(()) => Outcome::holds(accepted::ACCEPTED, praise(webhook)),
        Err(refusal) => refusal.into(),
    }
}

/// What is said of a valid Webhook: whether it is open to everyone, which somebody may not have meant.
fn praise(webhook: &Webhook) -> &'static str {
    match webhook.spec.ingest.as_ref().and_then(|ingest| ingest.authentication).unwrap_or_default() {
        v1alpha1::Authentication::ServiceAccount | v1alpha1::Authentication::BearerKeys => "The Webhook is valid",
        v1alpha1::Authentication::None => {
            "The Webhook is valid; everyone who can reach its ingest Service may post events (ingest.authentication is None)"
        }
    }
}

fn header_names_differ(webhook: &Webhook) -> Result<(), Refusal> {
    headers::distinct(headers::located_defaults(webhook))
}

fn header_values_compile(webhook: &Webhook) -> Result<(), Refusal> {
    headers::located_defaults(webhook).try_for_each(|header| headers::compile(&header).map(drop))
}

fn journal_fits_its_volume(webhook: &Webhook) -> Result<(), Refusal> {
    dead_letter(webhook)?;
    max_bytes_per_endpoint(webhook).map(drop)
}

/// An endpoint that is written inside the Webhook becomes a resource of its own, which must not be somebody else's.
fn inline_names_are_free<'a>(
    webhook: &Webhook,
    endpoints: impl IntoIterator<Item = &'a WebhookEndpoint>,
) -> Result<(), Refusal> {
    let webhook_name = webhook.metadata.name.as_deref().unwrap_or_default();
    let inline = webhook.spec.endpoints.iter().flatten();
    let names: BTreeMap<String, &str> =
        inline.map(|inline| (names::inline_endpoint(webhook_name, &inline.name), inline.name.as_str())).collect();
    if names.is_empty() {
        return Ok(());
    }
    for endpoint in endpoints {
        let name = endpoint.metadata.name.as_deref().unwrap_or_default();
        if let Some(inline) = names.get(name)
            && !is_controlled_by(endpoint, webhook)
        {
            return Err(Refusal::new(
                accepted::NAME_CONFLICT,
                format!(
                    "endpoints ({inline:?}): WebhookEndpoint {name:?} exists and does not belong to this Webhook; rename one of them"
                ),
            ));
        }
    }
    Ok(())
}

fn is_controlled_by(endpoint: &WebhookEndpoint, webhook: &Webhook) -> bool {
    let mut owners = endpoint.metadata.owner_references.iter().flatten();
    owners.any(|owner| owner.controller == Some(true) && Some(&owner.uid) == webhook.metadata.uid.as_ref())
}

/// The most bytes that the journal may use: `journal.maxBytes`, or four fifths of the volume.
///
/// # Errors
/// A quantity that is no number of bytes, or `maxBytes` larger than the volume.
pub fn journal_max_bytes(webhook: &Webhook) -> Result<u64, Refusal> {
    let journal = webhook.spec.journal.as_ref();
    let (size_field, size) = volume_size(journal.and_then(|journal| journal.storage.as_ref()))?;
    let Some(max) = journal.and_then(|journal| journal.max_bytes.as_ref()) else { return Ok(journal_bytes(size)) };
    bytes_at_most("journal.maxBytes", max, size, size_field)
}

/// Most bytes that may be pending for one endpoint.
fn max_bytes_per_endpoint(webhook: &Webhook) -> Result<u64, Refusal> {
    let journal = journal_max_bytes(webhook)?;
    match webhook.spec.journal.as_ref().and_then(|spec| spec.max_bytes_per_endpoint.as_ref()) {
        None => Ok(defaults::part_of_journal(defaults::ENDPOINT_BYTES, journal)),
        Some(max) => bytes_at_most("journal.maxBytesPerEndpoint", max, journal, "journal.maxBytes"),
    }
}

/// What is kept of deliveries that were given up.
fn dead_letter(webhook: &Webhook) -> Result<DeadLetter, Refusal> {
    let journal = journal_max_bytes(webhook)?;
    let spec = webhook.spec.dead_letter.as_ref();
    let retention = spec.and_then(|spec| spec.retention.as_ref());
    let max_bytes = match spec.and_then(|spec| spec.max_bytes.as_ref()) {
        None => defaults::part_of_journal(defaults::DEAD_LETTER_BYTES, journal),
        Some(max) => bytes_at_most("deadLetter.maxBytes", max, journal / 2, "half of journal.maxBytes")?,
    };
    let retention_ms = milliseconds(retention.map_or(defaults::DEAD_LETTER_RETENTION, Duration::as_std));
    Ok(DeadLetter { retention_ms, max_bytes })
}

fn bytes_at_most(field: &str, quantity: &Quantity, most: u64, of: &str) -> Result<u64, Refusal> {
    let found = bytes(field, quantity)?;
    if found > most {
        let message = format!("{field} ({}) must be at most {of} ({most} bytes)", quantity.0);
        return Err(Refusal::new(accepted::INVALID, message));
    }
    Ok(found)
}

fn volume_size(storage: Option<&JournalStorage>) -> Result<(&'static str, u64), Refusal> {
    let claim = storage.and_then(|storage| storage.volume_claim.as_ref());
    if let Some(claim) = claim {
        let field = "journal.storage.volumeClaim.size";
        return Ok((field, bytes(field, &claim.size)?));
    }
    if let Some(EmptyDir { size_limit }) = storage.and_then(|storage| storage.empty_dir.as_ref()) {
        let field = "journal.storage.emptyDir.sizeLimit";
        let size = size_limit.as_ref().map_or(Ok(defaults::EMPTY_DIR_BYTES), |limit| bytes(field, limit))?;
        return Ok((field, size));
    }
    Ok(("the default volume", defaults::VOLUME_BYTES))
}

fn bytes(field: &str, quantity: &Quantity) -> Result<u64, Refusal> {
    quantity::bytes(quantity).map_err(|error| Refusal::new(accepted::INVALID, format!("{field}: {error}")))
}

/// The Webhook's part of the index, with every default filled in, and with as much of what it refers to as is there.
/// `previous` is what was written for the same Webhook before.
///
/// # Errors
/// As [`journal_max_bytes`]: what [`validate`] refuses anyway.
pub fn configuration(
    webhook: &Webhook,
    lookup: &Lookup,
    previous: Option<&WebhookConfig>,
    address_policy: &AddressPolicy,
    status: &StatusBudget,
) -> Result<WebhookConfig, Refusal> {
    let (metadata, spec) = (&webhook.metadata, &webhook.spec);
    let ingest = spec.ingest.as_ref();
    let limits = spec.limits.as_ref();
    let history = spec.history.as_ref().and_then(|history| history.retention.as_ref());
    let window = ingest.and_then(|ingest| ingest.idempotency_window.as_ref());
    Ok(WebhookConfig {
        name: metadata.name.clone().unwrap_or_default(),
        namespace: metadata.namespace.clone().unwrap_or_default(),
        uid: metadata.uid.clone().unwrap_or_default(),
        generation: metadata.generation.unwrap_or_default(),
        event_types: spec.event_types.as_ref().map(|types| types.iter().map(|known| known.name.clone()).collect()),
        event_schemas: schemas::by_type(webhook),
        authentication: match ingest.and_then(|ingest| ingest.authentication).unwrap_or_default() {
            v1alpha1::Authentication::ServiceAccount => Authentication::ServiceAccount,
            v1alpha1::Authentication::BearerKeys => Authentication::BearerKeys,
            v1alpha1::Authentication::None => Authentication::None,
        },
        bearer_keys: bearer_keys(webhook, lookup).0,
        tls: tls(webhook, lookup, previous.and_then(|previous| previous.tls.as_ref())),
        max_payload_bytes: ingest.and_then(|ingest| ingest.max_payload_bytes).unwrap_or(defaults::MAX_PAYLOAD_BYTES),
        idempotency_window_ms: milliseconds(window.map_or(defaults::IDEMPOTENCY_WINDOW, Duration::as_std)),
        limits: Limits {
            event_rate: limits
                .and_then(|limits| limits.event_rate.as_ref())
                .map(|rate| RateLimit { limit: rate.limit, per_ms: milliseconds(rate.per.as_std()) }),
            in_flight: limits.and_then(|limits| limits.in_flight).unwrap_or(defaults::IN_FLIGHT),
        },
        journal_max_bytes: journal_max_bytes(webhook)?,
        journal_max_bytes_per_endpoint: max_bytes_per_endpoint(webhook)?,
        dead_letter: dead_letter(webhook)?,
        history_retention_ms: milliseconds(history.map_or(defaults::HISTORY_RETENTION, Duration::as_std)),
        suspend: spec.suspend.unwrap_or(false),
        address_policy: address_policy.clone(),
        status: status.clone(),
    })
}
