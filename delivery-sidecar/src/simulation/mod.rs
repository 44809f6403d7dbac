//! Simulates the whole process from a seed, in one thread and in no time, and checks it at every step against the rules.
//! See `docs/simulation.md`.
//!
//! Real are: matching and [`crate::run::intake::Intake`], the journal with its writer's group commit, the numbers of
//! endpoints, [`crate::config::Snapshot`], the engine, the event's codec, idempotency keys, what an answer and a
//! `Retry-After` mean. Fake are the clock, the disk, and the network. The glue between them, which is tasks in the real
//! process, is [`process`].
//!
//! [`model`] is what must hold. It is written from the rules and told only what goes in and comes out.
//! [`sabotage`] shows that it notices when it does not.

mod around;
mod configuration;
mod disk;
mod log;
mod model;
mod network;
mod process;
mod rules;
mod sabotage;
mod scene;
mod summary;
mod tests;
mod trace;
mod world;

use rules::Violation;
use summary::Summary;
use trace::Trace;
use world::World;

/// When every world begins, in milliseconds since the epoch.
const START_MS: i64 = 1_800_000_000_000;

/// Runs a seed.
fn simulate(seed: u64) -> Result<Summary, Violation> {
    World::new(seed, None, Trace::default()).run()
}

/// Runs a seed and tells what happened.
fn trace(seed: u64) -> (Result<Summary, Violation>, Vec<String>) {
    let mut world = World::new(seed, None, Trace::new(true));
    let result = world.run();
    (result, world.into_trace().into_lines())
}
