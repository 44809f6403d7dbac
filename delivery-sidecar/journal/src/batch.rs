//! A commit that is being put together: what is asked is decided here, against the state and what is in the commit already.
//!
//! Nothing is changed by deciding. Whatever an answer says holds only if the commit is written.

mod again;

use std::collections::{HashMap, HashSet};

use bytes::Bytes;

use crate::delivery::Delivery;
use crate::format::blob;
use crate::format::frame::Frame;
use crate::format::record::{MESSAGE_BYTES, REASON_BYTES, Record};
use crate::state::{Event, Known, Need, State};
use crate::{Accepted, Committed, Failure, IdempotencyKey, NewEvent, Ordinal, Outcome, OutcomeKind, Seq};

/// Bytes that an event takes beside its payload, at most, without deliveries.
const EVENT_BYTES: u64 = 100;
/// Bytes that a delivery takes in an event's record and blob, at most.
const DELIVERY_BYTES: u64 = 10;
/// Records that will be synced together.
#[derive(Debug)]
pub(crate) struct Batch {
    pub(crate) frame: Frame,
    pub(crate) records: Vec<Record>,
    pub(crate) committed: Vec<Committed>,
    /// Places that its events take.
    pub(crate) places: u64,
    next_seq: Seq,
    next_ordinal: u32,
    keys: HashMap<u128, Known>,
    assigned: HashMap<String, Ordinal>,
    dropped: HashSet<Ordinal>,
    /// Attempts of deliveries that have an outcome here; `None` when it was their last.
    attempts: HashMap<(Seq, Ordinal), Option<u32>>,
    /// Events that have outcomes here, and may be gone with them.
    ended: HashSet<Seq>,
    /// Deliveries of events that are made pending again here.
    again: HashMap<Seq, Vec<Ordinal>>,
}

