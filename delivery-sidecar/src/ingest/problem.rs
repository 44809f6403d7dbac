//! Problem documents (RFC 9457): how every refusal looks.
//!
//! `type` is a URN that stays the same between versions, for programs; `detail` and `errors` are for people.

use std::{borrow::Cow, time::Duration};

use axum::{
    http::{HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use prometheus_client::encoding::{EncodeLabelValue, LabelValueEncoder};
use serde::{Serialize, Serializer, ser::SerializeMap};

/// Media type of a problem document.
pub const MEDIA_TYPE: &str = "application/problem+json";

/// Defines the kinds: variant, name in the URN, status, title.
macro_rules! kinds {
    ($($(#[$doc:meta])* $variant:ident => $name:literal, $status:ident, $title:literal;)+) => {
        /// The kinds of problem.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Kind {
            $($(#[$doc])* $variant,)+
        }

        impl Kind {
            /// Every kind.
            pub const ALL: &[Self] = &[$(Self::$variant),+];

            /// Its name: the end of the URN, and the label in metrics.
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)+ }
            }

            /// Its HTTP status.
            pub fn status(self) -> StatusCode {
                match self { $(Self::$variant => StatusCode::$status,)+ }
            }

            /// What it is, in a few words; the same for each occurrence.
            pub fn title(self) -> &'static str {
                match self { $(Self::$variant => $title,)+ }
            }
        }
    };
}

kinds! {
    /// The body, or one line of it, is not JSON.
    MalformedJson => "malformed-json", BAD_REQUEST, "Malformed JSON";
    /// The body could not be read to its end.
    BrokenBody => "broken-body", BAD_REQUEST, "Broken request body";
    /// The body is not what its content coding says.
    MalformedEncoding => "malformed-encoding", BAD_REQUEST, "Malformed compressed body";
    /// Fields of an event are missing, unknown or not as they must be.
    InvalidEvent => "invalid-event", UNPROCESSABLE_ENTITY, "Invalid event";
    /// No event of a batch was kept.
    NothingKept => "nothing-kept", UNPROCESSABLE_ENTITY, "No event of the batch was kept";
    /// The id is that of another event.
    IdConflict => "id-conflict", CONFLICT, "Id in use";
    /// One event is too large.
    EventTooLarge => "event-too-large", PAYLOAD_TOO_LARGE, "Event too large";
    /// The whole body is too large.
    BodyTooLarge => "body-too-large", PAYLOAD_TOO_LARGE, "Request too large";
    /// A batch holds too many events.
    TooManyEvents => "too-many-events", PAYLOAD_TOO_LARGE, "Too many events in one request";
    /// A content type or encoding that is not understood.
    UnsupportedMediaType => "unsupported-media-type", UNSUPPORTED_MEDIA_TYPE, "Unsupported media type";
    /// The client accepts no JSON.
    NotAcceptable => "not-acceptable", NOT_ACCEPTABLE, "Not acceptable";
    /// There is nothing at this path.
    NotFound => "not-found", NOT_FOUND, "Not found";
    /// The path does not have this method.
    MethodNotAllowed => "method-not-allowed", METHOD_NOT_ALLOWED, "Method not allowed";
    /// The body took too long to arrive.
    BodyTimeout => "body-timeout", REQUEST_TIMEOUT, "Request body too slow";
    /// No token, or one that is not valid.
    Unauthenticated => "unauthenticated", UNAUTHORIZED, "Unauthenticated";
    /// The caller may not post events here.
    Forbidden => "forbidden", FORBIDDEN, "Forbidden";
    /// More events than `limits.eventRate` lets pass.
    RateLimited => "rate-limited", TOO_MANY_REQUESTS, "Too many events";
    /// Whether the caller may post events could not be found out.
    AuthorizationUnavailable => "authorization-unavailable", SERVICE_UNAVAILABLE, "Authorization unavailable";
    /// Too much is in progress.
    Overloaded => "overloaded", SERVICE_UNAVAILABLE, "Overloaded";
    /// The journal has no space.
    JournalFull => "journal-full", SERVICE_UNAVAILABLE, "Journal full";
    /// The journal cannot be written.
    JournalFailing => "journal-failing", SERVICE_UNAVAILABLE, "Journal failing";
    /// The process is stopping.
    Stopping => "stopping", SERVICE_UNAVAILABLE, "Stopping";
}

impl EncodeLabelValue for Kind {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> Result<(), std::fmt::Error> {
        self.name().encode(encoder)
    }
}

/// What is wrong with one field.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FieldError {
    /// JSON pointer (RFC 6901) within the event; empty for the event itself.
    pub pointer: String,
    /// What is wrong and what would be right.
    pub detail: String,
}

