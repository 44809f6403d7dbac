//! How large a schema is, and how much of it can be asked about one and the same value: found by looking at the schema
//! alone, before anything is compiled.
//!
//! Subschemas are of two kinds. Some are asked about the same value (`allOf`, `anyOf`, `not`, `$ref` and such), others
//! about what is inside of it (`properties`, `items` and such). References make a graph of them. Where a path of the
//! first kind leads back to where it began, checking would never end; where such paths branch and meet again, a schema
//! of a few lines asks a million times. Paths of the second kind end with the data, whose size bounds the rest.

use std::collections::{BTreeMap, HashMap, hash_map::Entry};

use serde_json::{Map, Value};

use super::{SchemaError, refused};

/// Most bytes of a schema's JSON text.
pub const MAX_SCHEMA_BYTES: usize = 64 * 1024;
/// Deepest nesting of a schema's JSON.
pub const MAX_DEPTH: usize = 40;
/// Most schemas in a schema; also, most of them that one value may be checked by.
pub const MAX_SUBSCHEMAS: usize = 2048;
/// Most bytes of a pattern.
pub const MAX_PATTERN_BYTES: usize = 1024;
/// Most patterns in a schema: each is an automaton in memory.
const MAX_PATTERNS: usize = 128;
/// Most schemas between the whole and a single value in the data, along any way: each takes some stack.
const MAX_PATH: usize = 1024;
/// Deepest nesting of data that is checked.
pub(super) const MAX_DATA_DEPTH: usize = 64;

const DRAFT: &str = "https://json-schema.org/draft/2020-12/schema";

/// What a subschema is asked about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum About {
    /// The same value.
    Same,
    /// Something in the value.
    Inside,
    /// Nothing: it is there to be referred to.
    Nothing,
}

/// How the subschemas of a keyword are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    One,
    List,
    Map,
}

/// The keywords that hold schemas. What is not among them is not looked into and cannot be referred to.
const APPLICATORS: [(&str, Form, About); 22] = [
    ("allOf", Form::List, About::Same),
    ("anyOf", Form::List, About::Same),
    ("oneOf", Form::List, About::Same),
    ("not", Form::One, About::Same),
    ("if", Form::One, About::Same),
    ("then", Form::One, About::Same),
    ("else", Form::One, About::Same),
    ("dependentSchemas", Form::Map, About::Same),
    ("properties", Form::Map, About::Inside),
    ("patternProperties", Form::Map, About::Inside),
    ("additionalProperties", Form::One, About::Inside),
    ("propertyNames", Form::One, About::Inside),
    ("prefixItems", Form::List, About::Inside),
    ("items", Form::One, About::Inside),
    ("contains", Form::One, About::Inside),
    ("unevaluatedProperties", Form::One, About::Inside),
    ("unevaluatedItems", Form::One, About::Inside),
    ("$defs", Form::Map, About::Nothing),
    ("definitions", Form::Map, About::Nothing),
    ("contentSchema", Form::One, About::Nothing),
    // Of earlier drafts. Validators know them still.
    ("dependencies", Form::Map, About::Same),
    ("additionalItems", Form::One, About::Inside),
];

/// Refuses a schema that is over a bound, refers to what is outside of it, or may never end. Returns its patterns.
pub(super) fn inspect(schema: &Value) -> Result<Vec<String>, SchemaError> {
    // First of all, because everything else follows the nesting.
    if is_deeper_than(schema, MAX_DEPTH) {
        return Err(refused("", format!("is nested more than {MAX_DEPTH} levels deep")));
    }
    let bytes = crate::render::json(schema).len();
    if bytes > MAX_SCHEMA_BYTES {
        return Err(refused("", format!("has {bytes} bytes as JSON; at most {MAX_SCHEMA_BYTES} are possible")));
    }
    let mut survey = Survey::default();
    survey.schema(schema, String::new())?;
    let patterns = std::mem::take(&mut survey.patterns);
    Graph::new(survey)?.judge()?;
    Ok(patterns)
}

pub(super) fn is_deeper_than(value: &Value, levels: usize) -> bool {
    let inner = |value: &Value| levels == 0 || is_deeper_than(value, levels - 1);
    match value {
        Value::Array(entries) => entries.iter().any(inner),
        Value::Object(members) => members.values().any(inner),
        _ => false,
    }
}

