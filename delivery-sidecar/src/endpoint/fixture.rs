//! A configured endpoint for tests to change.

use posthaste_delivery_config::{
    DeliveryOrdering, DeliveryPolicy, Endpoint, HeaderValue, OnExhausted, Redacted, RetryPolicy, SigningKey, Target,
    TargetKind,
};

pub fn endpoint() -> Endpoint {
    Endpoint {
        uid: "3f1c".to_owned(),
        name: "acme".to_owned(),
        generation: 7,
        display_name: None,
        parameters: std::collections::BTreeMap::new(),
        tenant: None,
        event_types: None,
        filter: None,
        target: Target {
            url: Redacted::new("https://hooks.acme.example/v1/orders?token=s3cret"),
            display_url: None,
            kind: TargetKind::Url,
        },
        headers: vec![],
        signing_keys: vec![signing_key("k1", None)],
        delivery: DeliveryPolicy {
            timeout_ms: 15_000,
            retry: RetryPolicy { schedule_ms: vec![5_000], jitter_percent: 10, max_age_ms: 360_000_000 },
            retry_after_max_ms: 86_400_000,
            concurrency: 8,
            circuit_breaker: None,
            rate_limit: None,
            ordering: DeliveryOrdering::None,
            on_exhausted: OnExhausted::Continue,
        },
        enabled: true,
        suspend: false,
    }
}

/// A key of the bytes `secret of <id>`.
pub fn signing_key(id: &str, not_after: Option<&str>) -> SigningKey {
    use base64::Engine;
    let key = base64::engine::general_purpose::STANDARD.encode(format!("secret of {id}"));
    SigningKey {
        id: id.to_owned(),
        key: Redacted::new(key),
        not_after: not_after.map(|time| time.parse().expect("a test writes a good time")),
    }
}

pub fn header(name: &str, value: &str, template: bool) -> HeaderValue {
    HeaderValue { name: name.to_owned(), value: Redacted::new(value), template }
}
