//! Checks the fields of an event and makes the event of them.

use bytes::Bytes;
use jiff::Timestamp;
use posthaste_delivery_config::schema::{Misfit, Violation};
use serde_json::value::RawValue;

use super::{
    depth::depth,
    fields::{self, Fields, kind},
    rfc3339,
};
use crate::{
    event::Event,
    ingest::{
        accept::Prepared,
        idempotency,
        problem::{FieldError, Kind, Problem},
        settings::Settings,
    },
};

/// Most characters of an id, all visible ASCII.
pub const MAX_ID: usize = 256;
/// Most characters of an event type.
pub const MAX_TYPE: usize = 128;
/// Most characters of a tenant.
pub const MAX_TENANT: usize = 128;
/// Most characters of source and subject, each.
pub const MAX_TEXT: usize = 256;
/// Most characters of a time.
pub const MAX_TIME: usize = 64;
/// Deepest nesting of `data` and `metadata`. Common JSON parsers stop at 64, and the payload wraps the data.
pub const MAX_DEPTH: usize = 60;
/// Most events of one request that get a hint about near names: each looks at the whole catalogue.
const MAX_HINTS: u32 = 8;

/// Checks the events of one request.
pub struct Checker<'a> {
    settings: &'a Settings,
    now: Timestamp,
    new_id: &'a (dyn Fn(Timestamp) -> String + Send + Sync),
    hints: u32,
    schemas: usize,
}

impl<'a> Checker<'a> {
    /// For a request that came at `now`. `new_id` makes ids for events without one.
    pub fn new(
        settings: &'a Settings,
        now: Timestamp,
        new_id: &'a (dyn Fn(Timestamp) -> String + Send + Sync),
    ) -> Self {
        Self { settings, now, new_id, hints: MAX_HINTS, schemas: 0 }
    }

    /// Checks one event, given as its JSON text.
    ///
    /// # Errors
    /// A problem that names everything that is wrong at once.
    pub fn check(&mut self, text: &Bytes) -> Result<Prepared, Problem> {
        let (size, max) = (text.trim_ascii().len(), self.settings.max_payload_bytes);
        if size > max {
            let detail = format!("The event has {size} bytes; at most {max} are taken (spec.ingest.maxPayloadBytes).");
            return Err(Problem::new(Kind::EventTooLarge, detail));
        }
        let fields = fields::find(text).map_err(|error| match error {
            fields::Error::Malformed(error) => {
                Problem::new(Kind::MalformedJson, format!("The event is not JSON: {error}."))
            }
            fields::Error::NotAnObject(what) => {
                let detail = format!("must be a JSON object, not {what}");
                invalid(vec![FieldError { pointer: String::new(), detail }])
            }
        })?;
        self.prepare(text, fields)
    }

    fn prepare(&mut self, text: &Bytes, fields: Fields<'_>) -> Result<Prepared, Problem> {
        let Fields { id, event_type, source, subject, tenant, time, data, metadata, errors } = fields;
        let mut errors = Errors(errors);

        let id = errors.optional("/id", id, visible_ascii);
        let event_type = match event_type {
            Some(json) => errors.optional("/type", Some(json), |text| self.event_type(text)),
            None => errors.missing("/type", "is required: the event's type, such as \"order.created\""),
        };
        let source = errors.optional("/source", source, |text| printable(text, MAX_TEXT));
        let subject = errors.optional("/subject", subject, |text| printable(text, MAX_TEXT));
        let tenant = errors.optional("/tenant", tenant, |text| printable(text, MAX_TENANT));
        let client_time = errors.optional("/time", time, date_time);
        let data = match data {
            Some(json) => errors.json("/data", text, json),
            None => errors.missing("/data", "is required: any JSON; null for an event that has none"),
        };
        if let (Some(event_type), Some(data)) = (&event_type, &data) {
            errors.0.extend(self.misfits(event_type, data));
        }
        let metadata = metadata.and_then(|json| match kind(json) {
            "an object" => errors.json("/metadata", text, json),
            other => errors.missing("/metadata", format!("must be an object, not {other}")),
        });

        let (Some(event_type), Some(data), true) = (event_type, data, errors.0.is_empty()) else {
            return Err(invalid(errors.0));
        };
        let client_id = id.is_some();
        let has_client_time = client_time.is_some();
        let event = Event {
            id: id.unwrap_or_else(|| (self.new_id)(self.now)),
            event_type,
            source,
            subject,
            tenant,
            time: client_time.unwrap_or_else(|| format!("{:.3}", self.now)),
            data,
            metadata,
        };
        let accepted_ms = self.now.as_millisecond();
        let expires_ms = accepted_ms.saturating_add(self.settings.idempotency_window_ms);
        let remembered = client_id && self.settings.idempotency_window_ms > 0;
        let idempotency = remembered.then(|| idempotency::key(&event, has_client_time, expires_ms));
        Ok(Prepared { event, accepted_ms, idempotency })
    }

