//! What is kept in memory of endpoints.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use bytes::Bytes;

use super::seq_map::SeqMap;
use crate::format::record::SnapshotEndpoint;
use crate::limits::Limits;
use crate::{EndpointStats, Ordinal, Seq};

/// One endpoint.
#[derive(Debug, Default)]
pub(crate) struct Endpoint {
    pub(crate) uid: String,
    pub(crate) memo: Bytes,
    pub(crate) stats: EndpointStats,
    /// Events with a pending delivery to it.
    pub(crate) pending: SeqMap<()>,
    /// What these count: the sum of [`super::Event::weight`].
    pub(crate) pending_bytes: u64,
    /// Events with a dead letter of it.
    pub(crate) dead: SeqMap<()>,
}

/// All endpoints.
#[derive(Debug, Default)]
pub(crate) struct Endpoints {
    by_ordinal: BTreeMap<Ordinal, Endpoint>,
    by_uid: HashMap<String, Ordinal>,
    /// Deliveries that are pending, of all together.
    pending: u64,
    /// Those that were found to have too much pending, until they have clearly less.
    overflowing: BTreeSet<Ordinal>,
}

impl Endpoints {
    pub(crate) fn get(&self, ordinal: Ordinal) -> Option<&Endpoint> {
        self.by_ordinal.get(&ordinal)
    }

    pub(crate) fn get_mut(&mut self, ordinal: Ordinal) -> Option<&mut Endpoint> {
        self.by_ordinal.get_mut(&ordinal)
    }

    /// The endpoint, which is made when it is not known yet: while a journal is opened, events come before the snapshot
    /// that names their endpoints.
    pub(crate) fn entry(&mut self, ordinal: Ordinal) -> &mut Endpoint {
        self.by_ordinal.entry(ordinal).or_default()
    }

    /// A delivery is pending.
    pub(crate) fn add_pending(&mut self, ordinal: Ordinal, seq: Seq) {
        let is_new = self.entry(ordinal).pending.insert(seq, ()).is_none();
        self.pending += u64::from(is_new);
    }

    /// A delivery is not pending any more, if it was.
    pub(crate) fn remove_pending(&mut self, ordinal: Ordinal, seq: Seq) {
        let removed = self.by_ordinal.get_mut(&ordinal).and_then(|endpoint| endpoint.pending.remove(seq));
        self.pending -= u64::from(removed.is_some());
    }

    /// How many deliveries are pending.
    pub(crate) fn pending(&self) -> u64 {
        self.pending
    }

    /// An endpoint has more or fewer bytes pending. One that is not known has none.
    pub(crate) fn weigh(&mut self, ordinal: Ordinal, change: i64, limits: &Limits) {
        let Some(endpoint) = self.by_ordinal.get_mut(&ordinal) else { return };
        endpoint.pending_bytes = endpoint.pending_bytes.saturating_add_signed(change);
        if endpoint.pending_bytes > limits.per_endpoint {
            self.overflowing.insert(ordinal);
        } else if endpoint.pending_bytes <= limits.per_endpoint_after() {
            self.overflowing.remove(&ordinal);
        }
    }

    /// The limits have changed.
    pub(crate) fn weigh_all(&mut self, limits: &Limits) {
        let over = |endpoint: &Endpoint| endpoint.pending_bytes > limits.per_endpoint;
        self.overflowing = self.iter().filter(|(_, endpoint)| over(endpoint)).map(|(ordinal, _)| ordinal).collect();
    }

    /// Endpoints that have too much pending.
    pub(crate) fn overflowing(&self) -> impl Iterator<Item = (Ordinal, &Endpoint)> {
        self.overflowing.iter().filter_map(|ordinal| Some((*ordinal, self.get(*ordinal)?)))
    }

    pub(crate) fn ordinal(&self, uid: &str) -> Option<Ordinal> {
        self.by_uid.get(uid).copied()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (Ordinal, &Endpoint)> {
        self.by_ordinal.iter().map(|(ordinal, endpoint)| (*ordinal, endpoint))
    }

    pub(crate) fn assign(&mut self, ordinal: Ordinal, uid: String) {
        self.entry(ordinal).uid.clone_from(&uid);
        self.by_uid.insert(uid, ordinal);
    }

    pub(crate) fn remove(&mut self, ordinal: Ordinal) -> Option<Endpoint> {
        let endpoint = self.by_ordinal.remove(&ordinal)?;
        self.overflowing.remove(&ordinal);
        self.pending -= endpoint.pending.len() as u64;
        if self.by_uid.get(&endpoint.uid) == Some(&ordinal) {
            self.by_uid.remove(&endpoint.uid);
        }
        Some(endpoint)
    }

    /// Takes over what a snapshot says. Deliveries stay as they are.
    pub(crate) fn load(&mut self, snapshot: Vec<SnapshotEndpoint>) {
        for endpoint in self.by_ordinal.values_mut() {
            endpoint.uid.clear();
        }
        self.by_uid.clear();
        for SnapshotEndpoint { ordinal, uid, memo, stats } in snapshot {
            self.assign(ordinal, uid);
            let endpoint = self.entry(ordinal);
            endpoint.memo = memo;
            endpoint.stats = stats;
        }
    }

    /// Endpoints that no snapshot or record has named.
    pub(crate) fn nameless(&self) -> Vec<Ordinal> {
        self.iter().filter(|(_, endpoint)| endpoint.uid.is_empty()).map(|(ordinal, _)| ordinal).collect()
    }
}
