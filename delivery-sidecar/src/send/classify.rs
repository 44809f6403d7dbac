//! What an answer means. Pure. What an error means is in [`super::failure`].

use std::time::Duration;

use http::StatusCode;
use posthaste_crds::conditions::healthy;
use posthaste_journal::Failure;

use super::{FailureClass, Verdict};

/// The verdict on an answer with this status, whose `Retry-After` was this.
pub fn answer(status: StatusCode, retry_after: Option<Duration>) -> Verdict {
    if status.is_success() {
        return Verdict::Succeeded { status: status.as_u16() };
    }
    let failure =
        Failure { status: Some(status.as_u16()), reason: reason(status).to_owned(), message: message(status) };
    Verdict::Failed { failure, retry_after, class: class(status, retry_after.is_some()) }
}

fn class(status: StatusCode, asked_to_wait: bool) -> FailureClass {
    match status {
        StatusCode::GONE => FailureClass::Gone,
        StatusCode::REQUEST_TIMEOUT
        | StatusCode::TOO_MANY_REQUESTS
        | StatusCode::BAD_GATEWAY
        | StatusCode::SERVICE_UNAVAILABLE
        | StatusCode::GATEWAY_TIMEOUT => FailureClass::Throttle,
        _ if asked_to_wait => FailureClass::Throttle,
        _ => FailureClass::Retry,
    }
}

fn reason(status: StatusCode) -> &'static str {
    match status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => healthy::AUTH_ERROR,
        StatusCode::GONE => healthy::GONE,
        StatusCode::TOO_MANY_REQUESTS => healthy::RATE_LIMITED,
        _ if status.is_redirection() => healthy::REDIRECTED,
        _ if status.is_client_error() => healthy::CLIENT_ERROR,
        // 5xx, and what is not a final answer or no status of HTTP at all.
        _ => healthy::SERVER_ERROR,
    }
}

/// Only what the status says: a response's headers and body may repeat a secret of the request.
fn message(status: StatusCode) -> String {
    let code = status.as_u16();
    let name = status.canonical_reason().map(|name| format!(" {name}")).unwrap_or_default();
    let hint = if status.is_redirection() { "; redirects are not followed" } else { "" };
    format!("HTTP {code}{name}{hint}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failed(status: u16, retry_after: Option<u64>) -> (String, String, Option<Duration>, FailureClass) {
        match answer(StatusCode::from_u16(status).unwrap(), retry_after.map(Duration::from_secs)) {
            Verdict::Failed { failure, retry_after, class } => {
                assert_eq!(failure.status, Some(status));
                (failure.reason, failure.message, retry_after, class)
            }
            Verdict::Succeeded { .. } => panic!("{status} is no success"),
        }
    }

    #[test]
    fn only_2xx_is_success() {
        for code in 100..=999 {
            let verdict = answer(StatusCode::from_u16(code).unwrap(), None);
            assert_eq!(matches!(verdict, Verdict::Succeeded { .. }), (200..300).contains(&code), "{code}");
        }
    }

    #[test]
    fn a_retry_after_on_a_success_changes_nothing() {
        assert_eq!(answer(StatusCode::ACCEPTED, Some(Duration::from_secs(9))), Verdict::Succeeded { status: 202 });
    }

    #[test]
    fn each_failure_has_its_reason_and_consequence() {
        use FailureClass::{Gone, Retry, Throttle};
        for (status, reason, class) in [
            (101, "ServerError", Retry),
            (300, "Redirected", Retry),
            (301, "Redirected", Retry),
            (302, "Redirected", Retry),
            (304, "Redirected", Retry),
            (307, "Redirected", Retry),
            (308, "Redirected", Retry),
            (400, "ClientError", Retry),
            (401, "AuthError", Retry),
            (403, "AuthError", Retry),
            (404, "ClientError", Retry),
            (407, "ClientError", Retry),
            (408, "ClientError", Throttle),
            (409, "ClientError", Retry),
            (410, "Gone", Gone),
            (422, "ClientError", Retry),
            (425, "ClientError", Retry),
            (429, "RateLimited", Throttle),
            (499, "ClientError", Retry),
            (500, "ServerError", Retry),
            (501, "ServerError", Retry),
            (502, "ServerError", Throttle),
            (503, "ServerError", Throttle),
            (504, "ServerError", Throttle),
            (599, "ServerError", Retry),
            (600, "ServerError", Retry),
            (999, "ServerError", Retry),
        ] {
            let (found, message, _, consequence) = failed(status, None);
            assert_eq!((found.as_str(), consequence), (reason, class), "{status}");
            assert!(message.starts_with(&format!("HTTP {status}")), "{message}");
        }
    }

    #[test]
    fn a_retry_after_throttles_whatever_failed_except_gone() {
        let minute = Some(Duration::from_mins(1));
        assert_eq!(failed(500, Some(60)).2, minute);
        assert_eq!(failed(500, Some(60)).3, FailureClass::Throttle);
        assert_eq!(failed(404, Some(60)).3, FailureClass::Throttle);
        assert_eq!(failed(302, Some(60)).3, FailureClass::Throttle);
        assert_eq!(failed(410, Some(60)).3, FailureClass::Gone);
        assert_eq!(
            failed(503, Some(u64::MAX)).2,
            Some(Duration::from_secs(u64::MAX)),
            "whoever hears it sets the limit"
        );
        assert_eq!(failed(500, Some(0)).3, FailureClass::Throttle, "a date that has passed, say");
    }

    #[test]
    fn messages_are_short_and_say_what_helps() {
        assert_eq!(failed(503, None).1, "HTTP 503 Service Unavailable");
        assert_eq!(failed(302, None).1, "HTTP 302 Found; redirects are not followed");
        assert_eq!(failed(599, None).1, "HTTP 599");
    }
}
