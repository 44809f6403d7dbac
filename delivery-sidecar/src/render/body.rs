//! The bodies, one function a payload format.

use bytes::Bytes;
use serde::Serialize;

use crate::event::Event;

/// Everything of a body that is neither `type`, `timestamp` nor `data`, and room for a few escapes.
const FRAME_BYTES: usize = 64;

/// The body that Standard Webhooks recommends: `{"type": ..., "timestamp": ..., "data": ...}` without white space.
/// `data` is the producer's text, byte for byte: numbers keep their spelling, objects the order of their keys.
pub fn standard_webhooks(event: &Event) -> Bytes {
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

fn push_string(body: &mut Vec<u8>, text: &str) {
    text.serialize(&mut serde_json::Serializer::new(body)).expect("a string is JSON, and a Vec takes every write");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::fixture;

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
