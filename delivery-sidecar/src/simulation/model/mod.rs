//! What must hold, kept apart from what does it: written from the documented rules, and told only what goes in and what
//! comes out. [`ledger`] is about events and the journal over all processes, [`life`] about attempts of one process.

mod circuit;
mod exhausted;
mod lane;
pub mod ledger;
pub mod life;
mod memory;
mod rate;
mod state;
