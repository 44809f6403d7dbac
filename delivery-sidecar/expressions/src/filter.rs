//! Filters: expressions over `event` that say yes or no.

use crate::{
    Budget, CompileError, Data, EVENT, ErrorKind, EvalError, Expression, Position, Scope, Value,
    ast::{Binary, Kind, Node},
    function::Function,
    lex,
};

/// A filter, compiled.
#[derive(Debug)]
pub struct Filter(Expression);

/// What filters see of one event: made once, for all filters.
#[derive(Debug)]
pub struct FilterScope<'v> {
    fields: Vec<(&'v str, Value<'v>)>,
}

impl<'v> FilterScope<'v> {
    /// The fields that are there, by name: texts, `data` and `metadata`.
    pub fn new(
        texts: impl IntoIterator<Item = (&'v str, Option<&'v str>)>,
        data: impl IntoIterator<Item = (&'v str, Option<&'v Data<'v>>)>,
    ) -> Self {
        let texts = texts.into_iter().filter_map(|(name, text)| Some((name, Value::from(text?))));
        let data = data.into_iter().filter_map(|(name, data)| Some((name, Value::Data(data?))));
        Self { fields: texts.chain(data).collect() }
    }
}

impl Filter {
    /// Compiles a filter.
    ///
    /// # Errors
    /// As [`Expression::compile`], and for an expression that can never be true or false.
    pub fn compile(text: &str) -> Result<Self, CompileError> {
        if text.trim().is_empty() {
            return Err(lex::error(text, 0, "the filter is empty; leave it out to receive all events"));
        }
        let expression = Expression::compile(text, &[EVENT])?;
        match never_bool(expression.root()) {
            None => Ok(Self(expression)),
            Some(type_) => {
                Err(lex::error(text, expression.root().at, format!("a filter is true or false, this is a {type_}")))
            }
        }
    }

    /// Whether the event is wanted.
    ///
    /// # Errors
    /// As [`Expression::evaluate`], and for a value that is neither true nor false.
    pub fn matches(&self, scope: &FilterScope) -> Result<bool, EvalError> {
        let event = [("event", Value::Record(&scope.fields))];
        match self.0.evaluate(Scope { roots: &event }, &mut Budget::decision())? {
            Value::Bool(is) => Ok(is),
            other => Err(EvalError {
                position: Position::of(self.0.source(), self.0.root().at),
                kind: ErrorKind::Type,
                message: format!("a filter is true or false, this is a {}", other.type_name()),
            }),
        }
    }
}

/// The type of what can be seen to be neither true nor false.
fn never_bool(node: &Node) -> Option<&'static str> {
    match &node.kind {
        Kind::Null => Some("null"),
        Kind::Int(_) | Kind::Uint(_) | Kind::Double(_) | Kind::Negate(_) => Some("number"),
        Kind::Text(_) => Some("string"),
        Kind::List(_) | Kind::Macro(crate::ast::Macro::Filter | crate::ast::Macro::Map, _) => Some("list"),
        Kind::Map(_) | Kind::Root(_) => Some("map"),
        Kind::Binary(Binary::Add | Binary::Subtract | Binary::Multiply | Binary::Divide | Binary::Remainder, _) => {
            Some("number, text or list")
        }
        Kind::Choose(all) => never_bool(&all.1).or_else(|| never_bool(&all.2)),
        Kind::Call(Function::Contains | Function::StartsWith | Function::EndsWith | Function::Bool, _) => None,
        Kind::Call(_, _) => Some("number, text or list"),
        _ => None,
    }
}
