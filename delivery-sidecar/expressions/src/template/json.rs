//! A JSON text: the form of a body.
//!
//! The result is compact, its members are in the template's order, and numbers are as they are written.

mod read;

use super::{Filled, Render, fill, located, parts::Part, unwritable};
use crate::{CompileError, EvalError, Root, write, write_json};

/// Most bytes of a template.
pub const MAX_TEMPLATE_BYTES: usize = 16 << 10;
/// Most levels of lists and objects in it.
const MAX_LEVELS: usize = 32;

/// A JSON text with expressions in its strings, compiled.
#[derive(Debug)]
pub struct JsonTemplate {
    source: Box<str>,
    root: Node,
}

#[derive(Debug)]
enum Node {
    /// Compact JSON: `null`, a truth value, a number, or a string without expressions.
    Literal(Box<str>),
    /// A string that is one expression and nothing else: its value. `at` is the byte after the opening quote.
    Value {
        at: usize,
        part: Part,
    },
    /// A string with expressions in it.
    Text {
        at: usize,
        parts: Vec<Part>,
    },
    List(Vec<Node>),
    /// Keys are compact JSON, with their colon.
    Object(Vec<(Box<str>, Node)>),
}

impl JsonTemplate {
    /// Compiles a text whose expressions may name `roots`.
    ///
    /// # Errors
    /// What is not JSON, and expressions that do not compile; at their place in the text.
    pub fn compile(text: &str, roots: &[Root]) -> Result<Self, CompileError> {
        Ok(Self { source: text.into(), root: read::read(text, roots)? })
    }

    /// The text that it was compiled from.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// The JSON text with the values of its expressions.
    ///
    /// # Errors
    /// At its place in the template: an expression without a value, a value that JSON cannot express or that has no place in
    /// a text, or more text than there may be. When the whole template is one plain path that is missing, too.
    pub fn render<'v>(&'v self, mut render: Render<'v, '_>) -> Result<String, EvalError> {
        let mut out = String::with_capacity(self.source.len());
        if !self.write(&self.root, &mut render, &mut out)? {
            let missing = unwritable(crate::Unwritable::Malformed);
            let message = "the field that the whole body is made of is missing".to_owned();
            return Err(located(&self.source, 0, EvalError { kind: crate::ErrorKind::Missing, message, ..missing }));
        }
        Ok(out)
    }

    /// Appends a part; `false` when it is missing, and nothing is appended.
    fn write<'v>(&'v self, node: &'v Node, render: &mut Render<'v, '_>, out: &mut String) -> Result<bool, EvalError> {
        let most = render.most;
        let locate = |at: usize, start: usize, error: EvalError| {
            let byte = read::source_byte(&self.source, at, start + error.byte);
            located(&self.source, byte, error)
        };
        match node {
            Node::Literal(json) => out.push_str(json),
            Node::Value { at, part } => {
                let start = part.start();
                match part.value(render).map_err(|error| locate(*at, start, error))? {
                    Filled::Missing => return Ok(false),
                    Filled::Value(value) => {
                        write_json(&value, out, most).map_err(|error| locate(*at, start, unwritable(error)))?;
                    }
                }
            }
            Node::Text { at, parts } => {
                let mut text = String::new();
                if !fill(parts, render, &mut text).map_err(|(start, error)| locate(*at, start, error))? {
                    return Ok(false);
                }
                write::string(&text, out);
                if out.len() > most {
                    let error = unwritable(crate::Unwritable::TooLong(most));
                    return Err(locate(*at, 0, error));
                }
            }
            Node::List(items) => {
                out.push('[');
                let begin = out.len();
                for item in items {
                    self.write_after(begin, "", item, render, out)?;
                }
                out.push(']');
            }
            Node::Object(members) => {
                out.push('{');
                let begin = out.len();
                for (key, value) in members {
                    self.write_after(begin, key, value, render, out)?;
                }
                out.push('}');
            }
        }
        Ok(true)
    }

    /// Appends a comma if something has been appended since `begin`, the key and the value; nothing if it is missing.
    fn write_after<'v>(
        &'v self,
        begin: usize,
        key: &str,
        value: &'v Node,
        render: &mut Render<'v, '_>,
        out: &mut String,
    ) -> Result<(), EvalError> {
        let before = out.len();
        if before > begin {
            out.push(',');
        }
        out.push_str(key);
        if !self.write(value, render, out)? {
            out.truncate(before);
        }
        Ok(())
    }
}

impl Part {
    fn start(&self) -> usize {
        match self {
            Self::Text(_) => 0,
            Self::Expression { start, .. } => *start,
        }
    }
}
