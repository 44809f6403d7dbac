//! Templates: text, or JSON text, with expressions in `${...}`.
//!
//! A plain path such as `${event.data.total}` whose key is missing leaves out what it is in: the header, or the member of the
//! object. Everything else that has no value is an error. `$${` stands for a literal `${`; every other `$` is a `$`.

mod json;
mod parts;
mod text;

use std::mem;

pub use json::{JsonTemplate, MAX_TEMPLATE_BYTES};
pub use text::TextTemplate;

use crate::{Budget, ErrorKind, EvalError, Position, Scope, Unwritable, Value, write_text};
use parts::Part;

/// What rendering takes along: the values, what may still be spent, and how long the result may become.
pub struct Render<'v, 'b> {
    /// The values.
    pub scope: Scope<'v>,
    /// What all expressions together may take.
    pub budget: &'b mut Budget,
    /// Most bytes of the result.
    pub most: usize,
}

/// What came of an expression in a template.
enum Filled<'v> {
    Value(Value<'v>),
    Missing,
}

impl<'v> Part {
    /// The value, if this is an expression. `Err` has the byte of the expression's text.
    fn value(&'v self, render: &mut Render<'v, '_>) -> Result<Filled<'v>, EvalError> {
        let Self::Expression { expression, .. } = self else { return Ok(Filled::Missing) };
        let found = match expression.field(render.scope, render.budget) {
            Some(found) => found?,
            None => Some(expression.evaluate(render.scope, render.budget)?),
        };
        Ok(found.map_or(Filled::Missing, Filled::Value))
    }
}

/// Appends texts and values to one text, which becomes at most one value longer than it may. `false`: a plain path is
/// missing, and `out` is to be thrown away.
fn fill<'v>(parts: &'v [Part], render: &mut Render<'v, '_>, out: &mut String) -> Result<bool, (usize, EvalError)> {
    for part in parts {
        match part {
            Part::Text(text) => out.push_str(text),
            Part::Expression { start, .. } => match part.value(render).map_err(|error| (*start, error))? {
                Filled::Missing => return Ok(false),
                // What is too long already cannot become right again.
                Filled::Value(_) if out.len() > render.most => {}
                Filled::Value(value) => {
                    write_text(&value, out, usize::MAX).map_err(|error| (*start, unwritable(error)))?;
                }
            },
        }
    }
    Ok(true)
}

fn unwritable(error: Unwritable) -> EvalError {
    let kind = match error {
        Unwritable::TooLong(_) => ErrorKind::TooCostly,
        Unwritable::Malformed => ErrorKind::Malformed,
        Unwritable::NotFinite => ErrorKind::Value,
        Unwritable::NotText(_) => ErrorKind::Type,
    };
    EvalError { position: Position { line: 1, column: 1 }, byte: 0, kind, message: error.to_string() }
}

/// An error at its place in the whole text.
fn located(text: &str, byte: usize, mut error: EvalError) -> EvalError {
    error.byte = byte;
    error.position = Position::of(text, byte);
    error
}

/// Takes the text that has been gathered, if there is any.
fn take(literal: &mut String) -> Option<Part> {
    (!literal.is_empty()).then(|| Part::Text(mem::take(literal).into()))
}
