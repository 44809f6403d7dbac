//! What each record means.

use super::event::Deliveries;
use super::keys::KEY_BYTES;
use super::standing::Standings;
use super::{Event, Known, State, stats};
use crate::delivery::{Delivery, Standing};
use crate::format::record::Record;
use crate::{IdempotencyKey, Ordinal, Outcome, OutcomeKind, Seq};

/// Where the blob of the next record that has one is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    pub(crate) segment: u32,
    pub(crate) offset: u32,
}

impl State {
    /// Changes the state as a record says, and moves `place` past its blob. Returns how many deliveries were dropped.
    ///
    /// What a record is about may be gone: while a journal is opened, records are read whose events were in segments that
    /// have been cleaned.
    pub(crate) fn apply(&mut self, record: Record, place: &mut Place) -> u64 {
        let here = *place;
        if let Some((_, blob)) = record.blob() {
            place.offset = place.offset.saturating_add(blob);
        }
        match record {
            Record::Snapshot(snapshot) => {
                self.next_seq = self.next_seq.max(snapshot.next_seq);
                self.next_ordinal = self.next_ordinal.max(snapshot.next_ordinal);
                self.endpoints.load(snapshot.endpoints);
                self.dropped = snapshot.dropped;
            }
            Record::Event { seq, accepted_ms, key, deliveries, blob, group } => {
                self.next_seq = self.next_seq.max(seq + 1);
                self.segments.count_event(here.segment, accepted_ms);
                if let Some(key) = key {
                    self.remember_key(&key, u32::try_from(deliveries.len()).unwrap_or(u32::MAX), here.segment);
                }
                self.add_event(seq, accepted_ms, Deliveries::Fresh(&deliveries), blob, here, group);
            }
            Record::Moved { seq, accepted_ms, deliveries, blob, group } => {
                self.next_seq = self.next_seq.max(seq + 1);
                self.segments.count_event(here.segment, accepted_ms);
                self.move_event(seq, accepted_ms, deliveries, blob, here, group);
            }
            Record::Outcome { outcome, attempted } => self.apply_outcome(&outcome, attempted),
            Record::Assigned { ordinal, uid } => {
                self.next_ordinal = self.next_ordinal.max(ordinal.0 + 1);
                self.endpoints.assign(ordinal, uid);
            }
            Record::Dropped { ordinal } => return self.drop_endpoint(ordinal),
            Record::Memo { ordinal, memo } => {
                if let Some(endpoint) = self.endpoints.get_mut(ordinal) {
                    endpoint.memo = memo;
                }
            }
            Record::Key { key, deliveries } => match self.keys.get(key.key) {
                Some(known) if known.is(&key) => self.move_key(&key, here.segment),
                _ => self.remember_key(&key, deliveries, here.segment),
            },
            Record::Removed { dead_letters } => {
                for (seq, ordinal) in dead_letters {
                    self.finish(seq, ordinal);
                }
                self.pop_dead_letters();
            }
            Record::Redelivered { deliveries } => {
                for (seq, ordinal) in &deliveries {
                    self.redeliver(*seq, *ordinal);
                }
                // One that dies again is queued again.
                let (events, queue) = (&self.events, &mut self.dead_letters);
                queue.retain(|seq, ordinal| is_dead(events.get(seq), ordinal));
            }
        }
        0
    }

    fn remember_key(&mut self, key: &IdempotencyKey, deliveries: u32, segment: u32) {
        let segments = &mut self.segments;
        segments.hold(segment, KEY_BYTES);
        let forgotten = |known: Known| segments.release(known.segment, KEY_BYTES);
        self.keys.insert(&Known::new(key, deliveries, segment), forgotten);
    }

    fn move_key(&mut self, key: &IdempotencyKey, segment: u32) {
        if let Some(before) = self.keys.moved(key.key, segment) {
            self.segments.release(before, KEY_BYTES);
            self.segments.hold(segment, KEY_BYTES);
        }
    }

    /// Forgets keys that have expired. This needs no record: whoever reads the key again forgets it again.
    pub(crate) fn forget_expired_keys(&mut self, now_ms: i64) -> u64 {
        let mut count = 0;
        let segments = &mut self.segments;
        self.keys.forget_expired(now_ms, |known| {
            count += 1;
            segments.release(known.segment, KEY_BYTES);
        });
        count
    }

