//! What expressions work with.

use std::{cmp::Ordering, ops::Deref, sync::Arc};

use jiff::{SignedDuration, Timestamp};

use crate::data::{Data, Json, Kind};

/// A value. Cheap to clone: it borrows from the expression and the scope, or shares.
#[derive(Clone, Debug)]
pub enum Value<'v> {
    /// `null`.
    Null,
    /// `bool`.
    Bool(bool),
    /// `int`.
    Int(i64),
    /// `uint`.
    Uint(u64),
    /// `double`.
    Double(f64),
    /// `string`.
    Text(Text<'v>),
    /// `list`.
    List(Arc<[Value<'v>]>),
    /// `map`, in the order in which it was written. Keys are texts, integers and truth values.
    Map(Arc<[(Value<'v>, Value<'v>)]>),
    /// Fields that the scope has.
    Record(&'v [(&'v str, Value<'v>)]),
    /// A JSON text that has not been looked into.
    Data(&'v Data<'v>),
    /// A part of a JSON text: a number, list or object, and what a path ends at.
    Json(Json<'v>),
    /// `timestamp`.
    Timestamp(Timestamp),
    /// `duration`.
    Duration(SignedDuration),
}

/// A text: borrowed, or made by an expression.
#[derive(Clone, Debug)]
pub enum Text<'v> {
    /// From the expression or the scope.
    Borrowed(&'v str),
    /// Made.
    Shared(Arc<str>),
}

impl Deref for Text<'_> {
    type Target = str;

    fn deref(&self) -> &str {
        match self {
            Self::Borrowed(text) => text,
            Self::Shared(text) => text,
        }
    }
}

impl<'v> From<&'v str> for Value<'v> {
    fn from(text: &'v str) -> Self {
        Self::Text(Text::Borrowed(text))
    }
}

impl From<String> for Value<'_> {
    fn from(text: String) -> Self {
        Self::Text(Text::Shared(text.into()))
    }
}

/// A number of any type.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Number {
    Int(i64),
    Uint(u64),
    Double(f64),
}

impl Value<'_> {
    /// Its type, as CEL calls it.
    pub fn type_name(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "bool",
            Self::Int(_) => "int",
            Self::Uint(_) => "uint",
            Self::Double(_) => "double",
            Self::Text(_) => "string",
            Self::List(_) => "list",
            Self::Map(_) | Self::Record(_) => "map",
            Self::Timestamp(_) => "timestamp",
            Self::Duration(_) => "duration",
            Self::Data(data) => data.root().map_or("nothing", |json| Self::Json(json).type_name()),
            Self::Json(json) => match json.kind() {
                Kind::Null => "null",
                Kind::True | Kind::False => "bool",
                Kind::Number => match number(json.raw()) {
                    Number::Int(_) => "int",
                    Number::Uint(_) => "uint",
                    Number::Double(_) => "double",
                },
                Kind::Text => "string",
                Kind::List => "list",
                Kind::Object => "map",
            },
        }
    }

    /// The same, with JSON's scalars but for numbers, whose spelling is kept, as values of their own. `None` when a JSON
    /// text is not JSON.
    pub(crate) fn opened(self) -> Option<Self> {
        let json = match self {
            Self::Data(data) => data.root()?,
            Self::Json(json) => json,
            other => return Some(other),
        };
        Some(match json.kind() {
            Kind::Null => Self::Null,
            Kind::True => Self::Bool(true),
            Kind::False => Self::Bool(false),
            Kind::Text => match json.text() {
                std::borrow::Cow::Borrowed(text) => Self::Text(Text::Borrowed(text)),
                std::borrow::Cow::Owned(text) => text.into(),
            },
            Kind::Number | Kind::List | Kind::Object => Self::Json(json),
        })
    }

    pub(crate) fn number(&self) -> Option<Number> {
        match self {
            Self::Int(int) => Some(Number::Int(*int)),
            Self::Uint(uint) => Some(Number::Uint(*uint)),
            Self::Double(double) => Some(Number::Double(*double)),
            Self::Json(json) if json.kind() == Kind::Number => Some(number(json.raw())),
            _ => None,
        }
    }
}

/// A number of JSON: an `int` if it is one, else a `double`.
fn number(raw: &str) -> Number {
    match raw.parse::<i64>() {
        Ok(int) => Number::Int(int),
        Err(_) => Number::Double(raw.parse().unwrap_or(f64::NAN)),
    }
}

impl Number {
    /// By value, whatever the types; `None` for what is no number.
    pub fn compare(self, other: Self) -> Option<Ordering> {
        match (self, other) {
            (Self::Double(a), Self::Double(b)) => a.partial_cmp(&b),
            (Self::Double(a), b) => with_double(b.integer(), a).map(Ordering::reverse),
            (a, Self::Double(b)) => with_double(a.integer(), b),
            (a, b) => Some(a.integer().cmp(&b.integer())),
        }
    }

    /// The integer, or the part of a double before the point, within the bounds of the type.
    #[expect(clippy::cast_possible_truncation, reason = "saturates, which is what is wanted")]
    fn integer(self) -> i128 {
        match self {
            Self::Int(int) => int.into(),
            Self::Uint(uint) => uint.into(),
            Self::Double(double) => double as i128,
        }
    }

    /// The nearest double.
    #[expect(clippy::cast_precision_loss, reason = "that is what a conversion to double means")]
    pub fn double(self) -> f64 {
        match self {
            Self::Int(int) => int as f64,
            Self::Uint(uint) => uint as f64,
            Self::Double(double) => double,
        }
    }
}

/// Exactly, which converting the integer would not be.
#[expect(clippy::cast_possible_truncation, reason = "saturates beyond every integer; the whole part is exact")]
fn with_double(integer: i128, double: f64) -> Option<Ordering> {
    if double.is_nan() {
        return None;
    }
    let whole = double.trunc() as i128;
    let fraction = double.fract();
    let by_fraction = 0.0.partial_cmp(&fraction)?;
    Some(integer.cmp(&whole).then(by_fraction))
}
