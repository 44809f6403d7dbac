//! Events from text to check, and properties that hold for any text.

use bytes::Bytes;
use jiff::Timestamp;
use posthaste_delivery_config::Authentication;
use proptest::{collection::vec, option, prelude::*};

use super::{
    check::{Checker, MAX_DEPTH},
    split::{Body, split},
};
use crate::ingest::{
    accept::Prepared,
    catalogue::Catalogue,
    media::Format,
    problem::{Kind, Problem},
    settings::Settings,
};

fn settings() -> Settings {
    Settings {
        authentication: Authentication::None,
        bearer_keys: crate::ingest::BearerKeys::default(),
        catalogue: None,
        max_payload_bytes: 262_144,
        idempotency_window_ms: 1000,
        event_rate: None,
    }
}

fn check_with(settings: &Settings, text: impl Into<Bytes>) -> Result<Prepared, Problem> {
    let now: Timestamp = "2026-01-02T03:04:05.6789Z".parse().unwrap();
    Checker::new(settings, now, &|_| "made".into()).check(&text.into())
}

fn check(text: impl Into<Bytes>) -> Result<Prepared, Problem> {
    check_with(&settings(), text)
}

/// The fields at fault, as "pointer detail".
fn faults(text: impl Into<Bytes>) -> Vec<String> {
    let problem = check(text).unwrap_err();
    assert_eq!(problem.kind, Kind::InvalidEvent, "{}", problem.detail);
    problem.errors.iter().map(|error| format!("{} {}", error.pointer, error.detail)).collect()
}

