//! The operations of the deliveries API.

use schemars::SchemaGenerator;
use serde_json::{Map, Value, json};

use super::{answer, responses, schema};
use crate::{
    api::{
        model::{
            Delivery, DeliveryDetail, DeliveryList, DeliveryStatus, Replay, ReplayRequest, TestRequest, TestResult,
        },
        parameters::{CURSOR_PATTERN, MOST},
    },
    ingest::problem::Kind,
};

/// What all that have a body can say of it.
const BODY: [Kind; 5] =
    [Kind::MalformedJson, Kind::BrokenBody, Kind::InvalidBody, Kind::BodyTooLarge, Kind::UnsupportedMediaType];

/// They, by path.
pub fn paths(schemas: &mut SchemaGenerator) -> Map<String, Value> {
    [
        ("/v1/deliveries", json!({"get": list(schemas)})),
        ("/v1/deliveries/{id}", json!({"get": show(schemas)})),
        ("/v1/deliveries/{id}/redeliver", json!({"post": redeliver(schemas)})),
        ("/v1/endpoints/{name}/test", json!({"post": test(schemas)})),
        ("/v1/endpoints/{name}/replay", json!({"post": replay(schemas)})),
        ("/v1/replays/{id}", json!({"get": replay_state(schemas)})),
        ("/openapi.json", json!({"get": this()})),
    ]
    .map(|(path, operations)| (path.to_owned(), operations))
    .into_iter()
    .collect()
}

fn list(schemas: &mut SchemaGenerator) -> Value {
    let text = json!({"type": "string", "minLength": 1, "maxLength": 256});
    let time = json!({"type": "string", "format": "date-time"});
    let query = |name: &str, description: &str, schema: &Value| json!({"name": name, "in": "query", "description": description, "schema": schema});
    let parameters = [
        query("endpoint", "To the endpoint of this name.", &text),
        query("status", "That stand so.", &schema::<DeliveryStatus>(schemas)),
        query("type", "Of events of exactly this type.", &text),
        query("tenant", "Of events of this tenant.", &text),
        query("event", "Of events with this id.", &text),
        query("since", "Of events that were accepted at this time or later.", &time),
        query("until", "Of events that were accepted before this time.", &time),
        query(
            "limit",
            "Most deliveries of the page.",
            &json!({"type": "integer", "minimum": 1, "maximum": MOST, "default": 50}),
        ),
        query(
            "cursor",
            "`nextCursor` of the page before, with the same other parameters.",
            &json!({"type": "string", "pattern": CURSOR_PATTERN}),
        ),
    ];
    let page = answer(
        "A page, the newest deliveries first. What comes meanwhile changes nothing in the pages that follow.",
        &schema::<DeliveryList>(schemas),
    );
    json!({
        "operationId": "listDeliveries",
        "summary": "List deliveries",
        "description": "Needs the right to get webhooks/deliveries.",
        "parameters": parameters,
        "responses": responses(
            vec![(200, page)],
            &[Kind::InvalidParameter, Kind::EndpointNotFound, Kind::HistoryUnavailable],
        ),
    })
}

fn id() -> Value {
    let schema = json!({"type": "string", "pattern": "^[0-9]{1,20}-[0-9]{1,10}$"});
    json!({"name": "id", "in": "path", "required": true, "description": "Id of a delivery.", "schema": schema})
}

fn name() -> Value {
    let schema = json!({"type": "string", "pattern": "^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$"});
    json!({"name": "name", "in": "path", "required": true, "description": "Name of an endpoint.", "schema": schema})
}

fn show(schemas: &mut SchemaGenerator) -> Value {
    let found = answer("The delivery and its attempts.", &schema::<DeliveryDetail>(schemas));
    json!({
        "operationId": "getDelivery",
        "summary": "Look at a delivery and its attempts",
        "description": "Needs the right to get webhooks/deliveries.",
        "parameters": [id()],
        "responses": responses(vec![(200, found)], &[Kind::DeliveryNotFound, Kind::HistoryUnavailable]),
    })
}

fn redeliver(schemas: &mut SchemaGenerator) -> Value {
    let pending = answer("It is pending again.", &schema::<Delivery>(schemas));
    json!({
        "operationId": "redeliver",
        "summary": "Make a finished delivery again",
        "description": "The event keeps its id. Needs the right to create webhooks/deliveries.",
        "parameters": [id()],
        "responses": responses(
            vec![(202, pending)],
            &[
                Kind::DeliveryNotFound,
                Kind::AlreadyPending,
                Kind::EventNotKept,
                Kind::HistoryUnavailable,
                Kind::JournalFull,
                Kind::JournalFailing,
            ],
        ),
    })
}

fn test(schemas: &mut SchemaGenerator) -> Value {
    let result = answer("What came of it.", &schema::<TestResult>(schemas));
    let body = json!({"required": false, "content": {"application/json": {"schema": schema::<TestRequest>(schemas)}}});
    let problems = [&BODY[..], &[Kind::EndpointNotFound, Kind::EndpointNotReady, Kind::HistoryUnavailable]].concat();
    json!({
        "operationId": "testEndpoint",
        "summary": "Send a test event to one endpoint",
        "description": "Signed and sent as any other, past catalogue, filter and schedule, and neither kept nor counted. Needs the right to create webhooks/deliveries.",
        "parameters": [name()],
        "requestBody": body,
        "responses": responses(vec![(200, result)], &problems),
    })
}

fn replay(schemas: &mut SchemaGenerator) -> Value {
    let mut begun = answer("It has begun.", &schema::<Replay>(schemas));
    begun["headers"] = json!({"Location": {"description": "Where its progress is.", "schema": {"type": "string"}}});
    let body = json!({"required": true, "content": {"application/json": {"schema": schema::<ReplayRequest>(schemas)}}});
    let problems = [&BODY[..], &[Kind::EndpointNotFound, Kind::TooManyReplays, Kind::HistoryUnavailable]].concat();
    json!({
        "operationId": "replay",
        "summary": "Send many events to an endpoint again",
        "description": "Needs the right to create webhooks/deliveries.",
        "parameters": [name()],
        "requestBody": body,
        "responses": responses(vec![(202, begun)], &problems),
    })
}

fn replay_state(schemas: &mut SchemaGenerator) -> Value {
    let found = answer("How far it is.", &schema::<Replay>(schemas));
    let id = json!({"name": "id", "in": "path", "required": true, "description": "Id of a replay.", "schema": {"type": "string", "format": "uuid"}});
    json!({
        "operationId": "getReplay",
        "summary": "Look how far a replay is",
        "description": "Needs the right to get webhooks/deliveries.",
        "parameters": [id],
        "responses": responses(vec![(200, found)], &[Kind::ReplayNotFound, Kind::HistoryUnavailable]),
    })
}

fn this() -> Value {
    json!({
        "operationId": "getOpenAPI",
        "summary": "This document",
        "security": [],
        "responses": responses(vec![(200, answer("OpenAPI 3.1.", &json!({"type": "object"})))], &[]),
    })
}
