//! Functions.

use jiff::{SignedDuration, Timestamp};

use super::{Evaluated, Evaluator, compare::items};
use crate::{
    ErrorKind, EvalError, MAX_ITEMS, Value,
    ast::Node,
    function::Function,
    value::{Number, Text},
    write::write_text,
};

/// Doubles from here on are no `int`: 2^63.
const INT_END: f64 = 9_223_372_036_854_775_808.0;

impl<'v> Evaluator<'v, '_> {
    pub(super) fn call(&mut self, node: &'v Node, function: Function, arguments: &'v [Node]) -> Evaluated<'v> {
        let mut values = [Value::Null, Value::Null, Value::Null];
        for (value, argument) in values.iter_mut().zip(arguments) {
            *value = self.evaluate(argument)?;
        }
        let [first, second, third] = values;
        match function {
            Function::Size => self.size(node, &first),
            Function::Contains | Function::StartsWith | Function::EndsWith => {
                let (text, part) = (self.text(node, function, &first)?, self.text(node, function, &second)?);
                self.pay(node, |budget| budget.text(text.len() + part.len()))?;
                Ok(Value::Bool(match function {
                    Function::Contains => text.contains(&*part),
                    Function::StartsWith => text.starts_with(&*part),
                    _ => text.ends_with(&*part),
                }))
            }
            Function::LowerAscii => self.transform(node, function, &first, str::to_ascii_lowercase),
            Function::UpperAscii => self.transform(node, function, &first, str::to_ascii_uppercase),
            Function::Trim => self.transform(node, function, &first, |text| text.trim().to_owned()),
            Function::Replace => self.replace(node, &first, &second, &third),
            Function::Split => self.split(node, &first, &second),
            Function::Join => {
                let separator = if arguments.len() == 1 { Value::from("") } else { second };
                self.join(node, &first, &separator)
            }
            Function::Substring => {
                let end = if arguments.len() == 3 { Some(third) } else { None };
                self.substring(node, &first, &second, end.as_ref())
            }
            Function::Int => self.int(node, &first),
            Function::Uint => self.uint(node, &first),
            Function::Double => match (&first, first.number()) {
                (_, Some(number)) => Ok(Value::Double(number.double())),
                (Value::Text(text), None) => {
                    text.parse().map(Value::Double).map_err(|_| self.value_error(node, "the text is no number"))
                }
                _ => Err(self.unsupported(node, function, &first)),
            },
            Function::String => self.string(node, &first),
            Function::Bool => match &first {
                Value::Bool(is) => Ok(Value::Bool(*is)),
                Value::Text(text) => match &**text {
                    "true" => Ok(Value::Bool(true)),
                    "false" => Ok(Value::Bool(false)),
                    _ => Err(self.value_error(node, "the text is neither true nor false")),
                },
                other => Err(self.unsupported(node, function, other)),
            },
            Function::Timestamp => self.timestamp(node, &first).map(Value::Timestamp),
            Function::Duration => match &first {
                Value::Duration(duration) => Ok(Value::Duration(*duration)),
                Value::Text(text) if text.len() <= 64 => text
                    .parse()
                    .map(Value::Duration)
                    .map_err(|_| self.value_error(node, "the text is no duration such as 90s or 1h30m")),
                Value::Text(_) => Err(self.value_error(node, "the text is no duration such as 90s or 1h30m")),
                other => Err(self.unsupported(node, function, other)),
            },
            Function::FormatTime => self.format_time(node, &first, &second),
        }
    }

    fn size(&mut self, node: &Node, value: &Value<'v>) -> Evaluated<'v> {
        let size = match value {
            Value::Text(text) => {
                self.pay(node, |budget| budget.text(text.len()))?;
                text.chars().count()
            }
            value if matches!(value.type_name(), "list" | "map") => {
                let size = items(value).count();
                self.pay(node, |budget| budget.steps(size / 4))?;
                size
            }
            other => return Err(self.unsupported(node, Function::Size, other)),
        };
        Ok(Value::Int(i64::try_from(size).unwrap_or(i64::MAX)))
    }

    fn transform(
        &mut self,
        node: &Node,
        function: Function,
        value: &Value<'v>,
        made: fn(&str) -> String,
    ) -> Evaluated<'v> {
        let text = self.text(node, function, value)?;
        self.pay(node, |budget| budget.bytes(text.len()))?;
        Ok(made(&text).into())
    }

    fn replace(&mut self, node: &Node, text: &Value<'v>, from: &Value<'v>, to: &Value<'v>) -> Evaluated<'v> {
        let function = Function::Replace;
        let (text, from, to) =
            (self.text(node, function, text)?, self.text(node, function, from)?, self.text(node, function, to)?);
        self.pay(node, |budget| budget.text(text.len()))?;
        let found = text.matches(&*from).count();
        self.pay(node, |budget| budget.bytes(text.len().saturating_add(found.saturating_mul(to.len()))))?;
        Ok(text.replace(&*from, &to).into())
    }

    fn split(&mut self, node: &Node, text: &Value<'v>, separator: &Value<'v>) -> Evaluated<'v> {
        let function = Function::Split;
        let (text, separator) = (self.text(node, function, text)?, self.text(node, function, separator)?);
        self.pay(node, |budget| budget.bytes(text.len()))?;
        let parts: Vec<Value> = match &*separator {
            "" => text.chars().take(MAX_ITEMS + 1).map(|character| Value::from(character.to_string())).collect(),
            separator => text.split(separator).take(MAX_ITEMS + 1).map(|part| Value::from(part.to_owned())).collect(),
        };
        self.pay(node, |budget| budget.bytes(parts.len() * size_of::<Value>()))?;
        if parts.len() > MAX_ITEMS {
            let message = format!("a list has at most {MAX_ITEMS} items");
            return Err(self.error(node, ErrorKind::TooCostly, message));
        }
        Ok(Value::List(parts.into()))
    }

    fn join(&mut self, node: &Node, list: &Value<'v>, separator: &Value<'v>) -> Evaluated<'v> {
        let separator = self.text(node, Function::Join, separator)?;
        if list.type_name() != "list" {
            return Err(self.unsupported(node, Function::Join, list));
        }
        let mut joined = String::new();
        for (index, item) in items(list).enumerate() {
            let item = self.open(node, item)?;
            let item = self.text(node, Function::Join, &item)?;
            self.pay(node, |budget| {
                budget.steps(1)?;
                budget.bytes(item.len() + separator.len())
            })?;
            if index > 0 {
                joined.push_str(&separator);
            }
            joined.push_str(&item);
        }
        Ok(joined.into())
    }

    /// Positions are in characters.
    fn substring(
        &mut self,
        node: &Node,
        text: &Value<'v>,
        start: &Value<'v>,
        end: Option<&Value<'v>>,
    ) -> Evaluated<'v> {
        let text = self.text(node, Function::Substring, text)?;
        self.pay(node, |budget| budget.bytes(text.len()))?;
        let length = text.chars().count();
        let position = |value: &Value| match value.number() {
            Some(Number::Int(int)) => usize::try_from(int).ok(),
            _ => None,
        };
        let (start, end) = (position(start), end.map_or(Some(length), position));
        match (start, end) {
            (Some(start), Some(end)) if start <= end && end <= length => {
                Ok(text.chars().skip(start).take(end - start).collect::<String>().into())
            }
            _ => {
                Err(self
                    .value_error(node, "substring takes two positions within the text, the first not after the second"))
            }
        }
    }

    #[expect(clippy::cast_possible_truncation, reason = "checked to be in range")]
    fn int(&mut self, node: &Node, value: &Value<'v>) -> Evaluated<'v> {
        let int = match (value, value.number()) {
            (_, Some(Number::Int(int))) => Some(int),
            (_, Some(Number::Uint(uint))) => i64::try_from(uint).ok(),
            (_, Some(Number::Double(double))) => (double > -INT_END && double < INT_END).then_some(double as i64),
            (Value::Text(text), None) => {
                return text.parse().map(Value::Int).map_err(|_| self.value_error(node, "the text is no int"));
            }
            (Value::Timestamp(time), None) => Some(time.as_second()),
            _ => return Err(self.unsupported(node, Function::Int, value)),
        };
        int.map(Value::Int).ok_or_else(|| self.overflow(node))
    }

    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked to be in range")]
    fn uint(&mut self, node: &Node, value: &Value<'v>) -> Evaluated<'v> {
        let uint = match (value, value.number()) {
            (_, Some(Number::Int(int))) => u64::try_from(int).ok(),
            (_, Some(Number::Uint(uint))) => Some(uint),
            (_, Some(Number::Double(double))) => (double > -1.0 && double < INT_END * 2.0).then_some(double as u64),
            (Value::Text(text), None) => {
                return text.parse().map(Value::Uint).map_err(|_| self.value_error(node, "the text is no uint"));
            }
            _ => return Err(self.unsupported(node, Function::Uint, value)),
        };
        uint.map(Value::Uint).ok_or_else(|| self.overflow(node))
    }

    /// A number from JSON keeps its spelling.
    fn string(&mut self, node: &Node, value: &Value<'v>) -> Evaluated<'v> {
        if let Value::Text(_) = value {
            return Ok(value.clone());
        }
        let mut text = String::new();
        let written = match value {
            Value::Null => Err(()),
            value => write_text(value, &mut text, usize::MAX).map_err(drop),
        };
        written.map_err(|()| self.unsupported(node, Function::String, value))?;
        self.pay(node, |budget| budget.bytes(text.len()))?;
        Ok(text.into())
    }

    fn timestamp(&mut self, node: &Node, value: &Value<'v>) -> Result<Timestamp, EvalError> {
        let wrong = "the text is no time of RFC 3339 such as 2026-01-02T03:04:05Z";
        match (value, value.number()) {
            (Value::Timestamp(time), _) => Ok(*time),
            (Value::Text(text), _) if text.len() <= 64 => text.parse().map_err(|_| self.value_error(node, wrong)),
            (Value::Text(_), _) => Err(self.value_error(node, wrong)),
            (_, Some(Number::Int(seconds))) => Timestamp::from_second(seconds).map_err(|_| self.overflow(node)),
            _ => Err(self.unsupported(node, Function::Timestamp, value)),
        }
    }

    /// A time, or a text that is one, as `seconds` or `millis` of RFC 3339 in UTC, or as `unix` seconds.
    fn format_time(&mut self, node: &Node, time: &Value<'v>, format: &Value<'v>) -> Evaluated<'v> {
        let time = self.timestamp(node, time)?;
        let down = |unit: SignedDuration| {
            // Towards the past, so that a time never seems to be later than it is.
            let over = time.as_nanosecond().rem_euclid(unit.as_nanos());
            let over = SignedDuration::from_nanos(i64::try_from(over).unwrap_or_default());
            time.checked_sub(over).unwrap_or(time)
        };
        match &*self.text(node, Function::FormatTime, format)? {
            "seconds" => Ok(format!("{:.0}", down(SignedDuration::from_secs(1))).into()),
            "millis" => Ok(format!("{:.3}", down(SignedDuration::from_millis(1))).into()),
            "unix" => Ok(Value::Int(down(SignedDuration::from_secs(1)).as_second())),
            _ => Err(self.value_error(node, "formatTime takes \"seconds\", \"millis\" or \"unix\"")),
        }
    }

    fn text(&self, node: &Node, function: Function, value: &Value<'v>) -> Result<Text<'v>, EvalError> {
        match value {
            Value::Text(text) => Ok(text.clone()),
            other => Err(self.unsupported(node, function, other)),
        }
    }

    fn unsupported(&self, node: &Node, function: Function, value: &Value<'v>) -> EvalError {
        self.type_error(node, &format!("{} does not go with a {}", function.name(), value.type_name()))
    }

    fn value_error(&self, node: &Node, message: &str) -> EvalError {
        self.error(node, ErrorKind::Value, message.to_owned())
    }
}
