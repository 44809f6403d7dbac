//! [CloudEvents 1.0.2](https://github.com/cloudevents/spec/tree/v1.0.2/cloudevents): the JSON format and the HTTP binding.
//!
//! - `source`, which CloudEvents requires and an event need not have, is then the Webhook's path in the API.
//! - `time` is left out if the producer's is not of RFC 3339, and an empty `subject`: CloudEvents has no place for either.
//! - The tenant is the extension attribute `tenant`. Members of `metadata` are extension attributes if their names are lower
//!   case letters and digits and their values texts, truth values or 32-bit integers; the others are left out.

use std::{borrow::Cow, fmt};

use bytes::Bytes;
use http::{HeaderName, HeaderValue};
use jiff::Timestamp;
use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, Visitor},
};
use serde_json::value::RawValue;

use super::{Attempt, Body, RenderError, body::push_string, header_value};

const SPECVERSION: &str = "1.0";
const STRUCTURED: HeaderValue = HeaderValue::from_static("application/cloudevents+json; charset=utf-8");
const BATCHED: HeaderValue = HeaderValue::from_static("application/cloudevents-batch+json; charset=utf-8");
const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// Longest name of an attribute.
const MAX_NAME: usize = 20;
/// Names that are not taken from `metadata`.
const TAKEN: [&str; 9] =
    ["specversion", "id", "source", "type", "subject", "time", "datacontenttype", "data", "tenant"];

/// One JSON object.
pub(super) fn structured(attempt: &Attempt<'_>) -> Body {
    Body { bytes: object(attempt).into(), content_type: STRUCTURED, headers: Vec::new() }
}

/// An array of one.
pub(super) fn batched(attempt: &Attempt<'_>) -> Body {
    let bytes: Vec<u8> = [b"[".as_slice(), &object(attempt), b"]"].concat();
    Body { bytes: bytes.into(), content_type: BATCHED, headers: Vec::new() }
}

/// The data as it came, and the attributes as headers.
///
/// # Errors
/// An attribute that is longer than a header may be.
pub(super) fn binary(attempt: &Attempt<'_>) -> Result<Body, RenderError> {
    let mut headers = Vec::new();
    for (name, value) in attributes(attempt) {
        let name = HeaderName::try_from(format!("ce-{name}")).expect("letters and digits");
        let text = match &value {
            Attribute::Text(text) => percent_encoded(text),
            Attribute::Json(json) => json.as_str().into(),
        };
        let value = header_value(&text).map_err(|problem| RenderError::Header { name: name.clone(), problem })?;
        headers.push((name, value));
    }
    Ok(Body { bytes: Bytes::clone(&attempt.event.data), content_type: JSON, headers })
}

fn object(attempt: &Attempt<'_>) -> Vec<u8> {
    let mut json = Vec::with_capacity(512 + attempt.event.data.len());
    json.push(b'{');
    for (name, value) in attributes(attempt) {
        push_string(&mut json, &name);
        json.push(b':');
        match value {
            Attribute::Text(text) => push_string(&mut json, &text),
            Attribute::Json(written) => json.extend_from_slice(written.as_bytes()),
        }
        json.push(b',');
        if name == "type" {
            json.extend_from_slice(b"\"datacontenttype\":\"application/json\",");
        }
    }
    json.extend_from_slice(b"\"data\":");
    json.extend_from_slice(&attempt.event.data);
    json.push(b'}');
    json
}

/// The value of an attribute.
enum Attribute<'a> {
    Text(Cow<'a, str>),
    /// A truth value or an integer, which JSON and headers write the same.
    Json(String),
}

