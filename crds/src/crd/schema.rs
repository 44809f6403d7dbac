//! What the derived schemas lack or have too much of.

use serde_json::{Map, Value, json};

/// What Kubernetes accepts as a quantity, so that `10GB` is refused when it is applied and not when it is used.
const QUANTITY: &str = r"^[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([KMGTPE]i|[numkMGTPE]|[eE][+-]?[0-9]+)?$";
const QUANTITY_DESCRIPTION: &str = "A quantity, such as 100m, 2, 64Mi or 10Gi.";

/// Tidies a schema and all that is in it.
pub(super) fn tidy(schema: &mut Value) {
    let Value::Object(schema) = schema else { return };
    without_null(schema);
    known_formats(schema);
    quantities(schema);
    paragraphs(schema);
    conditions(schema);
    for child in ["items", "additionalProperties"] {
        schema.get_mut(child).map(tidy);
    }
    schema.get_mut("properties").and_then(Value::as_object_mut).into_iter().flat_map(Map::values_mut).for_each(tidy);
}

/// Rules on `metadata.name` can point at it only where the schema mentions it.
pub(super) fn name_metadata(root: &mut Value) {
    root["properties"]["metadata"] = json!({
        "type": "object",
        "properties": {"name": {"type": "string"}},
    });
}

/// An optional field may be left out, but null is nothing that it can be: rules would have to ask for it everywhere.
/// The title repeats the kind.
fn without_null(schema: &mut Map<String, Value>) {
    schema.remove("nullable");
    schema.remove("title");
}

/// Kubernetes warns about formats that it does not know. The bounds say the same and more.
fn known_formats(schema: &mut Map<String, Value>) {
    if let Some(format) = schema.get_mut("format") {
        match format.as_str() {
            Some("uint8" | "uint16" | "uint32") => *format = json!("int32"),
            Some("uint64") => *format = json!("int64"),
            _ => {}
        }
    }
}

/// Quantities may be written as numbers. Where the description is that of Kubernetes' type, which has forty lines, a
/// short one does.
fn quantities(schema: &mut Map<String, Value>) {
    if schema.get("x-kubernetes-int-or-string") == Some(&Value::Bool(true)) {
        schema.insert("pattern".to_owned(), json!(QUANTITY));
        let long = schema.get("description").and_then(Value::as_str).is_none_or(|text| text.starts_with("Quantity is"));
        if long {
            schema.insert("description".to_owned(), json!(QUANTITY_DESCRIPTION));
        }
    }
}

/// Lines of a doc comment end where the source's lines end; `kubectl explain` breaks lines by itself.
fn paragraphs(schema: &mut Map<String, Value>) {
    if let Some(Value::String(text)) = schema.get_mut("description") {
        let paragraphs: Vec<String> = text.split("\n\n").map(|paragraph| paragraph.replace('\n', " ")).collect();
        *text = paragraphs.join("\n\n");
    }
}

/// The bounds that Kubernetes documents for conditions, which its generated types do not carry.
fn conditions(schema: &mut Map<String, Value>) {
    let keys = schema.get("x-kubernetes-list-map-keys");
    if keys != Some(&json!(["type"])) {
        return;
    }
    let Some(properties) = schema.get_mut("items").and_then(|items| items.get_mut("properties")) else { return };
    let bounds = [
        ("type", "maxLength", json!(316)),
        ("status", "enum", json!(["True", "False", "Unknown"])),
        ("reason", "maxLength", json!(1024)),
        ("reason", "minLength", json!(1)),
        ("message", "maxLength", json!(32_768)),
    ];
    for (property, bound, value) in bounds {
        properties[property][bound] = value;
    }
}
