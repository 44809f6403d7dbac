//! The `Retry-After` header of any answer.

use std::time::Duration;

use http::{HeaderMap, HeaderValue, header::RETRY_AFTER};
use jiff::Timestamp;
use posthaste_delivery_sidecar::send;

use crate::Choices;

/// An input is four bytes of time (seconds since the epoch) and the header's value.
pub fn retry_after(input: &[u8]) {
    let mut choices = Choices(input);
    let seconds = u32::from_be_bytes([choices.byte(), choices.byte(), choices.byte(), choices.byte()]);
    let now = Timestamp::from_second(i64::from(seconds)).expect("within a Timestamp's range");
    let Ok(value) = HeaderValue::from_bytes(choices.0) else { return };
    let text = value.to_str().unwrap_or_default().trim().to_owned();
    let headers = HeaderMap::from_iter([(RETRY_AFTER, value)]);

    let wait = send::retry_after(&headers, now);
    if text.is_empty() {
        assert_eq!(wait, None);
    } else if let Ok(seconds) = text.parse::<u64>()
        && text.bytes().all(|byte| byte.is_ascii_digit())
    {
        assert_eq!(wait, Some(Duration::from_secs(seconds)));
    } else if let Some(wait) = wait.filter(|wait| !wait.is_zero() && text.len() > 20) {
        // A date: an hour later it is an hour nearer.
        let later = now + Duration::from_secs(3600);
        let expected = wait.saturating_sub(Duration::from_secs(3600));
        let date = text.bytes().any(|byte| !byte.is_ascii_digit());
        assert!(!date || send::retry_after(&headers, later) == Some(expected), "{text:?}");
    }
}
