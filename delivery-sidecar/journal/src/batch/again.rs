//! Deliveries that are made pending again, of events that are finished or not.

use super::{Batch, EVENT_BYTES, pending_attempts};
use crate::delivery::Delivery;
use crate::format::blob;
use crate::format::record::Record;
use crate::state::{Need, State};
use crate::{Kept, Ordinal, Redelivered, Seq, Stored};

/// Bytes that a delivery takes in the blob and the record of an event that is written anew, at most.
const STANDING_BYTES: u64 = 40;

/// Places that an event takes that is pending for one endpoint.
const PLACES: u64 = 2;

impl Batch {
    /// Makes finished deliveries to an endpoint pending again, as far as their events are still there. Those that are pending
    /// stay as they are, and are left out of what is returned.
    pub(crate) fn redeliver(&mut self, state: &State, endpoint: Ordinal, events: Vec<Seq>) -> Vec<Redelivered> {
        let mut redelivered = Vec::new();
        if !self.is_known(state, endpoint) {
            return redelivered;
        }
        for seq in events {
            let Some(event) = state.events.get(seq) else { continue };
            if self.may_be_again(state, seq, endpoint) {
                redelivered.push(Redelivered { seq, accepted_ms: event.accepted_ms });
            }
        }
        if !redelivered.is_empty() {
            let deliveries = redelivered.iter().map(|delivery| (delivery.seq, endpoint)).collect();
            self.push(Record::Redelivered { deliveries });
        }
        redelivered
    }

    /// Makes kept events pending for an endpoint, as far as they are not. One that is finished, or was never for this endpoint,
    /// is written anew with its content: that says from then on whom it was for.
    pub(crate) fn restore(&mut self, state: &State, endpoint: Ordinal, events: Vec<Kept>) -> Vec<Redelivered> {
        let mut restored = Vec::new();
        if !self.is_known(state, endpoint) {
            return restored;
        }
        let mut known = Vec::new();
        for Kept { seq, group, stored } in events {
            let Stored { accepted_ms, mut deliveries, payload } = stored;
            let is_known = state.events.get(seq).is_some() || self.again.contains_key(&seq);
            if !self.may_be_again(state, seq, endpoint) {
                continue;
            }
            restored.push(Redelivered { seq, accepted_ms });
            if let Err(at) = deliveries.binary_search(&endpoint) {
                deliveries.insert(at, endpoint);
            } else if is_known && self.dropped.is_empty() {
                known.push((seq, endpoint));
                continue;
            }
            let standing = self.standing(state, seq);
            let length = blob::put(self.frame.data(), seq, &deliveries, &payload);
            let blob = u32::try_from(length).expect("it was read from a journal");
            self.push(Record::Moved { seq, accepted_ms, deliveries: standing, blob, group });
            if is_known {
                known.push((seq, endpoint));
            }
        }
        if !known.is_empty() {
            self.push(Record::Redelivered { deliveries: known });
        }
        self.places += PLACES * restored.len() as u64;
        restored
    }

    /// Whether a delivery is not pending, and its event stands as in the state but for what is made pending again here. If
    /// so, it is from now on.
    fn may_be_again(&mut self, state: &State, seq: Seq, endpoint: Ordinal) -> bool {
        let pending = || pending_attempts(state, (seq, endpoint));
        let is_pending = self.attempts.get(&(seq, endpoint)).copied().unwrap_or_else(pending).is_some();
        let may_be = !is_pending && !self.ended.contains(&seq);
        if may_be {
            self.attempts.insert((seq, endpoint), Some(0));
            self.again.entry(seq).or_default().push(endpoint);
        }
        may_be
    }

    /// How the deliveries of an event stand with what is made pending again here.
    fn standing(&self, state: &State, seq: Seq) -> Vec<Delivery> {
        let again = self.again.get(&seq).map(Vec::as_slice).unwrap_or_default();
        let event = state.events.get(seq);
        let before = event.iter().flat_map(|event| event.deliveries.iter());
        let before = before.filter(|delivery| !again.contains(&delivery.endpoint()));
        let again = again.iter().map(|endpoint| Delivery::fresh(*endpoint).redelivered());
        let mut standing: Vec<Delivery> =
            before.chain(again).filter(|delivery| !self.dropped.contains(&delivery.endpoint())).collect();
        standing.sort_unstable_by_key(|delivery| delivery.endpoint());
        standing
    }

    /// What making these events pending again would add, at most.
    pub(crate) fn need_of_kept(events: &[Kept]) -> Need {
        let bytes = |event: &Kept| {
            let deliveries = event.stored.deliveries.len() as u64 + 1;
            EVENT_BYTES + event.stored.payload.len() as u64 + STANDING_BYTES * deliveries
        };
        Need { bytes: events.iter().map(bytes).sum(), places: PLACES * events.len() as u64 }
    }
}
