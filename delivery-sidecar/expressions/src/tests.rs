//! What expressions mean, what is refused and where, and that nothing costs too much.

mod bombs;
mod meaning;
mod oracle;
mod refused;

use crate::{Budget, Data, EVENT, EvalError, Expression, Scope, Value, write_json};

/// `event` with `id`, `type`, `time` and `data`.
fn evaluate(text: &str, data: &str) -> Result<String, EvalError> {
    let expression = Expression::compile(text, &[EVENT]).unwrap_or_else(|error| panic!("{text}: {error}"));
    run(&expression, data)
}

fn run(expression: &Expression, data: &str) -> Result<String, EvalError> {
    let data = Data::new(data);
    let fields = [
        ("id", Value::from("evt-1")),
        ("type", Value::from("order.created")),
        ("time", Value::from("2026-01-02T03:04:05.678Z")),
        ("data", Value::Data(&data)),
    ];
    let roots = [("event", Value::Record(&fields))];
    let value = expression.evaluate(Scope { roots: &roots }, &mut Budget::decision())?;
    let mut json = String::new();
    write_json(&value, &mut json, 1 << 20).unwrap_or_else(|error| panic!("{}: {error}", expression.source()));
    Ok(json)
}
