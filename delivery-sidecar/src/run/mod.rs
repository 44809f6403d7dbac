//! Puts the steps together and runs them.

mod attempt;
pub(crate) mod backlog;
mod clock;
pub mod cluster;
mod configurator;
mod delivery;
pub(crate) mod engine_task;
pub(crate) mod intake;
mod memory;
mod memos;
pub(crate) mod numbers;
mod open;
pub(crate) mod replay;
mod showing;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
mod views;

pub use delivery::{Delivery, Setup};
pub use replay::{Mode, Progress, Replay, Replayer};
