//! Operators on two values, and the sign.

use std::cmp::Ordering;

use super::{Evaluated, Evaluator, compare::items};
use crate::{
    ErrorKind, EvalError, MAX_ITEMS, Value,
    ast::{Binary, Node},
    data,
    value::Number,
};

impl<'v> Evaluator<'v, '_> {
    pub(super) fn negate(&mut self, node: &'v Node, operand: &'v Node) -> Evaluated<'v> {
        let value = self.evaluate(operand)?;
        match value.number() {
            Some(Number::Int(int)) => int.checked_neg().map(Value::Int).ok_or_else(|| self.overflow(node)),
            Some(Number::Double(double)) => Ok(Value::Double(-double)),
            _ => Err(self.type_error(node, &format!("- goes with an int or double, not with a {}", value.type_name()))),
        }
    }

    pub(super) fn binary(
        &mut self,
        node: &'v Node,
        operator: Binary,
        left: &Value<'v>,
        right: &Value<'v>,
    ) -> Evaluated<'v> {
        let ordered = |order: Option<Ordering>, is: fn(Ordering) -> bool| Ok(Value::Bool(order.is_some_and(is)));
        let symbol = operator.symbol();
        match operator {
            Binary::Equal => Ok(Value::Bool(self.equal(node, left, right, 0)?)),
            Binary::NotEqual => Ok(Value::Bool(!self.equal(node, left, right, 0)?)),
            Binary::Less => ordered(self.order(node, symbol, left, right)?, Ordering::is_lt),
            Binary::LessOrEqual => ordered(self.order(node, symbol, left, right)?, Ordering::is_le),
            Binary::Greater => ordered(self.order(node, symbol, left, right)?, Ordering::is_gt),
            Binary::GreaterOrEqual => ordered(self.order(node, symbol, left, right)?, Ordering::is_ge),
            Binary::In => self.is_in(node, left, right).map(Value::Bool),
            Binary::Add => self.add(node, left, right),
            Binary::Subtract => match (left, right) {
                (Value::Timestamp(a), Value::Timestamp(b)) => Ok(Value::Duration(a.duration_since(*b))),
                (Value::Timestamp(time), Value::Duration(duration)) => {
                    time.checked_sub(*duration).map(Value::Timestamp).map_err(|_| self.overflow(node))
                }
                (Value::Duration(a), Value::Duration(b)) => {
                    a.checked_sub(*b).map(Value::Duration).ok_or_else(|| self.overflow(node))
                }
                _ => self.arithmetic(node, operator, left, right),
            },
            Binary::Multiply | Binary::Divide | Binary::Remainder => self.arithmetic(node, operator, left, right),
        }
    }

    fn is_in(&mut self, node: &Node, wanted: &Value<'v>, range: &Value<'v>) -> Result<bool, EvalError> {
        match range {
            Value::Record(_) | Value::Map(_) => Ok(self.has_key(node, range, wanted)?),
            Value::Json(json) if json.kind() == data::Kind::Object => self.has_key(node, range, wanted),
            _ if range.type_name() == "list" => {
                for item in items(range) {
                    let item = self.open(node, item)?;
                    if self.equal(node, &item, wanted, 0)? {
                        return Ok(true);
                    }
                }
                Ok(false)
            }
            other => {
                let message = format!("in goes with a list or map at its right, not with a {}", other.type_name());
                Err(self.type_error(node, &message))
            }
        }
    }

    /// Objects of JSON have only texts as keys.
    fn has_key(&mut self, node: &Node, map: &Value<'v>, key: &Value<'v>) -> Result<bool, EvalError> {
        if !matches!(map, Value::Map(_)) && !matches!(key, Value::Text(_)) {
            return Ok(false);
        }
        Ok(self.entry_of(node, map, key)?.is_some())
    }

    fn add(&mut self, node: &'v Node, left: &Value<'v>, right: &Value<'v>) -> Evaluated<'v> {
        match (left, right) {
            (Value::Text(a), Value::Text(b)) => {
                self.pay(node, |budget| budget.bytes(a.len() + b.len()))?;
                Ok([&**a, &**b].concat().into())
            }
            (Value::Timestamp(time), Value::Duration(duration))
            | (Value::Duration(duration), Value::Timestamp(time)) => {
                time.checked_add(*duration).map(Value::Timestamp).map_err(|_| self.overflow(node))
            }
            (Value::Duration(a), Value::Duration(b)) => {
                a.checked_add(*b).map(Value::Duration).ok_or_else(|| self.overflow(node))
            }
            _ if left.type_name() == "list" && right.type_name() == "list" => {
                let mut made = Vec::new();
                for item in items(left).chain(items(right)) {
                    if made.len() == MAX_ITEMS {
                        let message = format!("a list has at most {MAX_ITEMS} items");
                        return Err(self.error(node, ErrorKind::TooCostly, message));
                    }
                    self.pay(node, |budget| budget.bytes(size_of::<Value>()))?;
                    made.push(self.open(node, item)?);
                }
                Ok(Value::List(made.into()))
            }
            _ => self.arithmetic(node, Binary::Add, left, right),
        }
    }

    fn arithmetic(&mut self, node: &Node, operator: Binary, left: &Value<'v>, right: &Value<'v>) -> Evaluated<'v> {
        let zero = |evaluator: &Self| evaluator.error(node, ErrorKind::Value, "division by zero".to_owned());
        let divides = matches!(operator, Binary::Divide | Binary::Remainder);
        match (left.number(), right.number()) {
            (Some(Number::Int(_)), Some(Number::Int(0))) | (Some(Number::Uint(_)), Some(Number::Uint(0)))
                if divides =>
            {
                Err(zero(self))
            }
            (Some(Number::Int(a)), Some(Number::Int(b))) => {
                let result = match operator {
                    Binary::Add => a.checked_add(b),
                    Binary::Subtract => a.checked_sub(b),
                    Binary::Multiply => a.checked_mul(b),
                    Binary::Divide => a.checked_div(b),
                    _ => a.checked_rem(b),
                };
                result.map(Value::Int).ok_or_else(|| self.overflow(node))
            }
            (Some(Number::Uint(a)), Some(Number::Uint(b))) => {
                let result = match operator {
                    Binary::Add => a.checked_add(b),
                    Binary::Subtract => a.checked_sub(b),
                    Binary::Multiply => a.checked_mul(b),
                    Binary::Divide => a.checked_div(b),
                    _ => a.checked_rem(b),
                };
                result.map(Value::Uint).ok_or_else(|| self.overflow(node))
            }
            (Some(Number::Double(a)), Some(Number::Double(b))) if operator != Binary::Remainder => {
                Ok(Value::Double(match operator {
                    Binary::Add => a + b,
                    Binary::Subtract => a - b,
                    Binary::Multiply => a * b,
                    _ => a / b,
                }))
            }
            (Some(_), Some(_)) => {
                let (symbol, left, right) = (operator.symbol(), left.type_name(), right.type_name());
                let hint = if left == right { "" } else { "; convert one with int(), uint() or double()" };
                Err(self.type_error(node, &format!("{symbol} does not go with a {left} and a {right}{hint}")))
            }
            _ => {
                let (symbol, left, right) = (operator.symbol(), left.type_name(), right.type_name());
                let hint = if [left, right].contains(&"string") { "; convert the other with string()" } else { "" };
                Err(self.type_error(node, &format!("{symbol} does not go with a {left} and a {right}{hint}")))
            }
        }
    }

    pub(super) fn overflow(&self, node: &Node) -> EvalError {
        self.error(node, ErrorKind::Value, "the result is out of range".to_owned())
    }
}
