//! The journal's numbers for endpoints: gives new endpoints theirs, and takes those of deleted ones back.

use std::collections::HashMap;

use posthaste_journal::{EndpointRecord, Error, Journal, Ordinal};

use crate::config::{Keeps, Loaded, Snapshot};

/// See the module.
pub struct Numbers {
    journal: Journal,
    ordinals: HashMap<String, Ordinal>,
}

impl Numbers {
    /// Knows the endpoints that the journal does.
    pub fn new(journal: Journal, recovered: &[EndpointRecord]) -> Self {
        let ordinals = recovered.iter().map(|endpoint| (endpoint.uid.clone(), endpoint.ordinal)).collect();
        Self { journal, ordinals }
    }

    /// Makes a configuration whose endpoints all have numbers, as have those that events are kept for; those of new ones
    /// are synced.
    pub async fn snapshot(&mut self, loaded: &Loaded, previous: Option<&Snapshot>) -> Result<Snapshot, Error> {
        let waiting = loaded.parked.iter().filter(|parked| matches!(parked.keeps, Keeps::Wanted(_)));
        let uids = loaded.endpoints.iter().map(|endpoint| &endpoint.uid).chain(waiting.map(|parked| &parked.uid));
        let unknown = uids.filter(|uid| !self.ordinals.contains_key(&***uid));
        let unknown: Vec<String> = unknown.map(ToString::to_string).collect();
        if !unknown.is_empty() {
            let ordinals = self.journal.ordinals(unknown.clone()).await?;
            self.ordinals.extend(unknown.into_iter().zip(ordinals));
        }
        Ok(Snapshot::new(loaded, previous, |uid| self.ordinals.get(uid).copied()))
    }

    /// Forgets what waits for deleted endpoints, and says of each how much that was. To be called when no event is
    /// matched to them any more.
    pub async fn drop_deleted(&mut self, snapshot: &Snapshot, mut dropped: impl FnMut(&str, u64)) -> Result<(), Error> {
        for (uid, ordinal) in &snapshot.dropped {
            let deliveries = self.journal.drop_endpoint(*ordinal).await?;
            // The journal forgets its number, too.
            self.ordinals.remove(uid);
            dropped(uid, deliveries);
        }
        Ok(())
    }
}
