//! How deliveries to an endpoint are attempted.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Duration;

/// How deliveries are attempted. A field that is left out is taken from the Webhook's `defaults.delivery`, and if it
/// is missing there too, from Posthaste's own defaults.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct DeliverySettings {
    /// Time limit of one whole attempt: connect, TLS, request and response body. Default `15s`, at most `5m`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = Rule::new("duration(self) >= duration('100ms') && duration(self) <= duration('5m')").message("timeout must be between 100ms and 5m"))]
    pub timeout: Option<Duration>,
    /// When a failed delivery is attempted again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry: Option<Retry>,
    /// What becomes of the endpoint when a delivery is given up after its last retry, or after `retry.maxAge` while the
    /// receiver fails: nothing (`Continue`); it counts as failing until a delivery succeeds (`MarkFailing`); it gets
    /// nothing until its spec or URL changes (`Disable`). Default `Continue`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_exhausted: Option<OnExhausted>,
    /// How long a receiver may ask to be left alone by `Retry-After`. What asks for more is heard as this; `0s` does not
    /// listen to it. Default `24h`, at most `168h`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = Rule::new("duration(self) <= duration('168h')").message("retryAfterMax must be at most 168h"))]
    pub retry_after_max: Option<Duration>,
    /// How many attempts may be in flight to this endpoint at once. Default 8.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1024))]
    pub concurrency: Option<u32>,
    /// Which deliveries wait until those accepted before them are delivered or given up: `None`; `PerEndpoint`, all, one
    /// at a time whatever `concurrency` says; `PerSubject`, those whose events have the same `subject`. Default `None`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ordering: Option<DeliveryOrdering>,
    /// How many attempts may be made in a time. Over it, deliveries wait; none is given up for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate_limit: Option<DeliveryRate>,
    /// When attempts pause because all of them fail.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub circuit_breaker: Option<CircuitBreaker>,
}

/// What becomes of an endpoint when a delivery is given up.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, Default, PartialEq, Eq, JsonSchema)]
pub enum OnExhausted {
    /// Nothing.
    #[default]
    Continue,
    /// It counts as failing until a delivery succeeds.
    MarkFailing,
    /// It gets nothing until its spec or URL changes.
    Disable,
}

/// Which deliveries wait for others.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, Default, PartialEq, Eq, JsonSchema)]
pub enum DeliveryOrdering {
    /// None.
    #[default]
    None,
    /// All of an endpoint.
    PerEndpoint,
    /// Those of an endpoint whose events have the same subject.
    PerSubject,
}

/// How many attempts may be made in a time.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct DeliveryRate {
    /// How many attempts in each period; retries count.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub limit: u32,
    /// Length of the period, such as `1s` or `1m`, at least `1s`, at most `24h`.
    #[x_kube(validation = Rule::new("duration(self) >= duration('1s') && duration(self) <= duration('24h')").message("rateLimit.per must be between 1s and 24h"))]
    pub per: Duration,
    /// Left out, no time of the period's length ever holds more than `limit` attempts. With it, so many attempts may be
    /// made at once after a time of rest, and then as many as the rate allows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1_000_000))]
    pub burst: Option<u32>,
}

/// When attempts to an endpoint pause because all of them fail. While the circuit is open, deliveries wait. Then one
/// attempt is made to see whether the receiver is back: if it fails, the circuit is open for twice as long; if it
/// succeeds, deliveries go on, at first one at a time.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("!(has(self.type) && self.type == 'Disabled' && (has(self.failures) || has(self.openFor) || has(self.openForMax)))").message("type Disabled has no failures, openFor and openForMax"))]
#[x_kube(validation = Rule::new("!(has(self.openFor) && has(self.openForMax)) || duration(self.openFor) <= duration(self.openForMax)").message("openFor must be at most openForMax"))]
pub struct CircuitBreaker {
    /// `Consecutive`: pauses after so many `failures` in a row. `Disabled`: never. Default `Consecutive`.
    #[serde(default, rename = "type", skip_serializing_if = "Option::is_none")]
    pub type_: Option<CircuitBreakerType>,
    /// After how many failed attempts in a row the circuit opens. Default 10.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1000))]
    pub failures: Option<u32>,
    /// For how long it opens at first. Default `30s`, at least `1s`, at most `24h`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = Rule::new("duration(self) >= duration('1s') && duration(self) <= duration('24h')").message("openFor must be between 1s and 24h"))]
    pub open_for: Option<Duration>,
    /// For how long it opens at most, however often the receiver was asked in vain. Default `15m`, at least `1s`, at
    /// most `24h`; never less than `openFor`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = Rule::new("duration(self) >= duration('1s') && duration(self) <= duration('24h')").message("openForMax must be between 1s and 24h"))]
    pub open_for_max: Option<Duration>,
}

/// How it is decided that an endpoint fails.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, Default, PartialEq, Eq, JsonSchema)]
pub enum CircuitBreakerType {
    /// By failed attempts in a row.
    #[default]
    Consecutive,
    /// Not at all.
    Disabled,
}

/// When a failed delivery is attempted again: a `schedule` of delays, or `maxAttempts` with a `backoff`. Each delay
/// counts from the end of the attempt before.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("!(has(self.schedule) && (has(self.maxAttempts) || has(self.backoff)))").message("set either schedule, or maxAttempts and backoff"))]
#[x_kube(validation = Rule::new("has(self.maxAttempts) == has(self.backoff)").message("maxAttempts and backoff go together: set both or neither"))]
pub struct Retry {
    /// The delays before the second, third, ... attempt: n delays are n retries after an immediate first attempt; an
    /// empty list means no retries. Default `[5s, 5m, 30m, 2h, 5h, 10h, 14h, 20h, 24h]`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32))]
    pub schedule: Option<Vec<Duration>>,
    /// How many attempts are made in all, the first one counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 100))]
    pub max_attempts: Option<u32>,
    /// Delays that grow by a factor.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backoff: Option<Backoff>,
    /// A delivery is given up when it is not made within this time of its event being accepted, whatever held it up:
    /// failed attempts, a pause, a limit, an ordering, `suspend`, a missing reference. Default `100h`, at least `1m`, at
    /// most `720h`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = Rule::new("duration(self) >= duration('1m') && duration(self) <= duration('720h')").message("maxAge must be between 1m and 720h"))]
    pub max_age: Option<Duration>,
    /// Each delay is lengthened by a random part of up to this many percent, so that deliveries that failed together
    /// do not come back together. Default 10.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 100))]
    pub jitter: Option<u32>,
}

/// Delays of `base`, `base * factor`, `base * factor * factor`, ... up to `max`.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("duration(self.base) > duration('0s') && duration(self.base) <= duration(self.max)").message("base must be more than 0s and at most max"))]
pub struct Backoff {
    /// Delay before the second attempt.
    pub base: Duration,
    /// Each delay is this many times the one before. Default 2.
    #[serde(default = "default_factor")]
    #[schemars(range(min = 1, max = 10))]
    pub factor: u32,
    /// The longest delay.
    pub max: Duration,
}

fn default_factor() -> u32 {
    2
}
