//! Deliveries of one endpoint that wait, in the order in which they may be attempted.
//!
//! Without an ordering, what has been due longest is first. With one, deliveries of the same group are attempted in order of
//! acceptance, one at a time: the next one waits until the one before is delivered or given up. `PerEndpoint` is one group;
//! `PerSubject` has a group for each of 1,024 hashes of a subject, and events without a subject are in none.

mod expiry;
mod fresh;

use std::{
    cmp::{Ordering, Reverse},
    collections::{BTreeMap, BTreeSet, BinaryHeap, VecDeque},
};

use posthaste_delivery_config::DeliveryOrdering;
use posthaste_journal::Seq;

pub use expiry::in_seconds;
use fresh::Fresh;

/// A delivery that waits. Ordered by time, then by acceptance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Waiting {
    /// When the next attempt is due. Before the first, when the event was accepted: it is due from then on, whatever the
    /// calendar says meanwhile.
    pub due_ms: i64,
    /// The event.
    pub seq: Seq,
    /// When the event was accepted, in seconds: see [`in_seconds`].
    pub accepted_s: u32,
    /// Attempts so far.
    pub attempts: u16,
    /// The group of its subject; 0 without one, [`OUTSIDE`] outside of any ordering.
    pub group: u16,
}

/// The group of deliveries that are outside of any ordering: those that a person asked for again. Groups of subjects are
/// far below.
pub const OUTSIDE: u16 = u16::MAX;

impl Waiting {
    /// It waits for its first attempt, in its place in the order of acceptance.
    pub fn is_fresh(&self) -> bool {
        self.attempts == 0 && self.group != OUTSIDE
    }
}

// Retries of a million deliveries must not take more than 24 MiB. Before their first attempt, they take 10.
const _: () = assert!(size_of::<Waiting>() <= 24);

/// See the module.
#[derive(Debug, Default)]
pub struct Queue {
    ordering: DeliveryOrdering,
    /// In no group, before their first attempt; in order of acceptance.
    fresh: Fresh,
    /// In no group, after it.
    tried: BinaryHeap<Reverse<Waiting>>,
    groups: BTreeMap<u16, Group>,
    /// The first of each group that has nothing in flight, if it had no attempt yet.
    fresh_heads: BTreeSet<Head>,
    /// The same, after its first attempt.
    tried_heads: BTreeSet<Head>,
    /// Deliveries in `groups`.
    grouped: usize,
    /// Those that were found to be too old and are still to be taken, in order of acceptance.
    expired: VecDeque<Waiting>,
    /// None of the others was accepted before this second.
    oldest_s: Option<u32>,
}

#[derive(Debug, Default)]
struct Group {
    /// Before their first attempt; in order of acceptance.
    fresh: Fresh,
    /// After it; in order of acceptance. One, unless they were not in a group when they were attempted.
    tried: VecDeque<Waiting>,
    in_flight: usize,
    /// Its entry in the queue's heads.
    head: Option<Waiting>,
}

impl Group {
    /// Adds a delivery: at the end as it is accepted, or in its place as it comes back.
    fn push(&mut self, waiting: Waiting) {
        if waiting.is_fresh() {
            return self.fresh.push_back(waiting);
        }
        let at = self.tried.partition_point(|other| other.seq < waiting.seq);
        self.tried.insert(at, waiting);
    }

    /// The first in order of acceptance.
    fn front(&self) -> Option<Waiting> {
        let both = [self.fresh.front(), self.tried.front().copied()];
        both.into_iter().flatten().min_by_key(|waiting| waiting.seq)
    }

    /// Takes the first in order of acceptance.
    fn pop_front(&mut self) -> Option<Waiting> {
        if self.front()?.is_fresh() {
            return self.fresh.pop_front();
        }
        let first = self.tried.pop_front();
        shrink(&mut self.tried);
        first
    }

    fn len(&self) -> usize {
        self.fresh.len() + self.tried.len()
    }

    /// All of them, in no order.
    fn into_all(mut self) -> impl Iterator<Item = Waiting> {
        std::mem::take(&mut self.tried).into_iter().chain(std::iter::from_fn(move || self.fresh.pop_front()))
    }
}

/// A delivery and the key of its group.
type Head = (Waiting, u16);