/// All but `datacontenttype`, in the order in which they are sent.
fn attributes<'a>(attempt: &Attempt<'a>) -> Vec<(Cow<'static, str>, Attribute<'a>)> {
    let Attempt { event, webhook_name, webhook_namespace, .. } = *attempt;
    let source = event.source.as_deref().filter(|source| !source.is_empty()).map_or_else(
        || format!("/apis/posthaste.dev/v1alpha1/namespaces/{webhook_namespace}/webhooks/{webhook_name}").into(),
        Cow::from,
    );
    let optional = [
        ("subject", event.subject.as_deref().filter(|subject| !subject.is_empty())),
        ("time", Some(event.time.as_str()).filter(|time| is_rfc3339(time))),
        ("tenant", event.tenant.as_deref().filter(|tenant| !tenant.is_empty())),
    ];
    let required: [(&'static str, Cow<'a, str>); 4] = [
        ("specversion", SPECVERSION.into()),
        ("id", event.id.as_str().into()),
        ("source", source),
        ("type", event.event_type.as_str().into()),
    ];
    let texts = required
        .into_iter()
        .chain(optional.into_iter().filter_map(|(name, text)| Some((name, text?.into()))))
        .map(|(name, text)| (Cow::Borrowed(name), Attribute::Text(text)));
    texts.chain(extensions(event.metadata.as_deref())).collect()
}

fn extensions<'a>(metadata: Option<&[u8]>) -> impl Iterator<Item = (Cow<'static, str>, Attribute<'a>)> {
    let members = metadata.and_then(|metadata| serde_json::from_slice::<Members>(metadata).ok());
    members.map(|members| members.0).unwrap_or_default().into_iter().filter_map(|(name, value)| {
        let good = (1..=MAX_NAME).contains(&name.len())
            && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
            && !TAKEN.contains(&name.as_str());
        let raw = value.get();
        let value = match raw {
            "true" | "false" => Attribute::Json(raw.to_owned()),
            _ if raw.starts_with('"') => Attribute::Text(serde_json::from_str::<String>(raw).ok()?.into()),
            _ => Attribute::Json(raw.parse::<i32>().ok()?.to_string()),
        };
        good.then_some((Cow::Owned(name), value))
    })
}

/// The members of a JSON object in their order; of several with the same name, the last.
struct Members(Vec<(String, Box<RawValue>)>);

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct InOrder;
        impl<'de> Visitor<'de> for InOrder {
            type Value = Members;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
                let mut members: Vec<(String, Box<RawValue>)> = Vec::new();
                let mut places = std::collections::HashMap::new();
                while let Some((name, value)) = map.next_entry::<String, Box<RawValue>>()? {
                    let place = *places.entry(name.clone()).or_insert(members.len());
                    if place == members.len() {
                        members.push((name, value));
                    } else {
                        members[place].1 = value;
                    }
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(InOrder)
    }
}

/// Section 3.1.3.2 of the HTTP binding: what is no visible ASCII, and `"` and `%`, as `%` and two digits a byte of UTF-8.
fn percent_encoded(text: &str) -> Cow<'_, str> {
    let plain = |byte: u8| byte.is_ascii_graphic() && byte != b'"' && byte != b'%';
    if text.bytes().all(plain) {
        return text.into();
    }
    let encoded =
        text.bytes().map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") });
    encoded.collect::<String>().into()
}