/// All schemas of a schema, and what each refers to.
#[derive(Default)]
struct Survey {
    places: Vec<String>,
    by_place: HashMap<String, usize>,
    edges: Vec<Vec<(About, usize)>>,
    references: Vec<(usize, &'static str, String)>,
    anchors: BTreeMap<String, usize>,
    patterns: Vec<String>,
}

impl Survey {
    /// Takes a schema in, and all that are in it. Returns its number.
    fn schema(&mut self, schema: &Value, place: String) -> Result<usize, SchemaError> {
        let number = self.places.len();
        if number == MAX_SUBSCHEMAS {
            return Err(refused(&place, format!("there are more than {MAX_SUBSCHEMAS} schemas in this one")));
        }
        self.by_place.insert(place.clone(), number);
        self.places.push(place);
        self.edges.push(Vec::new());
        match schema {
            Value::Object(keywords) => self.keywords(number, keywords)?,
            Value::Bool(_) => {}
            _ => return Err(refused(&self.places[number], "must be a schema: an object, true or false")),
        }
        Ok(number)
    }

    fn keywords(&mut self, number: usize, keywords: &Map<String, Value>) -> Result<(), SchemaError> {
        let place = self.places[number].clone();
        for (name, form, about) in APPLICATORS {
            let Some(value) = keywords.get(name) else { continue };
            let place = format!("{place}/{name}");
            match (form, value) {
                (Form::One, value) => self.edge(number, about, value, place)?,
                (Form::List, Value::Array(schemas)) => {
                    for (index, schema) in schemas.iter().enumerate() {
                        self.edge(number, about, schema, format!("{place}/{index}"))?;
                    }
                }
                (Form::Map, Value::Object(schemas)) => {
                    for (key, schema) in schemas {
                        // `dependencies` may list names instead.
                        if !schema.is_array() || name != "dependencies" {
                            self.edge(number, about, schema, format!("{place}/{}", escaped(key)))?;
                        }
                    }
                }
                (Form::List, _) => return Err(refused(&place, "must be an array of schemas")),
                (Form::Map, _) => return Err(refused(&place, "must be an object whose members are schemas")),
            }
        }
        self.identifiers(number, &place, keywords)?;
        self.reference(number, &place, keywords)?;
        self.patterns(&place, keywords)
    }

    fn edge(&mut self, from: usize, about: About, schema: &Value, place: String) -> Result<(), SchemaError> {
        let to = self.schema(schema, place)?;
        if about != About::Nothing {
            self.edges[from].push((about, to));
        }
        Ok(())
    }

    fn identifiers(&mut self, number: usize, place: &str, keywords: &Map<String, Value>) -> Result<(), SchemaError> {
        if let Some(draft) = keywords.get("$schema")
            && draft.as_str().map(|uri| uri.trim_end_matches('#')) != Some(DRAFT)
        {
            return Err(refused(&format!("{place}/$schema"), format!("must be {DRAFT:?}, or be left out")));
        }
        if keywords.contains_key("$id") && number != 0 {
            let message = "schemas with an $id of their own are possible only as the whole; use $anchor or $defs";
            return Err(refused(&format!("{place}/$id"), message));
        }
        for keyword in ["$recursiveRef", "$recursiveAnchor", "$vocabulary"] {
            if keywords.contains_key(keyword) {
                return Err(refused(&format!("{place}/{keyword}"), "is not possible here; remove it"));
            }
        }
        for keyword in ["$anchor", "$dynamicAnchor"] {
            let Some(anchor) = keywords.get(keyword) else { continue };
            let place = format!("{place}/{keyword}");
            let anchor = anchor.as_str().ok_or_else(|| refused(&place, "must be a string"))?;
            if self.anchors.insert(anchor.to_owned(), number).is_some() {
                return Err(refused(&place, format!("there are two anchors {anchor:?}")));
            }
        }
        Ok(())
    }

    fn reference(&mut self, number: usize, place: &str, keywords: &Map<String, Value>) -> Result<(), SchemaError> {
        for keyword in ["$ref", "$dynamicRef"] {
            let Some(reference) = keywords.get(keyword) else { continue };
            let place = format!("{place}/{keyword}");
            let reference = reference.as_str().ok_or_else(|| refused(&place, "must be a string"))?;
            let Some(fragment) = reference.strip_prefix('#') else {
                let message = format!(
                    "refers to {reference:?}, outside of this schema; nothing is fetched, so copy it into $defs and refer to it as \"#/$defs/...\""
                );
                return Err(refused(&place, message));
            };
            self.references.push((number, keyword, fragment.to_owned()));
        }
        Ok(())
    }

