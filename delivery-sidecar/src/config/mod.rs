//! The configuration that the operator writes: read, verified, and turned into what the other steps use.
//!
//! `watch` follows the index, `load` reads the chunks that changed, `snapshot` puts both together with the
//! journal's numbers for endpoints. A configuration is taken whole or not at all: until it is complete, the last good
//! one runs. It is never written to disk, because it holds keys.

pub(crate) mod load;
mod snapshot;
mod source;
mod watch;

#[cfg(test)]
pub(crate) mod testing;

pub use load::{Keeps, LoadError, Loaded, LoadedEndpoint, Loader, ParkedEndpoint};
pub use snapshot::{Entry, Snapshot};
pub use source::{KubeSource, Source};
pub use watch::{State, follow, watch_index};
