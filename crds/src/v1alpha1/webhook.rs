//! `Webhook`: one stream of events and the runtime that delivers it.

use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use kube::{CustomResource, KubeSchema};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{DeliverySettings, Header, InlineEndpoint, PodTemplate, Rate, SecretRef, WebhookStatus};
use crate::Duration;

/// One stream of events and the runtime that delivers it.
#[derive(CustomResource, Serialize, Deserialize, Clone, Debug, Default, PartialEq, KubeSchema)]
#[kube(
    group = "posthaste.dev",
    version = "v1alpha1",
    kind = "Webhook",
    plural = "webhooks",
    shortname = "wh",
    category = "posthaste",
    namespaced,
    status = "WebhookStatus",
    derive = "PartialEq",
    doc = "One stream of events and the runtime that delivers it.",
    scale(spec_replicas_path = ".spec.replicas", status_replicas_path = ".status.replicas", label_selector_path = ".status.selector"),
    validation = Rule::new("self.metadata.name.size() <= 40 && self.metadata.name.matches('^[a-z]([-a-z0-9]*[a-z0-9])?$')").message("metadata.name must be a DNS-1035 label of at most 40 characters: a lower case letter, then lower case letters, digits and -").field_path(".metadata.name"),
    printcolumn(name = "Ready", type_ = "string", json_path = ".status.conditions[?(@.type==\"Ready\")].status", description = "Whether events are accepted and delivered with the current settings"),
    printcolumn(name = "Endpoints", type_ = "integer", json_path = ".status.attachedEndpoints", description = "Endpoints that receive its events"),
    printcolumn(name = "Healthy", type_ = "string", json_path = ".status.endpoints.display", description = "Endpoints whose receivers accept deliveries, of all"),
    printcolumn(name = "Delivered", type_ = "integer", json_path = ".status.delivery.delivered", description = "Events delivered, over all endpoints"),
    printcolumn(name = "Failed", type_ = "integer", json_path = ".status.delivery.failed", description = "Attempts that failed, over all endpoints"),
    printcolumn(name = "Pending", type_ = "integer", json_path = ".status.delivery.pending", description = "Deliveries not finished yet"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    printcolumn(name = "Replicas", type_ = "integer", json_path = ".status.replicas", description = "Delivery pods", priority = 1),
    printcolumn(name = "Dead-Lettered", type_ = "integer", json_path = ".status.delivery.deadLettered", description = "Deliveries that were given up", priority = 1),
    printcolumn(name = "Oldest-Pending", type_ = "date", json_path = ".status.delivery.oldestPendingTime", description = "Age of the oldest pending delivery", priority = 1),
    printcolumn(name = "Observed", type_ = "date", json_path = ".status.delivery.observedTime", description = "When the counts were taken", priority = 1),
    printcolumn(name = "Address", type_ = "string", json_path = ".status.address.url", description = "Where events are posted", priority = 1),
    printcolumn(name = "Message", type_ = "string", json_path = ".status.conditions[?(@.type==\"Ready\")].message", description = "What the state means", priority = 1),
)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("(has(self.journal) && has(self.journal.storage) && has(self.journal.storage.emptyDir)) == (has(oldSelf.journal) && has(oldSelf.journal.storage) && has(oldSelf.journal.storage.emptyDir))").message("journal.storage cannot change between volumeClaim and emptyDir: pending events would be lost").field_path(".journal.storage"))]
#[x_kube(validation = Rule::new("(has(self.journal) && has(self.journal.storage) && has(self.journal.storage.volumeClaim) && has(self.journal.storage.volumeClaim.className) ? self.journal.storage.volumeClaim.className : '') == (has(oldSelf.journal) && has(oldSelf.journal.storage) && has(oldSelf.journal.storage.volumeClaim) && has(oldSelf.journal.storage.volumeClaim.className) ? oldSelf.journal.storage.volumeClaim.className : '')").message("journal.storage.volumeClaim.className cannot be changed").field_path(".journal.storage.volumeClaim.className"))]
#[x_kube(validation = Rule::new("quantity(has(self.journal) && has(self.journal.storage) && has(self.journal.storage.volumeClaim) ? string(self.journal.storage.volumeClaim.size) : '10Gi').compareTo(quantity(has(oldSelf.journal) && has(oldSelf.journal.storage) && has(oldSelf.journal.storage.volumeClaim) ? string(oldSelf.journal.storage.volumeClaim.size) : '10Gi')) >= 0").message("journal.storage.volumeClaim.size may only grow; left out, it is 10Gi").field_path(".journal.storage.volumeClaim.size"))]
pub struct WebhookSpec {
    /// The catalogue of event types. Left out, any well-formed type is accepted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 512))]
    #[x_kube(merge_strategy = kube::core::ListMerge::Map(vec!["name".into()]))]
    pub event_types: Option<Vec<EventType>>,
    /// How events are taken in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ingest: Option<Ingest>,
    /// Bounds on what this Webhook may use.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limits: Option<Limits>,
    /// Settings for all endpoints, each of which an endpoint may override.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub defaults: Option<EndpointDefaults>,
    /// Where accepted events are kept until they are delivered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub journal: Option<Journal>,
    /// How long deliveries that were given up are kept to be looked at and sent again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dead_letter: Option<DeadLetter>,
    /// How long events are kept that are finished for all endpoints.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub history: Option<History>,
    /// Number of delivery pods: 1, or 0 to stop. The embedded journal has one writer. Default 1.
    #[serde(default = "default_replicas")]
    #[schemars(range(min = 0, max = 1))]
    pub replicas: i32,
    /// Settings of the delivery pod.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub template: Option<PodTemplate>,
    /// Endpoints written here instead of as resources of their own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 16))]
    #[x_kube(merge_strategy = kube::core::ListMerge::Map(vec!["name".into()]))]
    pub endpoints: Option<Vec<InlineEndpoint>>,
    /// `true`: events are accepted and kept, for as long as each endpoint's `delivery.retry.maxAge` allows, and none is
    /// delivered until it is `false` again. Default `false`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suspend: Option<bool>,
}

