//! The headers that a user configured.

use std::{borrow::Cow, fmt::Write};

use http::{HeaderMap, HeaderValue};
use jiff::Timestamp;
use posthaste_delivery_config::template::{Field, Part, Template};

use super::{Attempt, RenderError};
use crate::endpoint::HeaderSource;

/// Most bytes of a header's value.
pub const MAX_HEADER_BYTES: usize = 4096;

/// Why a text cannot be the value of a header. Says nothing of the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidHeaderValue {
    /// CR or LF, which would end the header.
    #[error("the value contains a line break; remove it")]
    LineBreak,
    /// Another character that RFC 9110 does not allow in a field value.
    #[error("the value contains a control character; remove it")]
    ControlCharacter,
    /// More than [`MAX_HEADER_BYTES`].
    #[error("the value is longer than {MAX_HEADER_BYTES} bytes")]
    TooLong,
}

/// Makes a text the value of a header. Text outside of ASCII is sent as UTF-8, which RFC 9110 allows receivers to treat
/// as opaque.
///
/// # Errors
/// What a header cannot carry: see [`InvalidHeaderValue`].
pub fn header_value(text: &str) -> Result<HeaderValue, InvalidHeaderValue> {
    if text.len() > MAX_HEADER_BYTES {
        return Err(InvalidHeaderValue::TooLong);
    }
    if text.contains(['\r', '\n']) {
        return Err(InvalidHeaderValue::LineBreak);
    }
    HeaderValue::from_bytes(text.as_bytes()).map_err(|_| InvalidHeaderValue::ControlCharacter)
}

/// The endpoint's headers for this attempt. A header whose template names a field that is not there is left out.
///
/// # Errors
/// A template that gives what a header cannot carry.
pub fn headers(attempt: &Attempt<'_>) -> Result<HeaderMap, RenderError> {
    let mut headers = HeaderMap::with_capacity(attempt.endpoint.headers.len());
    for (name, source) in &attempt.endpoint.headers {
        let value = match source {
            HeaderSource::Literal(value) => value.clone(),
            HeaderSource::Template(template) => match fill(template, attempt) {
                None => continue,
                Some(text) => {
                    header_value(&text).map_err(|problem| RenderError::Header { name: name.clone(), problem })?
                }
            },
        };
        headers.insert(name.clone(), value);
    }
    Ok(headers)
}

/// The template's text, or `None` when one of its fields is missing. At most one field longer than
/// [`MAX_HEADER_BYTES`]: a value that is too long already cannot become right again.
fn fill(template: &Template, attempt: &Attempt<'_>) -> Option<String> {
    let mut text = String::new();
    for part in template.parts() {
        match part {
            Part::Text(literal) => text.push_str(literal),
            Part::Field(field) => {
                let value = value(field, attempt)?;
                if text.len() <= MAX_HEADER_BYTES {
                    text.push_str(&value);
                }
            }
        }
    }
    Some(text)
}

/// What a field stands for, if it is there.
fn value<'a>(field: &Field, attempt: &Attempt<'a>) -> Option<Cow<'a, str>> {
    let Attempt { endpoint, event, .. } = *attempt;
    let text: &str = match field {
        Field::EventId => &event.id,
        Field::EventType => &event.event_type,
        Field::EventTime => &event.time,
        Field::EventSource => event.source.as_deref()?,
        Field::EventSubject => event.subject.as_deref()?,
        Field::EventTenant => event.tenant.as_deref()?,
        Field::EndpointUid => &endpoint.uid,
        Field::EndpointName => &endpoint.name,
        Field::EndpointDisplayName => endpoint.display_name.as_deref()?,
        Field::EndpointTenant => endpoint.tenant.as_deref()?,
        Field::EndpointParameter(name) => endpoint.parameters.get(name)?,
        Field::WebhookName => attempt.webhook_name,
        Field::WebhookNamespace => attempt.webhook_namespace,
        Field::AttemptNumber => return Some(attempt.number.to_string().into()),
        Field::AttemptTime => return Some(milliseconds(attempt.now).into()),
    };
    Some(text.into())
}