    fn add_event(
        &mut self,
        seq: Seq,
        accepted_ms: i64,
        deliveries: Deliveries<'_>,
        length: u32,
        place: Place,
        group: u16,
    ) {
        for delivery in deliveries.iter() {
            // A number that was used is not given again, even if nothing says whose it was.
            self.next_ordinal = self.next_ordinal.max(delivery.endpoint().0 + 1);
            if delivery.is_dead() {
                self.endpoints.entry(delivery.endpoint()).dead.insert(seq, ());
                self.dead_letters.push(seq, delivery.endpoint());
            } else {
                self.endpoints.add_pending(delivery.endpoint(), seq);
            }
        }
        if deliveries.len() == 0 {
            return;
        }
        let event = Event { accepted_ms, segment: place.segment, offset: place.offset, length, group, deliveries };
        let weight = event.weight().cast_signed();
        for delivery in deliveries.iter().filter(|delivery| !delivery.is_dead()) {
            self.endpoints.weigh(delivery.endpoint(), weight, &self.limits);
        }
        self.segments.hold(place.segment, event.live());
        if event.is_only_dead() {
            self.dead_letters.bytes += u64::from(length);
        }
        self.events.insert(seq, &event);
    }

    /// An event that is still known stands as the record says: cleaning copies what is in memory, and a journal that still
    /// has the older record has all that came between.
    fn move_event(
        &mut self,
        seq: Seq,
        accepted_ms: i64,
        deliveries: Vec<Delivery>,
        length: u32,
        place: Place,
        group: u16,
    ) {
        let Some(event) = self.events.get(seq) else {
            let Some(standings) = Standings::new(deliveries) else { return };
            return self.add_event(seq, accepted_ms, Deliveries::Standing(&standings), length, place, group);
        };
        let after = Event { segment: place.segment, offset: place.offset, length, ..event };
        self.segments.release(event.segment, event.live());
        self.segments.hold(after.segment, after.live());
        if length != event.length {
            let change = i64::from(length) - i64::from(event.length);
            for delivery in event.deliveries.iter().filter(|delivery| !delivery.is_dead()) {
                self.endpoints.weigh(delivery.endpoint(), change, &self.limits);
            }
        }
        if event.is_only_dead() {
            self.dead_letters.bytes = self.dead_letters.bytes - u64::from(event.length) + u64::from(length);
        }
        self.events.moved(seq, place.segment, place.offset, length);
    }

    fn apply_outcome(&mut self, outcome: &Outcome, attempted: bool) {
        // Counted even when the event is gone: its outcome may be younger than the snapshot that the counts start from.
        if let Some(endpoint) = self.endpoints.get_mut(outcome.endpoint) {
            stats::count(&mut endpoint.stats, outcome, attempted);
        }
        let standing = match outcome.kind {
            OutcomeKind::Succeeded { .. } => return self.finish(outcome.seq, outcome.endpoint),
            OutcomeKind::Retry { due_ms, .. } => Standing::Pending { due_ms },
            OutcomeKind::DeadLettered { .. } => Standing::Dead { at_ms: outcome.at_ms },
        };
        let Some(event) = self.events.get(outcome.seq) else { return };
        let Some(before) = event.deliveries.get(outcome.endpoint) else { return };
        if before.is_dead() {
            return;
        }
        let mut after = Delivery::new(outcome.endpoint, outcome.attempts, standing);
        if before.is_redelivered() && !after.is_dead() {
            after = after.redelivered();
        }
        self.segments.resize(event.segment, Event::live_change(before, Some(after)));
        let (length, weight) = (event.length, event.weight());
        self.events.put(outcome.seq, after);
        if after.is_dead() {
            if self.events.get(outcome.seq).is_some_and(|event| event.is_only_dead()) {
                self.dead_letters.bytes += u64::from(length);
            }
            self.dead_letters.push(outcome.seq, outcome.endpoint);
            self.endpoints.weigh(outcome.endpoint, -weight.cast_signed(), &self.limits);
            self.endpoints.remove_pending(outcome.endpoint, outcome.seq);
            if let Some(endpoint) = self.endpoints.get_mut(outcome.endpoint) {
                endpoint.dead.insert(outcome.seq, ());
            }
        }
    }

