//! `WebhookEndpoint`: one receiver of a Webhook's events.

use std::collections::BTreeMap;

use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{DeliverySettings, Header, Signing, Target, WebhookEndpointStatus};

/// One receiver of a Webhook's events.
#[derive(CustomResource, Serialize, Deserialize, Clone, Debug, PartialEq, KubeSchema)]
#[kube(
    group = "posthaste.dev",
    version = "v1alpha1",
    kind = "WebhookEndpoint",
    plural = "webhookendpoints",
    shortname = "whe",
    category = "posthaste",
    namespaced,
    status = "WebhookEndpointStatus",
    derive = "PartialEq",
    doc = "One receiver of a Webhook's events: where they go, which ones, how they are signed and attempted.",
    selectable = ".spec.webhookRef.name",
    validation = Rule::new("self.metadata.name.size() <= 63 && self.metadata.name.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?$')").message("metadata.name must be a DNS label: at most 63 lower case letters, digits and -").field_path(".metadata.name"),
    printcolumn(name = "Webhook", type_ = "string", json_path = ".spec.webhookRef.name", description = "The Webhook whose events it receives"),
    printcolumn(name = "Ready", type_ = "string", json_path = ".status.conditions[?(@.type==\"Ready\")].status", description = "Whether events can be delivered with the current settings"),
    printcolumn(name = "Healthy", type_ = "string", json_path = ".status.conditions[?(@.type==\"Healthy\")].status", description = "Whether the receiver accepts deliveries"),
    printcolumn(name = "Reason", type_ = "string", json_path = ".status.conditions[?(@.type==\"Healthy\")].reason", description = "Why the receiver is healthy or not"),
    printcolumn(name = "Circuit", type_ = "string", json_path = ".status.delivery.circuit", description = "Open while attempts pause because all fail"),
    printcolumn(name = "Delivered", type_ = "integer", json_path = ".status.delivery.delivered", description = "Events delivered"),
    printcolumn(name = "Failed", type_ = "integer", json_path = ".status.delivery.failed", description = "Attempts that failed"),
    printcolumn(name = "Pending", type_ = "integer", json_path = ".status.delivery.pending", description = "Events not delivered yet"),
    printcolumn(name = "Last-Success", type_ = "date", json_path = ".status.delivery.lastSuccessTime", description = "Time since the last success"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    printcolumn(name = "Dead-Lettered", type_ = "integer", json_path = ".status.delivery.deadLettered", description = "Deliveries that were given up", priority = 1),
    printcolumn(name = "Oldest-Pending", type_ = "date", json_path = ".status.delivery.oldestPendingTime", description = "Age of the oldest pending event", priority = 1),
    printcolumn(name = "Observed", type_ = "date", json_path = ".status.delivery.observedTime", description = "When the counts were taken", priority = 1),
    printcolumn(name = "Message", type_ = "string", json_path = ".status.conditions[?(@.type==\"Healthy\")].message", description = "What the receiver's state means", priority = 1),
)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("has(self.tenant) == has(oldSelf.tenant) && (!has(self.tenant) || self.tenant == oldSelf.tenant)").message("tenant cannot be changed; create another endpoint").field_path(".tenant"))]
pub struct WebhookEndpointSpec {
    /// The Webhook whose events this endpoint receives, in the same namespace. Cannot be changed.
    #[x_kube(validation = Rule::new("self == oldSelf").message("webhookRef cannot be changed; create another endpoint"))]
    pub webhook_ref: WebhookRef,
    #[serde(flatten)]
    /// The endpoint's settings.
    pub settings: EndpointSettings,
}

/// Names a Webhook in the same namespace.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct WebhookRef {
    /// Name of the Webhook.
    #[schemars(length(min = 1, max = 40), regex(pattern = r"^[a-z]([-a-z0-9]*[a-z0-9])?$"))]
    pub name: String,
}

/// An endpoint written inside its Webhook: the operator keeps a WebhookEndpoint `<webhook>-<name>` equal to it.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("has(self.tenant) == has(oldSelf.tenant) && (!has(self.tenant) || self.tenant == oldSelf.tenant)").message("tenant cannot be changed; create another endpoint").field_path(".tenant"))]
pub struct InlineEndpoint {
    /// Name of the endpoint within the Webhook.
    #[schemars(length(min = 1, max = 22), regex(pattern = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"))]
    pub name: String,
    #[serde(flatten)]
    /// The endpoint's settings.
    pub settings: EndpointSettings,
}

/// Everything of an endpoint except whose it is.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct EndpointSettings {
    /// A name for people; `${endpoint.displayName}` in header values.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    pub display_name: Option<String>,
    /// What this endpoint is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    pub description: Option<String>,
    /// Values for `${endpoint.parameters.<name>}` in header values.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("maxProperties" = 32, "additionalProperties" = {"type": "string", "maxLength": 1024}))]
    #[x_kube(validation = Rule::new("self.all(name, name.matches('^[A-Za-z_][A-Za-z0-9_]{0,62}$'))").message("a parameter's name must be a letter or _ and then at most 62 letters, digits and _"))]
    pub parameters: Option<BTreeMap<String, String>>,
    /// Receives only events of this tenant; left out, it receives those of all. Cannot be changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 128))]
    pub tenant: Option<String>,
    /// Event types to receive; left out, all. `invoice.*` means every type that begins with `invoice.`; `*` stands
    /// alone or after a `.`, `:` or `/` at the end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(
        length(min = 1, max = 64),
        inner(length(min = 1, max = 128), regex(pattern = r"^(\*|[A-Za-z0-9_.:/-]+([.:/]\*)?)$"))
    )]
    #[x_kube(merge_strategy = kube::core::ListMerge::Set)]
    pub event_types: Option<Vec<String>>,
    /// Which of those events to receive: a CEL expression over `event` (`id`, `type`, `source`, `subject`, `time`, `tenant`,
    /// `data`, `metadata`), such as `event.data.total > 100`. Left out, all. An event for which it has no value, such as one
    /// without that field, is not received.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 1024))]
    pub filter: Option<String>,
    /// Where deliveries go.
    pub target: Target,
    /// Headers sent with every delivery, besides those of the Webhook's `defaults.headers`; of two with the same name
    /// the endpoint's is sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 16))]
    #[x_kube(merge_strategy = kube::core::ListMerge::Map(vec!["name".into()]))]
    pub headers: Option<Vec<Header>>,
    /// How deliveries are signed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signing: Option<Signing>,
    /// How deliveries are attempted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delivery: Option<DeliverySettings>,
    /// `false`: events that arrive from now on are not for this endpoint. What is already pending is delivered.
    /// Default `true`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
    /// `true`: events are kept for this endpoint, for as long as `delivery.retry.maxAge` allows, and delivered once it is
    /// `false` again. Default `false`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suspend: Option<bool>,
}
