//! JSON text that expressions look into: indexed once, at first use, never copied.
//!
//! The text is taken to be JSON; what accepted the event has checked it. Anything else is either refused as malformed or
//! read as some JSON that resembles it; nothing here recurses or panics.

use std::{borrow::Cow, sync::OnceLock};

/// A JSON text.
#[derive(Debug)]
pub struct Data<'t> {
    text: &'t str,
    nodes: OnceLock<Option<Vec<Node>>>,
}

/// A value in the text, or an object's key.
#[derive(Clone, Copy, Debug)]
struct Node {
    start: u32,
    end: u32,
    /// The node after this one and all that is in it.
    next: u32,
    kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Null,
    True,
    False,
    Number,
    Text,
    List,
    Object,
}

/// One value of a [`Data`].
#[derive(Clone, Copy, Debug)]
pub struct Json<'v> {
    data: &'v Data<'v>,
    node: u32,
}

impl<'t> Data<'t> {
    /// Takes a text as it is. It is looked at when an expression asks for something in it.
    pub fn new(text: &'t str) -> Self {
        Self { text, nodes: OnceLock::new() }
    }

    /// The text.
    pub fn text(&self) -> &'t str {
        self.text
    }

    fn nodes(&self) -> &[Node] {
        self.nodes.get_or_init(|| index(self.text)).as_deref().unwrap_or_default()
    }

    /// The whole value; `None` when the text is not JSON.
    pub(crate) fn root<'v>(&'v self) -> Option<Json<'v>>
    where
        't: 'v,
    {
        (!self.nodes().is_empty()).then_some(Json { data: self, node: 0 })
    }
}

impl<'v> Json<'v> {
    fn node(self) -> Node {
        self.data.nodes()[self.node as usize]
    }

    pub(crate) fn kind(self) -> Kind {
        self.node().kind
    }

    /// Its text, as it came.
    pub fn raw(self) -> &'v str {
        let Node { start, end, .. } = self.node();
        &self.data.text[start as usize..end as usize]
    }

    /// Of a text: what it says.
    pub fn text(self) -> Cow<'v, str> {
        let raw = self.raw();
        unescape(raw.get(1..raw.len().saturating_sub(1)).unwrap_or_default())
    }

    /// Items of a list; keys and values, in turn, of an object.
    fn children(self) -> impl Iterator<Item = Json<'v>> {
        let Node { next: end, kind, .. } = self.node();
        let composite = matches!(kind, Kind::List | Kind::Object);
        let first = Some(self.node + 1).filter(|first| composite && *first < end);
        std::iter::successors(first.map(|node| Json { data: self.data, node }), move |child| {
            let node = child.node().next;
            (node < end).then_some(Json { data: child.data, node })
        })
    }

    /// Items of a list.
    pub fn items(self) -> impl Iterator<Item = Json<'v>> {
        self.children()
    }

    /// Keys and values of an object, as often as they are written.
    pub fn entries(self) -> impl Iterator<Item = (Json<'v>, Json<'v>)> {
        let mut children = self.children();
        std::iter::from_fn(move || Some((children.next()?, children.next()?)))
    }
}

/// What `JSON.parse` makes of what is between the quotes. Half of a surrogate pair becomes U+FFFD.
fn unescape(inner: &str) -> Cow<'_, str> {
    let Some(first) = inner.find('\\') else { return inner.into() };
    let mut text = String::with_capacity(inner.len());
    text.push_str(&inner[..first]);
    let mut rest = &inner[first..];
    while let Some(escape) = rest.strip_prefix('\\') {
        let mut after = escape.chars();
        let simple = match after.next() {
            Some('n') => '\n',
            Some('t') => '\t',
            Some('r') => '\r',
            Some('b') => '\x08',
            Some('f') => '\x0c',
            Some('u') => {
                let (character, length) = unicode(&escape[1..]);
                after = escape.get(1 + length..).unwrap_or_default().chars();
                character
            }
            Some(other) => other,
            None => break,
        };
        text.push(simple);
        rest = after.as_str();
        let plain = rest.find('\\').unwrap_or(rest.len());
        text.push_str(&rest[..plain]);
        rest = &rest[plain..];
    }
    text.into()
}

