//! Macros over lists and over the keys of maps.

use super::{Evaluated, Evaluator, compare::items};
use crate::{
    ErrorKind, EvalError, MAX_ITEMS, Value,
    ast::{Macro, Node, Over},
};

impl<'v> Evaluator<'v, '_> {
    pub(super) fn macro_(&mut self, node: &'v Node, found: Macro, over: &'v Over) -> Evaluated<'v> {
        let range = self.evaluate(&over.range)?;
        if !matches!(range.type_name(), "list" | "map") {
            let message = format!("a list or map is wanted here, this is a {}", range.type_name());
            return Err(self.type_error(&over.range, &message));
        }
        let result = self.go_over(node, found, over, &range);
        self.item = None;
        result
    }

    fn go_over(&mut self, node: &'v Node, found: Macro, over: &'v Over, range: &Value<'v>) -> Evaluated<'v> {
        let (mut kept, mut count, mut error) = (Vec::new(), 0_usize, None);
        for (index, item) in items(range).enumerate() {
            if index == MAX_ITEMS {
                let message = format!("a list or map of more than {MAX_ITEMS} items is not gone over");
                return Err(self.error(node, ErrorKind::TooCostly, message));
            }
            let item = self.open(node, item)?;
            self.item = Some(item.clone());
            match found {
                Macro::All | Macro::Exists => {
                    let decisive = found == Macro::Exists;
                    match self.truth(&over.body) {
                        Ok(is) if is == decisive => return Ok(Value::Bool(is)),
                        Ok(_) => {}
                        Err(found) if found.kind == ErrorKind::TooCostly => return Err(found),
                        Err(found) => drop(error.get_or_insert(found)),
                    }
                }
                Macro::ExistsOne => count += usize::from(self.truth(&over.body)?),
                Macro::Filter => {
                    if self.truth(&over.body)? {
                        self.pay(node, |budget| budget.bytes(size_of::<Value>()))?;
                        kept.push(item);
                    }
                }
                Macro::Map => {
                    let wanted = over.condition.as_ref().map_or(Ok(true), |condition| self.truth(condition))?;
                    if wanted {
                        self.pay(node, |budget| budget.bytes(size_of::<Value>()))?;
                        kept.push(self.evaluate(&over.body)?);
                    }
                }
            }
        }
        match (found, error) {
            (_, Some(error)) => Err(error),
            (Macro::All | Macro::Exists, None) => Ok(Value::Bool(found == Macro::All)),
            (Macro::ExistsOne, None) => Ok(Value::Bool(count == 1)),
            (Macro::Filter | Macro::Map, None) => Ok(Value::List(kept.into())),
        }
    }

    fn truth(&mut self, body: &'v Node) -> Result<bool, EvalError> {
        match self.evaluate(body)? {
            Value::Bool(is) => Ok(is),
            other => Err(self.type_error(body, &format!("a bool is wanted here, this is a {}", other.type_name()))),
        }
    }
}
