//! The shapes that are written into the configuration Secrets, as JSON.
//!
//! All inheritance is resolved here: a sidecar sees effective values only. Durations are whole milliseconds, so that
//! the contract does not depend on a text format.

mod read;

use std::collections::{BTreeMap, HashSet};

use ipnet::IpNet;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{Redacted, defaults, hash};

pub use read::{ContractError, read_chunk, read_index};

/// The version that this build writes. A sidecar reads this one and the one before.
pub const CONTRACT_VERSION: u32 = 1;
/// Key in the index Secret whose value is an [`Index`] as JSON.
pub const INDEX_KEY: &str = "index.json";
/// Key in a chunk Secret whose value is a [`Chunk`] as JSON.
pub const CHUNK_KEY: &str = "chunk.json";
/// Most bytes of a chunk's JSON.
pub const MAX_CHUNK_BYTES: usize = 768 * 1024;
/// Most bytes of an index's JSON. A Secret holds a third more than this, and the API server takes no larger one.
pub const MAX_INDEX_BYTES: usize = 768 * 1024;
/// Most bytes of one endpoint's JSON.
pub const MAX_ENDPOINT_BYTES: usize = 128 * 1024;

/// The index: what all chunks have in common, and which chunks there are.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct Index {
    /// See [`CONTRACT_VERSION`].
    pub contract_version: u32,
    /// A keyed hash over everything that this index and its chunks say. Reported back in `status.configuration.revision`.
    pub revision: String,
    /// Random text that keeps revisions from telling anything about the secrets behind them: who reads a revision in
    /// status cannot try out guesses without it. Stays the same over the Webhook's life.
    #[serde(default = "no_salt")]
    pub salt: Redacted,
    /// The Webhook and its settings.
    pub webhook: WebhookConfig,
    /// The chunks that hold endpoints; a chunk that is not listed holds none.
    pub chunks: Vec<ChunkRef>,
    /// UIDs of endpoints that exist but are not in a chunk (not accepted, references missing): their deliveries are
    /// kept and wait. Bounded: an endpoint that is in no list of the index at all waits just the same.
    #[serde(default)]
    pub parked: Vec<String>,
    /// Which events are kept for endpoints of [`Index::parked`] that wait for something that they refer to. A parked
    /// endpoint that is in none of these gets no new events: it is not accepted, or disabled. `None` comes from an
    /// operator that does not say; a sidecar then goes by what it knew of each parked endpoint last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waiting: Option<Vec<Waiting>>,
    /// Endpoints that were deleted: their pending deliveries are dropped.
    #[serde(default)]
    pub tombstones: Vec<Tombstone>,
}

fn no_salt() -> Redacted {
    Redacted::new("")
}

impl Index {
    /// The same index without some endpoints, as if it had never known them.
    #[must_use]
    pub fn without(&self, uids: &HashSet<String>) -> Self {
        let mut index = self.clone();
        let stays = |uid: &String| !uids.contains(uid);
        index.chunks.iter_mut().for_each(|chunk| chunk.endpoints.retain(stays));
        let mut stayed = 0_u32;
        let places: Vec<Option<u32>> = index
            .parked
            .iter()
            .map(|uid| {
                let place = stays(uid).then_some(stayed);
                stayed += u32::from(place.is_some());
                place
            })
            .collect();
        let place = |position: &u32| places.get(usize::try_from(*position).ok()?).copied().flatten();
        for waiting in index.waiting.iter_mut().flatten() {
            waiting.parked = waiting.parked.iter().filter_map(place).collect();
        }
        index.parked.retain(stays);
        index
    }

    /// The revision of one endpoint's configuration: changes when anything of it does, a rotated Secret included, and
    /// with nothing else.
    pub fn endpoint_revision(&self, endpoint: &Endpoint) -> String {
        hash::revision(self.salt.expose(), crate::render::json(endpoint).as_bytes())
    }
}

/// Parked endpoints that want the same events.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct Waiting {
    /// What they want. `None`: there was no room to say it; a sidecar goes by what it knew of each of them last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interest: Option<Interest>,
    /// Their positions in [`Index::parked`], from 0.
    pub parked: Vec<u32>,
}

/// Which events an endpoint wants.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[serde(rename_all = "camelCase")]
pub struct Interest {
    /// Only events of this tenant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenant: Option<String>,
    /// Patterns of event types; `None` matches all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event_types: Option<Vec<String>>,
    /// Of those, only events for which this expression is true.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub filter: Option<String>,
}

/// Names a chunk and says what it must contain.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct ChunkRef {
    /// 0..64.
    pub number: u8,
    /// Hash of the chunk's JSON as written (hex SHA-256).
    pub hash: String,
    /// UIDs of the endpoints in it. With [`Index::parked`], what the operator knows of endpoints when one is gone.
    pub endpoints: Vec<String>,
}

/// A part of the endpoints.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, Default)]
#[serde(rename_all = "camelCase")]
pub struct Chunk {
    /// In order of UID.
    pub endpoints: Vec<Endpoint>,
}

/// An endpoint that a person deleted.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct Tombstone {
    /// UID of the endpoint.
    pub uid: String,
    /// When the operator saw that it was gone.
    pub time: Timestamp,
}

