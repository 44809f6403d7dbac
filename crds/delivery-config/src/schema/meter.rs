//! Data as a validator sees it: every look costs, and when nothing is left there is nothing more to see.
//!
//! A schema can ask about the same value any number of times: each of ten alternatives may look at all that is below,
//! and each of theirs again. When the meter has run out, objects and arrays have no members, so that a validator gets to
//! its end by itself; what it says is then not heard. Which subschemas are asked about one and the same value is bounded
//! by the schema alone ([`super::bounds`]).

use std::{borrow::Cow, cell::Cell, ops::ControlFlow, slice};

use jsonschema::{
    JsonType,
    json::{Array, Json, Node, NodeIdentity, Object, cmp, unique},
};
use serde_json::{Map, Number, Value, map};

/// Looks that any data may cost, however short it is.
const BASE: u64 = 200_000;
/// Looks that each byte of JSON text adds.
const PER_BYTE: u64 = 32;
/// Bytes of text that cost as much as a look, where no pattern is matched.
const TEXT: u64 = 16;
/// What a whole number costs that is beyond what doubles tell apart: those that are one double are found to be different
/// by comparing each with each.
const BEYOND_DOUBLES: u64 = 512;
/// Errors that may be made of one value.
const ERRORS: u64 = 256;
/// Explaining costs more than deciding, which ends at the first error.
const EXPLAINING: u64 = 2;

/// What is seen when nothing is left, and what errors made of it show.
static NOTHING: Value = Value::Null;

/// How much may still be looked at.
#[derive(Debug)]
pub(super) struct Meter {
    left: Cell<u64>,
    error: u64,
    pattern_byte: u64,
}

impl Meter {
    /// For deciding whether a value of so many bytes fits. Where patterns are matched, each byte costs `pattern_byte`.
    pub(super) fn to_decide(bytes: usize, pattern_byte: u64) -> Self {
        let all = BASE.saturating_add(length(bytes).saturating_mul(PER_BYTE));
        Self { left: Cell::new(all), error: all / ERRORS, pattern_byte }
    }

    /// For finding out why it does not.
    pub(super) fn to_explain(bytes: usize, pattern_byte: u64) -> Self {
        let Self { left, error, pattern_byte } = Self::to_decide(bytes, pattern_byte);
        Self { left: Cell::new(left.get().saturating_mul(EXPLAINING)), error: error * EXPLAINING, pattern_byte }
    }

    /// The value as this meter lets it be seen.
    pub(super) fn look_at<'a>(&'a self, value: &'a Value) -> Look<'a> {
        Look { value, meter: self }
    }

    /// Nothing is left: what a validator says from now on, or has said, may be wrong.
    pub(super) fn ran_out(&self) -> bool {
        self.left.get() == 0
    }

    fn pay(&self, cost: u64) -> bool {
        let left = self.left.get();
        self.left.set(left.saturating_sub(cost));
        left > cost
    }

    /// What a text costs that may be matched with a pattern.
    fn pattern(&self, text: &str) -> u64 {
        length(text.len()).saturating_mul(self.pattern_byte).saturating_add(plain(text))
    }
}

/// Whether an error was made after the meter had run out, and so may be about nothing.
pub(super) fn is_about_nothing(instance: &Value) -> bool {
    std::ptr::eq(instance, &raw const NOTHING)
}

/// Values that are looked at through a [`Meter`].
#[derive(Debug)]
pub(super) struct Metered;

impl Json for Metered {
    type Node<'a> = Look<'a>;
    type PreparedKey = String;
    type StringBuffer = (Value, Option<Meter>);

    const KEYS_PER_LOOKUP: usize = 2;
    const ACYCLIC: bool = true;

    fn prepare_key(key: &str) -> String {
        key.to_owned()
    }

    /// For names that come without a meter: they get one of their own.
    fn with_string_node<T>(buffer: &mut Self::StringBuffer, text: &str, f: impl FnOnce(Look<'_>) -> T) -> T {
        buffer.0 = Value::String(text.to_owned());
        let meter = buffer.1.insert(Meter::to_decide(text.len(), 1));
        f(meter.look_at(&buffer.0))
    }
}

/// A value and what looking at it is paid from.
#[derive(Clone, Copy, Debug)]
pub(super) struct Look<'a> {
    value: &'a Value,
    meter: &'a Meter,
}

impl<'a> Look<'a> {
    fn pay(&self, cost: u64) -> Option<&'a Value> {
        self.meter.pay(cost).then_some(self.value)
    }

    fn of(&self, value: &'a Value) -> Self {
        Self { value, meter: self.meter }
    }

    /// Pays for a value and all that is in it.
    fn pay_for_all(&self, value: &Value) -> bool {
        match value {
            Value::Array(entries) => self.meter.pay(1) && entries.iter().all(|entry| self.pay_for_all(entry)),
            Value::Object(members) => {
                self.meter.pay(1)
                    && members.iter().all(|(name, value)| self.meter.pay(plain(name)) && self.pay_for_all(value))
            }
            Value::String(content) => self.meter.pay(plain(content)),
            Value::Number(number) if is_beyond_doubles(number) => self.meter.pay(BEYOND_DOUBLES),
            Value::Null | Value::Bool(_) | Value::Number(_) => self.meter.pay(1),
        }
    }
}

/// Whether a whole number may be another one as a double.
fn is_beyond_doubles(number: &Number) -> bool {
    const LIMIT: u64 = 1 << f64::MANTISSA_DIGITS;
    number.as_u64().or_else(|| number.as_i64().map(i64::unsigned_abs)).is_some_and(|number| number > LIMIT)
}

