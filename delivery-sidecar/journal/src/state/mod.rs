//! What the journal keeps in memory: a function of the records that are synced, and of nothing else.
//!
//! [`State::apply`] is the only way in which deliveries, endpoints and keys change. It runs after a record has been synced,
//! and again for every record that is read when a journal is opened.

mod apply;
mod dead_letters;
mod endpoints;
pub(crate) mod event;
mod events;
mod history;
mod keys;
mod segments;
mod seq_map;
mod sets;
mod standing;
pub(crate) mod stats;

pub(crate) use apply::Place;
pub(crate) use dead_letters::DeadLetters;
pub(crate) use endpoints::{Endpoint, Endpoints};
pub(crate) use event::Event;
pub(crate) use events::Events;
#[cfg(test)]
pub(crate) use keys::KEY_BYTES;
pub(crate) use keys::{Keys, Known};
pub(crate) use segments::{Segment, Segments};

use crate::delivery::Standing;
use crate::format::record::{Snapshot, SnapshotEndpoint};
use crate::limits::Limits;
use crate::{DeadLetter, EndpointRecord, EndpointStats, Ordinal, Overflow, Pending, Removed, Seq, Usage};

/// What events need.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Need {
    /// Bytes of the files, at most.
    pub(crate) bytes: u64,
    /// See [`Limits::places`].
    pub(crate) places: u64,
}

pub(crate) struct State {
    pub(crate) segments: Segments,
    pub(crate) events: Events,
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
    /// What the last events would have needed that found no space; nothing once others have found some.
    pub(crate) wanted: Need,
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
            events: Events::default(),
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
            wanted: Need::default(),
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
            refusing: self.failing || used >= most || used + self.wanted.bytes > most || self.lacks_places(),
            failing: self.broken,
        }
    }

    fn lacks_places(&self) -> bool {
        let places = self.places();
        places >= self.limits.places || places + self.wanted.places > self.limits.places
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
                bytes -= self.events.get(*seq).map_or(0, |event| event.weight());
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

    /// How many deliveries are not finished.
    pub(crate) fn pending(&self) -> u64 {
        self.endpoints.pending()
    }

    /// Places that are taken: see [`Limits::places`].
    pub(crate) fn places(&self) -> u64 {
        self.events.len() as u64 + self.pending()
    }

    /// Unfinished deliveries of events behind one, in order of acceptance: those of the next events, until there are `most`
    /// or more.
    pub(crate) fn pending_after(&self, after: Seq, most: usize) -> Vec<Pending> {
        let mut some = Vec::new();
        for (seq, event) in self.events.iter_from(after.saturating_add(1)) {
            for delivery in event.deliveries.iter() {
                let Standing::Pending { due_ms } = delivery.standing() else { continue };
                some.push(Pending {
                    seq,
                    endpoint: delivery.endpoint(),
                    attempts: delivery.attempts(),
                    accepted_ms: event.accepted_ms,
                    due_ms,
                    group: event.group,
                    redelivered: delivery.is_redelivered(),
                });
            }
            if some.len() >= most {
                break;
            }
        }
        some
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
