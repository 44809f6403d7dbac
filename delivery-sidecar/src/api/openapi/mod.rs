//! The OpenAPI document (3.1): schemas come from the types that are answered, texts from their comments. What no type says,
//! paths and statuses, is here; a test calls each path.

mod events;
mod operations;

use std::sync::OnceLock;

use axum::{
    http::header,
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use schemars::{JsonSchema, SchemaGenerator, generate::SchemaSettings};
use serde_json::{Map, Value, json};

use crate::ingest::problem::{FieldError, Kind, MEDIA_TYPE};

/// The document.
pub fn document() -> Value {
    let settings = SchemaSettings::draft2020_12().with(|settings| {
        settings.definitions_path = "/components/schemas".into();
        settings.meta_schema = None;
    });
    let mut schemas = settings.into_generator();
    let mut paths = operations::paths(&mut schemas);
    paths.extend([("/v1/events".to_owned(), events::path(&mut schemas))]);
    paths.sort_keys();
    schemas.subschema_for::<FieldError>();
    let mut components = schemas.take_definitions(true);
    components.insert("Problem".to_owned(), problem());
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Posthaste",
            "version": "v1",
            "description": "Posting events, and finding out what became of them. Every Webhook has this API on its Service.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "security": [{"serviceAccount": []}],
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {"serviceAccount": {
                "type": "http",
                "scheme": "bearer",
                "description": "A token of a ServiceAccount for the audience posthaste.dev. Outside of a cluster, on the loopback interface, none is needed.",
            }},
        },
    })
}

/// `GET /openapi.json`.
pub async fn serve() -> Response {
    static DOCUMENT: OnceLock<Bytes> = OnceLock::new();
    let document = DOCUMENT.get_or_init(|| document().to_string().into());
    ([(header::CONTENT_TYPE, "application/json")], document.clone()).into_response()
}

/// RFC 9457, as this API uses it.
fn problem() -> Value {
    let names: Vec<_> = Kind::ALL.iter().map(|kind| format!("urn:posthaste:problem:{}", kind.name())).collect();
    json!({
        "type": "object",
        "description": "A problem document (RFC 9457): how everything that goes wrong is answered.",
        "required": ["type", "title", "status", "detail"],
        "properties": {
            "type": {"type": "string", "format": "uri", "enum": names},
            "title": {"type": "string", "description": "The kind of problem."},
            "status": {"type": "integer", "minimum": 400, "maximum": 599},
            "detail": {"type": "string", "description": "What is wrong, and what would be right."},
            "errors": {"type": "array", "items": {"$ref": "#/components/schemas/FieldError"}},
        },
    })
}

/// The schema of a type, which is put into the components.
fn schema<T: JsonSchema>(schemas: &mut SchemaGenerator) -> Value {
    schemas.subschema_for::<T>().to_value()
}

/// Answers of an operation: what it answers when all is well, and problems, of which those that every request can have are
/// added.
fn responses(good: Vec<(u16, Value)>, problems: &[Kind]) -> Value {
    const COMMON: [Kind; 6] = [
        Kind::Unauthenticated,
        Kind::Forbidden,
        Kind::MethodNotAllowed,
        Kind::AuthorizationUnavailable,
        Kind::Overloaded,
        Kind::Stopping,
    ];
    let mut all: Map<String, Value> = good.into_iter().map(|(status, answer)| (status.to_string(), answer)).collect();
    for status in problems.iter().chain(&COMMON).map(|kind| kind.status().as_u16()) {
        let kinds = problems.iter().chain(&COMMON).filter(|kind| kind.status().as_u16() == status);
        let names: Vec<_> = kinds.map(|kind| kind.name()).collect();
        all.entry(status.to_string()).or_insert_with(|| {
            let content = json!({MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}});
            let mut answer = json!({"description": names.join(", "), "content": content});
            if matches!(status, 429 | 503) {
                answer["headers"] = json!({"Retry-After": {"description": "Seconds.", "schema": {"type": "integer"}}});
            }
            answer
        });
    }
    Value::Object(all)
}

/// An answer with a body.
fn answer(description: &str, schema: &Value) -> Value {
    json!({"description": description, "content": {"application/json": {"schema": schema}}})
}
