//! The `Retry-After` header (RFC 9110, 10.2.3). Pure.

use std::time::{Duration, SystemTime};

use http::{HeaderMap, header::RETRY_AFTER};
use jiff::Timestamp;

/// How long the receiver asks to wait from `now` on: a number of seconds, or a date in one of the three formats of
/// HTTP. A date that has passed is no time at all; what is neither is nothing.
pub fn retry_after(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        // More digits than a u64 has are a very long time too.
        return Some(Duration::from_secs(text.parse().unwrap_or(u64::MAX)));
    }
    let date = httpdate::parse_http_date(text).ok()?;
    Some(date.duration_since(SystemTime::from(now)).unwrap_or(Duration::ZERO))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_and_dates_are_understood_and_the_rest_is_not() {
        let seconds = |seconds| Some(Duration::from_secs(seconds));
        for (text, expected) in [
            ("120", seconds(120)),
            ("0", seconds(0)),
            (" 5 ", seconds(5)),
            ("99999999999999999999999999", seconds(u64::MAX)),
            ("Sun, 06 Nov 1994 08:50:37 GMT", seconds(60)),
            ("Sunday, 06-Nov-94 08:50:37 GMT", seconds(60)),
            ("Sun Nov  6 08:50:37 1994", seconds(60)),
            ("Sun, 06 Nov 1994 08:00:00 GMT", seconds(0)),
            ("Saturday, 05-Nov-94 08:50:37 GMT", seconds(0)),
            ("Sat Nov  5 08:50:37 1994", seconds(0)),
            ("Mon, 01 Jan 1900 00:00:00 GMT", None),
            ("Fri, 31 Dec 9999 23:59:59 GMT", seconds(252_618_189_022)),
            ("Sun, 06 Nov 1994 08:50:37 CET", None),
            ("120, 60", None),
            ("120s", None),
            ("-99999999999999999999999999", None),
            ("", None),
            ("-1", None),
            ("+1", None),
            ("1.5", None),
            ("soon", None),
            ("Sun, 06 Nov 1994", None),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(RETRY_AFTER, text.parse().unwrap());
            assert_eq!(retry_after(&headers, "1994-11-06T08:49:37Z".parse().unwrap()), expected, "{text:?}");
        }
        assert_eq!(retry_after(&HeaderMap::new(), Timestamp::UNIX_EPOCH), None);
        let mut headers = HeaderMap::new();
        headers.insert(RETRY_AFTER, http::HeaderValue::from_bytes(b"\xff120").unwrap());
        assert_eq!(retry_after(&headers, Timestamp::UNIX_EPOCH), None);
    }
}
