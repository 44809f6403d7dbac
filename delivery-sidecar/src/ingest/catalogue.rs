//! The catalogue of event types: which there are, which of their names someone may have meant, and what the data of
//! their events looks like.

use std::{collections::BTreeSet, sync::Arc};

use posthaste_delivery_config::schema::{EventSchema, EventSchemas};

/// Most names in a hint.
const HINTS: usize = 5;
/// Typing mistakes within which a name is near.
const NEAR: usize = 3;

/// The event types that a Webhook accepts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Catalogue {
    names: BTreeSet<String>,
    schemas: Arc<EventSchemas>,
}

impl Catalogue {
    /// A catalogue of these names, with any data.
    pub fn new(names: impl IntoIterator<Item = String>) -> Self {
        Self::with_schemas(names, Arc::default())
    }

    /// A catalogue of these names, of which some have schemas.
    pub fn with_schemas(names: impl IntoIterator<Item = String>, schemas: Arc<EventSchemas>) -> Self {
        Self { names: names.into_iter().collect(), schemas }
    }

    /// True when an event of this type is accepted.
    pub fn contains(&self, name: &str) -> bool {
        self.names.contains(name)
    }

    /// What the data of an event of this type looks like, if that is said.
    pub fn schema(&self, name: &str) -> Option<&EventSchema> {
        self.schemas.get(name)
    }

    /// A sentence about the names that may have been meant: the near ones, or else the first ones.
    ///
    /// Its cost grows with the catalogue (at most 512 names) and the length of the names.
    pub fn hint(&self, name: &str) -> String {
        let mut near: Vec<_> = self
            .names
            .iter()
            .filter_map(|known| Some((distance_within(known.as_bytes(), name.as_bytes(), NEAR)?, known.as_str())))
            .collect();
        near.sort_unstable();
        if near.is_empty() {
            return match self.names.len() {
                0 => "the catalogue is empty".into(),
                n if n <= HINTS => format!("the catalogue has {}", quoted(self.names.iter().map(String::as_str))),
                n => {
                    let first = quoted(self.names.iter().take(HINTS).map(String::as_str));
                    format!("the catalogue has {first} and {} more", n - HINTS)
                }
            };
        }
        format!("near to it: {}", quoted(near.into_iter().take(HINTS).map(|(_, known)| known)))
    }
}

fn quoted<'a>(names: impl Iterator<Item = &'a str>) -> String {
    names.map(|name| format!("\"{name}\"")).collect::<Vec<_>>().join(", ")
}

/// The number of bytes to insert, delete or replace to make `b` of `a`, when it is at most `max`. Letters that differ
/// in case only count as equal.
fn distance_within(a: &[u8], b: &[u8], max: usize) -> Option<usize> {
    if a.len().abs_diff(b.len()) > max {
        return None;
    }
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.iter().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, to) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(!from.eq_ignore_ascii_case(to));
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
        if row.iter().min().is_none_or(|best| *best > max) {
            return None;
        }
    }
    row.last().copied().filter(|distance| *distance <= max)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn catalogue(names: &[&str]) -> Catalogue {
        Catalogue::new(names.iter().map(ToString::to_string))
    }

    #[test]
    fn typing_mistakes_find_the_name_that_was_meant_nearest_first() {
        let catalogue = catalogue(&["order.created", "order.creates", "order.deleted", "invoice.paid"]);
        assert_eq!(catalogue.hint("Order.Created"), r#"near to it: "order.created", "order.creates""#);
        assert_eq!(catalogue.hint("invoce.payd"), r#"near to it: "invoice.paid""#);
    }

    #[test]
    fn without_a_near_name_the_first_ones_are_shown() {
        assert_eq!(catalogue(&["a", "b"]).hint("zzzzzzzz"), r#"the catalogue has "a", "b""#);
        assert_eq!(
            catalogue(&["aaaa", "bbbb", "cccc", "dddd", "eeee", "ffff", "gggg"]).hint("zzzzzzzzz"),
            r#"the catalogue has "aaaa", "bbbb", "cccc", "dddd", "eeee" and 2 more"#
        );
        assert_eq!(catalogue(&[]).hint("z"), "the catalogue is empty");
    }

    #[test]
    fn the_distance_is_that_of_levenshtein() {
        for (a, b, expected) in
            [("", "", 0), ("abc", "abc", 0), ("kitten", "sitting", 3), ("ab", "ba", 2), ("", "xyz", 3)]
        {
            assert_eq!(distance_within(a.as_bytes(), b.as_bytes(), 3), Some(expected), "{a} {b}");
        }
        assert_eq!(distance_within(b"abcdefgh", b"stuvwxyz", 3), None);
    }
}