/// What a text costs that is read or compared.
fn plain(text: &str) -> u64 {
    1 + length(text.len()) / TEXT
}

fn length(bytes: usize) -> u64 {
    u64::try_from(bytes).unwrap_or(u64::MAX)
}

impl<'a> Node<'a, Metered> for Look<'a> {
    type Object = Members<'a>;
    type Array = Entries<'a>;
    type Number = &'a Number;

    fn as_object(&self) -> Option<Members<'a>> {
        self.pay(1)?.as_object().map(|members| Members { members, look: *self })
    }

    fn as_array(&self) -> Option<Entries<'a>> {
        self.pay(1)?.as_array().map(|entries| Entries { entries, look: *self })
    }

    fn as_string(&self) -> Option<Cow<'a, str>> {
        let content = self.value.as_str()?;
        self.pay(self.meter.pattern(content)).map(|_| Cow::Borrowed(content))
    }

    fn string_length(&self) -> Option<u64> {
        let content = self.value.as_str()?;
        self.pay(plain(content)).map(|_| length(content.chars().count()))
    }

    fn as_number(&self) -> Option<&'a Number> {
        match self.pay(1)? {
            Value::Number(number) => Some(number),
            _ => None,
        }
    }

    fn as_boolean(&self) -> Option<bool> {
        self.pay(1)?.as_bool()
    }

    fn is_null(&self) -> bool {
        self.pay(1).is_none_or(Value::is_null)
    }

    fn json_type(&self) -> JsonType {
        match self.pay(1).unwrap_or(&NOTHING) {
            Value::Null => JsonType::Null,
            Value::Bool(_) => JsonType::Boolean,
            Value::Number(_) => JsonType::Number,
            Value::String(_) => JsonType::String,
            Value::Array(_) => JsonType::Array,
            Value::Object(_) => JsonType::Object,
        }
    }

    fn equals_value(&self, expected: &Value) -> bool {
        match (self.value, expected) {
            // Comparing ends with the shorter of the two, and `expected` is part of the schema.
            (Value::Array(_), Value::Array(_)) | (Value::Object(_), Value::Object(_)) => {
                self.pay_for_all(expected) && cmp::equal(self.value, expected)
            }
            (Value::String(found), Value::String(expected)) => self.meter.pay(1) && found == expected,
            _ => self.meter.pay(1) && cmp::equal(self.value, expected),
        }
    }

    /// Every error that is made asks for it.
    fn to_value(&self) -> Cow<'a, Value> {
        Cow::Borrowed(self.pay(self.meter.error).unwrap_or(&NOTHING))
    }

    fn identity(&self) -> Option<NodeIdentity> {
        Some(NodeIdentity::new(std::ptr::from_ref(self.value).addr()))
    }
}

/// The members of an object.
#[derive(Clone, Debug)]
pub(super) struct Members<'a> {
    members: &'a Map<String, Value>,
    look: Look<'a>,
}

impl<'a> Object<'a, Metered> for Members<'a> {
    type Node = Look<'a>;
    type MemberName = &'a str;
    type MembersIter = MembersIter<'a>;

    fn len(&self) -> usize {
        self.members.len()
    }

    fn get(&self, name: &String) -> Option<Look<'a>> {
        self.look.pay(1)?;
        self.members.get(name).map(|value| self.look.of(value))
    }

    fn members(&self) -> MembersIter<'a> {
        MembersIter { members: self.members.iter(), look: self.look }
    }

    fn try_for_each_name_node<B>(
        &self,
        _: &mut <Metered as Json>::StringBuffer,
        mut f: impl FnMut(Look<'_>) -> ControlFlow<B>,
    ) -> ControlFlow<B> {
        self.members().try_for_each(|(name, _)| {
            let name = Value::String(name.to_owned());
            f(self.look.meter.look_at(&name))
        })
    }
}

/// See [`Members`].
#[derive(Clone, Debug)]
pub(super) struct MembersIter<'a> {
    members: map::Iter<'a>,
    look: Look<'a>,
}

impl<'a> Iterator for MembersIter<'a> {
    type Item = (&'a str, Look<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        let (name, value) = self.members.next()?;
        self.look.pay(self.look.meter.pattern(name))?;
        Some((name, self.look.of(value)))
    }
}

/// The entries of an array.
#[derive(Clone, Debug)]
pub(super) struct Entries<'a> {
    entries: &'a [Value],
    look: Look<'a>,
}

impl<'a> Array<'a, Metered> for Entries<'a> {
    type Node = Look<'a>;
    type ElementsIter = EntriesIter<'a>;

    fn len(&self) -> usize {
        self.entries.len()
    }

    fn elements(&self) -> EntriesIter<'a> {
        EntriesIter { entries: self.entries.iter(), look: self.look }
    }

    fn is_unique(&self) -> bool {
        self.look.pay_for_all(self.look.value) && unique::is_unique(self.entries)
    }
}

/// See [`Entries`].
#[derive(Clone, Debug)]
pub(super) struct EntriesIter<'a> {
    entries: slice::Iter<'a, Value>,
    look: Look<'a>,
}

impl<'a> Iterator for EntriesIter<'a> {
    type Item = Look<'a>;

    fn next(&mut self) -> Option<Look<'a>> {
        let value = self.entries.next()?;
        self.look.pay(1)?;
        Some(self.look.of(value))
    }
}
