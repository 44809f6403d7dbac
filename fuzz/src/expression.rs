//! Any expression over any event.

use posthaste_expressions::{
    Budget, Data, EVENT, Expression, Filter, FilterScope, JsonTemplate, Position, Render, Scope, TEMPLATE, Value,
    write_json,
};

use crate::Choices;

/// Most bytes of a value as JSON.
const MOST: usize = 1 << 20;

/// The first line of an input is the expression, in which `\x01` stands for a line break. The rest is the event's data.
pub fn expression(input: &[u8]) {
    let mut choices = Choices(input);
    let text = String::from_utf8_lossy(choices.line()).replace('\x01', "\n");
    let data = String::from_utf8_lossy(choices.0);
    template(&text, &data);
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
        let scope = FilterScope::new(vec![("type", Value::from("order.created")), ("data", Value::Data(&data))]);
        if let Err(error) = filter.matches(&scope) {
            assert!(is_in(error.position, &text), "{error}");
        }
    }
}

/// The same text as a template, and with the expression as the only value of one.
fn template(text: &str, data: &str) {
    let quoted = serde_json::to_string(&format!("${{{text}}}")).expect("a text is JSON");
    for text in [text, quoted.as_str()] {
        let data = Data::new(data);
        let event = [("data", Value::Data(&data))];
        let roots = [("event", Value::Record(&event))];
        let result = JsonTemplate::compile(text, TEMPLATE).map_err(|error| error.position).and_then(|template| {
            let render = Render { scope: Scope { roots: &roots }, budget: &mut Budget::rendering(), most: MOST };
            template.render(render).map_err(|error| error.position)
        });
        match result {
            Ok(json) => assert!(json.len() <= MOST + text.len(), "it is bounded"),
            Err(position) => assert!(is_in(position, text), "{position} in {text}"),
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
