//! Looking through a meter changes nothing but what it costs: a plain validator says the same.

use jsonschema::Draft;
use posthaste_delivery_config::schema::EventSchema;
use proptest::{collection::vec, prelude::*};
use serde_json::{Map, Value, json};

fn data() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        (-3_i64..6).prop_map(Value::from),
        prop_oneof![Just(1.5), Just(2.0), Just(-0.0)].prop_map(|number: f64| json!(number)),
        "[abé]{0,3}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Value::Array),
            vec(("[abc]", inner), 0..4).prop_map(|members| Value::Object(members.into_iter().collect::<Map<_, _>>())),
        ]
    })
}

fn keyword(schema: impl Strategy<Value = Value> + Clone + 'static) -> impl Strategy<Value = (String, Value)> {
    let named = |name: &'static str, value: BoxedStrategy<Value>| value.prop_map(move |value| (name.to_owned(), value));
    let one = schema.clone().boxed();
    let list = vec(schema.clone(), 1..3).prop_map(Value::Array).boxed();
    let map = vec(("[abc]", schema), 0..3).prop_map(|all| Value::Object(all.into_iter().collect())).boxed();
    let number = (0_u8..4).prop_map(Value::from).boxed();
    let applied: Vec<_> = [
        ("not", &one),
        ("if", &one),
        ("then", &one),
        ("else", &one),
        ("items", &one),
        ("contains", &one),
        ("additionalProperties", &one),
        ("propertyNames", &one),
        ("unevaluatedProperties", &one),
        ("unevaluatedItems", &one),
        ("allOf", &list),
        ("anyOf", &list),
        ("oneOf", &list),
        ("prefixItems", &list),
        ("properties", &map),
        ("patternProperties", &map),
        ("dependentSchemas", &map),
        ("minimum", &number),
        ("exclusiveMaximum", &number),
        ("minLength", &number),
        ("maxLength", &number),
        ("minItems", &number),
        ("maxItems", &number),
        ("minProperties", &number),
        ("maxProperties", &number),
        ("minContains", &number),
        ("maxContains", &number),
    ]
    .into_iter()
    .map(|(name, value)| named(name, value.clone()).boxed())
    .collect();
    let types =
        prop_oneof![Just("null"), Just("integer"), Just("number"), Just("string"), Just("array"), Just("object")];
    prop_oneof![
        6 => proptest::strategy::Union::new(applied),
        1 => types.prop_map(|name| ("type".to_owned(), json!(name))),
        1 => data().prop_map(|value| ("const".to_owned(), value)),
        1 => vec(data(), 1..4).prop_map(|values| ("enum".to_owned(), json!(values))),
        1 => Just(("uniqueItems".to_owned(), json!(true))),
        1 => "[abc]".prop_map(|name| ("required".to_owned(), json!([name]))),
        1 => "(\\^a|b\\$|[ab]+|.é)".prop_map(|pattern| ("pattern".to_owned(), json!(pattern))),
        1 => Just(("$ref".to_owned(), json!("#/$defs/inner"))),
    ]
}

fn schema() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![any::<bool>().prop_map(Value::Bool), Just(json!({"type": "string"})), Just(json!({}))];
    let inner = leaf.prop_recursive(4, 24, 4, |inner| {
        vec(keyword(inner.boxed()), 0..4).prop_map(|all| Value::Object(all.into_iter().collect::<Map<_, _>>())).boxed()
    });
    (vec(keyword(inner.clone().boxed()), 0..5), inner).prop_map(|(keywords, inner)| {
        let mut schema: Map<String, Value> = keywords.into_iter().collect();
        schema.insert("$defs".to_owned(), json!({"inner": inner}));
        Value::Object(schema)
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]
    #[test]
    fn a_plain_validator_says_the_same(schema in schema(), data in vec(data(), 1..8)) {
        // What refers to itself is another test's matter.
        let Ok(metered) = EventSchema::compile(&schema) else { return Ok(()) };
        let plain = jsonschema::options().with_draft(Draft::Draft202012).build(&schema).unwrap();
        for data in data {
            let found = metered.check(data.to_string().as_bytes());
            prop_assert_eq!(found.is_ok(), plain.is_valid(&data), "{} {} {:?}", schema, data, found);
        }
    }

    #[test]
    fn no_json_stops_it(schema in data(), data in data()) {
        if let Ok(schema) = EventSchema::compile(&schema) {
            let _ = schema.check(data.to_string().as_bytes());
        }
    }
}