/// The character of the four hexadecimal digits, or of two such escapes that are a surrogate pair; and how many bytes.
fn unicode(digits: &str) -> (char, usize) {
    let unit = |from: usize| u32::from_str_radix(digits.get(from..from + 4)?, 16).ok();
    let Some(high) = unit(0) else { return (char::REPLACEMENT_CHARACTER, 0) };
    if let (0xd800..=0xdbff, Some("\\u"), Some(low @ 0xdc00..=0xdfff)) = (high, digits.get(4..6), unit(6)) {
        let code = 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00);
        return (char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER), 10);
    }
    (char::from_u32(high).unwrap_or(char::REPLACEMENT_CHARACTER), 4)
}

/// What may come next.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Expect {
    Value,
    /// A value, or the end of a list that has just begun.
    ValueOrEnd,
    Key,
    /// A key, or the end of an object that has just begun.
    KeyOrEnd,
    Colon,
    CommaOrEnd,
    Nothing,
}

/// All nodes in the order of the text, or `None` for what is not JSON.
fn index(text: &str) -> Option<Vec<Node>> {
    u32::try_from(text.len()).ok()?;
    let bytes = text.as_bytes();
    let mut nodes: Vec<Node> = Vec::new();
    let mut open: Vec<u32> = Vec::new();
    let mut expect = Expect::Value;
    let mut at = 0;
    let number = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
    while let Some(&byte) = bytes.get(at) {
        if matches!(byte, b' ' | b'\t' | b'\n' | b'\r') {
            at += 1;
            continue;
        }
        let value = matches!(expect, Expect::Value | Expect::ValueOrEnd);
        let mut end = at + 1;
        let mut begun = None;
        match (byte, expect) {
            (b'"', _) if value || matches!(expect, Expect::Key | Expect::KeyOrEnd) => {
                end = string_end(bytes, at)?;
                begun = Some(Kind::Text);
            }
            (b'[', _) if value => begun = Some(Kind::List),
            (b'{', _) if value => begun = Some(Kind::Object),
            (b']' | b'}', Expect::ValueOrEnd | Expect::KeyOrEnd | Expect::CommaOrEnd) => {
                let node = open.pop()? as usize;
                let next = number(nodes.len());
                let list = nodes[node].kind == Kind::List;
                if list != (byte == b']') || (expect == Expect::ValueOrEnd && !list) {
                    return None;
                }
                (nodes[node].end, nodes[node].next) = (number(end), next);
                expect = after_value(&open);
            }
            (b',', Expect::CommaOrEnd) => {
                let list = nodes[*open.last()? as usize].kind == Kind::List;
                expect = if list { Expect::Value } else { Expect::Key };
            }
            (b':', Expect::Colon) => expect = Expect::Value,
            (_, _) if value => {
                let length =
                    bytes[at..].iter().position(|b| !b.is_ascii_alphanumeric() && !matches!(b, b'+' | b'-' | b'.'));
                end = length.map_or(bytes.len(), |length| at + length);
                begun = Some(match &bytes[at..end] {
                    b"null" => Kind::Null,
                    b"true" => Kind::True,
                    b"false" => Kind::False,
                    [b'-' | b'0'..=b'9', ..] => Kind::Number,
                    _ => return None,
                });
            }
            _ => return None,
        }
        if let Some(kind) = begun {
            let node = number(nodes.len());
            nodes.push(Node { start: number(at), end: number(end), next: node + 1, kind });
            expect = match kind {
                Kind::List => Expect::ValueOrEnd,
                Kind::Object => Expect::KeyOrEnd,
                _ if !value => Expect::Colon,
                _ => after_value(&open),
            };
            if matches!(kind, Kind::List | Kind::Object) {
                open.push(node);
            }
        }
        at = end;
    }
    (expect == Expect::Nothing).then_some(nodes)
}

