//! From tokens to the tree. Everything that can be known of an expression without an event is checked here: names, functions
//! and their arguments, patterns, nesting.

use crate::{
    CompileError, Root,
    ast::{Binary, Kind, Macro, Node, Over},
    function::Function,
    lex::{self, Kind as TokenKind, Token},
    pattern::Pattern,
};

/// Most levels of an expression: parentheses, operators and calls within each other.
pub const MAX_DEPTH: usize = 64;

/// Parses a whole text.
pub(crate) fn parse(text: &str, roots: &[Root]) -> Result<Node, CompileError> {
    let tokens = lex::tokens(text)?;
    let mut parser = Parser { text, tokens, next: 0, depth: 0, roots, item: None };
    let node = parser.expression()?;
    match parser.peek() {
        TokenKind::End => Ok(node),
        other => Err(parser.here(format!("expected an operator or the end, found {}", describe(other)))),
    }
}

struct Parser<'a> {
    text: &'a str,
    tokens: Vec<Token>,
    next: usize,
    /// Levels that are being parsed: bounds the recursion before there is a tree.
    depth: usize,
    roots: &'a [Root],
    /// The name of the item in the macro that is being parsed.
    item: Option<String>,
}

type Parsed = Result<Node, CompileError>;

impl Parser<'_> {
    /// `condition ? then : else`, and everything that binds tighter.
    fn expression(&mut self) -> Parsed {
        self.enter()?;
        let condition = self.chain("||", Kind::Or, |parser| parser.chain("&&", Kind::And, Self::relation))?;
        let at = self.at();
        let node = if self.take("?") {
            let then = self.chain("||", Kind::Or, |parser| parser.chain("&&", Kind::And, Self::relation))?;
            self.expect(":", "the value if the condition is false")?;
            let otherwise = self.expression()?;
            let depth = condition.depth.max(then.depth).max(otherwise.depth);
            self.node(at, depth, Kind::Choose(Box::new((condition, then, otherwise))))?
        } else {
            condition
        };
        self.depth -= 1;
        Ok(node)
    }

    /// Operands of one operator, as one node.
    fn chain(&mut self, operator: &str, kind: fn(Vec<Node>) -> Kind, operand: impl Fn(&mut Self) -> Parsed) -> Parsed {
        let first = operand(self)?;
        let at = self.at();
        let mut operands = vec![first];
        while self.take(operator) {
            operands.push(operand(self)?);
        }
        if operands.len() == 1 {
            return Ok(operands.remove(0));
        }
        let depth = deepest(&operands);
        self.node(at, depth, kind(operands))
    }

    fn relation(&mut self) -> Parsed {
        self.left_associative(Self::sum, |parser| {
            Some(match parser.peek() {
                TokenKind::Operator("==") => Binary::Equal,
                TokenKind::Operator("!=") => Binary::NotEqual,
                TokenKind::Operator("<") => Binary::Less,
                TokenKind::Operator("<=") => Binary::LessOrEqual,
                TokenKind::Operator(">") => Binary::Greater,
                TokenKind::Operator(">=") => Binary::GreaterOrEqual,
                TokenKind::Name(name) if name == "in" => Binary::In,
                _ => return None,
            })
        })
    }

    fn sum(&mut self) -> Parsed {
        self.left_associative(Self::product, |parser| {
            Some(match parser.peek() {
                TokenKind::Operator("+") => Binary::Add,
                TokenKind::Operator("-") => Binary::Subtract,
                _ => return None,
            })
        })
    }

    fn product(&mut self) -> Parsed {
        self.left_associative(Self::unary, |parser| {
            Some(match parser.peek() {
                TokenKind::Operator("*") => Binary::Multiply,
                TokenKind::Operator("/") => Binary::Divide,
                TokenKind::Operator("%") => Binary::Remainder,
                _ => return None,
            })
        })
    }

    fn left_associative(&mut self, operand: fn(&mut Self) -> Parsed, operator: fn(&Self) -> Option<Binary>) -> Parsed {
        let mut left = operand(self)?;
        while let Some(found) = operator(self) {
            let at = self.at();
            self.next += 1;
            let right = operand(self)?;
            let depth = left.depth.max(right.depth);
            left = self.node(at, depth, Kind::Binary(found, Box::new((left, right))))?;
        }
        Ok(left)
    }

    fn unary(&mut self) -> Parsed {
        let at = self.at();
        if self.take("!") {
            self.enter()?;
            let operand = self.unary()?;
            self.depth -= 1;
            return self.node(at, operand.depth, Kind::Not(Box::new(operand)));
        }
        if !self.take("-") {
            return self.member();
        }
        // The smallest int is a literal of its own: its digits alone are out of range.
        if let TokenKind::Int(digits @ 0x8000_0000_0000_0000) = *self.peek() {
            self.next += 1;
            let smallest = 0_i64.checked_sub_unsigned(digits);
            return self.node(at, 0, smallest.map_or(Kind::Null, Kind::Int));
        }
        self.enter()?;
        let operand = self.unary()?;
        self.depth -= 1;
        self.node(at, operand.depth, Kind::Negate(Box::new(operand)))
    }

    /// A primary and what follows it: `.field`, `.method(...)`, `[index]`.
    fn member(&mut self) -> Parsed {
        let mut node = self.primary()?;
        loop {
            let at = self.at();
            if self.take(".") {
                let at = self.at();
                let TokenKind::Name(name) = self.peek() else {
                    let found = describe(self.peek());
                    return Err(self.here(format!(
                        "expected a field's name after the point, found {found}; for other names write [\"name\"]"
                    )));
                };
                let name = name.clone();
                self.next += 1;
                node = if self.take("(") { self.method(at, node, &name)? } else { self.select(at, node, name)? };
            } else if self.take("[") {
                let index = self.expression()?;
                self.expect("]", "the end of the index")?;
                let depth = node.depth.max(index.depth);
                node = self.node(at, depth, Kind::Index(Box::new((node, index))))?;
            } else {
                return Ok(node);
            }
        }
    }

    fn select(&mut self, at: usize, operand: Node, field: String) -> Parsed {
        if let Kind::Root(name) = &operand.kind
            && let Some(root) = self.roots.iter().find(|root| root.name == name)
            && !root.fields.is_empty()
            && !root.fields.contains(&field.as_str())
        {
            let known = root.fields.join(", ");
            return Err(self.error(at, format!("{name} has no field {field:?}; it has {known}")));
        }
        self.node(at, operand.depth, Kind::Select(Box::new(operand), field))
    }

    fn method(&mut self, at: usize, receiver: Node, name: &str) -> Parsed {
        if let Some(found) = Macro::named(name) {
            return self.macro_(at, receiver, found, name);
        }
        let mut arguments = vec![receiver];
        self.list(")", &mut arguments)?;
        if name == "matches" {
            return self.matches(at, arguments);
        }
        self.call(at, name, true, arguments)
    }

    fn call(&mut self, at: usize, name: &str, method: bool, arguments: Vec<Node>) -> Parsed {
        let function = Function::find(name, method, arguments.len()).map_err(|message| self.error(at, message))?;
        let depth = deepest(&arguments);
        self.node(at, depth, Kind::Call(function, arguments))
    }

    fn matches(&mut self, at: usize, arguments: Vec<Node>) -> Parsed {
        let Ok([text, pattern]) = <[Node; 2]>::try_from(arguments) else {
            return Err(self.error(at, "matches takes 1 argument, the pattern: x.matches(\"...\")"));
        };
        let Kind::Text(written) = &pattern.kind else {
            return Err(self.error(
                pattern.at,
                "the pattern of matches must be written here as a text, so that it can be checked",
            ));
        };
        let compiled = Pattern::compile(written).map_err(|message| self.error(pattern.at, message))?;
        self.node(at, text.depth, Kind::Matches(Box::new(text), compiled))
    }

    /// `range.all(item, body)` and the like, after the opening parenthesis.
    fn macro_(&mut self, at: usize, range: Node, found: Macro, name: &str) -> Parsed {
        if self.item.is_some() {
            let message = format!("{name} within another macro: they do not nest; go over one list at a time");
            return Err(self.error(at, message));
        }
        let TokenKind::Name(item) = self.peek().clone() else {
            let found = describe(self.peek());
            return Err(
                self.here(format!("expected a name for the item of {name}, found {found}: write x.{name}(item, ...)"))
            );
        };
        if is_word(&item) || self.roots.iter().any(|root| root.name == item) {
            return Err(self.here(format!("{item} means something else; choose another name for the item of {name}")));
        }
        self.next += 1;
        self.expect(",", &format!("what {name} does with the item"))?;
        self.item = Some(item);
        let first = self.expression()?;
        let second = if found == Macro::Map && self.take(",") { Some(self.expression()?) } else { None };
        self.item = None;
        self.expect(")", &format!("the end of {name}"))?;
        let (condition, body) = match second {
            None => (None, first),
            Some(body) => (Some(first), body),
        };
        let depth = range.depth.max(body.depth).max(condition.as_ref().map_or(0, |condition| condition.depth));
        self.node(at, depth, Kind::Macro(found, Box::new(Over { range, condition, body })))
    }

    fn primary(&mut self) -> Parsed {
        let Token { at, kind } = self.tokens[self.next].clone();
        if kind != TokenKind::End {
            self.next += 1;
        }
        let kind = match kind {
            TokenKind::Int(digits) => match i64::try_from(digits) {
                Ok(int) => Kind::Int(int),
                Err(_) => return Err(self.error(at, "this is not an int of 64 bits; write u after it for a uint")),
            },
            TokenKind::Uint(uint) => Kind::Uint(uint),
            TokenKind::Double(double) => Kind::Double(double),
            TokenKind::Text(text) => Kind::Text(text),
            TokenKind::Name(name) => return self.name(at, &name),
            TokenKind::Operator("(") => {
                let inner = self.expression()?;
                self.expect(")", "the end of what is in parentheses")?;
                return Ok(inner);
            }
            TokenKind::Operator("[") => {
                let mut items = Vec::new();
                self.list("]", &mut items)?;
                let depth = deepest(&items);
                return self.node(at, depth, Kind::List(items));
            }
            TokenKind::Operator("{") => return self.map(at),
            other => return Err(self.error(at, format!("expected a value, found {}", describe(&other)))),
        };
        self.node(at, 0, kind)
    }

    fn name(&mut self, at: usize, name: &str) -> Parsed {
        match name {
            "true" | "false" => return self.node(at, 0, Kind::Bool(name == "true")),
            "null" => return self.node(at, 0, Kind::Null),
            "in" => return Err(self.error(at, "expected a value, found in")),
            _ => {}
        }
        if self.take("(") {
            return self.global(at, name);
        }
        if self.item.as_deref() == Some(name) {
            return self.node(at, 0, Kind::Item);
        }
        if self.roots.iter().any(|root| root.name == name) {
            return self.node(at, 0, Kind::Root(name.to_owned()));
        }
        let known: Vec<&str> = self.roots.iter().map(|root| root.name).collect();
        let item = self.item.iter().map(String::as_str);
        let known: Vec<&str> = known.into_iter().chain(item).collect();
        Err(self.error(at, format!("{name} is not known; known are {}", known.join(", "))))
    }

    /// A call without a receiver, after the opening parenthesis.
    fn global(&mut self, at: usize, name: &str) -> Parsed {
        if Macro::named(name).is_some() {
            return Err(self.error(at, format!("{name} goes over a list: write list.{name}(item, ...)")));
        }
        let mut arguments = Vec::new();
        self.list(")", &mut arguments)?;
        match name {
            "has" => match <[Node; 1]>::try_from(arguments) {
                Ok([Node { depth, kind: Kind::Select(operand, field), .. }]) => {
                    self.node(at, depth, Kind::Has(operand, field))
                }
                _ => Err(self.error(at, "has takes a field, such as has(event.data.total)")),
            },
            "matches" => self.matches(at, arguments),
            _ => self.call(at, name, false, arguments),
        }
    }

    /// Expressions up to the closing bracket. One comma may follow the last.
    fn list(&mut self, close: &'static str, items: &mut Vec<Node>) -> Result<(), CompileError> {
        while !self.take(close) {
            items.push(self.expression()?);
            if !self.take(",") {
                return self.expect(close, "a comma or the end");
            }
        }
        Ok(())
    }

    fn map(&mut self, at: usize) -> Parsed {
        let mut entries: Vec<(Node, Node)> = Vec::new();
        while !self.take("}") {
            let key = self.expression()?;
            self.expect(":", "the key's value")?;
            entries.push((key, self.expression()?));
            if !self.take(",") {
                self.expect("}", "a comma or the end of the map")?;
                break;
            }
        }
        let depth = entries.iter().map(|(key, value)| key.depth.max(value.depth)).max().unwrap_or(0);
        self.node(at, depth, Kind::Map(entries))
    }

    fn node(&self, at: usize, below: usize, kind: Kind) -> Parsed {
        let depth = below + 1;
        if depth > MAX_DEPTH {
            return Err(self.too_deep(at));
        }
        Ok(Node { at, depth, kind })
    }

    fn enter(&mut self) -> Result<(), CompileError> {
        self.depth += 1;
        if self.depth > MAX_DEPTH { Err(self.too_deep(self.at())) } else { Ok(()) }
    }

    fn too_deep(&self, at: usize) -> CompileError {
        self.error(at, format!("the expression is nested more than {MAX_DEPTH} levels deep; make it simpler"))
    }

    fn peek(&self) -> &TokenKind {
        &self.tokens[self.next].kind
    }

    fn at(&self) -> usize {
        self.tokens[self.next].at
    }

    /// Goes on if the next token is this operator.
    fn take(&mut self, operator: &str) -> bool {
        let found = matches!(self.peek(), TokenKind::Operator(found) if *found == operator);
        self.next += usize::from(found);
        found
    }

    fn expect(&mut self, operator: &'static str, what: &str) -> Result<(), CompileError> {
        if self.take(operator) {
            return Ok(());
        }
        Err(self.here(format!("expected {operator} ({what}), found {}", describe(self.peek()))))
    }

    fn here(&self, message: String) -> CompileError {
        self.error(self.at(), message)
    }

    fn error(&self, at: usize, message: impl Into<String>) -> CompileError {
        lex::error(self.text, at, message)
    }
}

fn deepest(nodes: &[Node]) -> usize {
    nodes.iter().map(|node| node.depth).max().unwrap_or(0)
}

fn is_word(name: &str) -> bool {
    matches!(name, "true" | "false" | "null" | "in")
}

fn describe(token: &TokenKind) -> String {
    match token {
        TokenKind::Int(_) | TokenKind::Uint(_) | TokenKind::Double(_) => "a number".to_owned(),
        TokenKind::Text(_) => "a text".to_owned(),
        TokenKind::Name(name) => name.clone(),
        TokenKind::Operator(operator) => (*operator).to_owned(),
        TokenKind::End => "the end".to_owned(),
    }
}