impl Queue {
    /// Takes an ordering. `in_flight` are the groups of what is in flight.
    pub fn configure(&mut self, ordering: DeliveryOrdering, in_flight: impl Iterator<Item = u16>) {
        if self.ordering == ordering {
            return;
        }
        let mut all: Vec<Waiting> = Vec::with_capacity(self.len());
        all.extend(std::iter::from_fn(|| self.fresh.pop_front()));
        all.extend(std::mem::take(&mut self.tried).into_iter().map(|Reverse(waiting)| waiting));
        all.extend(std::mem::take(&mut self.groups).into_values().flat_map(Group::into_all));
        all.sort_unstable_by_key(|waiting| waiting.seq);
        *self = Self { ordering, expired: std::mem::take(&mut self.expired), ..Self::default() };
        for group in in_flight {
            if let Some(key) = self.key(group) {
                self.groups.entry(key).or_default().in_flight += 1;
            }
        }
        for waiting in all {
            self.push(waiting);
        }
    }

    /// Adds a delivery. Those before their first attempt must come in order of acceptance.
    pub fn push(&mut self, waiting: Waiting) {
        self.oldest_s = Some(self.oldest_s.map_or(waiting.accepted_s, |oldest_s| oldest_s.min(waiting.accepted_s)));
        let Some(key) = self.key(waiting.group) else {
            if waiting.is_fresh() {
                self.fresh.push_back(waiting);
            } else {
                self.tried.push(Reverse(waiting));
            }
            return;
        };
        self.groups.entry(key).or_default().push(waiting);
        self.grouped += 1;
        self.settle(key);
    }

    /// When the next delivery is due; 0 when one waits only for its turn.
    pub fn next_due_ms(&self) -> Option<i64> {
        if !self.fresh.is_empty() || !self.fresh_heads.is_empty() {
            return Some(0);
        }
        self.next_tried().map(|(waiting, _)| waiting.due_ms)
    }

    /// Takes the delivery that has been due longest, so that neither new events nor retries can hold the other up for
    /// ever.
    pub fn pop(&mut self, now_ms: i64) -> Option<Waiting> {
        let fresh = self.next_fresh();
        let tried = self.next_tried().filter(|(waiting, _)| waiting.due_ms <= now_ms);
        let (waiting, key) = match (fresh, tried) {
            (Some(fresh), Some(tried)) if fresh.0.due_ms.cmp(&tried.0.due_ms) == Ordering::Greater => tried,
            (Some(fresh), _) => fresh,
            (None, tried) => tried?,
        };
        match key {
            Some(key) => {
                let group = self.groups.get_mut(&key)?;
                group.pop_front();
                group.in_flight += 1;
                self.grouped -= 1;
                self.settle(key);
            }
            None if waiting.is_fresh() => {
                self.fresh.pop_front();
            }
            None => {
                self.tried.pop();
                if self.tried.len() < self.tried.capacity() / 4 {
                    self.tried.shrink_to(self.tried.len() * 2);
                }
            }
        }
        Some(waiting)
    }

    /// An attempt of that group has ended. If its delivery is to be attempted again, it is pushed before anything is
    /// popped.
    pub fn ended(&mut self, group: u16) {
        if let Some(key) = self.key(group) {
            if let Some(group) = self.groups.get_mut(&key) {
                group.in_flight = group.in_flight.saturating_sub(1);
            }
            self.settle(key);
        }
    }

    /// Takes out those that wait among the given events, which must be in ascending order. Looks at all retries, and at
    /// no more of the others than come before the last of these.
    pub fn take(&mut self, seqs: &[Seq]) -> Vec<Waiting> {
        let Some(last) = seqs.last() else { return Vec::new() };
        let is_wanted = |waiting: &Waiting| seqs.binary_search(&waiting.seq).is_ok();
        let mut taken = Vec::new();
        self.fresh.take(*last, is_wanted, &mut taken);
        self.tried.retain(|Reverse(waiting)| {
            let wanted = is_wanted(waiting);
            if wanted {
                taken.push(*waiting);
            }
            !wanted
        });
        let outside = taken.len();
        let keys: Vec<u16> = self.groups.keys().copied().collect();
        for key in keys {
            if let Some(group) = self.groups.get_mut(&key) {
                group.fresh.take(*last, is_wanted, &mut taken);
                taken.extend(group.tried.iter().filter(|waiting| is_wanted(waiting)));
                group.tried.retain(|waiting| !is_wanted(waiting));
                shrink(&mut group.tried);
            }
            self.settle(key);
        }
        self.grouped -= taken.len() - outside;
        taken
    }