#[test]
fn an_event_needs_only_type_and_data() {
    let Prepared { event, accepted_ms, idempotency } = check(r#"{"type":"a","data":1}"#).unwrap();
    assert_eq!((event.id.as_str(), event.time.as_str()), ("made", "2026-01-02T03:04:05.678Z"));
    assert_eq!((event.source, event.subject, event.tenant, event.metadata), (None, None, None, None));
    assert_eq!(accepted_ms, 1_767_323_045_678);
    assert_eq!(idempotency, None);
}

#[test]
fn every_field_is_taken_and_data_and_metadata_stay_byte_for_byte() {
    let text = r#"{"metadata":{ "k" : "\u0041" },"id":"x~1","type":"a.b:c/d_e-F","source":"s","subject":"é",
        "tenant":"t","time":"2020-01-01T00:00:00+02:00","data":{"n":1.0, "n":1E2 ,"z":[ ]}}"#;
    let Prepared { event, idempotency, .. } = check(text).unwrap();
    assert_eq!(event.data, r#"{"n":1.0, "n":1E2 ,"z":[ ]}"#);
    assert_eq!(event.metadata.as_deref(), Some(&br#"{ "k" : "\u0041" }"#[..]));
    assert_eq!(event.time, "2020-01-01T00:00:00+02:00");
    assert_eq!((event.id.as_str(), event.event_type.as_str()), ("x~1", "a.b:c/d_e-F"));
    assert_eq!(
        (event.source.unwrap(), event.subject.unwrap(), event.tenant.unwrap()),
        ("s".into(), "é".into(), "t".into())
    );
    assert_eq!(idempotency.unwrap().expires_ms, 1_767_323_045_678 + 1000);
}

#[test]
fn everything_that_is_wrong_is_said_at_once() {
    let text = r#"{"Type":"a","id":"a b","time":"now","tenant":7,"source":"","metadata":[],"subject":"a\nb"}"#;
    let faults = faults(text);
    for expected in [
        "/Type is not a field of an event",
        "/id has the character U+0020 at position 2",
        "/type is required",
        "/source is empty",
        "/subject has the character U+000A at position 2",
        "/tenant must be a string, not a number",
        "/time must be a date and time as in RFC 3339",
        "/data is required",
        "/metadata must be an object, not an array",
    ] {
        assert!(faults.iter().any(|fault| fault.starts_with(expected)), "{expected} is not in {faults:#?}");
    }
    assert_eq!(faults.len(), 9);
}

#[test]
fn a_single_fault_is_in_the_detail_too() {
    assert!(check(r#"{"type":"a"}"#).unwrap_err().detail.starts_with("/data is required"));
    assert_eq!(check("[1]").unwrap_err().detail, "The event must be a JSON object, not an array.");
}

#[test]
fn texts_are_bounded() {
    for (field, max) in [("id", 256), ("type", 128), ("source", 256), ("subject", 256), ("tenant", 128)] {
        let with = |length: usize| {
            let value = "x".repeat(length);
            let base = if field == "type" { "" } else { r#""type":"a","# };
            format!(r#"{{{base}"data":1,"{field}":"{value}"}}"#)
        };
        assert!(check(with(max)).is_ok(), "{field}");
        assert_eq!(faults(with(max + 1)), [format!("/{field} has {} characters; at most {max} are taken", max + 1)]);
    }
    let time = format!(r#"{{"type":"a","data":1,"time":"2026-01-01T00:00:00.{}Z"}}"#, "0".repeat(60));
    assert_eq!(faults(time), ["/time has 81 characters; at most 64 are taken"]);
}

#[test]
fn an_escape_that_is_half_a_character_is_refused_where_text_is_meant() {
    assert_eq!(
        faults(r#"{"type":"a","data":1,"subject":"\ud800"}"#),
        ["/subject has an escape that is not a character"]
    );
    assert!(check(r#"{"type":"a","data":"\ud800"}"#).is_ok());
}

#[test]
fn nesting_is_bounded_without_using_the_stack() {
    let nested = |depth: usize| format!(r#"{{"type":"a","data":{}{}}}"#, "[".repeat(depth), "]".repeat(depth));
    assert!(check(nested(MAX_DEPTH)).is_ok());
    assert_eq!(faults(nested(100_000)), ["/data is nested 100000 levels deep; at most 60 are taken"]);
}

#[test]
fn the_size_is_that_of_the_events_text() {
    let text = r#"{"type":"a","data":1}"#;
    let settings = |max_payload_bytes| Settings { max_payload_bytes, ..settings() };
    assert!(check_with(&settings(text.len()), format!(" {text}\n")).is_ok());
    let problem = check_with(&settings(text.len() - 1), text).unwrap_err();
    assert_eq!(problem.kind, Kind::EventTooLarge);
    assert!(problem.detail.contains("has 21 bytes; at most 20"), "{}", problem.detail);
}

#[test]
fn an_id_is_remembered_for_the_window_from_the_moment_it_came() {
    let expires = |idempotency_window_ms| {
        let settings = Settings { idempotency_window_ms, ..settings() };
        let Prepared { accepted_ms, idempotency, .. } =
            check_with(&settings, r#"{"id":"a","type":"a","data":1}"#).unwrap();
        idempotency.map(|key| key.expires_ms - accepted_ms)
    };
    assert_eq!((expires(604_800_000), expires(1), expires(0)), (Some(604_800_000), Some(1), None));
}

#[test]
fn a_type_outside_the_catalogue_is_refused_with_the_names_near_to_it() {
    let catalogue = Catalogue::new(["order.created", "order.deleted"].map(String::from));
    let settings = Settings { catalogue: Some(catalogue), ..settings() };
    assert!(check_with(&settings, r#"{"type":"order.created","data":1}"#).is_ok());
    let problem = check_with(&settings, r#"{"type":"order.creatd","data":1}"#).unwrap_err();
    assert_eq!(
        problem.detail,
        r#"/type "order.creatd" is not in the Webhook's spec.eventTypes; near to it: "order.created"."#
    );
    assert_eq!(problem.errors[0].pointer, "/type");
}

#[test]
fn hints_are_given_for_the_first_mistakes_of_a_request_only() {
    let settings = Settings { catalogue: Some(Catalogue::new(["abc".to_owned()])), ..settings() };
    let mut checker = Checker::new(&settings, Timestamp::UNIX_EPOCH, &|_| "made".into());
    let text = Bytes::from_static(br#"{"type":"abd","data":1}"#);
    let hinted = (0..20).filter(|_| checker.check(&text).unwrap_err().detail.contains("near to it")).count();
    assert_eq!(hinted, 8);
}

/// Any JSON, with spaces in odd places.
fn json() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("null".to_owned()),
        Just("true".to_owned()),
        any::<i64>().prop_map(|n| n.to_string()),
        "-?(0|[1-9][0-9]{0,30})(\\.[0-9]{1,9})?([eE][+-]?[0-9]{1,3})?",
        ".{0,20}".prop_map(|text| serde_json::to_string(&text).unwrap()),
    ];
    leaf.prop_recursive(4, 32, 5, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..5).prop_map(|items| format!("[ {}]", items.join(" , "))),
            vec((".{0,8}", inner), 0..5).prop_map(|members| {
                let members: Vec<_> =
                    members.into_iter().map(|(k, v)| format!("{} :{v}", serde_json::to_string(&k).unwrap())).collect();
                format!("{{{}\n}}", members.join(","))
            }),
        ]
    })
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(bytes in vec(any::<u8>(), 0..200)) {
        let body = Bytes::from(bytes);
        for format in [Format::Json, Format::Ndjson] {
            let _ = split(&body, format, 3);
        }
        let _ = check(body);
    }

    #[test]
    fn nothing_that_looks_like_an_event_makes_it_panic(
        text in r#"[\[{][ \n]{0,2}("(type|data|id|time|ty\\u0070e|x)"[ :]{1,2}("[a-z.\\"]{0,4}"|[0-9.eE+-]{1,5}|null|\{|\}|\[|\])[,\]}]?){0,6}[\]}]{0,3}"#,
    ) {
        let body = Bytes::from(text);
        for format in [Format::Json, Format::Ndjson] {
            if let Ok(Body::Batch(items)) = split(&body, format, 3) {
                for item in items {
                    let _ = check(item.text);
                }
            }
        }
        let _ = check(body);
    }

    #[test]
    fn what_was_sent_is_what_is_kept(
        id in option::of("[!-~]{1,256}"),
        event_type in "[A-Za-z0-9_.:/-]{1,128}",
        texts in (option::of("\\PC{1,60}"), option::of("\\PC{1,60}"), option::of("\\PC{1,60}")),
        data in json(),
        metadata in option::of(".{0,9}".prop_map(|k| format!("{{ {}:1.0}}", serde_json::to_string(&k).unwrap()))),
    ) {
        let quote = |text: &String| serde_json::to_string(text).unwrap();
        let (source, subject, tenant) = texts;
        let mut members = vec![format!("\"data\": {data} "), format!("\"type\":{}", quote(&event_type))];
        for (name, value) in [("id", &id), ("source", &source), ("subject", &subject), ("tenant", &tenant)] {
            members.extend(value.as_ref().map(|value| format!("\"{name}\":{}", quote(value))));
        }
        members.extend(metadata.as_ref().map(|json| format!("\"metadata\":{json}")));
        let text = format!("{{{}}}", members.join(","));

        // Alone, in an array and on a line of NDJSON (JSON that spans lines cannot be on one).
        let mut ways = vec![Bytes::from(text.clone())];
        for (body, format) in [(format!("[{text}]"), Format::Json), (text.replace('\n', " "), Format::Ndjson)] {
            let Body::Batch(items) = split(&body.into(), format, 1).unwrap() else { panic!("it is a batch") };
            ways.extend(items.into_iter().map(|item| item.text));
        }
        for (index, way) in ways.into_iter().enumerate() {
            let Prepared { event, idempotency, .. } = check(way).unwrap();
            prop_assert_eq!(idempotency.is_some(), id.is_some());
            prop_assert_eq!(&event.id, id.as_deref().unwrap_or("made"));
            prop_assert_eq!(&event.event_type, &event_type);
            prop_assert_eq!((&event.source, &event.subject, &event.tenant), (&source, &subject, &tenant));
            if index < 2 {
                prop_assert_eq!(&event.data, data.as_bytes());
                prop_assert_eq!(event.metadata.as_deref(), metadata.as_ref().map(String::as_bytes));
            }
        }
    }
}
