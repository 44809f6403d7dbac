//! Bounds that no configuration changes, and how long clients are told to stay away.

use std::time::Duration;

/// What requests may hold and how long they may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Most bytes of a body, as it is sent and expanded.
    pub body_bytes: usize,
    /// Most events in a request.
    pub events: usize,
    /// Most bytes of bodies in memory, over all requests. An event is copied once on its way into the journal, so up to
    /// twice as much memory may be used. At least [`Limits::body_bytes`].
    pub memory_bytes: usize,
    /// Most compressed bodies that are expanded at a time. Each takes up to 8.5 MiB besides what it holds of
    /// [`Limits::memory_bytes`]: what a stream may look back on.
    pub expansions: usize,
    /// Most requests in progress.
    pub requests: usize,
    /// Longest time that a request waits for memory.
    pub memory_wait: Duration,
    /// Longest time that a body may take to arrive.
    pub body_time: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            body_bytes: 16 * 1024 * 1024,
            events: 1000,
            memory_bytes: 64 * 1024 * 1024,
            expansions: 2,
            requests: 4096,
            memory_wait: Duration::from_secs(5),
            body_time: Duration::from_secs(30),
        }
    }
}

/// Room will be there in a moment.
pub(super) const RETRY_OVERLOADED: Duration = Duration::from_secs(1);
/// Another process has taken over by then.
pub(super) const RETRY_STOPPING: Duration = Duration::from_secs(5);
/// A disk that fails may work again.
pub(super) const RETRY_FAILING: Duration = Duration::from_secs(5);
/// Space comes back when deliveries end or someone adds some.
pub(super) const RETRY_FULL: Duration = Duration::from_secs(15);
/// No answer from the API server is remembered for a second.
pub(super) const RETRY_AUTHORIZATION: Duration = Duration::from_secs(2);
