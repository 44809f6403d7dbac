//! What is wrong with an expression, and where.

use std::fmt;

/// A place in a text. Both numbers count from 1; columns are characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Position {
    /// Line.
    pub line: u32,
    /// Character of the line.
    pub column: u32,
}

impl Position {
    /// The place of a byte. One beyond the end is the place after the last character.
    pub fn of(text: &str, byte: usize) -> Self {
        let before = &text[..text.floor_char_boundary(byte.min(text.len()))];
        let line = before.rsplit('\n').next().unwrap_or_default();
        let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        Self { line: count(before.matches('\n').count() + 1), column: count(line.chars().count() + 1) }
    }

    /// The place in a text of which the one that this place is in begins at `start`.
    #[must_use]
    pub fn within(self, start: Self) -> Self {
        let column = if self.line == 1 { start.column.saturating_add(self.column - 1) } else { self.column };
        Self { line: start.line.saturating_add(self.line - 1), column }
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, column {}", self.line, self.column)
    }
}

/// Why a text is not an expression.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{position}: {message}")]
pub struct CompileError {
    /// Where.
    pub position: Position,
    /// What is wrong and what would be right.
    pub message: String,
}

/// Why an expression has no value for an event. Says nothing of the event's content.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{position}: {message}")]
pub struct EvalError {
    /// Where in the expression.
    pub position: Position,
    /// What sort of mistake it is.
    pub kind: ErrorKind,
    /// What is wrong.
    pub message: String,
}

/// Sorts of mistakes, for counting them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// A field or key that is not there, or an index beyond the list's end.
    Missing,
    /// An operator or function that does not go with what it was given.
    Type,
    /// A value that cannot be used: a text that is no number, a division by zero, a number out of range.
    Value,
    /// More steps or bytes than an evaluation may take.
    TooCostly,
    /// The event's data is not JSON, which only a defect can cause.
    Malformed,
}

impl ErrorKind {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Missing, Self::Type, Self::Value, Self::TooCostly, Self::Malformed];

    /// Its name in metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Type => "type",
            Self::Value => "value",
            Self::TooCostly => "tooCostly",
            Self::Malformed => "malformed",
        }
    }
}
