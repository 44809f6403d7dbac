//! What goes over the wire: the rendered body and headers, signed. Pure.

use bytes::Bytes;
use http::{
    HeaderMap, HeaderValue,
    header::{CONTENT_TYPE, USER_AGENT},
};
use posthaste_signing::standard_webhooks;

use crate::render::{self, Attempt, Body, InvalidHeaderValue, RenderError};

/// How we call ourselves, unless the user says otherwise.
const AGENT: HeaderValue = HeaderValue::from_static(concat!("Posthaste/", env!("CARGO_PKG_VERSION")));

/// The content of a POST.
pub struct Request {
    /// Headers except those that the connection makes.
    pub headers: HeaderMap,
    /// The very bytes that were signed.
    pub body: Bytes,
}

/// Why a request cannot be made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    /// The body, or a header of the user's.
    #[error(transparent)]
    Render(#[from] RenderError),
    /// The event's id cannot be sent.
    #[error("the event's id cannot be sent as webhook-id: {0}")]
    Id(InvalidHeaderValue),
    /// No key signs at this time. Nothing is sent unsigned.
    #[error("every signing key has expired; add a key, or change its notAfter")]
    NoKey,
}

/// Renders and signs one attempt. The timestamp and the signature are of the attempt's time.
///
/// # Errors
/// See [`RequestError`].
pub fn build(attempt: &Attempt<'_>) -> Result<Request, RequestError> {
    let seconds = attempt.now.as_second();
    let Body { bytes: body, content_type, headers: of_format } = render::body(attempt)?;
    let mut headers = render::headers(attempt)?;
    // They are the format's, whatever the user configured.
    for (name, value) in of_format {
        headers.insert(name, value);
    }
    headers.entry(USER_AGENT).or_insert(AGENT);
    headers.insert(CONTENT_TYPE, content_type);
    let id = render::header_value(&attempt.event.id).map_err(RequestError::Id)?;
    headers.insert(standard_webhooks::ID_HEADER, id);
    headers.insert(standard_webhooks::TIMESTAMP_HEADER, seconds.into());
    headers.insert(standard_webhooks::SIGNATURE_HEADER, sign(attempt, seconds, &body)?);
    Ok(Request { headers, body })
}

fn sign(attempt: &Attempt<'_>, seconds: i64, body: &[u8]) -> Result<HeaderValue, RequestError> {
    let keys = attempt.endpoint.active_keys(attempt.now.as_millisecond()).map(|key| &key.key);
    let signatures = standard_webhooks::sign(keys, &attempt.event.id, seconds, body);
    if signatures.is_empty() {
        return Err(RequestError::NoKey);
    }
    Ok(HeaderValue::try_from(signatures).expect("base64 is visible ASCII"))
}
