//! Events of exactly one KiB that carry their number, so that what a receiver gets can be matched with what was sent.

use bytes::Bytes;

/// Bytes of an event's JSON text.
pub const EVENT_BYTES: usize = 1024;
/// A number is written with so many digits, so that all events are equally long.
const DIGITS: usize = 10;
const ZEROS: &str = "0000000000";
const NUMBER_KEY: &[u8] = b"\"n\":\"";
/// Where the number is looked for in a delivery's body: it is the first field of `data`.
const SEARCHED: usize = 256;

/// An event without its number.
#[derive(Clone, Debug)]
pub struct Template {
    text: Vec<u8>,
    id_at: usize,
    number_at: usize,
}

impl Template {
    /// Events of this type. Their id is made of their number, so no two numbers may be the same in one journal.
    pub fn new(event_type: &str) -> Self {
        let head = format!(r#"{{"id":"b-{ZEROS}","type":"{event_type}","data":{{"n":"{ZEROS}","padding":""#);
        let tail = r#""}}"#;
        let padding = "x".repeat(EVENT_BYTES - head.len() - tail.len());
        let (id_at, number_at) = (head.find(ZEROS), head.rfind(ZEROS));
        Self {
            id_at: id_at.expect("the head has an id"),
            number_at: number_at.expect("the head has a number"),
            text: [head, padding, tail.to_owned()].concat().into_bytes(),
        }
    }

    /// One event.
    pub fn event(&self, number: u64) -> Bytes {
        let mut text = Vec::with_capacity(EVENT_BYTES);
        self.push(number, &mut text);
        text.into()
    }

    /// The events `first`, `first + 1`, ... as a JSON array.
    pub fn batch(&self, first: u64, events: u64) -> Bytes {
        let mut text = vec![b'['];
        for number in first..first + events {
            if number > first {
                text.push(b',');
            }
            self.push(number, &mut text);
        }
        text.push(b']');
        text.into()
    }

    fn push(&self, number: u64, to: &mut Vec<u8>) {
        let start = to.len();
        to.extend_from_slice(&self.text);
        let digits = format!("{number:0DIGITS$}");
        for at in [self.id_at, self.number_at] {
            to[start + at..start + at + DIGITS].copy_from_slice(digits.as_bytes());
        }
    }
}

/// The number of the event in a delivery's body.
pub fn number_of(body: &[u8]) -> Option<u64> {
    let searched = &body[..body.len().min(SEARCHED)];
    let at = searched.windows(NUMBER_KEY.len()).position(|window| window == NUMBER_KEY)? + NUMBER_KEY.len();
    std::str::from_utf8(searched.get(at..at + DIGITS)?).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_one_kib_of_json_and_its_number_is_found_again() {
        let template = Template::new("bench.all");
        let text = template.event(4711);
        assert_eq!(text.len(), EVENT_BYTES);
        assert_eq!(number_of(&text), Some(4711));
        let value: serde_json::Value = serde_json::from_slice(&text).unwrap();
        assert_eq!((&value["id"], &value["type"]), (&"b-0000004711".into(), &"bench.all".into()));
        assert_eq!(number_of(b"{}"), None);
    }

    #[test]
    fn a_batch_is_an_array_of_events_with_numbers_of_their_own() {
        let text = Template::new("bench.all").batch(9, 3);
        let value: Vec<serde_json::Value> = serde_json::from_slice(&text).unwrap();
        let ids: Vec<_> = value.iter().map(|event| event["id"].as_str().unwrap()).collect();
        assert_eq!(ids, ["b-0000000009", "b-0000000010", "b-0000000011"]);
    }
}