fn after_value(open: &[u32]) -> Expect {
    if open.is_empty() { Expect::Nothing } else { Expect::CommaOrEnd }
}

/// The byte after the quote that closes the text that begins at `start`.
fn string_end(bytes: &[u8], start: usize) -> Option<usize> {
    let mut at = start + 1;
    loop {
        match bytes.get(at)? {
            b'"' => return Some(at + 1),
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// As serde_json sees it.
    fn same(json: Json, expected: &serde_json::Value) -> bool {
        match (json.kind(), expected) {
            (Kind::Null, serde_json::Value::Null) => true,
            (Kind::True, serde_json::Value::Bool(is)) => *is,
            (Kind::False, serde_json::Value::Bool(is)) => !is,
            (Kind::Number, serde_json::Value::Number(number)) => json.raw() == number.to_string(),
            (Kind::Text, serde_json::Value::String(text)) => json.text() == *text,
            (Kind::List, serde_json::Value::Array(items)) => {
                json.items().count() == items.len() && json.items().zip(items).all(|(json, item)| same(json, item))
            }
            (Kind::Object, serde_json::Value::Object(entries)) => {
                json.entries().count() == entries.len()
                    && json
                        .entries()
                        .all(|(key, value)| entries.get(&*key.text()).is_some_and(|item| same(value, item)))
            }
            _ => false,
        }
    }

    fn values() -> impl Strategy<Value = serde_json::Value> {
        let leaf = prop_oneof![
            Just(serde_json::Value::Null),
            any::<bool>().prop_map(serde_json::Value::from),
            any::<i64>().prop_map(serde_json::Value::from),
            "\\PC{0,8}".prop_map(serde_json::Value::from),
            any::<String>().prop_map(serde_json::Value::from),
        ];
        leaf.prop_recursive(4, 32, 4, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..4).prop_map(serde_json::Value::from),
                proptest::collection::btree_map(".{0,3}", inner, 0..4)
                    .prop_map(|map| serde_json::Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn any_json_is_seen_as_an_independent_library_sees_it(value in values(), pretty in any::<bool>()) {
            let text = if pretty { serde_json::to_string_pretty(&value) } else { serde_json::to_string(&value) }.unwrap();
            let data = Data::new(&text);
            prop_assert!(same(data.root().unwrap(), &value), "{text}");
        }

        #[test]
        fn any_text_is_indexed_or_refused(text in "[\\[\\]{}:,\"\\\\0-9a-z ]{0,40}") {
            let data = Data::new(&text);
            let valid = serde_json::from_str::<serde_json::Value>(&text).is_ok();
            prop_assert!(data.root().is_some() || !valid, "{text}");
        }
    }

    #[test]
    fn escapes_are_what_json_means_by_them() {
        let text = r#""\u00fc\ud83d\ude00 \ud800 \n\"\\\/\u0041""#;
        assert_eq!(Data::new(text).root().unwrap().text(), "ü😀 \u{fffd} \n\"\\/A");
    }

    #[test]
    fn depth_does_not_matter() {
        let deep = format!("{}{}", "[".repeat(300_000), "]".repeat(300_000));
        let data = Data::new(&deep);
        assert_eq!(data.root().unwrap().items().count(), 1);
    }

    #[test]
    fn what_is_not_json_has_no_value() {
        for text in
            ["", "[", "[1,]", "{\"a\"}", "{\"a\":1,}", "[1}", "{]", "1 2", "\"a", "nul", "{1:2}", "[,1]", "\"a\\"]
        {
            assert!(Data::new(text).root().is_none(), "{text}");
        }
    }
}
