//! A text, as in the value of a header.

use super::{
    Render, fill, located,
    parts::{Part, parts},
};
use crate::{CompileError, EvalError, Position, Root};

/// A text with expressions in it, compiled.
#[derive(Debug)]
pub struct TextTemplate {
    source: Box<str>,
    parts: Vec<Part>,
}

impl TextTemplate {
    /// Compiles a text whose expressions may name `roots`.
    ///
    /// # Errors
    /// A `${` that is not closed, or an expression that does not compile; at its place in the text.
    pub fn compile(text: &str, roots: &[Root]) -> Result<Self, CompileError> {
        let parts = parts(text, roots).map_err(|(byte, message)| CompileError {
            position: Position::of(text, byte),
            byte,
            message,
        })?;
        Ok(Self { source: text.into(), parts })
    }

    /// Its text, with `$${` replaced, if there is no expression in it.
    pub fn literal(&self) -> Option<&str> {
        match self.parts.as_slice() {
            [] => Some(""),
            [Part::Text(text)] => Some(text),
            _ => None,
        }
    }

    /// What it has besides expressions.
    pub fn texts(&self) -> impl Iterator<Item = &str> {
        self.parts.iter().filter_map(|part| match part {
            Part::Text(text) => Some(&**text),
            Part::Expression { .. } => None,
        })
    }

    /// The text with the values of its expressions: `None` when a plain path is missing. It may be one value longer than it
    /// should be, which the caller has to look at: whether it is missing is known only then.
    ///
    /// # Errors
    /// An expression without a value, or a value that has no place in a text.
    pub fn fill<'v>(&'v self, render: &mut Render<'v, '_>) -> Result<Option<String>, EvalError> {
        let mut text = String::new();
        let filled = fill(&self.parts, render, &mut text).map_err(|(start, error)| {
            let byte = start + error.byte;
            located(&self.source, byte, error)
        })?;
        Ok(filled.then_some(text))
    }
}
