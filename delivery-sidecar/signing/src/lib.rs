//! Signing schemes, one module each. No I/O, no clock: whoever signs says what time it is.

mod key;
pub mod standard_webhooks;

pub use key::{KeyError, MAX_KEY_BYTES, SymmetricKey};
