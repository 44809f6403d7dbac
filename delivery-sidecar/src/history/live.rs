//! Which attempts are in progress.

use std::{
    collections::HashSet,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use posthaste_history::Key;

/// At most as many as `limits.inFlight`. Clones share them.
#[derive(Clone, Debug, Default)]
pub struct InFlight(Arc<Mutex<HashSet<Key>>>);

impl InFlight {
    /// An attempt begins.
    pub fn began(&self, key: Key) {
        self.lock().insert(key);
    }

    /// It has ended.
    pub fn ended(&self, key: Key) {
        self.lock().remove(&key);
    }

    /// All of this moment.
    pub fn all(&self) -> HashSet<Key> {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, HashSet<Key>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
