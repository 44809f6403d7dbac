//! Finding deliveries that have waited for too long. Nobody is woken for a single one: the oldest that waits decides when
//! the queue is looked through, and all that are too old then are taken out at once and handed over in portions.
//!
//! Times of acceptance are kept in whole seconds, rounded up: a delivery is never found too early, and at most a second
//! late.

use super::{Group, Queue, Waiting, shrink};

/// A time of acceptance as it is kept.
pub fn in_seconds(accepted_ms: i64) -> u32 {
    let seconds = accepted_ms.div_euclid(1_000) + i64::from(accepted_ms.rem_euclid(1_000) > 0);
    u32::try_from(seconds.max(0)).unwrap_or(u32::MAX)
}

impl Queue {
    /// Nothing that waits was accepted before this second; `None` when nothing waits. Too early when what was oldest has
    /// been taken since the last look, never too late.
    pub fn oldest_s(&self) -> Option<u32> {
        self.expired.front().map(|waiting| waiting.accepted_s).or(self.oldest_s)
    }

    /// Takes out up to `most` deliveries that were accepted in this second or before it, in order of acceptance. The
    /// others of that age are not attempted any more.
    pub fn take_expired(&mut self, until_s: u32, most: usize) -> Vec<Waiting> {
        if self.expired.is_empty() && self.oldest_s.is_some_and(|oldest_s| oldest_s <= until_s) {
            self.look_through(until_s);
        }
        let taken = self.expired.drain(..most.min(self.expired.len())).collect();
        shrink(&mut self.expired);
        taken
    }

    fn look_through(&mut self, until_s: u32) {
        let is_expired = |waiting: &Waiting| waiting.accepted_s <= until_s;
        let mut found = Vec::new();
        found.extend(std::iter::from_fn(|| self.fresh.pop_front_if(is_expired)));
        self.tried.retain(|tried| {
            let expired = is_expired(&tried.0);
            if expired {
                found.push(tried.0);
            }
            !expired
        });
        if self.tried.len() < self.tried.capacity() / 4 {
            self.tried.shrink_to(self.tried.len() * 2);
        }
        let is_due =
            |group: &Group| [group.fresh.front(), group.tried.front().copied()].iter().flatten().any(is_expired);
        let groups = self.groups.iter().filter(|(_, group)| is_due(group));
        for key in groups.map(|(key, _)| *key).collect::<Vec<_>>() {
            if let Some(group) = self.groups.get_mut(&key) {
                let before = group.len();
                found.extend(std::iter::from_fn(|| group.fresh.pop_front_if(is_expired)));
                found.extend(std::iter::from_fn(|| group.tried.pop_front_if(|waiting| is_expired(waiting))));
                shrink(&mut group.tried);
                self.grouped -= before - group.len();
            }
            self.settle(key);
        }
        found.sort_unstable_by_key(|waiting| waiting.seq);
        self.expired = found.into();
        let first = self.fresh.front().into_iter();
        let grouped = |group: &Group| [group.fresh.front(), group.tried.front().copied()];
        let first = first.chain(self.groups.values().flat_map(grouped).flatten());
        self.oldest_s = first.chain(self.tried.iter().map(|tried| tried.0)).map(|waiting| waiting.accepted_s).min();
    }
}

#[cfg(test)]
mod tests {
    use posthaste_delivery_config::DeliveryOrdering;
    use posthaste_journal::Seq;

    use super::*;

    #[test]
    fn a_time_of_acceptance_is_rounded_up_to_seconds() {
        for (accepted_ms, seconds) in [(0, 0), (1, 1), (1_000, 1), (1_001, 2), (-5, 0), (i64::MAX, u32::MAX)] {
            assert_eq!(in_seconds(accepted_ms), seconds);
        }
    }

    fn waiting(seq: Seq, accepted_s: u32, attempts: u16, group: u16) -> Waiting {
        // The younger the earlier due, so that the time of the next attempt tells nothing about the age.
        let due_ms = if attempts == 0 { i64::from(accepted_s) * 1_000 } else { -i64::from(accepted_s) };
        Waiting { due_ms, seq, accepted_s, attempts, group }
    }

    #[test]
    fn the_oldest_are_taken_first_wherever_they_wait_and_in_portions() {
        for ordering in [DeliveryOrdering::None, DeliveryOrdering::PerEndpoint, DeliveryOrdering::PerSubject] {
            let mut queue = Queue::default();
            queue.configure(ordering, std::iter::empty());
            for (seq, accepted_s, attempts) in [(1, 10, 0), (2, 11, 1), (3, 12, 0), (4, 12, 3), (5, 13, 2), (6, 14, 0)]
            {
                queue.push(waiting(seq, accepted_s, attempts, u16::try_from(seq % 3).unwrap()));
            }
            let mut seqs = |until_s, most| {
                let taken =
                    queue.take_expired(until_s, most).into_iter().map(|waiting| waiting.seq).collect::<Vec<_>>();
                (taken, queue.len(), queue.oldest_s())
            };
            assert_eq!(seqs(9, 9), (vec![], 6, Some(10)), "{ordering:?}");
            assert_eq!(seqs(12, 3), (vec![1, 2, 3], 3, Some(12)));
            assert_eq!(seqs(13, 3), (vec![4], 2, Some(13)), "a portion is of one look");
            assert_eq!(seqs(13, 3), (vec![5], 1, Some(14)));
            assert_eq!(queue.pop(i64::MAX).map(|waiting| waiting.seq), Some(6));
            assert_eq!((queue.take_expired(20, 9).len(), queue.oldest_s()), (0, None));
        }
    }

    #[test]
    fn what_is_too_old_is_not_attempted_while_it_waits_to_be_taken() {
        let mut queue = Queue::default();
        for seq in 0..10_000 {
            queue.push(waiting(seq, 10, u16::from(seq % 2 == 0), 0));
        }
        queue.push(waiting(10_000, 11, 0, 0));
        assert_eq!(queue.take_expired(10, 1).len(), 1);
        assert_eq!(queue.pop(i64::MAX).map(|waiting| waiting.seq), Some(10_000));
        assert!(queue.pop(i64::MAX).is_none());
        assert_eq!(queue.len(), 9_999);
        queue.take_expired(10, 9_998);
        assert!(queue.expired.capacity() < 100 && queue.tried.capacity() < 100);
    }
}