fn default_replicas() -> i32 {
    1
}

/// One type of event.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct EventType {
    /// The type, such as `order.created`.
    #[schemars(length(min = 1, max = 128), regex(pattern = r"^[A-Za-z0-9_.:/-]+$"))]
    pub name: String,
    /// What it means.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    pub description: Option<String>,
    /// What the data of its events looks like, as JSON Schema 2020-12. An event whose data does not fit is refused. At
    /// most 64 KiB, and 128 KiB for all types together; references outside of the schema are not possible.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "any_object")]
    pub schema: Option<Value>,
}

/// An object whose members are not ours. Its size is bounded when it is judged.
fn any_object(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": "object", "x-kubernetes-preserve-unknown-fields": true})
}

/// How events are taken in.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("!has(self.authentication) || self.authentication != 'BearerKeys' || has(self.bearerKeys)").message("authentication: BearerKeys needs bearerKeys.secretRef").field_path(".authentication"))]
#[x_kube(validation = Rule::new("!has(self.bearerKeys) || (has(self.authentication) && self.authentication == 'BearerKeys')").message("bearerKeys is used with authentication: BearerKeys only").field_path(".bearerKeys"))]
pub struct Ingest {
    /// Who may post events. Default `ServiceAccount`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authentication: Option<Authentication>,
    /// The keys of `authentication: BearerKeys`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bearer_keys: Option<BearerKeys>,
    /// Makes the ingest Service speak HTTPS, and no plain HTTP. Default: plain HTTP.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<IngestTls>,
    /// The largest event that is accepted, in bytes of its JSON text. Default 262144.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1_048_576))]
    pub max_payload_bytes: Option<u32>,
    /// For how long an event's id is remembered: an event posted again within this time is not delivered again.
    /// Default `24h`, at most `168h`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = Rule::new("duration(self) <= duration('168h')").message("idempotencyWindow must be at most 168h"))]
    pub idempotency_window: Option<Duration>,
}

/// Who may post events.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, Default, PartialEq, Eq, JsonSchema)]
pub enum Authentication {
    /// Callers send a ServiceAccount token of audience `posthaste.dev`; Kubernetes' own authorization decides.
    #[default]
    ServiceAccount,
    /// Callers send one of the keys in a Secret: for producers that have no ServiceAccount.
    BearerKeys,
    /// Everyone who can reach the Service.
    None,
}

/// Keys that producers send as `Authorization: Bearer <key>`.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct BearerKeys {
    /// A Secret. The value of each of its entries is one key, whatever the entry is called; all are valid at once, so
    /// that one can be replaced after the other. A key is 16 to 512 visible ASCII characters, and at most 64 are used.
    pub secret_ref: SecretRef,
}

/// What the ingest Service proves who it is with.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct IngestTls {
    /// A Secret of type `kubernetes.io/tls`, such as cert-manager writes: `tls.crt` is the certificate with the ones that
    /// lead to its root, `tls.key` its key. When it changes, new connections get the new certificate.
    pub secret_ref: SecretRef,
}

