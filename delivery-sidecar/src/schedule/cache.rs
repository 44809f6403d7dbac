//! Events that were accepted a moment ago and whose first attempts are still to come, so that these need not read the
//! journal. Bounded in bytes and in number; over a bound the oldest go, and their attempts read the journal.

use std::{collections::VecDeque, sync::Arc};

use posthaste_journal::Seq;

use crate::event::Event;

/// Most events, whatever their size.
const MAX_EVENTS: usize = 1 << 16;
/// What an event takes besides its texts.
const OVERHEAD: usize = 256;

/// See the module.
#[derive(Debug)]
pub struct EventCache {
    /// Slot `i` is for event `first + i`. Slots are dense, because sequence numbers nearly are.
    slots: VecDeque<Option<Slot>>,
    first: Seq,
    bytes: usize,
    max_bytes: usize,
}

#[derive(Debug)]
struct Slot {
    event: Arc<Event>,
    /// First attempts that are still to come.
    uses: u32,
    bytes: usize,
}

impl EventCache {
    /// An empty cache of at most `max_bytes`.
    pub fn new(max_bytes: usize) -> Self {
        Self { slots: VecDeque::new(), first: 0, bytes: 0, max_bytes }
    }

    /// Keeps an event for `uses` first attempts. Sequence numbers must come in increasing order; others are not kept.
    pub fn insert(&mut self, seq: Seq, event: Arc<Event>, uses: usize) {
        if self.slots.is_empty() {
            self.first = seq;
        }
        let Some(index) = seq.checked_sub(self.first).and_then(|index| usize::try_from(index).ok()) else { return };
        let bytes = OVERHEAD + event.bytes();
        let uses = u32::try_from(uses).unwrap_or(u32::MAX);
        if index < self.slots.len() || uses == 0 || bytes > self.max_bytes {
            return;
        }
        if index - self.slots.len() >= MAX_EVENTS {
            self.slots.clear();
            self.bytes = 0;
            self.first = seq;
        } else {
            self.slots.resize_with(index, || None);
        }
        self.slots.push_back(Some(Slot { event, uses, bytes }));
        self.bytes += bytes;
        while self.bytes > self.max_bytes || self.slots.len() > MAX_EVENTS {
            self.pop_front();
        }
        self.trim();
    }

    /// The event for one first attempt, if it is still here.
    pub fn take(&mut self, seq: Seq) -> Option<Arc<Event>> {
        let index = usize::try_from(seq.checked_sub(self.first)?).ok()?;
        let place = self.slots.get_mut(index)?;
        let slot = place.as_mut()?;
        if slot.uses > 1 {
            slot.uses -= 1;
            return Some(Arc::clone(&slot.event));
        }
        let slot = place.take()?;
        self.bytes -= slot.bytes;
        self.trim();
        Some(slot.event)
    }

    fn pop_front(&mut self) {
        if let Some(slot) = self.slots.pop_front() {
            self.first += 1;
            self.bytes -= slot.map_or(0, |slot| slot.bytes);
        }
    }

    fn trim(&mut self) {
        while matches!(self.slots.front(), Some(None)) {
            self.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schedule::testing::event;

    #[test]
    fn an_event_is_there_once_for_each_use() {
        let mut cache = EventCache::new(1 << 20);
        cache.insert(5, event("a"), 2);
        cache.insert(9, event("b"), 1);
        assert_eq!(cache.take(5).unwrap().id, "a");
        assert_eq!(cache.take(9).unwrap().id, "b");
        assert_eq!(cache.take(5).unwrap().id, "a");
        assert!(cache.take(5).is_none() && cache.take(9).is_none() && cache.take(7).is_none());
        assert_eq!((cache.bytes, cache.slots.len()), (0, 0));
    }

    #[test]
    fn the_oldest_go_when_it_is_full() {
        let one = OVERHEAD + event("a").bytes();
        let mut cache = EventCache::new(one * 3);
        for seq in 1..=10 {
            cache.insert(seq, event("a"), 1);
            assert!(cache.bytes <= one * 3);
        }
        assert!((1..=7).all(|seq| cache.take(seq).is_none()));
        assert!((8..=10).all(|seq| cache.take(seq).is_some()));
    }

    #[test]
    fn one_event_that_stays_does_not_make_it_grow() {
        let mut cache = EventCache::new(usize::MAX);
        cache.insert(1, event("stays"), 1);
        for seq in 2..200_000 {
            cache.insert(seq, event("a"), 1);
            cache.take(seq);
        }
        assert!(cache.slots.len() <= MAX_EVENTS);
        cache.insert(1 << 60, event("far"), 1);
        assert!(cache.slots.len() <= MAX_EVENTS);
        assert!(cache.take(1 << 60).is_some());
    }
}
