//! Whether an endpoint makes sense together with its Webhook: an ordered chain of policies.
//!
//! A policy looks at resources only, never at what they refer to, and says no with a reason or nothing at all. The
//! first that says no decides, so that the most basic problem is the one that is shown.

use posthaste_crds::{
    conditions::accepted,
    v1alpha1::{Webhook, WebhookEndpoint},
};

use posthaste_expressions::Filter;

use super::{Outcome, Parent, Refusal, headers, target};

type Policy = fn(&Webhook, &WebhookEndpoint) -> Result<(), Refusal>;

/// In order.
const POLICIES: [Policy; 4] = [url_can_be_delivered_to, filter_compiles, header_names_differ, header_values_compile];

/// The verdict of the chain.
pub(super) fn outcome(parent: &Parent, endpoint: &WebhookEndpoint) -> Outcome {
    match judge(parent, endpoint) {
        Ok(webhook) => Outcome::holds(accepted::ACCEPTED, praise(webhook, endpoint)),
        Err(refusal) => refusal.into(),
    }
}

fn judge<'a>(parent: &Parent<'a>, endpoint: &WebhookEndpoint) -> Result<&'a Webhook, Refusal> {
    let name = &endpoint.spec.webhook_ref.name;
    let webhook = match parent {
        Parent::Missing => {
            let message = format!("webhookRef.name: there is no Webhook {name:?} in this namespace");
            return Err(Refusal::new(accepted::WEBHOOK_NOT_FOUND, message));
        }
        Parent::Refused(_) => {
            let message = format!("Webhook {name:?} is not accepted itself; its condition Accepted says why");
            return Err(Refusal::new(accepted::WEBHOOK_NOT_ACCEPTED, message));
        }
        Parent::Accepted(webhook) => webhook,
    };
    POLICIES.iter().try_for_each(|policy| policy(webhook, endpoint))?;
    Ok(webhook)
}

fn url_can_be_delivered_to(webhook: &Webhook, endpoint: &WebhookEndpoint) -> Result<(), Refusal> {
    target::accept(&endpoint.spec.settings.target, webhook)
}

fn filter_compiles(_: &Webhook, endpoint: &WebhookEndpoint) -> Result<(), Refusal> {
    let Some(filter) = &endpoint.spec.settings.filter else { return Ok(()) };
    let refuse = |error| Refusal::new(accepted::INVALID_FILTER, format!("filter, {error}"));
    Filter::compile(filter).map(drop).map_err(refuse)
}

fn header_names_differ(_: &Webhook, endpoint: &WebhookEndpoint) -> Result<(), Refusal> {
    headers::distinct(headers::own(endpoint))
}

/// Only the endpoint's own: the Webhook's are the Webhook's to answer for.
fn header_values_compile(_: &Webhook, endpoint: &WebhookEndpoint) -> Result<(), Refusal> {
    headers::own(endpoint).try_for_each(|header| headers::compile(&header).map(drop))
}

/// What is said of an accepted endpoint: whether one of its patterns can match nothing, which is most likely a
/// misspelling but becomes right when the catalogue grows.
fn praise(webhook: &Webhook, endpoint: &WebhookEndpoint) -> String {
    let idle: Vec<String> = match &webhook.spec.event_types {
        None => Vec::new(),
        Some(catalogue) => {
            let patterns = endpoint.spec.settings.event_types.iter().flatten();
            let matches = |pattern: &str| catalogue.iter().any(|known| matches_type(pattern, &known.name));
            patterns.filter(|pattern| !matches(pattern)).map(|pattern| format!("{pattern:?}")).collect()
        }
    };
    match idle.as_slice() {
        [] => "The endpoint receives events of its Webhook".to_owned(),
        idle => format!(
            "The endpoint receives events of its Webhook, but {} in its eventTypes matches nothing of the Webhook's eventTypes",
            idle.join(", ")
        ),
    }
}

/// Whether a pattern of `eventTypes` covers a type: equal, or equal up to a `*` at the end.
fn matches_type(pattern: &str, event_type: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(prefix) => event_type.starts_with(prefix),
        None => pattern == event_type,
    }
}
