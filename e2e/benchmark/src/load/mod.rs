//! What posts: one HTTP/1.1 connection, many of them as fast as they can, and many of them by a clock.

mod bare;
mod closed;
mod connection;
mod open;
mod times;

use std::sync::atomic::{AtomicU64, Ordering};

pub use bare::bare_loop;
pub use closed::{Closed, Saturation};
pub use connection::{Connection, Requests};
pub use open::{Open, open_loop};
pub use times::Times;

/// Connections of a producer, and of the bare loop.
pub const CONNECTIONS: usize = 32;

/// Numbers for events, each given once.
#[derive(Debug)]
pub struct Numbers(AtomicU64);

impl Numbers {
    /// From this number on.
    pub fn starting_at(first: u64) -> Self {
        Self(AtomicU64::new(first))
    }

    /// The first of `count` numbers in a row.
    pub fn take(&self, count: u64) -> u64 {
        self.0.fetch_add(count, Ordering::Relaxed)
    }
}