    /// Forgets all that waits.
    pub fn clear(&mut self) {
        *self = Self { ordering: self.ordering, ..Self::default() };
    }

    /// How many wait.
    pub fn len(&self) -> usize {
        self.fresh.len() + self.tried.len() + self.grouped + self.expired.len()
    }

    fn key(&self, group: u16) -> Option<u16> {
        match self.ordering {
            _ if group == OUTSIDE => None,
            DeliveryOrdering::None => None,
            DeliveryOrdering::PerEndpoint => Some(0),
            DeliveryOrdering::PerSubject => (group != 0).then_some(group),
        }
    }

    fn next_fresh(&self) -> Option<(Waiting, Option<u16>)> {
        let head = self.fresh_heads.first().map(|(waiting, key)| (*waiting, Some(*key)));
        earlier(self.fresh.front().map(|waiting| (waiting, None)), head)
    }

    fn next_tried(&self) -> Option<(Waiting, Option<u16>)> {
        let head = self.tried_heads.first().map(|(waiting, key)| (*waiting, Some(*key)));
        earlier(self.tried.peek().map(|Reverse(waiting)| (*waiting, None)), head)
    }

    /// Puts the right head of a group among the heads. To be called after every change to a group.
    fn settle(&mut self, key: u16) {
        let Some(group) = self.groups.get_mut(&key) else { return };
        let head = group.front().filter(|_| group.in_flight == 0);
        let old = std::mem::replace(&mut group.head, head);
        if head.is_none() && group.in_flight == 0 {
            self.groups.remove(&key);
        }
        if head == old {
            return;
        }
        if let Some(old) = old {
            self.heads(old).remove(&(old, key));
        }
        if let Some(head) = head {
            self.heads(head).insert((head, key));
        }
    }

    fn heads(&mut self, of: Waiting) -> &mut BTreeSet<Head> {
        if of.attempts == 0 { &mut self.fresh_heads } else { &mut self.tried_heads }
    }
}

fn earlier(a: Option<(Waiting, Option<u16>)>, b: Option<(Waiting, Option<u16>)>) -> Option<(Waiting, Option<u16>)> {
    [a, b].into_iter().flatten().min_by_key(|(waiting, _)| (waiting.due_ms, waiting.seq))
}

