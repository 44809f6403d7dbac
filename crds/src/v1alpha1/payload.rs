//! What is sent.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The form of what is sent.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("has(self.template) == (self.format == 'Template')").message("template goes together with format: Template").field_path(".template"))]
#[x_kube(validation = Rule::new("!has(self.mode) || self.format == 'CloudEvents'").message("mode goes together with format: CloudEvents").field_path(".mode"))]
pub struct Payload {
    /// The format.
    pub format: PayloadFormat,
    /// Of `CloudEvents`: how they are put into a request. Default `Structured`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<CloudEventsMode>,
    /// Of `Template`: a JSON text with expressions in its strings, such as `{"id": "${event.id}", "order": "${event.data}"}`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 16384))]
    pub template: Option<String>,
}

/// Formats of what is sent.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, Default, PartialEq, Eq, JsonSchema)]
pub enum PayloadFormat {
    /// `{"type": ..., "timestamp": ..., "data": ...}`, as Standard Webhooks recommends.
    #[default]
    StandardWebhooks,
    /// CloudEvents 1.0.
    CloudEvents,
    /// The event's data, byte for byte.
    Raw,
    /// A JSON text of the user's.
    Template,
}

/// How a CloudEvent is put into a request.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, Default, PartialEq, Eq, JsonSchema)]
pub enum CloudEventsMode {
    /// The event with its attributes as one JSON object.
    #[default]
    Structured,
    /// The data as the body, the attributes as `ce-` headers.
    Binary,
    /// A JSON array of one structured event.
    Batched,
}
