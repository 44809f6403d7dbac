//! What templates can name, for one attempt.

use std::fmt::Write;

use jiff::Timestamp;
use posthaste_expressions::{Scope, Value};

use super::Attempt;
use crate::event::Texts;

/// Runs something with the values of this attempt.
pub(super) fn with_scope<T>(attempt: &Attempt<'_>, run: impl FnOnce(Scope<'_>) -> T) -> T {
    let Attempt { endpoint, event, webhook_name, webhook_namespace, number, now } = *attempt;
    let texts = Texts::new(event);
    let event = texts.fields();
    let parameters: Vec<(&str, Value)> =
        endpoint.parameters.iter().map(|(name, value)| (name.as_str(), Value::from(value.as_str()))).collect();
    let optional = [("displayName", &endpoint.display_name), ("tenant", &endpoint.tenant)];
    let endpoint: Vec<(&str, Value)> = [
        ("uid", Value::from(&*endpoint.uid)),
        ("name", Value::from(&*endpoint.name)),
        ("url", Value::from(endpoint.url.as_str())),
        ("parameters", Value::Record(&parameters)),
    ]
    .into_iter()
    .chain(optional.into_iter().filter_map(|(name, text)| Some((name, Value::from(text.as_deref()?)))))
    .collect();
    let webhook = [("name", Value::from(webhook_name)), ("namespace", Value::from(webhook_namespace))];
    let time = milliseconds(now);
    let attempt = [("number", Value::Int(number.into())), ("time", Value::from(time.as_str()))];
    let roots = [
        ("event", Value::Record(&event)),
        ("endpoint", Value::Record(&endpoint)),
        ("webhook", Value::Record(&webhook)),
        ("attempt", Value::Record(&attempt)),
    ];
    run(Scope { roots: &roots })
}

/// RFC 3339 with milliseconds and `Z`, as event times are written.
fn milliseconds(time: Timestamp) -> String {
    let mut text = String::with_capacity("2026-01-02T03:04:05.678Z".len());
    write!(text, "{time:.3}").expect("a String takes every write");
    text
}
