//! What is sent.

use posthaste_crds::{
    conditions::accepted,
    v1alpha1::{self, PayloadFormat},
};
use posthaste_expressions::{JsonTemplate, TEMPLATE};

use super::Refusal;
use crate::{CloudEventsMode, Payload};

/// The endpoint's own payload, else its Webhook's, as a whole.
pub(super) fn resolve(own: Option<&v1alpha1::Payload>, inherited: Option<&v1alpha1::Payload>) -> Payload {
    let Some(payload) = own.or(inherited) else { return Payload::default() };
    match payload.format {
        PayloadFormat::StandardWebhooks => Payload::StandardWebhooks,
        PayloadFormat::CloudEvents => Payload::CloudEvents {
            mode: match payload.mode.unwrap_or_default() {
                v1alpha1::CloudEventsMode::Structured => CloudEventsMode::Structured,
                v1alpha1::CloudEventsMode::Binary => CloudEventsMode::Binary,
                v1alpha1::CloudEventsMode::Batched => CloudEventsMode::Batched,
            },
        },
        PayloadFormat::Raw => Payload::Raw,
        PayloadFormat::Template => Payload::Template { template: payload.template.clone().unwrap_or_default() },
    }
}

/// Refuses a template that does not compile. `field` is the payload's own, such as `payload`.
pub(super) fn accept(field: &str, payload: Option<&v1alpha1::Payload>) -> Result<(), Refusal> {
    let Some(template) = payload.and_then(|payload| payload.template.as_ref()) else { return Ok(()) };
    let refuse = |error| Refusal::new(accepted::INVALID_TEMPLATE, format!("{field}.template, {error}"));
    JsonTemplate::compile(template, TEMPLATE).map(drop).map_err(refuse)
}