/// RFC 3339 with milliseconds and `Z`, as event times are written.
fn milliseconds(time: Timestamp) -> String {
    let mut text = String::with_capacity("2026-01-02T03:04:05.678Z".len());
    write!(text, "{time:.3}").expect("a String takes every write");
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        endpoint::{Endpoint, fixture as configured},
        event::Event,
        render::fixture,
    };

    fn endpoint(templates: &[(&str, &str)]) -> Endpoint {
        let mut endpoint = configured::endpoint();
        endpoint.display_name = Some("ACME order feed".to_owned());
        endpoint.parameters.insert("region".to_owned(), "eu".to_owned());
        endpoint.headers = templates.iter().map(|(name, value)| configured::header(name, value, true)).collect();
        Endpoint::compile(&endpoint).unwrap()
    }

    fn render(template: &str, event: &Event) -> Result<Option<String>, RenderError> {
        let endpoint = endpoint(&[("X-Test", template)]);
        let headers = headers(&fixture::attempt(&endpoint, event))?;
        Ok(headers.get("x-test").map(|value| String::from_utf8(value.as_bytes().to_vec()).unwrap()))
    }

    #[test]
    fn every_field_has_its_value() {
        let event = Event {
            source: Some("shop/eu".to_owned()),
            subject: Some("order-9".to_owned()),
            tenant: Some("acme".to_owned()),
            ..fixture::event()
        };
        for (path, expected) in [
            ("event.id", "evt-1"),
            ("event.type", "order.created"),
            ("event.time", "2026-01-02T03:04:05.678Z"),
            ("event.source", "shop/eu"),
            ("event.subject", "order-9"),
            ("event.tenant", "acme"),
            ("endpoint.uid", "3f1c"),
            ("endpoint.name", "acme"),
            ("endpoint.displayName", "ACME order feed"),
            ("endpoint.parameters.region", "eu"),
            ("webhook.name", "orders"),
            ("webhook.namespace", "shop"),
            ("attempt.number", "3"),
            ("attempt.time", "2026-01-02T04:00:00.500Z"),
        ] {
            assert_eq!(render(&format!("<${{{path}}}>"), &event), Ok(Some(format!("<{expected}>"))), "{path}");
        }
    }

    #[test]
    fn a_header_with_a_missing_field_is_left_out_and_the_others_are_not() {
        let event = fixture::event();
        for path in ["event.source", "event.subject", "event.tenant", "endpoint.tenant", "endpoint.parameters.nothing"]
        {
            assert_eq!(render(&format!("<${{{path}}}>"), &event), Ok(None), "{path}");
        }
        let endpoint = endpoint(&[("X-A", "${event.source}"), ("X-B", "b"), ("X-C", "${event.id}")]);
        let headers = headers(&fixture::attempt(&endpoint, &event)).unwrap();
        assert_eq!(headers.keys().map(http::HeaderName::as_str).collect::<Vec<_>>(), ["x-b", "x-c"]);
    }

    #[test]
    fn an_empty_field_is_not_a_missing_one() {
        let event = Event { subject: Some(String::new()), ..fixture::event() };
        assert_eq!(render("${event.subject}", &event), Ok(Some(String::new())));
    }

    #[test]
    fn text_outside_of_ascii_is_sent_as_utf8() {
        let event = Event { subject: Some("Grüße".to_owned()), ..fixture::event() };
        assert_eq!(render("${event.subject}", &event), Ok(Some("Grüße".to_owned())));
    }

    #[test]
    fn what_a_header_cannot_carry_is_an_error_that_does_not_tell_it() {
        for (subject, problem) in [
            ("s3cret\r\nhost: evil.example".to_owned(), InvalidHeaderValue::LineBreak),
            ("s3cret\n".to_owned(), InvalidHeaderValue::LineBreak),
            ("s3cret\0".to_owned(), InvalidHeaderValue::ControlCharacter),
            ("s3cret\x7f".to_owned(), InvalidHeaderValue::ControlCharacter),
            ("s3cret".repeat(1000), InvalidHeaderValue::TooLong),
        ] {
            let event = Event { subject: Some(subject), ..fixture::event() };
            let error = render("${event.subject}", &event).unwrap_err();
            assert_eq!(error, RenderError::Header { name: http::HeaderName::from_static("x-test"), problem });
            assert!(!error.to_string().contains("s3cret"));
        }
        let event = Event { subject: Some("x".repeat(MAX_HEADER_BYTES)), ..fixture::event() };
        assert!(render("${event.subject}", &event).unwrap().is_some());
        assert!(render("${event.subject}${event.subject}${event.source}", &event).unwrap().is_none());
    }
}
