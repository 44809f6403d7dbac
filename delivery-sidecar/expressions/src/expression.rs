//! An expression, compiled.

use crate::{
    Budget, CompileError, EvalError, Root, Scope, Value,
    ast::{Kind, Node},
    eval::Evaluator,
    lex,
    parse::parse,
};

/// Most bytes of an expression.
pub const MAX_BYTES: usize = 1_024;

/// An expression that can be evaluated any number of times.
#[derive(Debug)]
pub struct Expression {
    source: Box<str>,
    root: Node,
}

impl Expression {
    /// Compiles a text that may name `roots`.
    ///
    /// Operators: `?:`, `||`, `&&`, `==`, `!=`, `<`, `<=`, `>`, `>=`, `in`, `+`, `-`, `*`, `/`, `%`, `!`, `.`, `[]`.
    /// Macros: `has`, `all`, `exists`, `exists_one`, `filter`, `map`. Functions: `size`, `matches`, `contains`,
    /// `startsWith`, `endsWith`, `lowerAscii`, `upperAscii`, `trim`, `replace`, `split`, `join`, `substring`, `int`, `uint`,
    /// `double`, `string`, `bool`, `timestamp`, `duration`, `formatTime`.
    ///
    /// # Errors
    /// Where the text is wrong and what would be right.
    pub fn compile(text: &str, roots: &[Root]) -> Result<Self, CompileError> {
        if text.len() > MAX_BYTES {
            let message = format!("the expression has {} bytes; it may have at most {MAX_BYTES}", text.len());
            return Err(lex::error(text, MAX_BYTES, message));
        }
        Ok(Self { source: text.into(), root: parse(text, roots)? })
    }

    /// Its value.
    ///
    /// # Errors
    /// Where there is none and why; when the budget is used up, too.
    pub fn evaluate<'v>(&'v self, scope: Scope<'v>, budget: &mut Budget) -> Result<Value<'v>, EvalError> {
        Evaluator::new(&self.source, scope, budget).evaluate(&self.root)
    }

    /// The field that a plain path such as `event.data.total` names, if the expression is nothing else.
    ///
    /// `Ok(None)` when a key of it is missing. The value is not looked into: a JSON text keeps its spelling.
    ///
    /// # Errors
    /// As [`Self::evaluate`].
    pub fn field<'v>(&'v self, scope: Scope<'v>, budget: &mut Budget) -> Option<Result<Option<Value<'v>>, EvalError>> {
        is_path(&self.root).then(|| Evaluator::new(&self.source, scope, budget).field(&self.root))
    }

    /// The text that it was compiled from.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// Whether its value depends on what the scope holds under a name.
    pub fn names(&self, root: &str) -> bool {
        names(&self.root, root)
    }

    pub(crate) fn root(&self) -> &Node {
        &self.root
    }
}

fn is_path(node: &Node) -> bool {
    match &node.kind {
        Kind::Root(_) => true,
        Kind::Select(operand, _) => is_path(operand),
        Kind::Index(both) => is_path(&both.0) && matches!(both.1.kind, Kind::Text(_) | Kind::Int(_)),
        _ => false,
    }
}

fn names(node: &Node, wanted: &str) -> bool {
    let any = |nodes: &[Node]| nodes.iter().any(|node| names(node, wanted));
    match &node.kind {
        Kind::Root(name) => name == wanted,
        Kind::Null | Kind::Bool(_) | Kind::Int(_) | Kind::Uint(_) | Kind::Double(_) | Kind::Text(_) | Kind::Item => {
            false
        }
        Kind::Select(inner, _)
        | Kind::Has(inner, _)
        | Kind::Not(inner)
        | Kind::Negate(inner)
        | Kind::Matches(inner, _) => names(inner, wanted),
        Kind::Index(both) | Kind::Binary(_, both) => names(&both.0, wanted) || names(&both.1, wanted),
        Kind::Choose(all) => [&all.0, &all.1, &all.2].into_iter().any(|node| names(node, wanted)),
        Kind::And(nodes) | Kind::Or(nodes) | Kind::List(nodes) | Kind::Call(_, nodes) => any(nodes),
        Kind::Map(entries) => entries.iter().any(|(key, value)| names(key, wanted) || names(value, wanted)),
        Kind::Macro(_, over) => [Some(&over.range), over.condition.as_ref(), Some(&over.body)]
            .into_iter()
            .flatten()
            .any(|node| names(node, wanted)),
    }
}
