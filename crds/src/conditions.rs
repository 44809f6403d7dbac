//! Condition types and their closed sets of reasons.
//!
//! One writer each: the operator writes [`READY`], [`ACCEPTED`] and [`RESOLVED_REFS`]; the delivery sidecar writes
//! [`PROGRAMMED`], [`ACCEPTING_EVENTS`], [`HEALTHY`] and [`ENDPOINTS_HEALTHY`].

/// Both kinds, operator: `Accepted` and `Programmed` for this generation, and what runs them is there.
pub const READY: &str = "Ready";
/// Both kinds, operator: the resource makes sense together with the others.
pub const ACCEPTED: &str = "Accepted";
/// Both kinds, operator: everything that it names exists.
pub const RESOLVED_REFS: &str = "ResolvedRefs";
/// Both kinds, sidecar: runs with the configuration of this generation.
pub const PROGRAMMED: &str = "Programmed";
/// Webhook, sidecar: events are taken in. `Ready` follows it.
pub const ACCEPTING_EVENTS: &str = "AcceptingEvents";
/// Endpoint, sidecar: the receiver accepts deliveries.
pub const HEALTHY: &str = "Healthy";
/// Webhook, sidecar: all receivers accept deliveries. Never part of `Ready`.
pub const ENDPOINTS_HEALTHY: &str = "EndpointsHealthy";

/// Reasons of `Ready`.
pub mod ready {
    /// All is in place.
    pub const READY: &str = "Ready";
    /// `Accepted` is not true.
    pub const NOT_ACCEPTED: &str = "NotAccepted";
    /// `ResolvedRefs` is not true.
    pub const UNRESOLVED_REFS: &str = "UnresolvedRefs";
    /// The delivery sidecar does not run this generation yet.
    pub const NOT_PROGRAMMED: &str = "NotProgrammed";
    /// The Deployment's rollout is not complete.
    pub const DEPLOYMENT_NOT_READY: &str = "DeploymentNotReady";
    /// `replicas` is 0.
    pub const SCALED_TO_ZERO: &str = "ScaledToZero";
    /// Events are refused because the journal has no space left.
    pub const JOURNAL_FULL: &str = "JournalFull";
    /// Events are refused because the journal's disk fails.
    pub const JOURNAL_FAILING: &str = "JournalFailing";
}

/// Reasons of `AcceptingEvents`. When it is false, `Ready` has the same reason.
pub mod accepting_events {
    /// The journal takes them.
    pub const ACCEPTING: &str = "Accepting";
    /// The journal has no space left.
    pub const JOURNAL_FULL: &str = super::ready::JOURNAL_FULL;
    /// The journal's disk fails.
    pub const JOURNAL_FAILING: &str = super::ready::JOURNAL_FAILING;
}

/// Reasons of `Accepted`.
pub mod accepted {
    /// Nothing is wrong.
    pub const ACCEPTED: &str = "Accepted";
    /// The Webhook that an endpoint names does not exist.
    pub const WEBHOOK_NOT_FOUND: &str = "WebhookNotFound";
    /// The Webhook that an endpoint names is not accepted itself.
    pub const WEBHOOK_NOT_ACCEPTED: &str = "WebhookNotAccepted";
    /// A field's value cannot be used; the message names it.
    pub const INVALID: &str = "Invalid";
    /// A `${...}` in a header value cannot be used.
    pub const INVALID_TEMPLATE: &str = "InvalidTemplate";
    /// The schema of an event type cannot be used.
    pub const INVALID_SCHEMA: &str = "InvalidSchema";
    /// The filter is no expression that is true or false.
    pub const INVALID_FILTER: &str = "InvalidFilter";
    /// More endpoints than the Webhook's limits let receive events.
    pub const LIMIT_EXCEEDED: &str = "LimitExceeded";
    /// An object that should be ours belongs to someone else.
    pub const NAME_CONFLICT: &str = "NameConflict";
    /// Rendered, the endpoint or all endpoints together are larger than their bound.
    pub const TOO_LARGE: &str = "TooLarge";
}

