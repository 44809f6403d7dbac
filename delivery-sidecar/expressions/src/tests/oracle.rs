//! Another implementation of CEL has the same values. Its evaluator is not used for real because it has no bounds.

use std::{collections::HashMap, sync::Arc};

use cel::{
    Context, Program,
    objects::{Key, Map},
};
use proptest::prelude::*;

use super::evaluate;

/// JSON as `event.data` is entered here: integers are `int`.
fn theirs(value: &serde_json::Value) -> cel::Value {
    match value {
        serde_json::Value::Null => cel::Value::Null,
        serde_json::Value::Bool(is) => cel::Value::Bool(*is),
        serde_json::Value::Number(number) => {
            number.as_i64().map_or_else(|| cel::Value::Float(number.as_f64().unwrap()), cel::Value::Int)
        }
        serde_json::Value::String(text) => cel::Value::String(Arc::new(text.clone())),
        serde_json::Value::Array(items) => cel::Value::List(Arc::new(items.iter().map(theirs).collect())),
        serde_json::Value::Object(fields) => {
            let map: HashMap<Key, cel::Value> =
                fields.iter().map(|(key, value)| (Key::from(key.as_str()), theirs(value))).collect();
            cel::Value::Map(Map { map: Arc::new(map) })
        }
    }
}

const DATA: &str =
    r#"{"a": 1, "b": -2, "f": 2.5, "s": "order", "t": "", "l": [1, 2, 3], "m": {"x": 1}, "y": true, "n": null}"#;

/// What both say, as JSON; `None` where there is no value.
fn both(text: &str) -> (Option<serde_json::Value>, Option<serde_json::Value>) {
    let ours = evaluate(text, DATA).ok().map(|json| serde_json::from_str(&json).unwrap());
    let mut context = Context::default();
    let data: serde_json::Value = serde_json::from_str(DATA).unwrap();
    let event = serde_json::json!({"data": data, "type": "order.created"});
    context.add_variable_from_value("event", theirs(&event));
    let program = Program::compile(text).unwrap_or_else(|error| panic!("{text}: {error}"));
    (ours, program.execute(&context).ok().and_then(|value| value.json().ok()))
}

/// Equal, numbers by value.
fn same(a: &serde_json::Value, b: &serde_json::Value) -> bool {
    match (a, b) {
        (serde_json::Value::Number(a), serde_json::Value::Number(b)) => a.as_f64() == b.as_f64(),
        (serde_json::Value::Array(a), serde_json::Value::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b))
        }
        _ => a == b,
    }
}

fn expressions() -> impl Strategy<Value = String> {
    let number =
        proptest::sample::select(vec!["1", "-2", "0", "3", "event.data.a", "event.data.b", "size(event.data.l)"]);
    let number = number.prop_map(str::to_owned).prop_recursive(3, 8, 2, |inner| {
        let operator = proptest::sample::select(vec!["+", "-", "*", "/", "%"]);
        (inner.clone(), operator, inner).prop_map(|(a, operator, b)| format!("({a} {operator} {b})"))
    });
    let text =
        proptest::sample::select(vec!["'x'", "event.data.s", "event.data.t", "event.type", "(event.data.s + 'x')"]);
    let test = prop_oneof![
        proptest::sample::select(vec!["event.data.y", "true", "false", "has(event.data.a)", "has(event.data.q)"])
            .prop_map(str::to_owned),
        (number.clone(), proptest::sample::select(vec!["==", "!=", "<", "<=", ">", ">="]), number.clone())
            .prop_map(|(a, operator, b)| format!("{a} {operator} {b}")),
        (text.clone(), proptest::sample::select(vec!["==", "!=", "<", ">="]), text.clone())
            .prop_map(|(a, operator, b)| format!("{a} {operator} {b}")),
        (text.clone(), proptest::sample::select(vec!["contains", "startsWith", "endsWith"]), text)
            .prop_map(|(a, method, b)| format!("{a}.{method}({b})")),
        number.clone().prop_map(|number| format!("{number} in event.data.l")),
        (proptest::sample::select(vec!["all", "exists", "exists_one"]), number.clone())
            .prop_map(|(name, number)| format!("event.data.l.{name}(i, i > {number})")),
    ];
    let test = test.prop_recursive(3, 8, 2, |inner| {
        prop_oneof![
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a} && {b})")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a} || {b})")),
            inner.prop_map(|test| format!("!({test})")),
        ]
    });
    prop_oneof![
        test.clone(),
        number.clone(),
        (test, number.clone(), number.clone()).prop_map(|(test, a, b)| format!("{test} ? {a} : {b}")),
        number.clone().prop_map(|number| format!("event.data.l.map(i, i * {number})")),
        number.prop_map(|number| format!("event.data.l.filter(i, i != {number})")),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn random_expressions_have_the_same_value(text in expressions()) {
        let (ours, theirs) = both(&text);
        if let (Some(ours), Some(theirs)) = (&ours, &theirs) {
            prop_assert!(same(ours, theirs), "{}: {} and {}", text, ours, theirs);
        } else {
            prop_assert_eq!(ours, theirs, "{}", text);
        }
    }
}
