//! An attempt as it is kept.

use std::time::Duration;

use posthaste_history::{AttemptRecord, Durations};

use super::redact;
use crate::{
    endpoint::Endpoint,
    send::{Exchange, Report, Verdict},
};

/// Writes down what may be shown of an attempt.
pub fn record(endpoint: &Endpoint, number: u32, started_ms: i64, report: &Report) -> AttemptRecord {
    let Exchange { request, response, times } = &report.exchange;
    let durations = Durations {
        dns_us: times.dns.map(micros),
        connect_us: times.connect.map(micros),
        first_byte_us: times.first_byte.map(micros),
        total_us: micros(report.elapsed),
    };
    let mut record = AttemptRecord::new(number, started_ms, durations);
    if let Verdict::Failed { failure, .. } = &report.verdict {
        record.failure(&failure.reason, &failure.message);
    }
    // A URL that comes from a Secret is one.
    if endpoint.display_url.is_some() {
        record.url(&redact::url(&endpoint.url));
    }
    let secrets = redact::secrets(request);
    let shown: Vec<_> = redact::headers(request, &[]).collect();
    record.request_headers(shown.iter().map(|(name, value)| (*name, &**value)));
    if let Some(answer) = response {
        let shown: Vec<_> = redact::headers(&answer.headers, &secrets).collect();
        let headers = shown.iter().map(|(name, value)| (*name, &**value));
        let body = redact::without(&answer.body, &secrets);
        record.response(answer.status.as_u16(), headers, &body, answer.whole);
    }
    record
}

fn micros(duration: Duration) -> u32 {
    u32::try_from(duration.as_micros()).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use bytes::BytesMut;
    use http::{HeaderMap, HeaderValue, StatusCode};

    use super::*;
    use crate::{
        endpoint::fixture,
        send::exchange::{Answer, Times},
    };

    #[test]
    fn it_says_what_happened_and_keeps_secrets() {
        let mut config = fixture::endpoint();
        config.target.display_url = None;
        let mut endpoint = Endpoint::compile(&config).unwrap();
        let mut request = HeaderMap::new();
        let mut secret = HeaderValue::from_static("s3cret-value");
        secret.set_sensitive(true);
        request.insert("x-key", secret);
        let answer = Answer {
            status: StatusCode::OK,
            headers: HeaderMap::new(),
            body: BytesMut::from("got s3cret-value"),
            whole: true,
        };
        let times = Times { first_byte: Some(Duration::from_micros(90)), ..Times::default() };
        let report = Report {
            verdict: Verdict::Succeeded { status: 200 },
            elapsed: Duration::from_millis(3),
            exchange: Exchange { request, response: Some(answer), times },
        };
        let attempt = record(&endpoint, 2, 77, &report).read().unwrap();
        assert_eq!((attempt.number, attempt.started_ms, attempt.url), (2, 77, None));
        assert_eq!((attempt.durations.first_byte_us, attempt.durations.total_us), (Some(90), 3_000));
        assert_eq!(attempt.request_headers[0].value, redact::REDACTED);
        let response = attempt.response.unwrap();
        assert_eq!(response.body, b"got [redacted]");
        assert!(!response.body_truncated);

        endpoint.display_url = Some("https://hooks.example".into());
        let attempt = record(&endpoint, 2, 77, &report).read().unwrap();
        assert!(attempt.url.unwrap().starts_with("https://"));
    }
}
