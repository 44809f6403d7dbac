//! What a request asks for in its URL. Pure. What is wrong is named.

use std::borrow::Cow;

use jiff::Timestamp;
use posthaste_history::{Key, Status};

use crate::ingest::problem::{Kind, Problem};

/// Deliveries of a page when nothing is said.
const DEFAULT_LIMIT: usize = 50;
/// Most deliveries of a page.
pub const MOST: usize = 500;
/// Longest text.
const LONGEST: usize = 256;

/// What `GET /v1/deliveries` asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListQuery {
    pub endpoint: Option<String>,
    pub status: Option<Status>,
    pub event_type: Option<String>,
    pub tenant: Option<String>,
    pub event: Option<String>,
    pub since_ms: Option<i64>,
    pub until_ms: Option<i64>,
    pub limit: usize,
    pub below: Option<u64>,
}

impl ListQuery {
    /// Reads a query. An unknown parameter is refused: one that is mistyped must not show more than was asked for.
    pub fn read(query: &str) -> Result<Self, Problem> {
        let mut read = Self {
            endpoint: None,
            status: None,
            event_type: None,
            tenant: None,
            event: None,
            since_ms: None,
            until_ms: None,
            limit: DEFAULT_LIMIT,
            below: None,
        };
        let mut seen: Vec<Cow<'_, str>> = Vec::new();
        for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
            if seen.contains(&name) {
                return Err(invalid(&name, "is there more than once"));
            }
            let text = || match value.chars().count() {
                1..=LONGEST => Ok(Some(value.clone().into_owned())),
                _ => Err(invalid(&name, "must have 1 to 256 characters")),
            };
            match &*name {
                "endpoint" => read.endpoint = text()?,
                "type" => read.event_type = text()?,
                "tenant" => read.tenant = text()?,
                "event" => read.event = text()?,
                "status" => read.status = Some(status(&name, &value)?),
                "since" => read.since_ms = Some(time(&name, &value)?),
                "until" => read.until_ms = Some(time(&name, &value)?),
                "limit" => read.limit = limit(&name, &value)?,
                "cursor" => read.below = Some(read_cursor(&name, &value)?),
                _ => {
                    return Err(invalid(
                        &name,
                        "is no parameter; there are endpoint, status, type, tenant, event, since, until, limit and cursor",
                    ));
                }
            }
            seen.push(name);
        }
        Ok(read)
    }
}

fn status(name: &str, value: &str) -> Result<Status, Problem> {
    let found = Status::ALL.into_iter().find(|status| status.name() == value);
    found.ok_or_else(|| {
        let names: Vec<_> = Status::ALL.iter().map(|status| status.name()).collect();
        invalid(name, &format!("must be one of {}", names.join(", ")))
    })
}

fn limit(name: &str, value: &str) -> Result<usize, Problem> {
    let digits = value.bytes().all(|byte| byte.is_ascii_digit());
    let number = value.parse().ok().filter(|number| digits && (1..=MOST).contains(number));
    number.ok_or_else(|| invalid(name, &format!("must be a number from 1 to {MOST}")))
}

/// A time in a query; a time in RFC 3339 has an offset.
fn time(name: &str, value: &str) -> Result<i64, Problem> {
    let time = value.parse::<Timestamp>();
    time.map(Timestamp::as_millisecond)
        .map_err(|_| invalid(name, "must be a time as in RFC 3339, such as 2026-01-02T03:04:05Z"))
}

/// What a cursor looks like: 16 hexadecimal digits. That is for this server to know only.
pub const CURSOR_PATTERN: &str = "^[0-9a-f]{16}$";

/// The cursor of a page that goes on below a number.
pub fn cursor(below: u64) -> String {
    format!("{below:016x}")
}

fn read_cursor(name: &str, value: &str) -> Result<u64, Problem> {
    let is_ours = value.len() == 16 && value.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    let number = u64::from_str_radix(value, 16).ok().filter(|_| is_ours);
    number.ok_or_else(|| invalid(name, "is not one that this API gave out"))
}

/// The id of a delivery: its event's number and its endpoint's.
pub fn id(key: Key) -> String {
    format!("{}-{}", key.seq, key.endpoint)
}

/// What an id names; `None` for what cannot be one.
pub fn read_id(id: &str) -> Option<Key> {
    let (seq, endpoint) = id.split_once('-')?;
    let key = Key { seq: seq.parse().ok()?, endpoint: endpoint.parse().ok()? };
    // One delivery, one id: no leading zeros or signs.
    (self::id(key) == id).then_some(key)
}

fn invalid(name: &str, what: &str) -> Problem {
    let name: String = name.chars().take(64).collect();
    Problem::new(Kind::InvalidParameter, format!("The parameter \"{name}\" {what}."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_parameter_is_read() {
        let query = "endpoint=acme&status=deadLettered&type=order.created&tenant=a%20b&event=e-1\
                     &since=2026-01-02T03:04:05Z&until=2026-01-02T04:04:05%2B01:00&limit=7&cursor=00000000000000ff";
        let read = ListQuery::read(query).unwrap();
        assert_eq!(
            (read.endpoint.as_deref(), read.status, read.event_type.as_deref(), read.tenant.as_deref()),
            (Some("acme"), Some(Status::DeadLettered), Some("order.created"), Some("a b"))
        );
        assert_eq!((read.since_ms, read.since_ms), (read.until_ms, Some(1_767_323_045_000)));
        assert_eq!((read.event.as_deref(), read.limit, read.below), (Some("e-1"), 7, Some(255)));
        assert_eq!(ListQuery::read("").unwrap().limit, DEFAULT_LIMIT);
    }

    #[test]
    fn what_is_wrong_is_named_with_what_would_be_right() {
        for (query, expected) in [
            (
                "status=dead",
                "The parameter \"status\" must be one of pending, inFlight, retrying, succeeded, deadLettered, dropped.",
            ),
            ("limit=0", "The parameter \"limit\" must be a number from 1 to 500."),
            ("limit=501", "The parameter \"limit\" must be a number from 1 to 500."),
            ("limit=%2B5", "The parameter \"limit\" must be a number from 1 to 500."),
            ("since=yesterday", "The parameter \"since\" must be a time as in RFC 3339, such as 2026-01-02T03:04:05Z."),
            ("cursor=00000000000000FF", "The parameter \"cursor\" is not one that this API gave out."),
            ("type=", "The parameter \"type\" must have 1 to 256 characters."),
            ("type=a&type=b", "The parameter \"type\" is there more than once."),
            (
                "staus=pending",
                "The parameter \"staus\" is no parameter; there are endpoint, status, type, tenant, event, since, until, limit and cursor.",
            ),
        ] {
            let problem = ListQuery::read(query).unwrap_err();
            assert_eq!((problem.kind, &*problem.detail), (Kind::InvalidParameter, expected), "{query}");
        }
    }

    #[test]
    fn ids_and_cursors_come_back_as_they_were() {
        for key in [Key { seq: 1, endpoint: 0 }, Key { seq: u64::MAX, endpoint: u32::MAX }] {
            assert_eq!(read_id(&id(key)), Some(key));
        }
        for wrong in ["", "1", "1-", "-1", "01-1", "+1-1", "1-1-1", "18446744073709551616-0"] {
            assert_eq!(read_id(wrong), None, "{wrong}");
        }
        assert_eq!(read_cursor("cursor", &cursor(u64::MAX)), Ok(u64::MAX));
    }
}
