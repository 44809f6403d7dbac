//! What the journal keeps in memory: a function of the records that are synced, and of nothing else.
//!
//! [`State::apply`] is the only way in which deliveries, endpoints and keys change. It runs after a record has been synced,
//! and again for every record that is read when a journal is opened.

mod apply;
mod dead_letters;
mod endpoints;
pub(crate) mod event;
mod history;
mod keys;
mod segments;
mod seq_map;
pub(crate) mod stats;

pub(crate) use apply::Place;
pub(crate) use dead_letters::DeadLetters;
pub(crate) use endpoints::{Endpoint, Endpoints};
pub(crate) use event::Event;
#[cfg(test)]
pub(crate) use keys::KEY_BYTES;
pub(crate) use keys::{Keys, Known};
pub(crate) use segments::{Segment, Segments};
pub(crate) use seq_map::SeqMap;

use crate::delivery::Standing;
use crate::format::record::{Snapshot, SnapshotEndpoint};
use crate::limits::Limits;
use crate::{DeadLetter, EndpointRecord, EndpointStats, Ordinal, Overflow, Pending, Removed, Seq, Usage};

pub(crate) struct State {
    pub(crate) segments: Segments,
    pub(crate) events: SeqMap<Event>,
    pub(crate) endpoints: Endpoints,
    /// The counts of endpoints that were dropped.
    pub(crate) dropped: EndpointStats,
    pub(crate) keys: Keys,
    pub(crate) dead_letters: DeadLetters,
    pub(crate) next_seq: Seq,
    pub(crate) next_ordinal: u32,
    /// Bytes of the newest snapshot.
    pub(crate) snapshot_bytes: u64,
    /// What was removed because its time or space was over.
    pub(crate) removed: Removed,
    /// The last write failed.
    pub(crate) failing: bool,
    /// It did not fail for want of space.
    pub(crate) broken: bool,
    /// Bytes that the last events would have needed that found no space; 0 once others have found some.
    pub(crate) wanted: u64,
    /// Bytes that events need that wait for space.
    pub(crate) asked: u64,
    /// The latest time that was heard of.
    pub(crate) now_ms: i64,
    pub(crate) limits: Limits,
}

impl State {
    pub(crate) fn new(limits: Limits, most_keys: usize) -> Self {
        Self {
            segments: Segments::default(),
            events: SeqMap::default(),
            endpoints: Endpoints::default(),
            dropped: EndpointStats::default(),
            keys: Keys::new(most_keys),
            dead_letters: DeadLetters::default(),
            next_seq: 1,
            next_ordinal: 0,
            snapshot_bytes: 0,
            removed: Removed::default(),
            failing: false,
            broken: false,
            wanted: 0,
            asked: 0,
            now_ms: 0,
            limits,
        }
    }

    /// The last write found no space. A disk that fails otherwise does not get better by freeing some.
    pub(crate) fn is_disk_full(&self) -> bool {
        self.failing && !self.broken
    }

    pub(crate) fn usage(&self) -> Usage {
        let (used, most) = (self.segments.used(), self.limits.most_for_events());
        Usage {
            used,
            live: self.segments.live() + self.snapshot_bytes,
            max: self.limits.max,
            dead_letters: self.dead_letters.bytes,
            history: self.history_bytes(),
            removed: self.removed,
            refusing: self.failing || used >= most || used + self.wanted > most,
            failing: self.broken,
        }
    }

    /// When the pending event of an endpoint that comes first was accepted.
    pub(crate) fn oldest_pending_ms(&self, ordinal: Ordinal) -> Option<i64> {
        let (seq, ()) = self.endpoints.get(ordinal)?.pending.first()?;
        Some(self.events.get(seq)?.accepted_ms)
    }

    /// Bytes of events that may become pending for an endpoint before that is too much.
    pub(crate) fn room(&self, ordinal: Ordinal) -> u64 {
        let pending = self.endpoints.get(ordinal).map_or(0, |endpoint| endpoint.pending_bytes);
        self.limits.per_endpoint.saturating_sub(pending)
    }

    /// Endpoints with too much pending, and the deliveries that are too much: at most `most`, the oldest.
    pub(crate) fn overflowing(&self, most: usize) -> Vec<Overflow> {
        let mut left = most;
        let wanted = self.limits.per_endpoint_after();
        let overflow = |(ordinal, endpoint): (Ordinal, &Endpoint)| {
            let mut bytes = endpoint.pending_bytes;
            let excess = endpoint.pending.iter().map(|(seq, ())| seq).take(left).take_while(|seq| {
                let is_excess = bytes > wanted;
                bytes -= self.events.get(*seq).map_or(0, Event::weight);
                is_excess
            });
            let oldest: Vec<Seq> = excess.collect();
            left -= oldest.len();
            Overflow { endpoint: ordinal, oldest }
        };
        self.endpoints.overflowing().map(overflow).filter(|overflow| !overflow.oldest.is_empty()).collect()
    }

    /// Dead letters of an endpoint from a number on, in order of acceptance.
    pub(crate) fn dead_letters(&self, ordinal: Ordinal, from: Seq, limit: usize) -> Vec<DeadLetter> {
        let Some(endpoint) = self.endpoints.get(ordinal) else { return Vec::new() };
        let letter = |(seq, ()): (Seq, &())| {
            let event = self.events.get(seq)?;
            let delivery = event.deliveries.get(ordinal)?;
            let Standing::Dead { at_ms } = delivery.standing() else { return None };
            Some(DeadLetter {
                seq,
                endpoint: ordinal,
                accepted_ms: event.accepted_ms,
                at_ms,
                attempts: delivery.attempts(),
            })
        };
        endpoint.dead.iter_from(from).filter_map(letter).take(limit).collect()
    }

    /// All unfinished deliveries, in order of acceptance.
    pub(crate) fn all_pending(&self) -> Vec<Pending> {
        let count = self.endpoints.iter().map(|(_, endpoint)| endpoint.pending.len()).sum();
        let mut all = Vec::with_capacity(count);
        for (seq, event) in self.events.iter() {
            for delivery in event.deliveries.as_slice() {
                let Standing::Pending { due_ms } = delivery.standing() else { continue };
                all.push(Pending {
                    seq,
                    endpoint: delivery.endpoint(),
                    attempts: delivery.attempts(),
                    accepted_ms: event.accepted_ms,
                    due_ms,
                    group: event.group,
                    redelivered: delivery.is_redelivered(),
                });
            }
        }
        all
    }

    /// All endpoints, in order of ordinal.
    pub(crate) fn all_endpoints(&self) -> Vec<EndpointRecord> {
        let record = |SnapshotEndpoint { ordinal, uid, memo, stats }| EndpointRecord { ordinal, uid, stats, memo };
        self.snapshot().endpoints.into_iter().map(record).collect()
    }

    /// What a new segment begins with.
    pub(crate) fn snapshot(&self) -> Snapshot {
        let endpoints = self.endpoints.iter().map(|(ordinal, endpoint)| SnapshotEndpoint {
            ordinal,
            uid: endpoint.uid.clone(),
            memo: endpoint.memo.clone(),
            stats: endpoint.stats.clone(),
        });
        Snapshot {
            next_seq: self.next_seq,
            next_ordinal: self.next_ordinal,
            endpoints: endpoints.collect(),
            dropped: self.dropped.clone(),
        }
    }
}
