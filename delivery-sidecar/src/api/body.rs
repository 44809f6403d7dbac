//! What a request asks for in its body: a JSON object whose members are read one by one, so that what is wrong is named.

use std::collections::BTreeMap;

use axum::{
    body::Body,
    http::{HeaderMap, header},
};
use http_body_util::{BodyExt, Limited};
use jiff::Timestamp;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

use super::model::{ReplayMode, ReplayRequest, ReplayStatus, TestRequest};
use crate::ingest::problem::{FieldError, Kind, Problem};

/// Most bytes of a body.
const MOST_BYTES: usize = 1 << 20;
/// Longest type.
const LONGEST_TYPE: usize = 128;

/// Reads a body. An empty one has no members, and needs no type.
pub async fn read(headers: &HeaderMap, body: Body) -> Result<Members, Problem> {
    let read = Limited::new(body, MOST_BYTES).collect().await;
    let bytes = read.map_err(|error| {
        if error.is::<http_body_util::LengthLimitError>() {
            Problem::new(Kind::BodyTooLarge, format!("The body is larger than {MOST_BYTES} bytes."))
        } else {
            Problem::new(Kind::BrokenBody, "The body ended before it was complete.")
        }
    })?;
    let bytes = bytes.to_bytes();
    if bytes.is_empty() {
        return Ok(Members::default());
    }
    let is_json = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).is_some_and(|value| {
        let essence = value.split(';').next().unwrap_or_default();
        essence.trim().eq_ignore_ascii_case("application/json")
    });
    if !is_json {
        return Err(Problem::new(
            Kind::UnsupportedMediaType,
            "The body must be sent with Content-Type: application/json.",
        ));
    }
    let malformed =
        |error: serde_json::Error| Problem::new(Kind::MalformedJson, format!("The body is no JSON: {error}."));
    let raw: &RawValue = serde_json::from_slice(&bytes).map_err(malformed)?;
    let members = serde_json::from_str(raw.get()).map_err(|_| {
        invalid(vec![FieldError { pointer: String::new(), detail: "must be a JSON object".to_owned() }])
    })?;
    Ok(Members { members, errors: Vec::new() })
}

fn invalid(errors: Vec<FieldError>) -> Problem {
    let first = errors.first().map_or_else(String::new, |error| format!("{} {}.", error.pointer, error.detail));
    Problem { errors, ..Problem::new(Kind::InvalidBody, first.trim_start().to_owned()) }
}

/// The members of a body, and what was wrong with those that were looked at.
#[derive(Debug, Default)]
pub struct Members {
    members: BTreeMap<String, Box<RawValue>>,
    errors: Vec<FieldError>,
}

impl Members {
    /// What a test event is like.
    pub fn test(mut self) -> Result<TestRequest, Problem> {
        let event_type = self.event_type();
        let data = self.members.remove("data").map(|data| data.to_string().into_boxed_str());
        self.finish("type and data")?;
        Ok(TestRequest { event_type, data })
    }

    /// What is to be sent again.
    pub fn replay(mut self) -> Result<ReplayRequest, Problem> {
        let mode = self.one_of(
            "mode",
            &[("Failed", ReplayMode::Failed), ("Missing", ReplayMode::Missing), ("All", ReplayMode::All)],
        );
        if mode.is_none() && self.errors.is_empty() {
            self.wrong("mode", "is missing; it must be one of Failed, Missing, All");
        }
        let status = self
            .one_of("status", &[("succeeded", ReplayStatus::Succeeded), ("deadLettered", ReplayStatus::DeadLettered)]);
        match (mode, status) {
            (Some(ReplayMode::Missing), Some(_)) => {
                self.wrong("status", "cannot be asked for together with mode Missing");
            }
            (Some(ReplayMode::Failed), Some(ReplayStatus::Succeeded)) => {
                self.wrong("status", "can only be deadLettered together with mode Failed");
            }
            _ => {}
        }
        let (since, until, event_type) = (self.time("since"), self.time("until"), self.event_type());
        self.finish("mode, since, until, type and status")?;
        let mode = mode.ok_or_else(|| invalid(Vec::new()))?;
        Ok(ReplayRequest { mode, since, until, event_type, status })
    }

    fn wrong(&mut self, name: &str, detail: &str) {
        self.errors.push(FieldError { pointer: format!("/{name}"), detail: detail.to_owned() });
    }

    /// A member; `null` is as if it were left out.
    fn member<T: DeserializeOwned>(&mut self, name: &str, what: &str) -> Option<T> {
        let raw = self.members.remove(name)?;
        serde_json::from_str::<Option<T>>(raw.get()).unwrap_or_else(|_| {
            self.wrong(name, what);
            None
        })
    }

