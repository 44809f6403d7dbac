//! The headers of an endpoint: its Webhook's and its own.

use posthaste_crds::{
    conditions::accepted,
    v1alpha1::{Header, Webhook, WebhookEndpoint},
};

use posthaste_expressions::{TEMPLATE, TextTemplate};

use super::{Lookup, Refusal, lookup::invalid_secret};
use crate::{HeaderValue, Redacted};

/// Longest value of a header in bytes, as in the schema.
const MAX_VALUE_BYTES: usize = 4096;

/// A header and where it is written.
pub(super) struct Located<'a> {
    pub header: &'a Header,
    /// Such as `headers[0] ("X-Region")`.
    pub field: String,
}

/// The default headers of a Webhook.
pub(super) fn defaults(webhook: &Webhook) -> impl Iterator<Item = &Header> {
    webhook.spec.defaults.iter().flat_map(|defaults| defaults.headers.iter().flatten())
}

/// The default headers of a Webhook, with the field's name as the Webhook's own conditions write it.
pub(super) fn located_defaults(webhook: &Webhook) -> impl Iterator<Item = Located<'_>> {
    located("defaults.headers", defaults(webhook))
}

/// The headers of an endpoint alone.
pub(super) fn own(endpoint: &WebhookEndpoint) -> impl Iterator<Item = Located<'_>> {
    located("headers", endpoint.spec.settings.headers.iter().flatten())
}

/// The headers that are sent to an endpoint: defaults that it does not override, then its own.
pub(super) fn effective<'a>(
    webhook: Option<&'a Webhook>,
    endpoint: &'a WebhookEndpoint,
) -> impl Iterator<Item = Located<'a>> {
    let overridden = |name: &str| own(endpoint).any(|own| own.header.name.eq_ignore_ascii_case(name));
    webhook
        .into_iter()
        .flat_map(|webhook| located("defaults.headers of its Webhook, ", defaults(webhook)))
        .filter(move |default| !overridden(&default.header.name))
        .chain(own(endpoint))
}

fn located<'a>(list: &str, headers: impl Iterator<Item = &'a Header>) -> impl Iterator<Item = Located<'a>> {
    headers
        .enumerate()
        .map(move |(index, header)| Located { header, field: format!("{list}[{index}] ({:?})", header.name) })
}

/// Refuses two headers whose names differ in case only: they are one header on the wire.
pub(super) fn distinct<'a>(headers: impl Iterator<Item = Located<'a>>) -> Result<(), Refusal> {
    let headers: Vec<_> = headers.collect();
    for (index, later) in headers.iter().enumerate() {
        if let Some(earlier) = headers[..index].iter().find(|h| h.header.name.eq_ignore_ascii_case(&later.header.name))
        {
            return Err(Refusal::new(
                accepted::INVALID,
                format!(
                    "{} is the same header as {}: names differ in case only; remove one",
                    later.field, earlier.field
                ),
            ));
        }
    }
    Ok(())
}

/// Compiles a header's value, if it has one of its own.
pub(super) fn compile(located: &Located) -> Result<Option<TextTemplate>, Refusal> {
    let Some(value) = &located.header.value else { return Ok(None) };
    let refuse = |message| Refusal::new(accepted::INVALID_TEMPLATE, format!("{}.value, {message}", located.field));
    let template = TextTemplate::compile(value, TEMPLATE).map_err(|error| refuse(error.to_string()))?;
    if !template.texts().all(is_header_text) {
        return Err(refuse("has characters that a header cannot carry: use visible ASCII, spaces and tabs".to_owned()));
    }
    Ok(Some(template))
}

/// The header as the sidecar needs it. `compile` must have accepted it before.
pub(super) fn resolve(located: &Located, lookup: &Lookup) -> Result<HeaderValue, Refusal> {
    let header = located.header;
    let name = header.name.clone();
    if let Some(source) = &header.value_from {
        let field = format!("{}.valueFrom", located.field);
        let reference = &source.secret_key_ref;
        let value = lookup.secret_text(&field, reference)?;
        if !is_header_text(value) {
            return Err(invalid_secret(&field, reference, "must be visible ASCII, spaces and tabs, on one line"));
        }
        if value.len() > MAX_VALUE_BYTES {
            return Err(invalid_secret(&field, reference, &format!("must be at most {MAX_VALUE_BYTES} bytes")));
        }
        return Ok(HeaderValue { name, value: Redacted::new(value), template: false });
    }
    let template = compile(located)?;
    let text = header.value.as_deref().unwrap_or_default();
    Ok(match template.as_ref().and_then(TextTemplate::literal) {
        Some(literal) => HeaderValue { name, value: Redacted::new(literal), template: false },
        None => HeaderValue { name, value: Redacted::new(text), template: true },
    })
}

/// What RFC 9110, section 5.5 lets a new field value consist of.
fn is_header_text(text: &str) -> bool {
    text.bytes().all(|byte| byte == b'\t' || (b' '..=b'~').contains(&byte))
}