/// Gives the memory of a backlog back.
fn shrink(queue: &mut VecDeque<Waiting>) {
    if queue.len() < queue.capacity() / 4 {
        queue.shrink_to(queue.len() * 2);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fresh(seq: Seq, group: u16) -> Waiting {
        Waiting { due_ms: 100, seq, accepted_s: 0, attempts: 0, group }
    }

    fn queue(ordering: DeliveryOrdering, waiting: &[Waiting]) -> Queue {
        let mut queue = Queue::default();
        queue.configure(ordering, std::iter::empty());
        for waiting in waiting {
            queue.push(*waiting);
        }
        queue
    }

    fn popped(queue: &mut Queue, now_ms: i64) -> Vec<Seq> {
        std::iter::from_fn(|| queue.pop(now_ms)).map(|waiting| waiting.seq).collect()
    }

    #[test]
    fn without_an_ordering_what_has_been_due_longest_is_first() {
        let tried = |seq, due_ms| Waiting { due_ms, seq, accepted_s: 0, attempts: 1, group: 3 };
        let mut queue = queue(DeliveryOrdering::None, &[fresh(10, 3), tried(2, 50), tried(1, 900), fresh(11, 0)]);
        assert_eq!(popped(&mut queue, 500), [2, 10, 11]);
        assert_eq!((queue.next_due_ms(), queue.len()), (Some(900), 1));
    }

    #[test]
    fn per_endpoint_one_follows_the_other() {
        let mut queue = queue(DeliveryOrdering::PerEndpoint, &[fresh(1, 0), fresh(2, 7), fresh(3, 0)]);
        assert_eq!(popped(&mut queue, 500), [1]);
        assert_eq!(queue.next_due_ms(), None);
        queue.ended(0);
        queue.push(Waiting { due_ms: 900, seq: 1, accepted_s: 0, attempts: 1, group: 0 });
        assert_eq!((popped(&mut queue, 500), queue.next_due_ms()), (vec![], Some(900)));
        assert_eq!(popped(&mut queue, 900), [1]);
        queue.ended(0);
        assert_eq!(popped(&mut queue, 900), [2]);
        queue.ended(7);
        assert_eq!((popped(&mut queue, 900), queue.len()), (vec![3], 0));
    }

    #[test]
    fn per_subject_groups_go_side_by_side_and_events_without_one_wait_for_nobody() {
        let all = [fresh(1, 5), fresh(2, 5), fresh(3, 6), fresh(4, 0), fresh(5, 0)];
        let mut queue = queue(DeliveryOrdering::PerSubject, &all);
        assert_eq!(popped(&mut queue, 500), [1, 3, 4, 5]);
        queue.ended(6);
        assert!(popped(&mut queue, 500).is_empty());
        queue.ended(5);
        assert_eq!(popped(&mut queue, 500), [2]);
        queue.ended(5);
        assert!(queue.groups.is_empty() && queue.fresh_heads.is_empty() && queue.tried_heads.is_empty());
    }

    #[test]
    fn an_ordering_that_comes_later_waits_for_what_is_in_flight() {
        let mut queue = queue(DeliveryOrdering::None, &[fresh(1, 5), fresh(2, 5), fresh(3, 6)]);
        queue.push(Waiting { due_ms: 900, seq: 0, accepted_s: 0, attempts: 2, group: 5 });
        assert_eq!(queue.pop(500).unwrap().seq, 1);
        queue.configure(DeliveryOrdering::PerSubject, [5].into_iter());
        assert_eq!(popped(&mut queue, 500), [3]);
        queue.ended(5);
        assert_eq!((popped(&mut queue, 500), queue.next_due_ms()), (vec![], Some(900)), "event 0 is the first");
        queue.configure(DeliveryOrdering::None, [6].into_iter());
        assert_eq!(popped(&mut queue, 500), [2]);
        queue.ended(6);
        assert_eq!(queue.len(), 1);
    }

    #[test]
    fn what_is_outside_of_the_ordering_waits_for_nobody_and_nobody_for_it() {
        for ordering in [DeliveryOrdering::None, DeliveryOrdering::PerEndpoint, DeliveryOrdering::PerSubject] {
            let mut queue = queue(ordering, &[fresh(8, 5), fresh(9, 5)]);
            assert_eq!(queue.pop(500).unwrap().seq, 8);
            for seq in [3, 1] {
                queue.push(Waiting { due_ms: 50, seq, accepted_s: 0, attempts: 0, group: OUTSIDE });
            }
            assert_eq!([queue.pop(500).unwrap().seq, queue.pop(500).unwrap().seq], [1, 3]);
            queue.ended(OUTSIDE);
            assert_eq!(queue.pop(500).is_some(), ordering == DeliveryOrdering::None, "event 8 is still in flight");
        }
    }

    #[test]
    fn what_is_taken_out_waits_no_more_and_the_rest_as_before() {
        for ordering in [DeliveryOrdering::None, DeliveryOrdering::PerEndpoint, DeliveryOrdering::PerSubject] {
            let mut queue = queue(ordering, &[]);
            for seq in 1..=20 {
                queue.push(fresh(seq, u16::try_from(seq % 3).unwrap()));
            }
            let first = queue.pop(500).unwrap();
            queue.ended(first.group);
            queue.push(Waiting { due_ms: 0, attempts: 1, ..first });
            let mut taken: Vec<Seq> = queue.take(&[1, 4, 5, 19, 77]).iter().map(|waiting| waiting.seq).collect();
            taken.sort_unstable();
            assert_eq!(taken, [1, 4, 5, 19]);
            assert_eq!(queue.len(), 16);
            let mut left = Vec::new();
            while let Some(waiting) = queue.pop(500) {
                left.push(waiting.seq);
                queue.ended(waiting.group);
            }
            left.sort_unstable();
            assert_eq!(left, [2, 3, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 20]);
        }
    }

    #[test]
    fn memory_of_a_backlog_comes_back() {
        for ordering in [DeliveryOrdering::None, DeliveryOrdering::PerEndpoint] {
            let mut queue = queue(ordering, &[]);
            for seq in 0..10_000 {
                queue.push(fresh(seq, 0));
                queue.push(Waiting { due_ms: 0, seq: seq + 10_000, accepted_s: 0, attempts: 1, group: 0 });
            }
            while queue.pop(1_000).is_some() {
                if queue.len() == 1 {
                    assert!(queue.groups.values().map(|group| group.tried.capacity()).sum::<usize>() < 100);
                }
                queue.ended(0);
            }
            assert!(queue.tried.capacity() < 100);
        }
    }
}
