//! What an expression can name.

use crate::Value;

/// A name at the root, and what is known of it when an expression is compiled.
#[derive(Clone, Copy, Debug)]
pub struct Root {
    /// The name.
    pub name: &'static str,
    /// Names of its fields; empty when anything may be in it.
    pub fields: &'static [&'static str],
}

/// Fields of `event`.
pub const EVENT_FIELDS: &[&str] = &["id", "type", "source", "subject", "time", "tenant", "data", "metadata"];
/// `event`, as filters and templates name it.
pub const EVENT: Root = Root { name: "event", fields: EVENT_FIELDS };

/// The values behind the names. A field that is not there is left out of its record.
#[derive(Clone, Copy, Debug)]
pub struct Scope<'v> {
    /// In the order in which they are looked for.
    pub roots: &'v [(&'static str, Value<'v>)],
}

impl<'v> Scope<'v> {
    pub(crate) fn get(self, name: &str) -> Option<&'v Value<'v>> {
        self.roots.iter().find(|(known, _)| *known == name).map(|(_, value)| value)
    }
}