    fn patterns(&mut self, place: &str, keywords: &Map<String, Value>) -> Result<(), SchemaError> {
        let own = keywords.get("pattern").and_then(Value::as_str).map(|pattern| (pattern, "pattern".to_owned()));
        let of_names = keywords.get("patternProperties").and_then(Value::as_object).into_iter().flat_map(Map::keys);
        let of_names = of_names.map(|pattern| (pattern.as_str(), format!("patternProperties/{}", escaped(pattern))));
        for (pattern, at) in own.into_iter().chain(of_names) {
            if pattern.len() > MAX_PATTERN_BYTES {
                let message =
                    format!("the pattern has {} bytes; at most {MAX_PATTERN_BYTES} are possible", pattern.len());
                return Err(refused(&format!("{place}/{at}"), message));
            }
            if self.patterns.len() == MAX_PATTERNS {
                let message = format!("there are more than {MAX_PATTERNS} patterns in this schema");
                return Err(refused(&format!("{place}/{at}"), message));
            }
            self.patterns.push(pattern.to_owned());
        }
        Ok(())
    }
}

fn escaped(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

/// The schemas and what leads from one to another, references included.
struct Graph {
    places: Vec<String>,
    edges: Vec<Vec<(About, usize)>>,
}

impl Graph {
    fn new(survey: Survey) -> Result<Self, SchemaError> {
        let Survey { places, by_place, mut edges, references, anchors, .. } = survey;
        for (from, keyword, fragment) in references {
            let to = if fragment.is_empty() || fragment.starts_with('/') {
                by_place.get(&fragment)
            } else {
                anchors.get(&fragment)
            };
            let Some(to) = to else {
                let message = format!("refers to \"#{fragment}\", which is no schema in this one");
                return Err(refused(&format!("{}/{keyword}", places[from]), message));
            };
            edges[from].push((About::Same, *to));
        }
        Ok(Self { places, edges })
    }

    fn judge(&self) -> Result<(), SchemaError> {
        let order = self.same_value_order()?;
        self.same_value_count(&order)?;
        self.longest_path(&order)
    }

    fn about_same(&self, schema: usize) -> impl Iterator<Item = usize> {
        self.edges[schema].iter().filter(|(about, _)| *about == About::Same).map(|(_, to)| *to)
    }

    /// The schemas in an order in which each comes after all that are asked about the same value because of it.
    fn same_value_order(&self) -> Result<Vec<usize>, SchemaError> {
        let mut order = Vec::with_capacity(self.places.len());
        // `true` when it is in `order`, `false` while the way to it is.
        let mut reached: HashMap<usize, bool> = HashMap::new();
        for start in 0..self.places.len() {
            let mut way = vec![(start, false)];
            while let Some((schema, left)) = way.pop() {
                if left {
                    reached.insert(schema, true);
                    order.push(schema);
                    continue;
                }
                match reached.entry(schema) {
                    Entry::Occupied(known) if *known.get() => {}
                    Entry::Occupied(_) => {
                        let message = "refers to itself without going deeper into the data, so checking would not end";
                        return Err(refused(&self.places[schema], message));
                    }
                    Entry::Vacant(new) => {
                        new.insert(false);
                        way.push((schema, true));
                        for next in self.about_same(schema) {
                            if reached.get(&next) != Some(&true) {
                                way.push((next, false));
                            }
                        }
                    }
                }
            }
        }
        Ok(order)
    }

    /// One value must not be checked by too many schemas, one that is reached in several ways counted for each.
    fn same_value_count(&self, order: &[usize]) -> Result<(), SchemaError> {
        let mut counts = vec![0_usize; self.places.len()];
        for &schema in order {
            let all = self.about_same(schema).fold(1_usize, |sum, next| sum.saturating_add(counts[next]));
            if all > MAX_SUBSCHEMAS {
                let message = format!(
                    "checks one value by more than {MAX_SUBSCHEMAS} schemas, those that are referred to again counted again"
                );
                return Err(refused(&self.places[schema], message));
            }
            counts[schema] = all;
        }
        Ok(())
    }

    /// However deep the data is, no more schemas than [`MAX_PATH`] may be in the middle of being asked.
    fn longest_path(&self, order: &[usize]) -> Result<(), SchemaError> {
        let mut shallower = vec![0_usize; self.places.len()];
        for _ in 0..MAX_DATA_DEPTH {
            let mut paths = vec![0_usize; self.places.len()];
            for &schema in order {
                let longest = self.edges[schema].iter().map(|(about, to)| match about {
                    About::Same => paths[*to],
                    About::Inside | About::Nothing => shallower[*to],
                });
                paths[schema] = 1 + longest.max().unwrap_or(0);
                if paths[schema] > MAX_PATH {
                    let message = format!("checks data by more than {MAX_PATH} schemas within each other");
                    return Err(refused(&self.places[schema], message));
                }
            }
            shallower = paths;
        }
        Ok(())
    }
}