/// A refusal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Its kind.
    pub kind: Kind,
    /// This occurrence, for people.
    pub detail: Cow<'static, str>,
    /// Fields that are at fault.
    pub errors: Vec<FieldError>,
    /// When it makes sense to try again.
    pub retry_after: Option<Duration>,
    /// One more header that the status asks for.
    pub header: Option<(HeaderName, &'static str)>,
}

impl Problem {
    /// A problem with a text for people.
    pub fn new(kind: Kind, detail: impl Into<Cow<'static, str>>) -> Self {
        Self { kind, detail: detail.into(), errors: Vec::new(), retry_after: None, header: None }
    }

    /// Says when it makes sense to try again.
    #[must_use]
    pub fn retry_after(self, wait: Duration) -> Self {
        Self { retry_after: Some(wait), ..self }
    }

    /// Adds a header that the status asks for.
    #[must_use]
    pub fn header(self, name: HeaderName, value: &'static str) -> Self {
        Self { header: Some((name, value)), ..self }
    }
}

impl Serialize for Problem {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("type", &format_args!("urn:posthaste:problem:{}", self.kind.name()))?;
        map.serialize_entry("title", self.kind.title())?;
        map.serialize_entry("status", &self.kind.status().as_u16())?;
        map.serialize_entry("detail", &self.detail)?;
        if !self.errors.is_empty() {
            map.serialize_entry("errors", &self.errors)?;
        }
        map.end()
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        // Only strings and numbers are in it, so it always serializes.
        let body = serde_json::to_vec(&self).expect("a problem is JSON");
        respond(self, body)
    }
}

/// An answer with the status and headers of a problem, and a body that says more than the problem alone.
pub(super) fn respond(problem: Problem, body: Vec<u8>) -> Response {
    let mut response = (problem.kind.status(), body).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
    if let Some(wait) = problem.retry_after {
        headers.insert(header::RETRY_AFTER, HeaderValue::from(whole_seconds(wait)));
    }
    if let Some((name, value)) = problem.header {
        headers.insert(name, HeaderValue::from_static(value));
    }
    // For the metrics, which see only the response.
    response.extensions_mut().insert(problem.kind);
    response
}

/// `Retry-After` counts whole seconds; rounding up keeps clients from coming too early.
fn whole_seconds(wait: Duration) -> u64 {
    (wait.as_secs() + u64::from(wait.subsec_nanos() > 0)).max(1)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn names_are_unique_and_plain() {
        let names: BTreeSet<_> = Kind::ALL.iter().map(|kind| kind.name()).collect();
        assert_eq!(names.len(), Kind::ALL.len());
        assert!(names.iter().all(|name| name.bytes().all(|b| b.is_ascii_lowercase() || b == b'-')));
    }

    #[test]
    fn the_reference_page_has_every_kind() {
        let page = include_str!("../../../docs/reference/ingest.md");
        for kind in Kind::ALL {
            let row = format!("| {} | `{}` |", kind.status().as_u16(), kind.name());
            assert!(page.contains(&row), "{row}");
        }
    }

    #[test]
    fn a_problem_has_the_members_of_rfc_9457() {
        let mut problem = Problem::new(Kind::InvalidEvent, "1 field is wrong.");
        problem.errors.push(FieldError { pointer: "/type".into(), detail: "is missing".into() });
        assert_eq!(
            serde_json::to_string(&problem).unwrap(),
            r#"{"type":"urn:posthaste:problem:invalid-event","title":"Invalid event","status":422,"detail":"1 field is wrong.","errors":[{"pointer":"/type","detail":"is missing"}]}"#
        );
    }

    #[test]
    fn retry_after_is_whole_seconds_rounded_up_and_never_zero() {
        for (wait, seconds) in [(0, 1), (1, 1), (1000, 1), (1001, 2)] {
            assert_eq!(whole_seconds(Duration::from_millis(wait)), seconds);
        }
    }
}
