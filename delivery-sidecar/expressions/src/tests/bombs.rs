//! Known ways of making an interpreter crash or stall: each is refused, or ends within its budget.

use std::fmt::Write;

use proptest::prelude::*;

use super::{evaluate, run};
use crate::{Budget, EVENT, ErrorKind, Expression, MAX_BYTES};

#[test]
fn texts_that_break_parsers_are_refused() {
    let terms = |count: usize, term: &str, operator: &str| vec![term; count].join(operator);
    for text in [
        terms(2_048, "1", "+"),
        terms(512, "1", "+"),
        terms(100, "1", "-"),
        format!("{}1{}", "(".repeat(500), ")".repeat(500)),
        format!("{}1{}", "[".repeat(500), "]".repeat(500)),
        format!("{}1{}", "{1:".repeat(250), "}".repeat(250)),
        format!("event.data{}", "[0]".repeat(300)),
        format!("event.data{}", ".a".repeat(500)),
        format!("event.data{}", ".trim()".repeat(140)),
        "!".repeat(1_000) + "true",
        "-".repeat(1_000) + "1",
        "- ".repeat(500) + "1",
        format!("{}1", "true?1:".repeat(140)),
        format!("{}1{}", "true?".repeat(100), ":1".repeat(100)),
        format!("{}1{}", "size(".repeat(150), ")".repeat(150)),
        "(".repeat(1_000),
        "[".repeat(1_000),
        "event.data.a.map(x,event.data.a.map(y,event.data.a.map(z,1)))".to_owned(),
        "x".repeat(1 << 20),
        "'\\".to_owned(),
        "\u{0}".to_owned(),
    ] {
        let error = Expression::compile(&text, &[EVENT]).map(|_| ()).unwrap_err();
        assert!(!error.message.is_empty());
    }
}

#[test]
fn wide_expressions_are_no_bombs() {
    for text in [
        vec!["event.id == 'x'"; 60].join("||"),
        vec!["true"; 170].join("&&"),
        format!("[{}].size() > 1", vec!["1"; 500].join(",")),
        vec!["1"; 63].join("+") + " > 0",
    ] {
        assert!(text.len() <= MAX_BYTES);
        evaluate(&text, "{}").unwrap_or_else(|error| panic!("{text}: {error}"));
    }
}

#[test]
fn what_would_take_too_much_ends_within_its_budget() {
    let long = "x".repeat(200_000);
    let list = |items: usize| format!("[{}]", vec!["1"; items].join(","));
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    let mut object = String::from("{");
    for key in 0..20_000 {
        write!(object, "\"k{key}\":{key},").unwrap();
    }
    object.push_str("\"last\":1}");
    let sum = vec!["event.data"; 60].join("+");
    for (text, data) in [
        // Doubling, and copies in a loop.
        (sum.as_str(), format!("\"{long}\"")),
        ("event.data.l.map(x, event.data.s + event.data.s)", format!("{{\"l\":{},\"s\":\"{long}\"}}", list(900))),
        ("event.data.l.map(x, event.data.s.replace('', event.data.s))", format!("{{\"l\":[1],\"s\":\"{long}\"}}")),
        ("event.data.replace('x', event.data)", format!("\"{long}\"")),
        ("event.data.split('')", format!("\"{long}\"")),
        ("event.data.split('').join(event.data)", format!("\"{}\"", "x".repeat(1_000_000))),
        // More items than are gone over.
        ("event.data.exists(x, x == 2)", list(100_000)),
        ("(event.data + event.data).size() > 1", list(900)),
        // Work in a loop that the loop's length does not show.
        (
            "event.data.l.exists(x, size(event.data.l2) == 0)",
            format!("{{\"l\":{},\"l2\":{}}}", list(900), list(50_000)),
        ),
        ("event.data.l.exists(x, event.data.o.last == 2)", format!("{{\"l\":{},\"o\":{object}}}", list(900))),
        (
            "event.data.l.exists(x, event.data.o == event.data.o && false)",
            format!("{{\"l\":{},\"o\":{object}}}", list(900)),
        ),
        ("event.data.l.exists(x, event.data.n == 1)", format!("{{\"l\":{},\"n\":{}}}", list(900), "9".repeat(200_000))),
        (
            "event.data.l.exists(x, event.data.l2[49999] == 2)",
            format!("{{\"l\":{},\"l2\":{}}}", list(900), list(50_000)),
        ),
        ("event.data == event.data", deep.clone()),
        // Patterns.
        ("event.data.matches('(a|aa)+$')", format!("\"{}\"", "a".repeat(100_000))),
        (
            "event.data.l.exists(x, event.data.s.matches('[ab]{80}c'))",
            format!("{{\"l\":{},\"s\":\"{}\"}}", list(900), "ab".repeat(8_000)),
        ),
    ] {
        let error = evaluate(text, &data).unwrap_err();
        assert_eq!(error.kind, ErrorKind::TooCostly, "{text}: {error}");
    }
    assert_eq!(
        evaluate("event.data == [] || size(event.data) == 1", &deep),
        Ok("true".to_owned()),
        "depth itself is none"
    );
}

