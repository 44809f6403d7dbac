//! Schemas and data that were made to stop or stall a process. Each is refused when it is applied, or checked within the
//! bounds: these tests end quickly by counting steps and bytes, without a clock, and none overflows the stack of its thread, which has
//! the 2 MiB of a worker.

use std::fmt::Write;

use posthaste_delivery_config::schema::EventSchema;
use serde_json::{Map, Value, json};

use super::{refusal, said};

/// Definitions `a0` to `a<count>` of which each is made from the name of the next, and the last is `end`.
fn chain(count: usize, link: impl Fn(Value) -> Value, end: Value) -> Value {
    let reference = |index: usize| json!({"$ref": format!("#/$defs/a{index}")});
    let mut defs: Map<String, Value> =
        (0..count).map(|index| (format!("a{index}"), link(reference(index + 1)))).collect();
    defs.insert(format!("a{count}"), end);
    json!({"$defs": defs, "$ref": "#/$defs/a0"})
}

fn arrays(levels: usize, inner: &str) -> String {
    format!("{}{inner}{}", "[".repeat(levels), "]".repeat(levels))
}

fn objects(levels: usize, inner: &str) -> String {
    format!("{}{inner}{}", "{\"a\":".repeat(levels), "}".repeat(levels))
}

#[test]
fn what_would_never_end_is_refused() {
    for schema in [
        json!({"$ref": "#"}),
        json!({"$dynamicAnchor": "a", "$dynamicRef": "#a"}),
        json!({"allOf": [{"$ref": "#"}]}),
        json!({"anyOf": [{"type": "string"}, {"$ref": "#"}]}),
        json!({"not": {"$ref": "#"}}),
        json!({"if": {"$ref": "#"}}),
        json!({"dependentSchemas": {"a": {"$ref": "#"}}}),
        json!({"dependencies": {"a": {"$ref": "#"}}}),
        json!({"$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"oneOf": [{"$ref": "#/$defs/a"}]}}}),
        json!({"properties": {"a": {"$anchor": "x", "then": {"$ref": "#x"}}}}),
        chain(100, |next| json!({"allOf": [next]}), json!({"$ref": "#/$defs/a0"})),
    ] {
        let said = refusal(&schema);
        assert!(said.contains("refers to itself without going deeper"), "{schema}: {said}");
    }
}

#[test]
fn what_multiplies_within_one_value_is_refused() {
    for branches in ["allOf", "anyOf", "oneOf"] {
        let schema = chain(30, |next| json!({branches: [next, next, next]}), json!({"type": "string"}));
        let said = refusal(&schema);
        assert!(said.contains("checks one value by more than 2048 schemas"), "{said}");
    }
    let said = refusal(&chain(600, |next| json!({"allOf": [next]}), json!(true)));
    assert!(said.contains("checks data by more than 1024 schemas within each other"), "{said}");
    let said = refusal(&chain(40, |next| json!({"allOf": [next]}), json!({"items": {"$ref": "#/$defs/a0"}})));
    assert!(said.contains("checks data by more than 1024 schemas within each other"), "{said}");
}

#[test]
fn what_multiplies_with_the_depth_of_the_data_ends_by_the_meter() {
    let data = arrays(60, "5");
    for branches in ["allOf", "anyOf", "oneOf"] {
        let itself = json!({"$ref": "#"});
        let schema = json!({"type": ["array", "string"], "items": {branches: [itself, itself, itself, itself]}});
        assert!(!said(&schema, &data).is_empty(), "{branches}");
    }
    for branches in ["allOf", "anyOf"] {
        let schema = chain(20, |next| json!({"items": {branches: [next, next, next]}}), json!({"type": "string"}));
        assert!(!said(&schema, &data).is_empty(), "{branches}");
    }
    let itself = json!({"$ref": "#"});
    for schema in [
        json!({"patternProperties": {"a": itself, "^a": itself, "a$": itself, "^a$": itself}, "type": "object"}),
        json!({"unevaluatedProperties": itself, "anyOf": [{"properties": {"a": itself}}, {"additionalProperties": itself}], "type": "object"}),
        json!({"if": {"properties": {"a": itself}}, "then": {"properties": {"a": itself}}, "else": {"properties": {"a": itself}}, "type": "object"}),
        json!({"not": {"additionalProperties": {"not": itself}}, "additionalProperties": itself, "type": "object"}),
    ] {
        assert!(!said(&schema, &objects(60, "5")).is_empty(), "{schema}");
    }
}

#[test]
fn the_deepest_that_is_let_through_fits_the_stack_of_a_worker() {
    // 16 schemas on each of 60 levels of data: next to the bound, once for each way of asking about the same value.
    for link in ["allOf", "anyOf", "oneOf", "if", "dependentSchemas", "unevaluated"] {
        let link = |next: Value| match link {
            "if" => json!({"if": next, "else": false}),
            "dependentSchemas" => json!({"dependentSchemas": {"a": next}}),
            "unevaluated" => json!({"allOf": [next], "unevaluatedProperties": false}),
            keyword => json!({keyword: [next]}),
        };
        let end = json!({"type": "object", "properties": {"a": {"$ref": "#/$defs/a0"}}});
        let schema = chain(6, link, end);
        EventSchema::compile(&schema).unwrap();
        let _ = said(&schema, &objects(60, "5"));
        let _ = said(&schema, &objects(60, "{}"));
    }
    // References are compiled in turn, not within each other.
    let long = chain(1_000, |next| json!({"items": next}), json!({"type": "string"}));
    assert!(said(&long, &arrays(60, "")).is_empty());
}

#[test]
fn patterns_neither_backtrack_nor_grow() {
    let text = |text: String| serde_json::to_string(&text).unwrap();
    let (letters, bits) = (text("a".repeat(200_000) + "!"), text("0110010101101".repeat(16_000)));
    let stars = format!("^{}b$", "a*".repeat(100));
    let optional = format!("^{}{}$", "a?".repeat(100), "a".repeat(100));
    for pattern in [
        &*stars,
        &*optional,
        "(a+)+$",
        "^(a|a|aa)+$",
        "(a*)*(a*)*b",
        "(x+x+)+y",
        "([01]*1[01]{60})+2",
        "(.*a){12}$",
        "^(([a-z])+.)+[A-Z]([a-z])+$",
    ] {
        for data in [&letters, &bits] {
            let _ = said(&json!({"pattern": pattern}), data);
        }
    }
    // What needs a large automaton is matched with short texts only.
    assert!(said(&json!({"pattern": "^\\p{L}{1,50}$"}), &text("Ünïcödé".into())).is_empty());
    assert!(said(&json!({"pattern": "[01]*1[01]{600}2"}), &bits)[0].contains("more steps"));
    for pattern in ["((a{100}){100}){100}", "(\\p{L}{1,1000}){1000}", "^(ab){1,1000000}c"] {
        assert!(refusal(&json!({"pattern": pattern})).contains("no pattern that can be used"), "{pattern}");
        let names = json!({"patternProperties": {pattern: true}});
        assert!(refusal(&names).contains("no pattern that can be used"), "{pattern}");
    }
}

#[test]
fn numbers_and_lists_are_taken_as_they_are() {
    let huge = json!({
        "minItems": u64::MAX, "maxItems": u64::MAX, "minContains": u64::MAX, "contains": true, "minLength": u64::MAX,
        "minProperties": 1e300, "multipleOf": 1e-300, "maximum": 1e308, "minimum": -1e308,
    });
    if EventSchema::compile(&huge).is_ok() {
        for data in ["[]", "[1]", "\"a\"", "1e308", "-1", "{}"] {
            let _ = said(&huge, data);
        }
    }
    assert!(EventSchema::compile(&json!({"multipleOf": 0})).is_err());
    let numbers = |count: u64, first: u64| {
        let mut all = first.to_string();
        (1..count).for_each(|step| write!(all, ",{}", first - step).unwrap());
        format!("[{all}]")
    };
    // One double each thousand: comparing each with each is paid for.
    let _ = said(&json!({"uniqueItems": true}), &numbers(10_000, u64::MAX));
    let values: Vec<Value> = (0..3_000).map(|number| json!({"a": [number]})).collect();
    let among = json!({"items": {"enum": values}});
    let objects = format!("[{}{{\"a\":[3001]}}]", "{\"a\":[3001]},".repeat(10_000));
    assert!(!said(&among, &objects).is_empty());
}

#[test]
fn wrong_data_of_any_size_is_refused_in_bounded_memory() {
    let ones = format!("[{}1]", "1,".repeat(200_000));
    for schema in [
        json!({"items": {"type": "string", "minimum": 5, "enum": ["a"]}}),
        json!({"items": {"anyOf": [{"type": "string"}, {"minimum": 2}, {"oneOf": [false, {"const": 2}]}]}}),
        json!({"unevaluatedItems": false}),
        json!({"prefixItems": vec![json!(false); 2_000]}),
    ] {
        let said = said(&schema, &ones);
        assert!((1..=16).contains(&said.len()) && said.iter().all(|said| said.len() < 400), "{schema}");
    }
    let names: Vec<String> = (0..20_000).map(|number| format!("\"n{number}\":1")).collect();
    let names = format!("{{{}}}", names.join(","));
    for schema in [
        json!({"additionalProperties": false}),
        json!({"unevaluatedProperties": false}),
        json!({"propertyNames": {"maxLength": 1}}),
        json!({"patternProperties": {"^n": {"type": "string"}, "1$": false}}),
    ] {
        let said = said(&schema, &names);
        assert!((1..=16).contains(&said.len()) && said.iter().all(|said| said.len() < 400), "{schema}");
    }
}