/// The Webhook and its settings.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct WebhookConfig {
    /// Name of the Webhook.
    pub name: String,
    /// Its namespace.
    pub namespace: String,
    /// Its UID.
    pub uid: String,
    /// The generation that this configuration was made from.
    pub generation: i64,
    /// The catalogue of event types; `None` accepts any well-formed type.
    #[serde(default)]
    pub event_types: Option<Vec<String>>,
    /// What the data of events looks like, by type of the catalogue. A type that is missing has any data.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub event_schemas: BTreeMap<String, Value>,
    /// Who may post events.
    pub authentication: Authentication,
    /// SHA-256 of each key of [`Authentication::BearerKeys`], in hex, in order. Hashes, because nobody needs the keys;
    /// hidden, because who has a hash can try out keys.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub bearer_keys: Vec<Redacted>,
    /// Events are taken in over TLS only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<IngestTls>,
    /// Largest event in bytes.
    pub max_payload_bytes: u32,
    /// For how long ids are remembered, in milliseconds.
    pub idempotency_window_ms: u64,
    /// Bounds.
    pub limits: Limits,
    /// Most bytes of the journal.
    pub journal_max_bytes: u64,
    /// Most bytes of events that may be pending for one endpoint.
    #[serde(default = "max_bytes_per_endpoint")]
    pub journal_max_bytes_per_endpoint: u64,
    /// What is kept of deliveries that were given up.
    #[serde(default)]
    pub dead_letter: DeadLetter,
    /// For how long finished events are kept if the space is not needed, in milliseconds. 0: not at all.
    #[serde(default = "history_retention_ms")]
    pub history_retention_ms: u64,
    /// Accept and keep, deliver nothing.
    #[serde(default)]
    pub suspend: bool,
    /// Addresses that may be connected to.
    #[serde(default)]
    pub address_policy: AddressPolicy,
    /// How much may be written to the API server.
    #[serde(default)]
    pub status: StatusBudget,
}

fn max_bytes_per_endpoint() -> u64 {
    defaults::ENDPOINT_BYTES
}

fn history_retention_ms() -> u64 {
    defaults::HISTORY_RETENTION.as_secs() * 1000
}

/// What is kept of deliveries that were given up.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct DeadLetter {
    /// For how long, in milliseconds.
    pub retention_ms: u64,
    /// Most bytes of events that are kept for this alone.
    pub max_bytes: u64,
}

/// As it was before it could be set.
impl Default for DeadLetter {
    fn default() -> Self {
        Self { retention_ms: defaults::DEAD_LETTER_RETENTION.as_secs() * 1000, max_bytes: defaults::DEAD_LETTER_BYTES }
    }
}

/// Who may post events.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq)]
pub enum Authentication {
    /// TokenReview and LocalSubjectAccessReview.
    ServiceAccount,
    /// Who sends one of [`WebhookConfig::bearer_keys`].
    BearerKeys,
    /// Everyone.
    None,
}

/// That events are taken in over TLS, and with what.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct IngestTls {
    /// The last pair that could be used. `None`: there has been none, and no connection is taken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pair: Option<TlsPair>,
}

/// A certificate and its key.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct TlsPair {
    /// The certificate and those that lead to its root, in PEM.
    pub certificates: String,
    /// The key in PEM.
    pub private_key: Redacted,
}

/// Bounds of a Webhook.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct Limits {
    /// Most accepted events per time.
    #[serde(default)]
    pub event_rate: Option<RateLimit>,
    /// Most attempts in flight over all endpoints.
    pub in_flight: u32,
}

/// So many per time.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct RateLimit {
    /// How many in a period.
    pub limit: u32,
    /// The period in milliseconds.
    pub per_ms: u64,
}

/// What the cluster's administrator adds to the address policy; what it refuses by itself is built in. The order of
/// judgement: `allow`, then `deny`, then the built-in ranges.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct AddressPolicy {
    /// Networks that may be connected to although the policy, or `deny`, refuses them otherwise.
    #[serde(default)]
    pub allow: Vec<IpNet>,
    /// Networks that are refused for URLs, besides the built-in ones and except for what `allow` opens: the cluster's own
    /// ranges.
    #[serde(default)]
    pub deny: Vec<IpNet>,
}

/// This sidecar's share of the installation's status writes.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct StatusBudget {
    /// What is written at all.
    pub mode: StatusMode,
    /// Counter writes per second.
    pub per_second: f64,
    /// Counter writes that may be saved up.
    pub burst: f64,
    /// `Programmed` writes per second, a bucket of its own.
    pub programmed_per_second: f64,
    /// Least time between two counter writes to one object, in milliseconds.
    pub min_interval_ms: u64,
}

impl Default for StatusBudget {
    fn default() -> Self {
        Self {
            mode: StatusMode::Full,
            per_second: 5.0,
            burst: 20.0,
            programmed_per_second: 50.0,
            min_interval_ms: 10_000,
        }
    }
}