    /// What the schema of its type says against an event's data.
    fn misfits(&mut self, event_type: &str, data: &[u8]) -> Vec<FieldError> {
        let catalogue = self.settings.catalogue.as_ref();
        let Some(schema) = catalogue.and_then(|catalogue| catalogue.schema(event_type)) else { return Vec::new() };
        self.schemas += 1;
        let Err(Misfit { violations }) = schema.check(data) else { return Vec::new() };
        let error = |Violation { pointer, detail }| FieldError { pointer: format!("/data{pointer}"), detail };
        violations.into_iter().map(error).collect()
    }

    /// How many events were checked by a schema so far.
    pub fn checked_by_schema(&self) -> usize {
        self.schemas
    }

    fn event_type(&mut self, text: &str) -> Result<(), String> {
        let allowed = |c: char| c.is_ascii_alphanumeric() || "_.:/-".contains(c);
        length(text, MAX_TYPE)?;
        characters(text, allowed, "letters, digits and _ . : / -")?;
        let Some(catalogue) = self.settings.catalogue.as_ref().filter(|catalogue| !catalogue.contains(text)) else {
            return Ok(());
        };
        let mut detail = format!("\"{text}\" is not in the Webhook's spec.eventTypes");
        if let Some(left) = self.hints.checked_sub(1) {
            self.hints = left;
            detail.push_str("; ");
            detail.push_str(&catalogue.hint(text));
        }
        Err(detail)
    }
}

/// What is wrong so far. The methods return the field, or remember what is wrong with it and return nothing.
struct Errors(Vec<FieldError>);

impl Errors {
    fn missing<T>(&mut self, pointer: &str, detail: impl Into<String>) -> Option<T> {
        self.0.push(FieldError { pointer: pointer.into(), detail: detail.into() });
        None
    }

    /// A text that may be left out and is as `check` wants it when it is there.
    fn optional(
        &mut self,
        pointer: &str,
        json: Option<&RawValue>,
        check: impl FnOnce(&str) -> Result<(), String>,
    ) -> Option<String> {
        let json = json?;
        let checked = match serde_json::from_str::<String>(json.get()) {
            Ok(text) => check(&text).map(|()| text),
            Err(_) if kind(json) == "a string" => Err("has an escape that is not a character".into()),
            Err(_) => Err(format!("must be a string, not {}", kind(json))),
        };
        checked.map_or_else(|detail| self.missing(pointer, detail), Some)
    }

    /// JSON, as a slice of the event's text.
    fn json(&mut self, pointer: &str, text: &Bytes, json: &RawValue) -> Option<Bytes> {
        let json = json.get().as_bytes();
        match depth(json) {
            deep if deep > MAX_DEPTH => {
                self.missing(pointer, format!("is nested {deep} levels deep; at most {MAX_DEPTH} are taken"))
            }
            _ => Some(text.slice_ref(json)),
        }
    }
}

fn invalid(errors: Vec<FieldError>) -> Problem {
    let detail = match errors.as_slice() {
        [FieldError { pointer, detail }] if pointer.is_empty() => format!("The event {detail}."),
        [FieldError { pointer, detail }] => format!("{pointer} {detail}."),
        several => format!("{} fields are wrong; errors names them.", several.len()),
    };
    Problem { errors, ..Problem::new(Kind::InvalidEvent, detail) }
}

fn visible_ascii(text: &str) -> Result<(), String> {
    length(text, MAX_ID)?;
    characters(text, |c| c.is_ascii_graphic(), "visible ASCII")
}

fn printable(text: &str, max: usize) -> Result<(), String> {
    length(text, max)?;
    characters(text, |c| !c.is_control(), "all but control characters")
}

fn date_time(text: &str) -> Result<(), String> {
    length(text, MAX_TIME)?;
    if rfc3339::is_date_time(text) {
        return Ok(());
    }
    Err("must be a date and time as in RFC 3339, such as \"2026-01-31T12:00:00Z\"".into())
}

fn length(text: &str, max: usize) -> Result<(), String> {
    match text.chars().count() {
        0 => Err(format!("is empty; it must have 1 to {max} characters, or be left out where it may be")),
        n if n > max => Err(format!("has {n} characters; at most {max} are taken")),
        _ => Ok(()),
    }
}

fn characters(text: &str, allowed: impl Fn(char) -> bool, which: &str) -> Result<(), String> {
    match text.chars().enumerate().find(|(_, c)| !allowed(*c)) {
        None => Ok(()),
        Some((index, c)) => {
            Err(format!("has the character U+{:04X} at position {}; allowed are {which}", u32::from(c), index + 1))
        }
    }
}
