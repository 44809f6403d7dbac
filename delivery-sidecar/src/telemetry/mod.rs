//! What the process tells about itself: metrics and logs.
//!
//! Something that is worth telling is one struct in [`events`] with one `emit`, which logs and counts together, so that
//! the two never disagree. Label sets are closed: no label holds the name of an endpoint, an event type, a tenant or
//! anything else that users or receivers choose.

pub mod events;
pub mod labels;
pub mod log;
mod metrics;

pub use metrics::{InFlight, Metrics};
