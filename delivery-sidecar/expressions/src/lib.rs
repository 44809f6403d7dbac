//! The expressions that users write into resources: a subset of the
//! [Common Expression Language](https://github.com/google/cel-spec), with bounds that hold for every text and every event.
//!
//! ```text
//! text -> lex -> parse (names, nesting, macros checked) -> Expression -> evaluate(scope, budget) -> Value
//! ```
//!
//! # Guarantees
//! - No text makes [`Expression::compile`] or [`Expression::evaluate`] panic, overflow the stack or run for long: a text has
//!   at most [`MAX_BYTES`] bytes, its tree at most [`MAX_DEPTH`] levels, macros do not nest and go over at most
//!   [`MAX_ITEMS`] items, regular expressions are compiled once and matched in linear time, and each evaluation has a
//!   [`Budget`] of steps and bytes.
//! - Equal input gives equal output: objects keep the order of their keys, and JSON numbers their spelling.
//! - Nothing is read but what the [`Scope`] holds: no clock, no randomness, no I/O.
//!
//! # What differs from CEL as others have it
//! JSON's integers are `int` when they fit and `double` when not, never `uint`. A pattern of `matches` is a literal. There
//! are no messages, bytes, optionals and types as values. Strings have more functions: see [`Expression::compile`].

mod ast;
mod budget;
mod data;
mod error;
mod eval;
mod expression;
mod filter;
mod function;
mod lex;
mod parse;
mod pattern;
mod scope;
#[cfg(test)]
mod tests;
mod value;
mod write;

pub use budget::{Budget, MAX_ITEMS};
pub use data::Data;
pub use error::{CompileError, ErrorKind, EvalError, Position};
pub use expression::{Expression, MAX_BYTES};
pub use filter::{Filter, FilterScope};
pub use parse::MAX_DEPTH;
pub use scope::{EVENT, EVENT_FIELDS, Root, Scope};
pub use value::{Text, Value};
pub use write::{Unwritable, write_json, write_text};
