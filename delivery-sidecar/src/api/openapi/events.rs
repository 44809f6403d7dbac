//! `POST /v1/events`. Its answers and events are written and read without intermediate types; these here say what they look
//! like, and a test posts what they describe.

use std::collections::BTreeMap;

use schemars::{JsonSchema, SchemaGenerator};
use serde_json::{Value, json};

use super::{answer, responses, schema};
use crate::ingest::problem::Kind;

/// All but control characters.
const PRINTABLE: &str = "^[^\\u0000-\\u001f\\u007f-\\u009f]*$";

/// An event. A field that is null is as if it were left out, except for `data`.
#[derive(JsonSchema)]
#[schemars(rename_all = "camelCase", deny_unknown_fields)]
#[expect(dead_code, reason = "made to be described")]
struct Event {
    /// One of the Webhook's `spec.eventTypes`, if it has any.
    #[schemars(regex(pattern = "^[A-Za-z0-9_.:/-]{1,128}$"))]
    r#type: String,
    /// Any JSON, nested at most 60 levels deep. It is delivered byte for byte as it came.
    data: Value,
    /// Left out, one is made and told in the answer. With one, the event can be sent again without harm.
    #[schemars(regex(pattern = "^[!-~]{1,256}$"))]
    id: Option<String>,
    /// As in RFC 3339. Left out, it is the time of acceptance.
    #[schemars(extend("format" = "date-time"), length(max = 64))]
    time: Option<String>,
    /// Endpoints with a tenant get only its events.
    #[schemars(length(min = 1, max = 128), regex(pattern = PRINTABLE))]
    tenant: Option<String>,
    /// Who produced it.
    #[schemars(length(min = 1, max = 256), regex(pattern = PRINTABLE))]
    source: Option<String>,
    /// What it is about.
    #[schemars(length(min = 1, max = 256), regex(pattern = PRINTABLE))]
    subject: Option<String>,
    /// Other values.
    metadata: Option<BTreeMap<String, Value>>,
}

/// An event that is kept.
#[derive(JsonSchema)]
#[schemars(rename_all = "camelCase")]
#[expect(dead_code, reason = "made to be described")]
struct EventKept {
    /// Its id.
    id: String,
    /// To how many endpoints it goes.
    deliveries: u32,
    /// It had been kept before, and is not delivered again.
    #[schemars(default)]
    duplicate: bool,
}

/// What became of each event of a batch.
#[derive(JsonSchema)]
#[schemars(rename_all = "camelCase")]
#[expect(dead_code, reason = "made to be described")]
struct BatchResult {
    /// In the order of the events.
    results: Vec<EventResult>,
}

/// What became of an event of a batch.
#[derive(JsonSchema)]
#[schemars(rename_all = "camelCase")]
#[expect(dead_code, reason = "made to be described")]
struct EventResult {
    /// As if it had been sent alone.
    status: u16,
    /// Its id, if it is kept.
    #[schemars(default)]
    id: String,
    /// To how many endpoints it goes.
    #[schemars(default)]
    deliveries: u32,
    /// It had been kept before, and is not delivered again.
    #[schemars(default)]
    duplicate: bool,
    /// Its line, in NDJSON, if it is refused.
    #[schemars(default)]
    line: u32,
    /// Why it is refused.
    #[schemars(default, schema_with = "problem")]
    problem: (),
}

fn problem(_: &mut SchemaGenerator) -> schemars::Schema {
    schemars::json_schema!({"$ref": "#/components/schemas/Problem"})
}

/// The path.
pub fn path(schemas: &mut SchemaGenerator) -> Value {
    let event = schema::<Event>(schemas);
    let one_or_many =
        json!({"anyOf": [event, {"type": "array", "items": event, "description": "At most 1,000 events."}]});
    let (kept, batch) = (schema::<EventKept>(schemas), schema::<BatchResult>(schemas));
    let either = json!({"anyOf": [kept, batch]});
    let problems = [
        Kind::MalformedJson,
        Kind::BrokenBody,
        Kind::NotAcceptable,
        Kind::BodyTimeout,
        Kind::IdConflict,
        Kind::EventTooLarge,
        Kind::UnsupportedMediaType,
        Kind::InvalidEvent,
        Kind::NothingKept,
        Kind::RateLimited,
        Kind::JournalFull,
        Kind::JournalFailing,
    ];
    json!({"post": {
        "operationId": "postEvents",
        "summary": "Post events",
        "description": "Needs the right to create webhooks/events.",
        "requestBody": {
            "required": true,
            "content": {
                "application/json": {"schema": one_or_many},
                "application/x-ndjson": {"schema": {"type": "string", "description": "One event a line."}},
            },
        },
        "responses": responses(
            vec![
                (200, answer("It had been kept before.", &kept)),
                (202, answer("All is kept: on disk, with the list of endpoints that it goes to.", &either)),
                (207, answer("Some events are kept, and some refused.", &batch)),
            ],
            &problems,
        ),
    }})
}
