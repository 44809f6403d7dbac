//! The bodies, by payload format.

use bytes::Bytes;
use http::{HeaderName, HeaderValue};
use posthaste_delivery_config::CloudEventsMode;
use posthaste_expressions::{Budget, JsonTemplate, Render};
use serde::Serialize;

use super::{Attempt, RenderError, cloud_events, scope::with_scope};
use crate::{endpoint::Payload, event::Event};

/// Everything of a body that is neither `type`, `timestamp` nor `data`, and room for a few escapes.
const FRAME_BYTES: usize = 64;

const JSON: HeaderValue = HeaderValue::from_static("application/json");
/// A template's body may be twice as large as its event, and so many bytes.
const TEMPLATE_BYTES: usize = 64 << 10;

/// What is sent, without the headers that a user configured.
pub struct Body {
    /// The very bytes.
    pub bytes: Bytes,
    /// What they are.
    pub content_type: HeaderValue,
    /// Headers that belong to the format.
    pub headers: Vec<(HeaderName, HeaderValue)>,
}

/// Renders an event as the endpoint wants it.
///
/// # Errors
/// A template without a value, or too large; attributes of a CloudEvent that no header can carry.
pub fn body(attempt: &Attempt<'_>) -> Result<Body, RenderError> {
    let json = |bytes| Ok(Body { bytes, content_type: JSON, headers: Vec::new() });
    match &attempt.endpoint.payload {
        Payload::StandardWebhooks => json(standard_webhooks(attempt.event)),
        Payload::Raw => json(Bytes::clone(&attempt.event.data)),
        Payload::Template(template) => json(from_template(template, attempt)?),
        Payload::CloudEvents(CloudEventsMode::Structured) => Ok(cloud_events::structured(attempt)),
        Payload::CloudEvents(CloudEventsMode::Batched) => Ok(cloud_events::batched(attempt)),
        Payload::CloudEvents(CloudEventsMode::Binary) => cloud_events::binary(attempt),
    }
}

fn from_template(template: &JsonTemplate, attempt: &Attempt<'_>) -> Result<Bytes, RenderError> {
    let most = TEMPLATE_BYTES + 2 * attempt.event.bytes();
    let rendered =
        with_scope(attempt, |scope| template.render(Render { scope, budget: &mut Budget::rendering(), most }));
    rendered.map(Bytes::from).map_err(RenderError::Template)
}

/// The body that Standard Webhooks recommends: `{"type": ..., "timestamp": ..., "data": ...}` without white space.
/// `data` is the producer's text, byte for byte: numbers keep their spelling, objects the order of their keys.
fn standard_webhooks(event: &Event) -> Bytes {
    let mut body = Vec::with_capacity(FRAME_BYTES + event.event_type.len() + event.time.len() + event.data.len());
    body.extend_from_slice(b"{\"type\":");
    push_string(&mut body, &event.event_type);
    body.extend_from_slice(b",\"timestamp\":");
    push_string(&mut body, &event.time);
    body.extend_from_slice(b",\"data\":");
    body.extend_from_slice(&event.data);
    body.push(b'}');
    body.into()
}

pub(super) fn push_string(body: &mut Vec<u8>, text: &str) {
    text.serialize(&mut serde_json::Serializer::new(body)).expect("a string is JSON, and a Vec takes every write");
}

#[cfg(test)]
mod tests {
    use posthaste_delivery_config as config;

    use super::*;
    use crate::{endpoint::Endpoint, render::fixture};

    fn rendered(payload: config::Payload, event: &Event) -> Result<String, RenderError> {
        let config = config::Endpoint {
            payload,
            display_name: Some("ACME".to_owned()),
            parameters: [("region".to_owned(), "eu".to_owned())].into(),
            ..crate::endpoint::fixture::endpoint()
        };
        let endpoint = Endpoint::compile(&config).unwrap();
        let body = body(&fixture::attempt(&endpoint, event))?;
        assert_eq!(body.content_type, "application/json");
        Ok(String::from_utf8(body.bytes.to_vec()).unwrap())
    }

    fn template(text: &str) -> config::Payload {
        config::Payload::Template { template: text.to_owned() }
    }

    #[test]
    fn raw_is_the_producers_data_byte_for_byte() {
        let data = r#"{"z": 1.0,  "a": [ ]}"#;
        assert_eq!(rendered(config::Payload::Raw, &event("a", "now", data)).unwrap(), data);
    }

    #[test]
    fn a_template_names_all_that_there_is() {
        let text = r#"{"app": "${endpoint.parameters.region}/${endpoint.displayName}/${endpoint.name}/${endpoint.uid}",
            "to": "${endpoint.url}", "of": "${webhook.namespace}/${webhook.name}", "n": "${attempt.number}",
            "sent": "${formatTime(attempt.time, 'unix')}", "id": "${event.id}", "tenant": "${endpoint.tenant}",
            "data": "${event.data}", "meta": "${event.metadata.a}"}"#;
        let event = event("a", "now", r#"{"z": 1.0, "a": 1e400}"#);
        assert_eq!(
            rendered(template(text), &event).unwrap(),
            r#"{"app":"eu/ACME/acme/3f1c","to":"https://hooks.acme.example/v1/orders?token=s3cret","of":"shop/orders","n":3,"sent":1767326400,"id":"evt-1","data":{"z":1.0,"a":1e400}}"#
        );
    }

    #[test]
    fn a_template_without_a_value_says_where_and_not_what_the_event_says() {
        let error = rendered(template("{\"a\":\n\"${event.data.s + 1}\"}"), &event("a", "now", r#"{"s": "s3cret"}"#))
            .unwrap_err();
        assert_eq!(
            error.to_string(),
            "payload.template, line 2, column 17: + does not go with a string and a int; convert the other with string()"
        );
    }

    #[test]
    fn a_body_is_bounded_by_its_event() {
        let long = format!("\"{}\"", "x".repeat(100_000));
        let twice = template(r#"["${event.data}", "${event.data}"]"#);
        let event = Event { data: long.into(), ..fixture::event() };
        assert_eq!(rendered(twice, &event).unwrap().len(), 200_007);
        let often = template(r#"["${event.data}", "${event.data}", "${event.data}"]"#);
        let error = rendered(often, &event).unwrap_err();
        assert!(error.to_string().contains("longer than"), "{error}");
    }

    fn event(event_type: &str, time: &str, data: &'static str) -> Event {
        Event {
            event_type: event_type.to_owned(),
            time: time.to_owned(),
            data: Bytes::from_static(data.as_bytes()),
            ..fixture::event()
        }
    }

    #[test]
    fn the_body_is_compact_and_its_data_verbatim() {
        let event = event("order.created", "2026-01-02T03:04:05.678Z", r#"{"z": 1.0, "a": 1e400, "z": [ ]}"#);
        assert_eq!(
            standard_webhooks(&event),
            r#"{"type":"order.created","timestamp":"2026-01-02T03:04:05.678Z","data":{"z": 1.0, "a": 1e400, "z": [ ]}}"#
        );
    }

    #[test]
    fn what_json_must_escape_is_escaped() {
        let body = standard_webhooks(&event("a\"b\\c", "yesterday\n", "null"));
        assert_eq!(body, r#"{"type":"a\"b\\c","timestamp":"yesterday\n","data":null}"#);
        let parsed: serde_json::Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(parsed["timestamp"], "yesterday\n");
    }
}
