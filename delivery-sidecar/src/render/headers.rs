//! The headers that a user configured.

use http::{HeaderMap, HeaderName, HeaderValue};
use posthaste_expressions::{Budget, Render, Scope, TextTemplate};

use super::{Attempt, RenderError, scope::with_scope};
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
/// A template that has no value, or one that a header cannot carry.
pub fn headers(attempt: &Attempt<'_>) -> Result<HeaderMap, RenderError> {
    let configured = &attempt.endpoint.headers;
    let mut headers = HeaderMap::with_capacity(configured.len());
    let literals = configured.iter().filter_map(|(name, source)| match source {
        HeaderSource::Literal(value) => Some((name, value)),
        HeaderSource::Template(_) => None,
    });
    headers.extend(literals.map(|(name, value)| (name.clone(), value.clone())));
    let templates = configured.iter().filter_map(|(name, source)| match source {
        HeaderSource::Literal(_) => None,
        HeaderSource::Template(template) => Some((name, template)),
    });
    if templates.clone().next().is_some() {
        with_scope(attempt, |scope| fill(templates, scope, &mut headers))?;
    }
    Ok(headers)
}

/// At most one value longer than [`MAX_HEADER_BYTES`] is made of each: it cannot become right again.
fn fill<'t>(
    templates: impl Iterator<Item = (&'t HeaderName, &'t TextTemplate)>,
    scope: Scope<'_>,
    headers: &mut HeaderMap,
) -> Result<(), RenderError> {
    let mut budget = Budget::rendering();
    for (name, template) in templates {
        let filled = template.fill(&mut Render { scope, budget: &mut budget, most: MAX_HEADER_BYTES });
        let filled = filled.map_err(|error| RenderError::HeaderTemplate { name: name.clone(), error })?;
        let Some(text) = filled else { continue };
        let value = header_value(&text).map_err(|problem| RenderError::Header { name: name.clone(), problem })?;
        headers.insert(name.clone(), value);
    }
    Ok(())
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
    fn an_expression_has_its_value_or_says_where_it_has_none() {
        let event = fixture::event();
        assert_eq!(render("${event.data.total}", &event), Ok(Some("1.0".to_owned())));
        assert_eq!(render("${event.data.total > 0 ? 'some' : 'none'}", &event), Ok(Some("some".to_owned())));
        let error = render("a ${event.data + 1}", &event).unwrap_err().to_string();
        assert_eq!(error, "header x-test, line 1, column 16: + does not go with a map and a int");
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