impl Batch {
    pub(crate) fn new(state: &State) -> Self {
        Self {
            frame: Frame::new(),
            records: Vec::new(),
            committed: Vec::new(),
            places: 0,
            next_seq: state.next_seq,
            next_ordinal: state.next_ordinal,
            keys: HashMap::new(),
            assigned: HashMap::new(),
            dropped: HashSet::new(),
            attempts: HashMap::new(),
            ended: HashSet::new(),
            again: HashMap::new(),
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    fn push(&mut self, record: Record) {
        self.frame.push(&record);
        self.records.push(record);
    }

    /// What accepting these events would add, at most. Repetitions add nothing.
    pub(crate) fn need_of(&self, state: &State, events: &[NewEvent]) -> Need {
        let mut need = Need::default();
        for event in events.iter().filter(|event| self.known(state, event).is_none()) {
            let deliveries = event.deliveries.len() as u64;
            need.bytes += EVENT_BYTES + event.payload.len() as u64 + DELIVERY_BYTES * deliveries;
            need.places += places(deliveries);
        }
        need
    }

    /// The key of this event as it is remembered.
    fn known(&self, state: &State, event: &NewEvent) -> Option<Known> {
        let key = event.idempotency?.key;
        let known = self.keys.get(&key).copied().or_else(|| state.keys.get(key))?;
        (known.expires_ms > event.accepted_ms).then_some(known)
    }

    fn is_known(&self, state: &State, ordinal: Ordinal) -> bool {
        let assigned_here = (state.next_ordinal..self.next_ordinal).contains(&ordinal.0);
        (assigned_here || state.endpoints.get(ordinal).is_some()) && !self.dropped.contains(&ordinal)
    }

    /// Accepts events. Deliveries to endpoints that are not known (any more) are left out.
    pub(crate) fn accept(&mut self, state: &State, events: Vec<NewEvent>) -> Vec<Accepted> {
        events.into_iter().map(|event| self.accept_one(state, event)).collect()
    }

    fn accept_one(&mut self, state: &State, event: NewEvent) -> Accepted {
        if let (Some(known), Some(key)) = (self.known(state, &event), event.idempotency) {
            let deliveries = known.deliveries;
            return if known.has_content(key.content) {
                Accepted::Duplicate { deliveries }
            } else {
                Accepted::Conflict
            };
        }
        let NewEvent { payload, accepted_ms, idempotency: key, mut deliveries, group } = event;
        deliveries.sort_unstable();
        deliveries.dedup();
        deliveries.retain(|ordinal| self.is_known(state, *ordinal));
        let seq = self.next_seq;
        self.next_seq += 1;
        if let Some(key) = key {
            let deliveries = u32::try_from(deliveries.len()).unwrap_or(u32::MAX);
            self.keys.insert(key.key, Known::new(&key, deliveries, 0));
        }
        let length = blob::put(self.frame.data(), seq, &deliveries, &payload);
        let blob = u32::try_from(length).expect("an event's size is checked before it gets here");
        self.push(Record::Event { seq, accepted_ms, key, deliveries: deliveries.clone(), blob, group });
        self.places += places(deliveries.len() as u64);
        self.committed.push(Committed { seq, accepted_ms, deliveries, group, payload });
        Accepted::New { seq }
    }

    /// Takes an outcome. False when its delivery is not known or finished, and the outcome changes nothing.
    pub(crate) fn outcome(&mut self, state: &State, outcome: &Outcome) -> bool {
        let delivery = (outcome.seq, outcome.endpoint);
        let before = match self.attempts.get(&delivery) {
            Some(before) => *before,
            None => pending_attempts(state, delivery),
        };
        let Some(before) = before.filter(|_| !self.dropped.contains(&outcome.endpoint)) else { return false };
        let (attempts, attempted) = match outcome.kind {
            OutcomeKind::Succeeded { .. } => (None, true),
            OutcomeKind::Retry { .. } => (Some(outcome.attempts), outcome.attempts > before),
            OutcomeKind::DeadLettered { .. } => (None, outcome.attempts > before),
        };
        self.attempts.insert(delivery, attempts);
        self.ended.insert(outcome.seq);
        let mut outcome = outcome.clone();
        match &mut outcome.kind {
            OutcomeKind::Succeeded { .. } => {}
            OutcomeKind::Retry { failure, .. } | OutcomeKind::DeadLettered { failure } => shorten(failure),
        }
        self.push(Record::Outcome { outcome, attempted });
        true
    }

    /// The number of an endpoint, a new one if it has none.
    pub(crate) fn ordinal(&mut self, state: &State, uid: &str) -> Ordinal {
        let known = state.endpoints.ordinal(uid).filter(|ordinal| !self.dropped.contains(ordinal));
        if let Some(ordinal) = known.or_else(|| self.assigned.get(uid).copied()) {
            return ordinal;
        }
        let ordinal = Ordinal(self.next_ordinal);
        self.next_ordinal += 1;
        self.assigned.insert(uid.to_owned(), ordinal);
        self.push(Record::Assigned { ordinal, uid: uid.to_owned() });
        ordinal
    }

    /// Drops an endpoint with its deliveries. Nothing happens when it is not known.
    pub(crate) fn drop_endpoint(&mut self, state: &State, ordinal: Ordinal) {
        if self.is_known(state, ordinal) {
            self.dropped.insert(ordinal);
            self.assigned.retain(|_, assigned| *assigned != ordinal);
            self.push(Record::Dropped { ordinal });
        }
    }

    /// Remembers something about an endpoint. Nothing happens when it is not known.
    pub(crate) fn remember(&mut self, state: &State, ordinal: Ordinal, memo: Bytes) {
        if self.is_known(state, ordinal) {
            self.push(Record::Memo { ordinal, memo });
        }
    }

    /// Copies an event as it stands. An empty blob says that it was found damaged.
    pub(crate) fn move_event(&mut self, seq: Seq, event: &Event<'_>, blob: &[u8]) {
        self.frame.data().extend_from_slice(blob);
        self.push(Record::Moved {
            seq,
            accepted_ms: event.accepted_ms,
            deliveries: event.deliveries.iter().collect(),
            blob: u32::try_from(blob.len()).unwrap_or(0),
            group: event.group,
        });
    }

    /// Copies a key.
    pub(crate) fn move_key(&mut self, key: IdempotencyKey, deliveries: u32) {
        self.push(Record::Key { key, deliveries });
    }

    /// Removes dead letters.
    pub(crate) fn remove_dead_letters(&mut self, dead_letters: Vec<(Seq, Ordinal)>) {
        if !dead_letters.is_empty() {
            self.push(Record::Removed { dead_letters });
        }
    }
}

/// An event without deliveries is finished at once.
fn places(deliveries: u64) -> u64 {
    if deliveries == 0 { 0 } else { 1 + deliveries }
}

/// Attempts of a delivery that is pending.
fn pending_attempts(state: &State, (seq, endpoint): (Seq, Ordinal)) -> Option<u32> {
    let delivery = state.events.get(seq)?.deliveries.get(endpoint)?;
    Some(delivery).filter(|delivery| !delivery.is_dead()).map(Delivery::attempts)
}

fn shorten(failure: &mut Failure) {
    truncate(&mut failure.reason, REASON_BYTES);
    truncate(&mut failure.message, MESSAGE_BYTES);
}

fn truncate(text: &mut String, most: usize) {
    text.truncate(text.floor_char_boundary(most));
}