/// Reasons of `ResolvedRefs`.
pub mod resolved_refs {
    /// All is there.
    pub const RESOLVED: &str = "ResolvedRefs";
    /// A Secret or a key in it is missing.
    pub const SECRET_NOT_FOUND: &str = "SecretNotFound";
    /// A Service or a port of it is missing.
    pub const SERVICE_NOT_FOUND: &str = "ServiceNotFound";
    /// What is there cannot be used; the message says why, without showing it.
    pub const INVALID_VALUE: &str = "InvalidValue";
}

/// Reasons of `Programmed`.
pub mod programmed {
    /// The configuration runs.
    pub const PROGRAMMED: &str = "Programmed";
    /// The configuration could not be loaded; the last good one runs.
    pub const INVALID_CONFIGURATION: &str = "InvalidConfiguration";
    /// No sidecar is in charge: written by the operator in the sidecar's name.
    pub const NOT_DELIVERING: &str = "NotDelivering";
}

/// Reasons of `EndpointsHealthy`.
pub mod endpoints_healthy {
    /// No endpoint fails.
    pub const ALL_HEALTHY: &str = "AllHealthy";
    /// Some endpoints fail.
    pub const SOME_FAILING: &str = "SomeFailing";
    /// All endpoints fail.
    pub const ALL_FAILING: &str = "AllFailing";
    /// There are no endpoints.
    pub const NO_ENDPOINTS: &str = "NoEndpoints";
}

/// Reasons of `Healthy`; the failures among them are also the kinds of a failed attempt.
pub mod healthy {
    /// The last delivery succeeded. True.
    pub const DELIVERING: &str = "Delivering";
    /// Nothing was delivered yet. Unknown.
    pub const NO_TRAFFIC: &str = "NoTraffic";
    /// The name did not resolve.
    pub const DNS_ERROR: &str = "DNSError";
    /// No connection.
    pub const CONNECT_ERROR: &str = "ConnectError";
    /// The TLS handshake failed.
    pub const TLS_ERROR: &str = "TLSError";
    /// The attempt took longer than its timeout.
    pub const TIMEOUT: &str = "Timeout";
    /// An answer of 4xx other than those with a reason of their own.
    pub const CLIENT_ERROR: &str = "ClientError";
    /// An answer of 5xx, or one that broke off.
    pub const SERVER_ERROR: &str = "ServerError";
    /// An answer of 401 or 403.
    pub const AUTH_ERROR: &str = "AuthError";
    /// An answer of 429.
    pub const RATE_LIMITED: &str = "RateLimited";
    /// An answer of 410: the receiver wants no more.
    pub const GONE: &str = "Gone";
    /// An answer of 3xx; redirects are not followed.
    pub const REDIRECTED: &str = "Redirected";
    /// The address policy forbids the address.
    pub const BLOCKED_ADDRESS: &str = "BlockedAddress";
    /// A header could not be rendered.
    pub const RENDER_ERROR: &str = "RenderError";
    /// A delivery was given up: its retries or its time were used up.
    pub const EXHAUSTED: &str = "Exhausted";
    /// `suspend` is set. Unknown.
    pub const SUSPENDED: &str = "Suspended";
    /// `enabled` is false. Unknown.
    pub const DISABLED: &str = "Disabled";

    /// All that an attempt can fail with.
    pub const FAILURES: [&str; 12] = [
        DNS_ERROR,
        CONNECT_ERROR,
        TLS_ERROR,
        TIMEOUT,
        CLIENT_ERROR,
        SERVER_ERROR,
        AUTH_ERROR,
        RATE_LIMITED,
        GONE,
        REDIRECTED,
        BLOCKED_ADDRESS,
        RENDER_ERROR,
    ];
}