#[test]
fn an_error_because_of_the_budget_is_not_absorbed() {
    let long = format!("\"{}\"", "x".repeat(200_000));
    let text = format!("({} == '') || true", vec!["event.data"; 40].join("+"));
    assert_eq!(evaluate(&text, &long).unwrap_err().kind, ErrorKind::TooCostly);
}

#[test]
fn a_budget_is_shared_by_what_it_is_given_to() {
    let expression = Expression::compile("[1, 2, 3].all(x, x > 0)", &[EVENT]).unwrap();
    let mut budget = Budget::decision();
    let scope = crate::Scope { roots: &[] };
    let fits = std::iter::repeat_with(|| expression.evaluate(scope, &mut budget)).take_while(Result::is_ok).count();
    assert!((1_000..50_000).contains(&fits), "{fits}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn any_text_is_evaluated_or_refused_at_a_place_in_it(
        parts in proptest::collection::vec(
            prop_oneof![
                proptest::sample::select(vec![
                    "event", ".data", ".type", ".a", "[", "]", "(", ")", "{", "}", ":", ",", "?", "+", "-", "*", "/", "%", "==",
                    "<", "in", "&&", "||", "!", "1", "2u", "1.5", "'x'", "\"", "true", "null", ".map(x,", ".all(x,", "x",
                    ".size()", "has(", ".matches('a+')", "timestamp(", "string(", " ", "\n", "ü", "\\",
                ]).prop_map(str::to_owned),
                "\\PC".prop_map(|text| text),
            ],
            0..24,
        ),
    ) {
        let text = parts.concat();
        match Expression::compile(&text, &[EVENT]) {
            Ok(expression) => {
                let data = r#"{"a": [1, -2.5, "x", null, {"a": true}], "b": 1e400}"#;
                if let Err(error) = run_any(&expression, data) {
                    prop_assert!(error.position.column >= 1);
                }
            }
            Err(error) => {
                let line = text.split('\n').nth(error.position.line as usize - 1);
                let columns = line.map_or(0, |line| line.chars().count() + 1);
                prop_assert!((1..=columns).contains(&(error.position.column as usize)), "{}", error);
            }
        }
    }
}

/// Values that JSON cannot express are no mistake here.
fn run_any(expression: &Expression, data: &str) -> Result<(), crate::EvalError> {
    let data = crate::Data::new(data);
    let fields = [("type", crate::Value::from("order.created")), ("data", crate::Value::Data(&data))];
    let roots = [("event", crate::Value::Record(&fields))];
    expression.evaluate(crate::Scope { roots: &roots }, &mut Budget::decision()).map(drop)
}

#[test]
fn an_expression_is_evaluated_the_same_again() {
    let expression = Expression::compile("event.data.map(k, k + '!')", &[EVENT]).unwrap();
    let data = r#"{"z": 1, "a": 2, "m": 3}"#;
    assert!((0..10).all(|_| run(&expression, data) == Ok(r#"["z!","a!","m!"]"#.to_owned())));
}