    /// Makes a finished delivery pending again. Without its event there is nothing to deliver.
    fn redeliver(&mut self, seq: Seq, ordinal: Ordinal) {
        let Some(event) = self.events.get(seq) else { return };
        let before = event.deliveries.get(ordinal);
        if before.is_some_and(|before| !before.is_dead()) {
            return;
        }
        if event.is_only_dead() {
            self.dead_letters.bytes -= u64::from(event.length);
        }
        let after = Delivery::fresh(ordinal).redelivered();
        self.segments.resize(event.segment, Event::live_change(before, Some(after)));
        let weight = event.weight().cast_signed();
        self.events.put(seq, after);
        self.endpoints.entry(ordinal).dead.remove(seq);
        self.endpoints.add_pending(ordinal, seq);
        self.endpoints.weigh(ordinal, weight, &self.limits);
    }

    /// Takes a delivery out of the event and of the endpoint.
    fn finish(&mut self, seq: Seq, ordinal: Ordinal) {
        self.finish_in_event(seq, ordinal);
        self.endpoints.remove_pending(ordinal, seq);
        if let Some(endpoint) = self.endpoints.get_mut(ordinal) {
            endpoint.dead.remove(seq);
        }
    }

    fn finish_in_event(&mut self, seq: Seq, ordinal: Ordinal) {
        let Some(event) = self.events.get(seq) else { return };
        let Some(delivery) = event.deliveries.get(ordinal) else { return };
        let (length, was_only_dead) = (u64::from(event.length), event.is_only_dead());
        if !delivery.is_dead() {
            self.endpoints.weigh(ordinal, -event.weight().cast_signed(), &self.limits);
        }
        if event.deliveries.len() == 1 {
            self.segments.release(event.segment, event.live());
            self.events.remove(seq);
            if was_only_dead {
                self.dead_letters.bytes -= length;
            }
            return;
        }
        self.segments.resize(event.segment, Event::live_change(delivery, None));
        self.events.take(seq, ordinal);
        if !was_only_dead && self.events.get(seq).is_some_and(|event| event.is_only_dead()) {
            self.dead_letters.bytes += length;
        }
    }

    fn drop_endpoint(&mut self, ordinal: Ordinal) -> u64 {
        let Some(endpoint) = self.endpoints.remove(ordinal) else { return 0 };
        for (seq, ()) in endpoint.pending.iter().chain(endpoint.dead.iter()) {
            self.finish_in_event(seq, ordinal);
        }
        if !endpoint.dead.is_empty() {
            self.dead_letters.retain(|_, other| other != ordinal);
        }
        stats::add(&mut self.dropped, &endpoint.stats);
        (endpoint.pending.len() + endpoint.dead.len()) as u64
    }

    fn pop_dead_letters(&mut self) {
        let (events, queue) = (&self.events, &mut self.dead_letters);
        queue.pop_while(|seq, ordinal| !is_dead(events.get(seq), ordinal));
    }

    /// Puts in order what was read out of order, and drops what belongs to no endpoint.
    pub(crate) fn settle(&mut self, now_ms: i64) {
        for ordinal in self.endpoints.nameless() {
            let dropped = self.drop_endpoint(ordinal);
            if dropped > 0 {
                tracing::error!(
                    ordinal = ordinal.0,
                    dropped,
                    "deliveries of an endpoint that the journal does not know"
                );
            }
        }
        self.now_ms = self.now_ms.max(now_ms);
        let segments = &mut self.segments;
        self.keys.loaded(|known| segments.release(known.segment, KEY_BYTES));
        self.forget_expired_keys(now_ms);
        let (events, queue) = (&self.events, &mut self.dead_letters);
        queue.retain(|seq, ordinal| is_dead(events.get(seq), ordinal));
        queue.sort(|seq, ordinal| died_ms(events.get(seq), ordinal));
    }

    /// When a dead letter died; `None` when it is none.
    pub(crate) fn died_ms(&self, seq: Seq, ordinal: Ordinal) -> Option<i64> {
        let event = self.events.get(seq);
        is_dead(event, ordinal).then(|| died_ms(event, ordinal))
    }
}

fn is_dead(event: Option<Event<'_>>, ordinal: Ordinal) -> bool {
    event.and_then(|event| event.deliveries.get(ordinal)).is_some_and(Delivery::is_dead)
}

fn died_ms(event: Option<Event<'_>>, ordinal: Ordinal) -> i64 {
    match event.and_then(|event| event.deliveries.get(ordinal)).map(Delivery::standing) {
        Some(Standing::Dead { at_ms }) => at_ms,
        _ => 0,
    }
}