/// What a sidecar writes to status.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum StatusMode {
    /// Conditions and counters.
    #[default]
    Full,
    /// Conditions, and counters only together with a condition's transition.
    Transitions,
    /// `Programmed` only, which `Ready` needs.
    Off,
}

/// One endpoint with everything that delivering to it needs.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct Endpoint {
    /// Its identity.
    pub uid: String,
    /// Its name.
    pub name: String,
    /// The generation that this was made from.
    pub generation: i64,
    /// A name for people.
    #[serde(default)]
    pub display_name: Option<String>,
    /// Values for templates.
    #[serde(default)]
    pub parameters: BTreeMap<String, String>,
    /// Only events of this tenant.
    #[serde(default)]
    pub tenant: Option<String>,
    /// Patterns of event types; `None` matches all.
    #[serde(default)]
    pub event_types: Option<Vec<String>>,
    /// Of those, only events for which this expression is true.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub filter: Option<String>,
    /// Where deliveries go.
    pub target: Target,
    /// Headers: the Webhook's defaults and the endpoint's own, each name once.
    #[serde(default)]
    pub headers: Vec<HeaderValue>,
    /// Keys in order; all that have not expired sign.
    pub signing_keys: Vec<SigningKey>,
    /// How deliveries are attempted.
    pub delivery: DeliveryPolicy,
    /// New events are matched.
    pub enabled: bool,
    /// Deliveries are kept and not attempted.
    pub suspend: bool,
}

/// Where deliveries go.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct Target {
    /// The whole URL. May be a secret.
    pub url: Redacted,
    /// What may be shown of it: its origin, or nothing when it came from a Secret.
    #[serde(default)]
    pub display_url: Option<String>,
    /// Which rules its address is checked by.
    pub kind: TargetKind,
}

/// Which rules an address is checked by.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TargetKind {
    /// A URL that a user wrote: the address policy applies in full.
    Url,
    /// A Service of the same namespace: private and cluster addresses are what is meant; loopback, link-local and
    /// metadata addresses are still refused.
    Service,
}

/// A header.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct HeaderValue {
    /// Its name, as the user spelt it.
    pub name: String,
    /// Its value: a template, or a literal from a Secret.
    pub value: Redacted,
    /// `${...}` in the value is replaced.
    pub template: bool,
}

/// A key that signs.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct SigningKey {
    /// Its name in status.
    pub id: String,
    /// The key's bytes in base64.
    pub key: Redacted,
    /// From this time on it does not sign.
    #[serde(default)]
    pub not_after: Option<Timestamp>,
}

/// How deliveries are attempted.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct DeliveryPolicy {
    /// Time limit of one whole attempt, in milliseconds.
    pub timeout_ms: u64,
    /// When failed deliveries are attempted again.
    pub retry: RetryPolicy,
    /// What becomes of the endpoint when a delivery is given up.
    #[serde(default)]
    pub on_exhausted: OnExhausted,
    /// Longest time that a `Retry-After` is heard as, in milliseconds.
    #[serde(default = "defaults::retry_after_max_ms")]
    pub retry_after_max_ms: u64,
    /// Attempts in flight to this endpoint.
    pub concurrency: u32,
    /// When attempts pause because all fail; `None` for never.
    #[serde(default)]
    pub circuit_breaker: Option<CircuitBreaker>,
    /// How many attempts there may be per time; `None` for no limit.
    #[serde(default)]
    pub rate_limit: Option<DeliveryRate>,
    /// Which deliveries wait for others.
    #[serde(default)]
    pub ordering: DeliveryOrdering,
}

/// What becomes of an endpoint when a delivery is given up after its last retry, or after its time.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnExhausted {
    /// Nothing.
    #[default]
    Continue,
    /// It counts as failing until a delivery succeeds.
    MarkFailing,
    /// It gets nothing until it is edited.
    Disable,
}

/// Which deliveries of an endpoint wait until those accepted before them are delivered or given up.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DeliveryOrdering {
    /// None.
    #[default]
    None,
    /// All.
    PerEndpoint,
    /// Those of the same subject.
    PerSubject,
}

/// How many attempts there may be per time.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct DeliveryRate {
    /// How many in a period.
    pub limit: u32,
    /// The period in milliseconds.
    pub per_ms: u64,
    /// `None`: no window of that length holds more. Else a bucket of so many tokens, which is filled at that rate.
    #[serde(default)]
    pub burst: Option<u32>,
}

/// When attempts pause because all fail, and for how long.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct CircuitBreaker {
    /// After so many failed attempts in a row.
    pub failures: u32,
    /// For so many milliseconds, twice as long after each probe that fails.
    pub open_for_ms: u64,
    /// The longest pause in milliseconds.
    pub open_for_max_ms: u64,
}

/// When failed deliveries are attempted again.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct RetryPolicy {
    /// Delays before the second, third, ... attempt, in milliseconds. `maxAttempts` with `backoff` is expanded to this.
    pub schedule_ms: Vec<u64>,
    /// Each delay is lengthened by a random part of up to this many percent.
    pub jitter_percent: u32,
    /// A delivery that is not made so many milliseconds after its event was accepted is given up.
    #[serde(default = "defaults::max_age_ms")]
    pub max_age_ms: u64,
}
