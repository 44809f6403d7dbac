//! What is refused when it is applied, and what is said about data.

use posthaste_delivery_config::schema::{
    EventSchema, MAX_DEPTH, MAX_PATTERN_BYTES, MAX_SCHEMA_BYTES, MAX_SUBSCHEMAS, MAX_VIOLATIONS, Misfit,
};
use serde_json::{Value, json};

use super::{refusal, said};

#[test]
fn everything_that_is_wrong_is_named_by_its_place() {
    let schema = json!({
        "type": "object",
        "required": ["id"],
        "additionalProperties": false,
        "properties": {
            "id": {"type": "string", "minLength": 2},
            "total": {"type": "number", "minimum": 0},
            "lines": {"items": {"properties": {"a/b": {"enum": ["x", "y"]}}}},
        },
    });
    assert_eq!(said(&schema, r#"{"id":"o-1","total":1.5,"lines":[{"a/b":"x"}]}"#), Vec::<String>::new());
    let mut found = said(&schema, r#"{"total":-1,"lines":[{},{"a/b":"z"}],"extra":{}}"#);
    found.sort();
    assert_eq!(
        found,
        [
            " has members that its schema does not know: \"extra\"",
            " must have the member \"id\"",
            "/lines/1/a~1b must be one of [\"x\",\"y\"]",
            "/total must be at least 0",
        ]
    );
}

#[test]
fn each_keyword_has_words_of_its_own() {
    for (schema, data, expected) in [
        (json!({"type": "integer"}), "\"a\"", " must be an integer, not a string"),
        (json!({"type": ["array", "null"]}), "1", " must be null or an array, not a number"),
        (json!({"const": {"a": 1}}), "{}", " must be {\"a\":1}"),
        (json!({"exclusiveMinimum": 1}), "1", " must be more than 1"),
        (json!({"exclusiveMaximum": 1}), "1", " must be less than 1"),
        (json!({"maximum": 1}), "2", " must be at most 1"),
        (json!({"multipleOf": 5}), "7", " must be a multiple of 5"),
        (json!({"minLength": 2}), "\"a\"", " must have at least 2 characters"),
        (json!({"maxLength": 1}), "\"ab\"", " must have at most 1 characters"),
        (json!({"minItems": 1}), "[]", " must have at least 1 entries"),
        (json!({"maxItems": 1}), "[1,2]", " must have at most 1 entries"),
        (json!({"minProperties": 1}), "{}", " must have at least 1 members"),
        (json!({"maxProperties": 0}), "{\"a\":1}", " must have at most 0 members"),
        (json!({"uniqueItems": true}), "[1,1.0]", " must not have two entries that are equal"),
        (json!({"pattern": "^a"}), "\"b\"", " must match the pattern ^a"),
        (json!({"anyOf": [{"type": "null"}, {"type": "array"}]}), "1", " fits none of the schemas in anyOf"),
        (json!({"oneOf": [{"type": "null"}, false]}), "1", " fits none of the schemas in oneOf"),
        (json!({"oneOf": [true, {}]}), "1", " fits several of the schemas in oneOf, and must fit exactly one"),
        (json!({"not": {"type": "number"}}), "1", " fits the schema in not, and must not"),
        (json!({"properties": {"a": false}}), "{\"a\":1}", "/a is not allowed"),
        (
            json!({"additionalProperties": false}),
            "{\"a\":1}",
            " must have no members that its schema does not know, and it knows none",
        ),
        (
            json!({"propertyNames": {"maxLength": 1}}),
            "{\"ab\":1}",
            " has a member whose name must have at most 1 characters",
        ),
        (
            json!({"contains": {"type": "null"}}),
            "[1]",
            " must have as many entries that fit the schema's contains as it asks for",
        ),
        (json!({"unevaluatedProperties": false}), "{\"a\":1}", " has members that its schema does not know: \"a\""),
        (json!({"unevaluatedItems": false}), "[1]", " has entries that its schema does not know"),
    ] {
        assert_eq!(said(&schema, data), [expected], "{schema} {data}");
    }
}

#[test]
fn what_is_said_is_bounded() {
    let many = said(&json!({"items": {"type": "null"}}), &format!("[{}1]", "1,".repeat(500)));
    assert_eq!(many.len(), MAX_VIOLATIONS);
    let options: Vec<String> = (0..5_000).map(|number| number.to_string()).collect();
    let longest = said(&json!({"enum": options}), "1").remove(0).len();
    let members: Vec<String> = (0..5_000).map(|number| format!("\"{number}{}\":1", "x".repeat(99))).collect();
    let names =
        said(&json!({"properties": {"a": true}, "additionalProperties": false}), &format!("{{{}}}", members.join(",")))
            .remove(0);
    assert!(longest < 250 && names.len() < 400 && names.ends_with(" more"), "{longest} {names}");
    let deep = format!("{}1{}", format!("{{\"{}\":", "x".repeat(500)).repeat(30), "}".repeat(30));
    let pointer =
        said(&json!({"$anchor": "a", "type": "object", "additionalProperties": {"$ref": "#a"}}), &deep).remove(0);
    assert!(pointer.len() < 30 * 70, "{}", pointer.len());
}

#[test]
fn data_that_cannot_be_read_says_so() {
    for data in ["1e999", r#"{"a":"\ud800"}"#] {
        let said = said(&json!({}), data);
        assert!(said[0].starts_with(" cannot be read to be checked by its schema: "), "{said:?}");
    }
    let deep = format!("{}{}", "[".repeat(70), "]".repeat(70));
    assert!(said(&json!({}), &deep)[0].contains("levels deep"));
}

#[test]
fn references_within_a_schema_are_followed() {
    let schema = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "https://shop.example/tree.json",
        "$defs": {"node": {"$anchor": "node", "type": "object", "properties": {"next": {"$dynamicRef": "#node"}, "tag": {"$ref": "#/$defs/tag"}}}, "tag": {"type": "string"}},
        "$ref": "#node",
    });
    assert!(said(&schema, r#"{"next":{"next":{"tag":"a"}}}"#).is_empty());
    assert_eq!(said(&schema, r#"{"next":{"next":{"tag":1}}}"#), ["/next/next/tag must be a string, not a number"]);
}

#[test]
fn formats_are_for_people_and_unknown_keywords_are_left_alone() {
    let schema = json!({"format": "email", "contentMediaType": "application/json", "x-owner": {"$ref": "elsewhere"}, "examples": [1]});
    assert!(said(&schema, "\"no address\"").is_empty());
}

#[test]
fn what_is_no_schema_or_refers_elsewhere_is_refused_with_its_place() {
    for (schema, expected) in [
        (json!({"type": "objet"}), "/type "),
        (json!({"properties": {"a": {"minimum": "1"}}}), "/properties/a/minimum must be a number"),
        (json!({"properties": {"a": 1}}), "/properties/a must be a schema: an object, true or false"),
        (json!({"properties": []}), "/properties must be an object whose members are schemas"),
        (json!({"anyOf": {}}), "/anyOf must be an array of schemas"),
        (json!({"anyOf": []}), "/anyOf must have at least 1 entries"),
        (json!({"required": "id"}), "/required must be an array, not a string"),
        (
            json!({"items": {"$ref": "https://shop.example/x.json"}}),
            "/items/$ref refers to \"https://shop.example/x.json\", outside of this schema; nothing is fetched",
        ),
        (json!({"$ref": "file:///etc/passwd"}), "/$ref refers to \"file:///etc/passwd\", outside"),
        (json!({"$ref": "other.json#/a"}), "/$ref refers to \"other.json#/a\", outside"),
        (json!({"$ref": "#/$defs/none"}), "/$ref refers to \"#/$defs/none\", which is no schema in this one"),
        (json!({"enum": [{}], "not": {"$ref": "#/enum/0"}}), "/not/$ref refers to \"#/enum/0\", which is no schema"),
        (json!({"$ref": 1}), "/$ref must be a string"),
        (
            json!({"$schema": "http://json-schema.org/draft-07/schema#"}),
            "/$schema must be \"https://json-schema.org/draft/2020-12/schema\"",
        ),
        (json!({"$defs": {"a": {"$id": "https://x.example/"}}}), "/$defs/a/$id schemas with an $id of their own"),
        (json!({"$recursiveRef": "#"}), "/$recursiveRef is not possible here"),
        (json!({"$defs": {"a": {"$anchor": "x"}, "b": {"$dynamicAnchor": "x"}}}), "there are two anchors \"x\""),
        (json!({"pattern": "(a"}), "/pattern is no pattern that can be used"),
        (json!({"pattern": "(?=a)b"}), "/pattern is no pattern that can be used"),
        (json!({"pattern": "(a)\\1"}), "/pattern is no pattern that can be used"),
        (json!({"patternProperties": {"(?!a)b": true}}), "is no pattern that can be used"),
    ] {
        let said = refusal(&schema);
        assert!(said.contains(expected), "{schema}: {said}");
    }
}

#[test]
fn each_bound_is_told() {
    let nested = |levels: usize| (1..levels).fold(json!({}), |inner, _| json!({"not": inner}));
    assert!(EventSchema::compile(&nested(MAX_DEPTH)).is_ok());
    let many = |number: usize| json!({"prefixItems": vec![true; number]});
    assert!(EventSchema::compile(&many(MAX_SUBSCHEMAS - 1)).is_ok());
    let pattern = |bytes: usize| json!({"pattern": "a".repeat(bytes)});
    assert!(EventSchema::compile(&pattern(MAX_PATTERN_BYTES)).is_ok());
    for (schema, expected) in [
        (nested(MAX_DEPTH + 2), " is nested more than 40 levels deep"),
        (json!({"description": "x".repeat(MAX_SCHEMA_BYTES)}), " has 65554 bytes as JSON; at most 65536 are possible"),
        (many(MAX_SUBSCHEMAS), "there are more than 2048 schemas in this one"),
        (pattern(MAX_PATTERN_BYTES + 1), "/pattern the pattern has 1025 bytes; at most 1024 are possible"),
        (json!({"prefixItems": vec![json!({"pattern": "a"}); 129]}), "there are more than 128 patterns"),
        (json!({"$ref": "#"}), " refers to itself without going deeper into the data"),
    ] {
        let said = refusal(&schema);
        assert!(said.contains(expected), "{said}");
    }
}

#[test]
fn a_schema_of_a_real_size_is_compiled_and_checks_data_of_a_real_size() {
    let line = json!({"type": "object", "required": ["sku", "count"], "properties": {
        "sku": {"type": "string", "pattern": "^[A-Z]{2,4}-[0-9]{1,8}$"},
        "count": {"type": "integer", "minimum": 1},
        "note": {"anyOf": [{"type": "null"}, {"type": "string", "maxLength": 500}]},
    }});
    let schema = json!({"type": "object", "properties": {"lines": {"type": "array", "items": line}}});
    let line = r#"{"sku":"AB-12345","count":3,"note":"as always"}"#;
    let data = format!(r#"{{"lines":[{}{line}]}}"#, format!("{line},").repeat(20_000));
    assert_eq!(said(&schema, &data), Vec::<String>::new());
    // One mistake among them is found and named.
    let wrong = data.replacen("AB-12345", "ab", 1);
    assert_eq!(said(&schema, &wrong), ["/lines/0/sku must match the pattern ^[A-Z]{2,4}-[0-9]{1,8}$"]);
    let last = format!(r#"{{"lines":[{}{}]}}"#, format!("{line},").repeat(20_000), line.replace(":3", ":0"));
    assert_eq!(said(&schema, &last), ["/lines/20000/count must be at least 1"]);
}

#[test]
fn true_and_false_are_schemas() {
    let check = |schema: Value| EventSchema::compile(&schema).unwrap().check(b"1");
    assert_eq!(check(json!(true)), Ok(()));
    let Misfit { violations } = check(json!(false)).unwrap_err();
    assert_eq!(violations[0].detail, "is not allowed");
}