/// Bounds on what a Webhook may use.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Limits {
    /// Most endpoints that receive events; of more, the earliest created do. Default 10000.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 10_000))]
    pub endpoints: Option<u32>,
    /// Most endpoints of one tenant that receive events. Default: no limit of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 10_000))]
    pub endpoints_per_tenant: Option<u32>,
    /// Most events that are accepted; more are answered 429 with `Retry-After`. Default: no limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = Rule::new("duration(self.per) >= duration('1s') && duration(self.per) <= duration('24h')").message("eventRate.per must be between 1s and 24h").field_path(".per"))]
    pub event_rate: Option<Rate>,
    /// Most attempts in flight over all endpoints. Default 1024.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 65_536))]
    pub in_flight: Option<u32>,
    /// Lets endpoints that set `target.allowHTTP` use `http://` URLs. Default `false`.
    #[serde(default, skip_serializing_if = "Option::is_none", rename = "allowHTTP")]
    pub allow_http: Option<bool>,
}

/// Settings for all endpoints of a Webhook.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct EndpointDefaults {
    /// Headers sent to every endpoint.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 16))]
    #[x_kube(merge_strategy = kube::core::ListMerge::Map(vec!["name".into()]))]
    pub headers: Option<Vec<Header>>,
    /// How deliveries are attempted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delivery: Option<DeliverySettings>,
}

/// Where accepted events are kept until they are delivered.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Journal {
    /// The kind of journal. Default `Embedded`.
    #[serde(default, rename = "type")]
    pub kind: JournalType,
    /// The volume it is on. Default: a volume claim of 10Gi of the cluster's default storage class. Cannot be changed,
    /// except that a volume claim's size may grow.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub storage: Option<JournalStorage>,
    /// Most bytes that the journal may use; when they are used up, new events are answered 503. Default: four fifths
    /// of the volume.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = Rule::new("quantity(string(self)).compareTo(quantity('16Mi')) >= 0").message("maxBytes must be at least 16Mi"))]
    pub max_bytes: Option<Quantity>,
    /// Most bytes of events that may be pending for one endpoint; over it, its oldest deliveries are given up and become
    /// dead letters. An event that several endpoints wait for counts for each. At most `maxBytes`. Default 1Gi, and at
    /// most an eighth of `maxBytes`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = Rule::new("quantity(string(self)).compareTo(quantity('1Mi')) >= 0").message("maxBytesPerEndpoint must be at least 1Mi"))]
    pub max_bytes_per_endpoint: Option<Quantity>,
}

/// How long deliveries that were given up are kept.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct DeadLetter {
    /// For how long. Default `168h`, at most `8760h`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = Rule::new("duration(self) >= duration('1m') && duration(self) <= duration('8760h')").message("retention must be between 1m and 8760h"))]
    pub retention: Option<Duration>,
    /// Most bytes of the journal that events may take which are kept for this alone; over it, the oldest go. At most half
    /// of `journal.maxBytes`. Default 1Gi, and at most an eighth of `journal.maxBytes`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = Rule::new("quantity(string(self)).compareTo(quantity('1Mi')) >= 0").message("maxBytes must be at least 1Mi"))]
    pub max_bytes: Option<Quantity>,
}

/// How long events are kept that are finished.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct History {
    /// For how long after they were accepted; `0s` is not at all. They give way, the oldest first, when the journal is four
    /// fifths full or about a million of them are kept. Default `72h`, at most `8760h`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = Rule::new("duration(self) >= duration('0s') && duration(self) <= duration('8760h')").message("retention must be between 0s and 8760h"))]
    pub retention: Option<Duration>,
}

/// The kinds of journal.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, Default, PartialEq, Eq, JsonSchema)]
pub enum JournalType {
    /// A log on the delivery pod's own volume, synced before an event is acknowledged.
    #[default]
    Embedded,
}

/// The volume of the journal: exactly one of `volumeClaim` and `emptyDir`.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("has(self.volumeClaim) != has(self.emptyDir)").message("set exactly one of volumeClaim and emptyDir"))]
pub struct JournalStorage {
    /// A PersistentVolumeClaim that outlives pods.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub volume_claim: Option<VolumeClaim>,
    /// A directory that is lost with the pod, and pending events with it: for trying things out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub empty_dir: Option<EmptyDir>,
}

/// A PersistentVolumeClaim for the journal.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct VolumeClaim {
    /// Size of the volume. May only grow.
    #[x_kube(validation = Rule::new("quantity(string(self)).compareTo(quantity('16Mi')) >= 0").message("size must be at least 16Mi"))]
    pub size: Quantity,
    /// Storage class. Default: the cluster's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253), regex(pattern = r"^[a-z0-9]([-.a-z0-9]*[a-z0-9])?$"))]
    pub class_name: Option<String>,
}

/// A directory that is lost with the pod.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct EmptyDir {
    /// The most that it may hold. Default 1Gi.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = Rule::new("quantity(string(self)).compareTo(quantity('16Mi')) >= 0").message("sizeLimit must be at least 16Mi"))]
    pub size_limit: Option<Quantity>,
}
