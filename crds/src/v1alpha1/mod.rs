//! Version `v1alpha1` of the API group: what users write and what they read back.
//!
//! A field is here only when the operator and the delivery sidecar act on it. Every string, list and map is bounded,
//! and every rule that one object can break on its own is a CEL rule here, so that the API server refuses it with a
//! message that says what would be right.

mod common;
mod delivery;
mod endpoint;
mod signing;
mod status;
mod target;
mod template;
mod webhook;

pub use common::{Header, HeaderSource, Rate, SecretKeyRef, SecretRef};
pub use delivery::{
    Backoff, CircuitBreaker, CircuitBreakerType, DeliveryOrdering, DeliveryRate, DeliverySettings, OnExhausted, Retry,
};
pub use endpoint::{EndpointSettings, InlineEndpoint, WebhookEndpoint, WebhookEndpointSpec, WebhookRef};
pub use signing::{KeyEncoding, Signing, SigningKey};
pub use status::{
    Address, ConfigurationStatus, EndpointCounts, EndpointDeliveryStatus, EndpointSigningStatus, LastFailure,
    TargetStatus, WebhookDeliveryStatus, WebhookEndpointStatus, WebhookStatus,
};
pub use target::{ServiceRef, Target, UrlSource};
pub use template::PodTemplate;
pub use webhook::{
    Authentication, BearerKeys, DeadLetter, EmptyDir, EndpointDefaults, EventType, History, Ingest, IngestTls, Journal,
    JournalStorage, JournalType, Limits, VolumeClaim, Webhook, WebhookSpec,
};
