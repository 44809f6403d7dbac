//! Equality and order.

use std::{cmp::Ordering, mem::discriminant};

use super::Evaluator;
use crate::{ErrorKind, EvalError, Value, ast::Node, data};

/// Most levels of lists and objects that are compared.
const MAX_LEVELS: usize = 64;

impl<'v> Evaluator<'v, '_> {
    /// Whether two values are equal: numbers by value, objects whatever the order of their keys; values of different types
    /// never.
    pub(super) fn equal(
        &mut self,
        node: &Node,
        left: &Value<'v>,
        right: &Value<'v>,
        level: usize,
    ) -> Result<bool, EvalError> {
        self.pay(node, |budget| budget.steps(1))?;
        if let (Some(left), Some(right)) = (left.number(), right.number()) {
            return Ok(left.compare(right) == Some(Ordering::Equal));
        }
        match (left, right) {
            (Value::Text(left), Value::Text(right)) => {
                self.pay(node, |budget| budget.text(left.len().min(right.len())))?;
                return Ok(**left == **right);
            }
            (Value::Bool(left), Value::Bool(right)) => return Ok(left == right),
            (Value::Null, Value::Null) => return Ok(true),
            (Value::Timestamp(left), Value::Timestamp(right)) => return Ok(left == right),
            (Value::Duration(left), Value::Duration(right)) => return Ok(left == right),
            _ => {}
        }
        let (types, lists) = ((left.type_name(), right.type_name()), "list");
        if types != (lists, lists) && types != ("map", "map") {
            return Ok(false);
        }
        if level >= MAX_LEVELS {
            let message = format!("values nested more than {MAX_LEVELS} levels deep are not compared");
            return Err(self.error(node, ErrorKind::TooCostly, message));
        }
        if types.0 == lists {
            self.equal_lists(node, left, right, level)
        } else {
            self.equal_maps(node, left, right, level)
        }
    }

    fn equal_lists(
        &mut self,
        node: &Node,
        left: &Value<'v>,
        right: &Value<'v>,
        level: usize,
    ) -> Result<bool, EvalError> {
        let (mut left, mut right) = (items(left), items(right));
        loop {
            match (left.next(), right.next()) {
                (None, None) => return Ok(true),
                (Some(left), Some(right)) => {
                    let (left, right) = (self.open(node, left)?, self.open(node, right)?);
                    if !self.equal(node, &left, &right, level + 1)? {
                        return Ok(false);
                    }
                }
                _ => return Ok(false),
            }
        }
    }

    fn equal_maps(
        &mut self,
        node: &Node,
        left: &Value<'v>,
        right: &Value<'v>,
        level: usize,
    ) -> Result<bool, EvalError> {
        let sizes = (items(left).count(), items(right).count());
        self.pay(node, |budget| budget.steps((sizes.0 + sizes.1) / 8))?;
        if sizes.0 != sizes.1 {
            return Ok(false);
        }
        for key in items(left) {
            let key = self.open(node, key)?;
            let (Some(left), Some(right)) = (self.entry_of(node, left, &key)?, self.entry_of(node, right, &key)?)
            else {
                return Ok(false);
            };
            let (left, right) = (self.open(node, left)?, self.open(node, right)?);
            if !self.equal(node, &left, &right, level + 1)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// The order of two values of the same kind; `None` for numbers that have none.
    pub(super) fn order(
        &mut self,
        node: &Node,
        symbol: &str,
        left: &Value<'v>,
        right: &Value<'v>,
    ) -> Result<Option<Ordering>, EvalError> {
        if let (Some(left), Some(right)) = (left.number(), right.number()) {
            return Ok(left.compare(right));
        }
        match (left, right) {
            (Value::Text(left), Value::Text(right)) => {
                self.pay(node, |budget| budget.text(left.len().min(right.len())))?;
                Ok(Some(left.cmp(right)))
            }
            (Value::Bool(left), Value::Bool(right)) => Ok(Some(left.cmp(right))),
            (Value::Timestamp(left), Value::Timestamp(right)) => Ok(Some(left.cmp(right))),
            (Value::Duration(left), Value::Duration(right)) => Ok(Some(left.cmp(right))),
            _ => {
                let hint = if discriminant(left) == discriminant(right) { "" } else { "; both must be of one type" };
                let (left, right) = (left.type_name(), right.type_name());
                Err(self.type_error(node, &format!("{symbol} does not go with a {left} and a {right}{hint}")))
            }
        }
    }
}

/// Items of a list, keys of a map.
pub(super) fn items<'v, 'r>(value: &'r Value<'v>) -> Box<dyn Iterator<Item = Value<'v>> + 'r> {
    match value {
        Value::List(items) => Box::new(items.iter().cloned()),
        Value::Map(entries) => Box::new(entries.iter().map(|(key, _)| key.clone())),
        Value::Record(fields) => Box::new(fields.iter().map(|(name, _)| Value::from(*name))),
        Value::Json(json) if json.kind() == data::Kind::List => Box::new(json.items().map(Value::Json)),
        Value::Json(json) => Box::new(json.entries().map(|(key, _)| Value::Json(key))),
        _ => Box::new(std::iter::empty()),
    }
}
