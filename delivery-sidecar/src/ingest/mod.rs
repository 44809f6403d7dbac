//! Takes events over HTTP. Checks them, asks who may post them, and answers when they are kept; knows nothing of
//! endpoints, deliveries or the journal's form.

pub mod accept;

pub use accept::{AcceptError, AcceptEvents, Kept, Prepared};
