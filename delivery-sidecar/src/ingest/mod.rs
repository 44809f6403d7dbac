//! Takes events over HTTP. Checks them, asks who may post them, and answers when they are kept; knows nothing of
//! endpoints, deliveries or the journal's form.

pub mod accept;
mod catalogue;
mod idempotency;
mod media;
mod parse;
mod problem;
mod rate;
mod settings;

pub use accept::{AcceptError, AcceptEvents, Kept, Prepared};
pub use catalogue::Catalogue;
pub use settings::Settings;
