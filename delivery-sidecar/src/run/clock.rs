//! The time, for the parts that do not take it from their caller.

use jiff::Timestamp;

/// Milliseconds since the Unix epoch. Deliveries are due at times of the calendar, because they outlive the process.
pub fn now_ms() -> i64 {
    Timestamp::now().as_millisecond()
}
