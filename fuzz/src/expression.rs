//! Any expression over any event.

use posthaste_expressions::{Budget, Data, EVENT, Expression, Filter, FilterScope, Position, Scope, Value, write_json};

use crate::Choices;

/// Most bytes of a value as JSON.
const MOST: usize = 1 << 20;

/// The first line of an input is the expression, in which `\x01` stands for a line break. The rest is the event's data.
pub fn expression(input: &[u8]) {
    let mut choices = Choices(input);
    let text = String::from_utf8_lossy(choices.line()).replace('\x01', "\n");
    let data = String::from_utf8_lossy(choices.0);
    let expression = match Expression::compile(&text, &[EVENT]) {
        Ok(expression) => expression,
        Err(error) => {
            assert!(is_in(error.position, &text), "{error}");
            assert!(Filter::compile(&text).is_err(), "a filter is an expression");
            return;
        }
    };
    assert_eq!(evaluate(&expression, &data), evaluate(&expression, &data), "the same again");
    if let Ok(filter) = Filter::compile(&text) {
        let data = Data::new(&data);
        let scope = FilterScope::new([("type", Some("order.created")), ("tenant", None)], [("data", Some(&data))]);
        if let Err(error) = filter.matches(&scope) {
            assert!(is_in(error.position, &text), "{error}");
        }
    }
}

fn evaluate(expression: &Expression, data: &str) -> Result<String, String> {
    let data = Data::new(data);
    let fields = [("type", Value::from("order.created")), ("data", Value::Data(&data))];
    let roots = [("event", Value::Record(&fields))];
    let value = expression.evaluate(Scope { roots: &roots }, &mut Budget::decision()).map_err(|error| {
        assert!(is_in(error.position, expression.source()), "{error}");
        error.to_string()
    })?;
    let mut json = String::new();
    write_json(&value, &mut json, MOST).map_err(|error| error.to_string())?;
    Ok(json)
}

/// Whether a place is in a text, or right behind it.
fn is_in(position: Position, text: &str) -> bool {
    let line = text.split('\n').nth(position.line as usize - 1);
    line.is_some_and(|line| (1..=line.chars().count() + 1).contains(&(position.column as usize)))
}