    fn one_of<T: Copy>(&mut self, name: &str, values: &[(&str, T)]) -> Option<T> {
        let names: Vec<_> = values.iter().map(|(name, _)| *name).collect();
        let expected = format!("must be one of {}", names.join(", "));
        let text: String = self.member(name, &expected)?;
        let found = values.iter().find(|(name, _)| *name == text).map(|(_, value)| *value);
        if found.is_none() {
            self.wrong(name, &expected);
        }
        found
    }

    fn time(&mut self, name: &str) -> Option<Timestamp> {
        self.member(name, "must be a time as in RFC 3339, such as 2026-01-02T03:04:05Z")
    }

    fn event_type(&mut self) -> Option<String> {
        const EXPECTED: &str = "must have 1 to 128 letters, digits and _ . : / -";
        let text: String = self.member("type", EXPECTED)?;
        let is_right = (1..=LONGEST_TYPE).contains(&text.len())
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_.:/-".contains(&byte));
        if !is_right {
            self.wrong("type", EXPECTED);
        }
        Some(text)
    }

    /// What is left does not belong here.
    fn finish(mut self, known: &str) -> Result<(), Problem> {
        const MOST_NAMED: usize = 8;
        for name in self.members.into_keys().take(MOST_NAMED) {
            let name: String = name.chars().take(64).collect();
            let pointer = format!("/{}", name.replace('~', "~0").replace('/', "~1"));
            self.errors
                .push(FieldError { pointer, detail: format!("is no member of this request, which has {known}") });
        }
        if self.errors.is_empty() { Ok(()) } else { Err(invalid(self.errors)) }
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;
    use futures::FutureExt;

    use super::*;

    fn members(text: &'static str) -> Result<Members, Problem> {
        let headers = HeaderMap::from_iter([(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))]);
        read(&headers, Body::from(text)).now_or_never().unwrap()
    }

    fn wrong(problem: &Problem) -> Vec<(&str, &str)> {
        problem.errors.iter().map(|error| (&*error.pointer, &*error.detail)).collect()
    }

    #[test]
    fn a_replay_is_read_and_null_is_as_if_it_were_left_out() {
        let text =
            r#"{"mode": "All", "since": "2026-01-02T03:04:05Z", "until": null, "type": "a.b", "status": "succeeded"}"#;
        let request = members(text).unwrap().replay().unwrap();
        assert_eq!((request.mode, request.status), (ReplayMode::All, Some(ReplayStatus::Succeeded)));
        assert_eq!((request.event_type.as_deref(), request.until), (Some("a.b"), None));
        assert_eq!(request.since.unwrap().as_second(), 1_767_323_045);
    }

    #[test]
    fn everything_that_is_wrong_is_named_at_once() {
        let problem =
            members(r#"{"mode": "all", "since": 5, "type": "a b", "more/": 1}"#).unwrap().replay().unwrap_err();
        assert_eq!(
            wrong(&problem),
            [
                ("/mode", "must be one of Failed, Missing, All"),
                ("/since", "must be a time as in RFC 3339, such as 2026-01-02T03:04:05Z"),
                ("/type", "must have 1 to 128 letters, digits and _ . : / -"),
                ("/more~1", "is no member of this request, which has mode, since, until, type and status"),
            ]
        );
        let problem = members("").unwrap().replay().unwrap_err();
        assert_eq!(&*problem.detail, "/mode is missing; it must be one of Failed, Missing, All.");
        let problem = members(r#"{"mode": "Missing", "status": "succeeded"}"#).unwrap().replay().unwrap_err();
        assert_eq!(wrong(&problem)[0].0, "/status");
    }

    #[test]
    fn a_test_event_is_whatever_is_said_of_it() {
        assert_eq!(members("").unwrap().test(), Ok(TestRequest::default()));
        let request = members(r#"{"type": "x", "data": {"b":1, "a": 1.0}}"#).unwrap().test().unwrap();
        assert_eq!(request.data.as_deref(), Some(r#"{"b":1, "a": 1.0}"#), "byte for byte");
        assert_eq!(request.event_type.as_deref(), Some("x"));
    }

    #[test]
    fn a_body_that_is_no_object_or_no_json_is_refused() {
        assert_eq!(members("[]").unwrap_err().kind, Kind::InvalidBody);
        assert_eq!(members("{").unwrap_err().kind, Kind::MalformedJson);
        let read = read(&HeaderMap::new(), Body::from("{}")).now_or_never().unwrap();
        assert_eq!(read.unwrap_err().kind, Kind::UnsupportedMediaType);
    }
}
