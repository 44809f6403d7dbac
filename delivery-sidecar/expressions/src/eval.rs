//! Evaluates trees. Recurses along the tree only, whose depth is bounded; pays for each step.

mod compare;
mod functions;
mod macros;
mod operators;

use crate::{
    Budget, ErrorKind, EvalError, Position, Scope, Value,
    ast::{Kind, Node},
    budget::Exhausted,
    data::{self, Json},
    value::Text,
};

type Evaluated<'v> = Result<Value<'v>, EvalError>;

/// One evaluation.
pub(crate) struct Evaluator<'v, 'b> {
    source: &'v str,
    scope: Scope<'v>,
    budget: &'b mut Budget,
    /// The item of the macro that is being evaluated.
    item: Option<Value<'v>>,
}

impl<'v, 'b> Evaluator<'v, 'b> {
    pub fn new(source: &'v str, scope: Scope<'v>, budget: &'b mut Budget) -> Self {
        Self { source, scope, budget, item: None }
    }

    pub fn evaluate(&mut self, node: &'v Node) -> Evaluated<'v> {
        self.pay(node, |budget| budget.steps(1))?;
        match &node.kind {
            Kind::Null => Ok(Value::Null),
            Kind::Bool(is) => Ok(Value::Bool(*is)),
            Kind::Int(int) => Ok(Value::Int(*int)),
            Kind::Uint(uint) => Ok(Value::Uint(*uint)),
            Kind::Double(double) => Ok(Value::Double(*double)),
            Kind::Text(text) => Ok(Value::Text(Text::Borrowed(text))),
            Kind::Root(_) | Kind::Item | Kind::Select(_, _) | Kind::Index(_) => {
                let (parent, found) = self.look_up(node)?;
                let found = found.ok_or_else(|| self.missing(node, parent))?;
                self.open(node, found)
            }
            Kind::Has(operand, field) => {
                let operand = self.evaluate(operand)?;
                Ok(Value::Bool(self.field_of(node, &operand, field)?.is_some()))
            }
            Kind::Not(operand) => match self.evaluate(operand)? {
                Value::Bool(is) => Ok(Value::Bool(!is)),
                other => Err(self.type_error(node, &format!("! goes with a bool, not with a {}", other.type_name()))),
            },
            Kind::Negate(operand) => self.negate(node, operand),
            Kind::Binary(operator, both) => {
                let left = self.evaluate(&both.0)?;
                let right = self.evaluate(&both.1)?;
                self.binary(node, *operator, &left, &right)
            }
            Kind::And(operands) => self.decide(operands, false),
            Kind::Or(operands) => self.decide(operands, true),
            Kind::Choose(all) => {
                match self.evaluate(&all.0)? {
                    Value::Bool(true) => self.evaluate(&all.1),
                    Value::Bool(false) => self.evaluate(&all.2),
                    other => Err(self
                        .type_error(node, &format!("the condition before ? is a bool, not a {}", other.type_name()))),
                }
            }
            Kind::List(items) => {
                self.pay(node, |budget| budget.bytes(items.len() * size_of::<Value>()))?;
                let items: Result<Vec<_>, _> = items.iter().map(|item| self.evaluate(item)).collect();
                Ok(Value::List(items?.into()))
            }
            Kind::Map(entries) => self.map(node, entries),
            Kind::Call(function, arguments) => self.call(node, *function, arguments),
            Kind::Matches(text, pattern) => match self.evaluate(text)? {
                Value::Text(text) if text.len() > crate::pattern::MAX_HAYSTACK => {
                    let most = crate::pattern::MAX_HAYSTACK;
                    Err(self.error(node, ErrorKind::TooCostly, format!("matches takes texts of at most {most} bytes")))
                }
                Value::Text(text) => {
                    self.pay(node, |budget| budget.steps(pattern.cost(text.len())))?;
                    Ok(Value::Bool(pattern.is_match(&text)))
                }
                other => {
                    Err(self.type_error(node, &format!("matches goes with a string, not with a {}", other.type_name())))
                }
            },
            Kind::Macro(found, over) => self.macro_(node, *found, over),
        }
    }

    /// The value of a path, not looked into; `None` when a key of it is missing.
    pub fn field(&mut self, node: &'v Node) -> Result<Option<Value<'v>>, EvalError> {
        self.pay(node, |budget| budget.steps(1))?;
        let (operand, key) = match &node.kind {
            Kind::Select(operand, field) => (&**operand, Value::from(field.as_str())),
            Kind::Index(both) => (&both.0, self.evaluate(&both.1)?),
            Kind::Root(name) => return Ok(self.scope.get(name).cloned()),
            _ => return self.evaluate(node).map(Some),
        };
        let Some(operand) = self.field(operand)? else { return Ok(None) };
        let operand = self.open(node, operand)?;
        self.entry_of(node, &operand, &key)
    }

    /// What a name, field or index stands for, and the type of what it was looked for in.
    fn look_up(&mut self, node: &'v Node) -> Result<(&'static str, Option<Value<'v>>), EvalError> {
        Ok(match &node.kind {
            Kind::Root(name) => ("scope", self.scope.get(name).cloned()),
            Kind::Item => ("scope", self.item.clone()),
            Kind::Select(operand, field) => {
                let operand = self.evaluate(operand)?;
                (operand.type_name(), self.field_of(node, &operand, field)?)
            }
            Kind::Index(both) => {
                let operand = self.evaluate(&both.0)?;
                let key = self.evaluate(&both.1)?;
                (operand.type_name(), self.entry_of(node, &operand, &key)?)
            }
            _ => ("scope", Some(self.evaluate(node)?)),
        })
    }

    fn missing(&self, node: &Node, parent: &str) -> EvalError {
        let message = match (&node.kind, parent) {
            (Kind::Select(_, field), _) => format!("there is no field {field:?}"),
            (_, "list") => "the index is beyond the list's end".to_owned(),
            _ => "there is no such key".to_owned(),
        };
        self.error(node, ErrorKind::Missing, message)
    }

    fn field_of(&mut self, node: &Node, operand: &Value<'v>, field: &str) -> Result<Option<Value<'v>>, EvalError> {
        match operand {
            Value::Record(fields) => {
                self.pay(node, |budget| budget.steps(fields.len() / 8))?;
                Ok(fields.iter().find(|(name, _)| *name == field).map(|(_, value)| value.clone()))
            }
            Value::Json(json) if json.kind() == data::Kind::Object => self.member(node, *json, field),
            Value::Map(entries) => {
                self.pay(node, |budget| budget.steps(entries.len() / 4))?;
                let is = |key: &Value| matches!(key, Value::Text(text) if **text == *field);
                Ok(entries.iter().find(|(key, _)| is(key)).map(|(_, value)| value.clone()))
            }
            other => Err(self.type_error(node, &format!("a {} has no fields", other.type_name()))),
        }
    }

    /// The value of an object's key; of several with the same name the last, as everywhere.
    fn member(&mut self, node: &Node, object: Json<'v>, field: &str) -> Result<Option<Value<'v>>, EvalError> {
        let (mut found, mut looked_at) = (None, 0);
        for (key, value) in object.entries() {
            let raw = key.raw();
            looked_at += 4 + raw.len() / 16;
            let is = if raw.contains('\\') {
                key.text() == *field
            } else {
                raw.len() == field.len() + 2 && raw[1..].starts_with(field)
            };
            if is {
                found = Some(Value::Json(value));
            }
        }
        self.pay(node, |budget| budget.steps(looked_at / 16))?;
        Ok(found)
    }

    fn entry_of(&mut self, node: &Node, operand: &Value<'v>, key: &Value<'v>) -> Result<Option<Value<'v>>, EvalError> {
        let index = || match key.number()? {
            crate::value::Number::Int(int) => Some(usize::try_from(int).unwrap_or(usize::MAX)),
            crate::value::Number::Uint(uint) => Some(usize::try_from(uint).unwrap_or(usize::MAX)),
            crate::value::Number::Double(_) => None,
        };
        match (operand, key) {
            (Value::Map(entries), _) => {
                for (known, value) in entries.iter() {
                    if self.equal(node, known, key, 0)? {
                        return Ok(Some(value.clone()));
                    }
                }
                Ok(None)
            }
            (_, Value::Text(field)) if operand.type_name() == "map" => self.field_of(node, operand, field),
            (Value::List(items), _) if let Some(index) = index() => Ok(items.get(index).cloned()),
            (Value::Json(json), _)
                if json.kind() == data::Kind::List
                    && let Some(index) = index() =>
            {
                let item = json.items().nth(index);
                // A list is walked through up to the item, or to its end.
                let walked = if item.is_some() { index } else { json.items().count() };
                self.pay(node, |budget| budget.steps(walked / 4))?;
                Ok(item.map(Value::Json))
            }
            _ => {
                let message = format!("a {} has no item [{}]", operand.type_name(), key.type_name());
                Err(self.type_error(node, &message))
            }
        }
    }

    /// `||` (`decisive` is true) and `&&` (false): one operand that decides is enough, even if others have no value.
    fn decide(&mut self, operands: &'v [Node], decisive: bool) -> Evaluated<'v> {
        let mut error = None;
        for operand in operands {
            let found = match self.evaluate(operand) {
                Ok(Value::Bool(is)) if is == decisive => return Ok(Value::Bool(is)),
                Ok(Value::Bool(_)) => continue,
                Ok(other) => {
                    self.type_error(operand, &format!("&& and || go with bools, not with a {}", other.type_name()))
                }
                Err(error) if error.kind == ErrorKind::TooCostly => return Err(error),
                Err(error) => error,
            };
            error.get_or_insert(found);
        }
        error.map_or(Ok(Value::Bool(!decisive)), Err)
    }

    fn map(&mut self, node: &'v Node, entries: &'v [(Node, Node)]) -> Evaluated<'v> {
        self.pay(node, |budget| budget.bytes(entries.len() * 2 * size_of::<Value>()))?;
        let mut made: Vec<(Value, Value)> = Vec::with_capacity(entries.len());
        for (key_node, value) in entries {
            let key = self.evaluate(key_node)?;
            if !matches!(key.type_name(), "string" | "int" | "uint" | "bool") {
                return Err(self.type_error(key_node, &format!("a {} cannot be a key", key.type_name())));
            }
            for (known, _) in &made {
                if self.equal(node, known, &key, 0)? {
                    return Err(self.error(key_node, ErrorKind::Value, "the key is there twice".to_owned()));
                }
            }
            made.push((key, self.evaluate(value)?));
        }
        Ok(Value::Map(made.into()))
    }

    /// Looks into a JSON text.
    fn open(&mut self, node: &Node, value: Value<'v>) -> Evaluated<'v> {
        let json = match &value {
            Value::Data(data) => data.root(),
            Value::Json(json) => Some(*json),
            _ => return Ok(value),
        };
        if let Some(json) = json
            && !matches!(json.kind(), data::Kind::List | data::Kind::Object)
        {
            let bytes = json.raw().len();
            let copied = json.kind() == data::Kind::Text && json.raw().contains('\\');
            self.pay(node, |budget| if copied { budget.bytes(bytes) } else { budget.text(bytes) })?;
        }
        value.opened().ok_or_else(|| self.error(node, ErrorKind::Malformed, "the data is not JSON".to_owned()))
    }

    fn pay(&mut self, node: &Node, price: impl FnOnce(&mut Budget) -> Result<(), Exhausted>) -> Result<(), EvalError> {
        price(self.budget).map_err(|exhausted| {
            let message = match exhausted {
                Exhausted::Steps => "the evaluation takes more steps than it may",
                Exhausted::Bytes => "the evaluation takes more memory than it may",
            };
            self.error(node, ErrorKind::TooCostly, message.to_owned())
        })
    }

    fn type_error(&self, node: &Node, message: &str) -> EvalError {
        self.error(node, ErrorKind::Type, message.to_owned())
    }

    fn error(&self, node: &Node, kind: ErrorKind, message: String) -> EvalError {
        EvalError { position: Position::of(self.source, node.at), kind, message }
    }
}
