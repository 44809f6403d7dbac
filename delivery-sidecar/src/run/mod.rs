//! Puts the steps together and runs them.

mod attempt;
mod backlog;
mod clock;
pub mod cluster;
mod configurator;
mod delivery;
mod engine_task;
mod intake;
mod memory;
mod open;
mod replay;
mod showing;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
mod views;

pub use delivery::{Delivery, Setup};
pub use replay::{Progress, Replay};
