//! A disk in memory that fails as real ones do, from a seed, so that what is found can be found again; and a writer that
//! does what it does when it is told to, at a time that it is told.
//!
//! What it knows of real disks:
//! - Content is durable after a sync, names after a sync of their directory. At a power loss any part of the rest may be
//!   there: a write may be torn between sectors, and a later one there without an earlier one.
//! - After a failed sync, what was to be synced may be lost although it can still be read, and no later sync brings it back.
//! - A full disk takes a part of a write before it refuses the rest.
//! - A process that is killed leaves all that it has written readable, durable or not.

mod fake_disk;
mod handles;
mod inode;
mod options;
mod random;
mod repair;
mod state;
mod stepped;

pub use fake_disk::{Crash, FakeDisk, Fault, SyncGate};
pub use options::{DIRECTORY, NOW, options};
pub use repair::repair_checksums;
pub use stepped::{OnCommit, SteppedWriter, open_stepped};
