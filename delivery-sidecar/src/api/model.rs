//! What is asked and answered. The OpenAPI document is made from these types and their comments.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

/// How a delivery stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum DeliveryStatus {
    /// It waits for its first attempt.
    Pending,
    /// An attempt is in progress.
    InFlight,
    /// An attempt failed, and another will be made.
    Retrying,
    /// The receiver took it.
    Succeeded,
    /// It was given up, and is kept to be sent again.
    DeadLettered,
    /// Its endpoint was deleted.
    Dropped,
}

/// A page of deliveries, newest first.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DeliveryList {
    /// The deliveries.
    pub items: Vec<Delivery>,
    /// Ask with it for the next page. Left out at the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
}

/// One event's way to one endpoint.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Delivery {
    /// Its id, of this API.
    pub id: String,
    /// The event's id, which the receiver gets as `webhook-id`.
    pub event_id: String,
    /// The event's type.
    pub event_type: String,
    /// The event's tenant.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tenant: Option<String>,
    /// Where to.
    pub endpoint: Endpoint,
    /// How it stands.
    pub status: DeliveryStatus,
    /// Attempts so far.
    pub attempt_count: u32,
    /// When its event was accepted.
    pub accepted_at: Timestamp,
    /// When something last happened to it.
    pub updated_at: Timestamp,
    /// When its next attempt is due; it may start later.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_attempt_at: Option<Timestamp>,
    /// HTTP status of the last attempt's answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_status_code: Option<u16>,
}

/// A WebhookEndpoint. Without a name, it is one that there is no more, or not yet.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Endpoint {
    /// Its name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Its UID.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub uid: Option<String>,
}

/// A delivery and its attempts.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DeliveryDetail {
    /// The delivery.
    #[serde(flatten)]
    pub delivery: Delivery,
    /// Those of its attempts that are kept, at most the last 100, oldest first.
    pub attempts: Vec<Attempt>,
}

/// One attempt.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Attempt {
    /// Its number, from 1; again from 1 after a redelivery.
    pub number: u32,
    /// When it began.
    pub started_at: Timestamp,
    /// What was sent.
    pub request: Request,
    /// What came back, if anything did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub response: Option<Response>,
    /// Why it failed, if it did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<Failure>,
    /// How long it took.
    pub durations: Durations,
}

/// A request as it was sent. Secrets are left out.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Request {
    /// The method.
    pub method: String,
    /// Scheme, host, port and path. Left out when the URL comes from a Secret.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// Headers, without those of the connection.
    pub headers: Vec<Header>,
    /// Not all headers are here: there were more than 8 KiB.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub headers_truncated: bool,
}

/// The beginning of an answer.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Response {
    /// HTTP status.
    pub status: u16,
    /// Headers.
    pub headers: Vec<Header>,
    /// Not all headers are here: there were more than 8 KiB.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub headers_truncated: bool,
    /// The first 4 KiB of the body. What is no UTF-8 in it is shown as U+FFFD.
    pub body: String,
    /// The body was longer, or did not come to its end.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub body_truncated: bool,
}

/// A header.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Header {
    /// Its name, in lower case.
    pub name: String,
    /// Its value; `[redacted]` when it is a secret.
    pub value: String,
}

/// Why an attempt failed.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Failure {
    /// The kind: a reason of the endpoint's `Healthy` condition.
    pub reason: String,
    /// For people.
    pub message: String,
}

/// How long the parts of an attempt took, in milliseconds.
#[expect(clippy::struct_field_names, reason = "in JSON, a number says its unit")]
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Durations {
    /// To resolve the name. Left out when the connection was open already.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dns_ms: Option<f64>,
    /// To connect, TLS included. Left out when the connection was open already.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub connect_ms: Option<f64>,
    /// From the beginning to the answer's status and headers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_byte_ms: Option<f64>,
    /// The whole attempt.
    pub total_ms: f64,
}

/// What a test event is like.
#[derive(Clone, Debug, Default, PartialEq, Eq, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(deny_unknown_fields)]
pub struct TestRequest {
    /// The event's type; `posthaste.test` when it is left out. It need not be in the Webhook's catalogue, nor be one that the
    /// endpoint asks for.
    #[schemars(rename = "type", regex(pattern = "^[A-Za-z0-9_.:/-]{1,128}$"))]
    pub event_type: Option<String>,
    /// Its data: any JSON; `{"test": true}` when it is left out.
    #[schemars(with = "serde_json::Value")]
    #[serde(default)]
    pub data: Option<Box<str>>,
}

/// What became of a test event.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TestResult {
    /// The receiver took it.
    pub delivered: bool,
    /// The event's id.
    pub event_id: String,
    /// The one attempt.
    pub attempt: Attempt,
}

/// Which deliveries are made again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub enum ReplayMode {
    /// Those that were given up.
    Failed,
    /// Those of kept events that were never for the endpoint and match it now.
    Missing,
    /// All that are kept and were for the endpoint.
    All,
}

/// How a delivery ended that is made again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum ReplayStatus {
    /// The receiver took it.
    Succeeded,
    /// It was given up.
    DeadLettered,
}

/// What is sent to an endpoint again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(deny_unknown_fields, extend("anyOf" = [
    {"properties": {"mode": {"const": "All"}}},
    {"properties": {"mode": {"const": "Failed"}, "status": {"enum": ["deadLettered", null]}}},
    {"properties": {"mode": {"const": "Missing"}, "status": {"type": "null"}}},
]))]
pub struct ReplayRequest {
    /// Which deliveries.
    pub mode: ReplayMode,
    /// Only of events that were accepted at this time or later.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
    /// Only of events that were accepted before this time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    /// Only of events of this type.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = "^[A-Za-z0-9_.:/-]{1,128}$"))]
    pub event_type: Option<String>,
    /// With `All`, only those that ended so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<ReplayStatus>,
}

/// How a replay stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum ReplayState {
    /// It goes on.
    Running,
    /// It has looked at everything.
    Completed,
    /// It ended before.
    Failed,
}

/// A replay and how far it is. Kept until the process ends, or 64 later ones were begun.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Replay {
    /// Its id.
    pub id: String,
    /// Name of the endpoint.
    pub endpoint: String,
    /// What was asked for.
    pub request: ReplayRequest,
    /// How it stands.
    pub state: ReplayState,
    /// Deliveries that were asked for, as far as they have been looked at.
    pub matched: u64,
    /// Those of them that are pending again. The others were pending already.
    pub scheduled: u64,
    /// When it began.
    pub started_at: Timestamp,
    /// Why it ended early.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}
