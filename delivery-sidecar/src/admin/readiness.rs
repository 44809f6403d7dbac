//! Whether the process is ready: when all of its named latches are set.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// Name of a latch and, while it is not set, why.
type Latches = BTreeMap<&'static str, Option<String>>;

/// A set of named latches. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct Readiness(Arc<Mutex<Latches>>);

impl Readiness {
    /// No latches, which is ready.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a latch that is not set, and says why. A latch of the same name is replaced.
    pub fn latch(&self, name: &'static str, reason: impl Into<String>) -> Latch {
        self.lock().insert(name, Some(reason.into()));
        Latch { readiness: self.clone(), name }
    }

    /// True when every latch is set.
    pub fn is_ready(&self) -> bool {
        self.lock().values().all(Option::is_none)
    }

    /// The latches that are not set and why, in order of name.
    pub fn missing(&self) -> Vec<(&'static str, String)> {
        self.lock().iter().filter_map(|(name, reason)| Some((*name, reason.clone()?))).collect()
    }

    fn lock(&self) -> MutexGuard<'_, Latches> {
        // The map is whole after every statement, so a panic elsewhere leaves nothing half done.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The right to set one latch of a [`Readiness`]. Clones are the same latch.
#[derive(Clone, Debug)]
pub struct Latch {
    readiness: Readiness,
    name: &'static str,
}

impl Latch {
    /// What it stands for is there.
    pub fn set(&self) {
        self.readiness.lock().insert(self.name, None);
    }

    /// What it stands for is not there, and why. The reason is shown to whoever asks `/readyz`.
    pub fn unset(&self, reason: impl Into<String>) {
        self.readiness.lock().insert(self.name, Some(reason.into()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ready_means_that_every_latch_is_set() {
        let readiness = Readiness::new();
        assert!(readiness.is_ready());
        let [a, b] = ["a", "b"].map(|name| readiness.latch(name, "starting"));
        a.set();
        assert!(!readiness.is_ready());
        b.set();
        assert!(readiness.is_ready());
        a.unset("stopping");
        assert_eq!(readiness.missing(), [("a", "stopping".to_owned())]);
    }
}