/// Which is what CloudEvents' type Timestamp is; other forms of ISO 8601 are not.
fn is_rfc3339(time: &str) -> bool {
    matches!(time.as_bytes().get(10), Some(b'T' | b't')) && !time.contains('[') && time.parse::<Timestamp>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{endpoint::Endpoint, event::Event, render::fixture};

    fn endpoint() -> Endpoint {
        Endpoint::compile(&crate::endpoint::fixture::endpoint()).unwrap()
    }

    fn event() -> Event {
        Event {
            id: "A234-1234-1234".to_owned(),
            event_type: "com.example.someevent".to_owned(),
            source: Some("/mycontext".to_owned()),
            time: "2018-04-05T17:31:00Z".to_owned(),
            ..fixture::event()
        }
    }

    fn text(body: &Body) -> String {
        String::from_utf8(body.bytes.to_vec()).unwrap()
    }

    /// The example of section 3.2.2 of the HTTP binding, and of section 3.2 of the JSON format, with our data.
    #[test]
    fn a_structured_event_is_one_object_with_its_data_verbatim() {
        let (endpoint, event) = (endpoint(), event());
        let body = structured(&fixture::attempt(&endpoint, &event));
        assert_eq!(body.content_type, "application/cloudevents+json; charset=utf-8");
        assert_eq!(
            text(&body),
            r#"{"specversion":"1.0","id":"A234-1234-1234","source":"/mycontext","type":"com.example.someevent","datacontenttype":"application/json","time":"2018-04-05T17:31:00Z","data":{"total": 1.0}}"#
        );
    }

    #[test]
    fn a_batch_is_an_array_of_one() {
        let (endpoint, event) = (endpoint(), event());
        let attempt = fixture::attempt(&endpoint, &event);
        let body = batched(&attempt);
        assert_eq!(body.content_type, "application/cloudevents-batch+json; charset=utf-8");
        assert_eq!(text(&body), format!("[{}]", text(&structured(&attempt))));
    }

    /// The example of section 3.1.4 of the HTTP binding.
    #[test]
    fn a_binary_event_has_its_attributes_as_headers() {
        let (endpoint, event) = (endpoint(), event());
        let body = binary(&fixture::attempt(&endpoint, &event)).unwrap();
        assert_eq!((body.content_type, &body.bytes), (HeaderValue::from_static("application/json"), &event.data));
        let headers: Vec<_> =
            body.headers.iter().map(|(name, value)| (name.as_str(), value.to_str().unwrap())).collect();
        assert_eq!(
            headers,
            [
                ("ce-specversion", "1.0"),
                ("ce-id", "A234-1234-1234"),
                ("ce-source", "/mycontext"),
                ("ce-type", "com.example.someevent"),
                ("ce-time", "2018-04-05T17:31:00Z"),
            ]
        );
    }

    /// The examples of section 3.1.3.2 of the HTTP binding.
    #[test]
    fn header_values_are_percent_encoded_as_the_binding_says() {
        for (value, expected) in [
            ("Euro € 😀", "Euro%20%E2%82%AC%20%F0%9F%98%80"),
            ("100%", "100%25"),
            ("\"a\"\n", "%22a%22%0A"),
            ("a/b?c=d&e~f", "a/b?c=d&e~f"),
        ] {
            assert_eq!(percent_encoded(value), expected);
        }
    }

    #[test]
    fn what_cloud_events_have_no_place_for_is_left_out_and_what_they_require_is_there() {
        let endpoint = endpoint();
        let event = Event {
            source: None,
            subject: Some(String::new()),
            time: "yesterday".to_owned(),
            tenant: Some("acme".to_owned()),
            metadata: Some(Bytes::from_static(
                br#"{"traceparent": "00-a", "Upper": "x", "a_b": "x", "id": "x", "n": 7, "big": 3000000000, "f": 1.5, "yes": true, "o": {}, "n": 8}"#,
            )),
            ..event()
        };
        let parsed: serde_json::Value =
            serde_json::from_str(&text(&structured(&fixture::attempt(&endpoint, &event)))).unwrap();
        assert_eq!(
            parsed,
            serde_json::json!({
                "specversion": "1.0", "id": "A234-1234-1234", "type": "com.example.someevent",
                "source": "/apis/posthaste.dev/v1alpha1/namespaces/shop/webhooks/orders",
                "datacontenttype": "application/json", "tenant": "acme", "traceparent": "00-a", "n": 8, "yes": true,
                "data": {"total": 1.0},
            })
        );
    }

    #[test]
    fn times_are_of_rfc_3339() {
        for good in ["2018-04-05T17:31:00Z", "2018-04-05T17:31:00.5+02:00", "2018-04-05t17:31:00z"] {
            assert!(is_rfc3339(good), "{good}");
        }
        for bad in
            ["", "2018-04-05", "2018-04-05 17:31:00Z", "2018-04-05T17:31:00", "2018-04-05T17:31:00+02:00[Europe/Bern]"]
        {
            assert!(!is_rfc3339(bad), "{bad}");
        }
    }
}
