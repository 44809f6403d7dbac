//! The network and the receivers behind it: how an attempt goes, and how long it takes. What an answer means is decided by
//! the sender's own code.

use http::{HeaderMap, StatusCode, header::RETRY_AFTER};
use jiff::Timestamp;
use posthaste_crds::conditions::healthy;
use posthaste_journal::Failure;
use rand::{RngExt, rngs::SmallRng};
use std::time::Duration;

use crate::send::{FailureClass, Verdict, classify, failure, retry_after};

/// What an endpoint's receiver does for a while.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Behaviour {
    /// 2xx at once.
    Healthy,
    /// 2xx whose body takes its time, now and then more than there is.
    Slow,
    /// Anything of the others.
    Flaky,
    /// 5xx and 4xx.
    Erring,
    /// 429 and 503, mostly with `Retry-After`.
    Overloaded,
    /// Nothing, until the time is up.
    Hanging,
    /// The connection breaks.
    Resetting,
    /// 410.
    Gone,
}

/// All but [`Behaviour::Flaky`], which is one of them each time.
const PLAIN: [Behaviour; 7] = [
    Behaviour::Healthy,
    Behaviour::Slow,
    Behaviour::Erring,
    Behaviour::Overloaded,
    Behaviour::Hanging,
    Behaviour::Resetting,
    Behaviour::Healthy,
];

/// How an attempt goes.
#[derive(Clone, Debug)]
pub struct Answer {
    /// It ends after this time.
    pub after_ms: i64,
    /// What came of it.
    pub verdict: Verdict,
}

impl Behaviour {
    /// Draws one.
    pub fn draw(random: &mut SmallRng) -> Self {
        match random.random_range(0..10) {
            0..=2 => Self::Healthy,
            3..=4 => Self::Flaky,
            5 => Self::Slow,
            6 => Self::Erring,
            7 => Self::Overloaded,
            8 => {
                if random.random_bool(0.5) {
                    Self::Hanging
                } else {
                    Self::Resetting
                }
            }
            _ => Self::Gone,
        }
    }

    /// How an attempt goes that starts now and may take `timeout_ms`.
    pub fn answer(self, random: &mut SmallRng, timeout_ms: u64, now_ms: i64) -> Answer {
        let timeout_ms = i64::try_from(timeout_ms).unwrap_or(i64::MAX);
        let quick_ms = random.random_range(1..200);
        match self {
            Self::Healthy => status(StatusCode::OK, None, quick_ms, now_ms),
            Self::Slow => {
                let after_ms = random.random_range(500..timeout_ms + timeout_ms / 4 + 501);
                if after_ms >= timeout_ms {
                    return timed_out(timeout_ms, Some(200));
                }
                status(StatusCode::ACCEPTED, None, after_ms, now_ms)
            }
            Self::Flaky => PLAIN[random.random_range(0..PLAIN.len())].answer(random, timeout_ms.unsigned_abs(), now_ms),
            Self::Erring => {
                let code = [500, 501, 404, 401, 302, 502][random.random_range(0..6_usize)];
                status(StatusCode::from_u16(code).expect("a status"), None, quick_ms, now_ms)
            }
            Self::Overloaded => {
                let code = [StatusCode::TOO_MANY_REQUESTS, StatusCode::SERVICE_UNAVAILABLE];
                let seconds = [None, Some(0), Some(1), Some(7), Some(90)][random.random_range(0..5_usize)];
                // A number of seconds, or a date: whole seconds since 1970.
                let header = seconds.map(|seconds: i64| {
                    if random.random_bool(0.5) {
                        return seconds.to_string();
                    }
                    let at = Duration::from_secs((now_ms / 1_000 + seconds).unsigned_abs());
                    httpdate::fmt_http_date(std::time::UNIX_EPOCH + at)
                });
                status(code[random.random_range(0..2_usize)], header, quick_ms, now_ms)
            }
            Self::Hanging => timed_out(timeout_ms, None),
            Self::Resetting => {
                let message = "the connection broke before the response was complete".to_owned();
                let failure = Failure { status: None, reason: healthy::SERVER_ERROR.to_owned(), message };
                Answer { after_ms: quick_ms, verdict: failed(failure) }
            }
            Self::Gone => status(StatusCode::GONE, None, quick_ms, now_ms),
        }
    }
}

fn status(status: StatusCode, retry_after: Option<String>, after_ms: i64, now_ms: i64) -> Answer {
    let mut headers = HeaderMap::new();
    if let Some(value) = retry_after {
        headers.insert(RETRY_AFTER, value.parse().expect("a header's value"));
    }
    let read_at = Timestamp::from_millisecond(now_ms + after_ms).expect("a time of this century");
    Answer { after_ms, verdict: classify::answer(status, retry_after::retry_after(&headers, read_at)) }
}

fn timed_out(timeout_ms: i64, status: Option<u16>) -> Answer {
    let limit = Duration::from_millis(timeout_ms.unsigned_abs());
    Answer { after_ms: timeout_ms, verdict: failed(failure::timed_out(limit, status)) }
}

fn failed(failure: Failure) -> Verdict {
    Verdict::Failed { failure, retry_after: None, class: FailureClass::Retry }
}
