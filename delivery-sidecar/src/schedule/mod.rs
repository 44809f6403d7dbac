//! Decides which delivery is attempted when. Pure: [`Engine::handle`] is a function of the engine's state, an [`Input`]
//! and the time, and what is to be done comes back as [`Effect`]s. No I/O, no clock, and no randomness but that of a
//! seed, so that a simulation can drive it.
//!
//! What holds, whatever comes in:
//!
//! - A delivery that was committed is waiting or in flight until its outcome is recorded; only dropping its endpoint
//!   makes it disappear.
//! - No attempt of a delivery starts once it is older than its endpoint's `max_age_ms` and a second: it is given up,
//!   whatever held it up.
//! - A delivery is in flight at most once. Where an ordering is asked for, none is attempted before those accepted before
//!   it are delivered or given up.
//! - At most `concurrency` attempts of an endpoint and `in_flight` attempts of all are in flight. An endpoint whose
//!   last attempt failed or took long, or that has one in flight that does, starts one only while those of that kind have
//!   less than half of `in_flight`; one that has had no attempt, while those have less than a quarter; and both together
//!   leave a quarter to those that answer. One that failed or has had no answer yet makes one attempt at a time.
//! - No attempt starts before its time; pauses only delay.
//! - A delivery is given up without an attempt only when its endpoint has more pending than the journal keeps for one.
//! - An endpoint's rate limit is never exceeded, and drops nothing.
//! - While a circuit is open, at most one attempt starts: the probe, after the pause.
//! - Endpoints that can start something do so in turn.
//! - A waiting delivery takes at most 24 bytes, and 10 before its first attempt.

mod breaker;
mod cache;
mod conclude;
mod engine;
mod exhausted;
mod identity;
mod lane;
mod lateness;
mod memo;
mod message;
mod overflow;
mod places;
mod queue;
mod rate;
mod ready;
mod retry;
mod standing;
mod throttle;
mod timers;

#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;

pub use breaker::Circuit;
pub use engine::Engine;
pub use exhausted::Exhausted;
pub use identity::Identity;
pub use lane::LaneSettings;
pub use message::{Effect, Input, LaneView, Options, Settings, Start};
