//! From what users wrote to what a sidecar needs: every reference followed, every inherited field filled in.
//!
//! Pure: what other objects hold comes in as a [`Lookup`], which the operator fills from the API server and the
//! standalone mode from files. [`references()`] says what has to be in it. [`verdict()`] judges one endpoint by ordered
//! policies and, when nothing is wrong, returns its effective configuration; [`webhook::validate`] judges a Webhook.
//!
//! Messages name a field and say what would be right. They never contain a value that came from a Secret.

mod accept;
mod delivery;
mod headers;
mod ingest;
mod keys;
mod lookup;
mod outcome;
mod references;
mod schemas;
mod target;
mod url;
mod verdict;
pub mod webhook;

pub use ingest::{MAX_BEARER_KEYS, ingest_references, resolved_refs};
pub use keys::{GENERATED_KEY, GENERATED_KEY_ID, MAX_KEY_BYTES, MIN_KEY_BYTES, generated_key};
pub use lookup::{Lookup, Service};
pub use outcome::{Outcome, Refusal, Status};
pub use references::{References, ServicePort, default_references, references};
pub use verdict::{Parent, Verdict, verdict};
