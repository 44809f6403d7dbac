//! Finds the events in a body.

use std::fmt;

use bytes::Bytes;
use serde::de::{Deserializer, IgnoredAny, SeqAccess, Visitor};
use serde_json::value::RawValue;

use crate::ingest::{
    media::Format,
    problem::{Kind, Problem},
};

/// The events in a body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Body {
    /// One JSON value, which may or may not be an event.
    One(Bytes),
    /// A JSON array, or NDJSON.
    Batch(Vec<Item>),
}

/// One JSON text of a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// The text: a slice of the body.
    pub text: Bytes,
    /// Its line in NDJSON, from 1.
    pub line: Option<usize>,
}

/// Splits a body into its events, at most `max` of them. The texts of an array are JSON; those of NDJSON, and the one
/// of a single event, are not looked at.
pub fn split(body: &Bytes, format: Format, max: usize) -> Result<Body, Problem> {
    let Some(first) = body.iter().find(|byte| !byte.is_ascii_whitespace()) else {
        return match format {
            Format::Json => {
                Err(Problem::new(Kind::MalformedJson, "The body is empty; send an event or an array of events."))
            }
            Format::Ndjson => Ok(Body::Batch(Vec::new())),
        };
    };
    match format {
        Format::Json if *first == b'[' => array(body, max),
        Format::Json => Ok(Body::One(body.clone())),
        Format::Ndjson => lines(body, max),
    }
}

fn array(body: &Bytes, max: usize) -> Result<Body, Problem> {
    let mut json = serde_json::Deserializer::from_slice(body);
    let (texts, count) = json
        .deserialize_seq(Texts { max })
        .and_then(|found| json.end().map(|()| found))
        .map_err(|error| Problem::new(Kind::MalformedJson, format!("The body is not a JSON array: {error}.")))?;
    if count > max {
        return Err(too_many(count, max));
    }
    let items = texts.into_iter().map(|text| Item { text: body.slice_ref(text.get().as_bytes()), line: None });
    Ok(Body::Batch(items.collect()))
}

fn lines(body: &Bytes, max: usize) -> Result<Body, Problem> {
    let lines = || body.split(|byte| *byte == b'\n').enumerate().filter(|(_, line)| !line.trim_ascii().is_empty());
    let count = lines().count();
    if count > max {
        return Err(too_many(count, max));
    }
    let items = lines().map(|(index, line)| Item { text: body.slice_ref(line.trim_ascii()), line: Some(index + 1) });
    Ok(Body::Batch(items.collect()))
}

fn too_many(count: usize, max: usize) -> Problem {
    Problem::new(
        Kind::TooManyEvents,
        format!("The request holds {count} events; at most {max} are taken at once. Nothing of it was kept."),
    )
}

/// The elements of an array and their number; those over the maximum are only counted.
struct Texts {
    max: usize,
}

impl<'de> Visitor<'de> for Texts {
    type Value = (Vec<&'de RawValue>, usize);

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array of events")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Self::Value, A::Error> {
        let mut texts = Vec::new();
        while texts.len() < self.max
            && let Some(text) = elements.next_element()?
        {
            texts.push(text);
        }
        let mut count = texts.len();
        while elements.next_element::<IgnoredAny>()?.is_some() {
            count += 1;
        }
        Ok((texts, count))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(body: &str, format: Format, max: usize) -> Result<Vec<(String, Option<usize>)>, Problem> {
        match split(&Bytes::copy_from_slice(body.as_bytes()), format, max)? {
            Body::One(_) => panic!("a batch was expected"),
            Body::Batch(items) => {
                Ok(items.into_iter().map(|item| (String::from_utf8(item.text.to_vec()).unwrap(), item.line)).collect())
            }
        }
    }

    #[test]
    fn an_array_is_split_at_its_elements_and_their_texts_kept() {
        let found = texts(r#" [ {"a" : 1.0} ,7, [],"x"] "#, Format::Json, 4).unwrap();
        let expected = [r#"{"a" : 1.0}"#, "7", "[]", r#""x""#].map(|text| (text.to_owned(), None));
        assert_eq!(found, expected);
        assert_eq!(texts("[]", Format::Json, 4).unwrap(), []);
    }

    #[test]
    fn lines_keep_their_numbers_and_blank_ones_are_skipped() {
        let found = texts("\n{\"a\":1}\r\n  \nnot json\n", Format::Ndjson, 2).unwrap();
        assert_eq!(found, [("{\"a\":1}".to_owned(), Some(2)), ("not json".to_owned(), Some(4))]);
        assert_eq!(texts(" \n", Format::Ndjson, 2).unwrap(), []);
    }

    #[test]
    fn more_than_the_maximum_is_refused_as_a_whole_and_counted() {
        for (body, format) in [("[1,2,3]", Format::Json), ("1\n2\n3", Format::Ndjson)] {
            let problem = texts(body, format, 2).unwrap_err();
            assert_eq!(problem.kind, Kind::TooManyEvents);
            assert!(problem.detail.contains("holds 3 events; at most 2"), "{}", problem.detail);
        }
    }

    #[test]
    fn a_broken_array_says_where() {
        for body in ["[1,2", "[1,]", "[1] 2", "[\"\u{1}\"]"] {
            let problem = texts(body, Format::Json, 9).unwrap_err();
            assert_eq!(problem.kind, Kind::MalformedJson);
            assert!(problem.detail.contains("line 1 column"), "{}", problem.detail);
        }
    }

    #[test]
    fn anything_else_is_taken_as_one() {
        let body = Bytes::from_static(b" {\"a\":[1]}");
        assert_eq!(split(&body, Format::Json, 1), Ok(Body::One(body.clone())));
        assert!(split(&Bytes::from_static(b" \n"), Format::Json, 1).unwrap_err().detail.contains("empty"));
    }
}
