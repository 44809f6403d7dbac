//! Lanes that could start an attempt, in the order in which they became able to.
//!
//! Two queues that share one row of tickets: lanes of doubtful endpoints wait apart, so that they can be held back
//! without anyone having to look past them. Each start sends its lane to the end, which is a round-robin over all
//! lanes: none can starve another.

use std::collections::VecDeque;

use posthaste_journal::Ordinal;

/// See the module.
#[derive(Debug, Default)]
pub struct Ready {
    good: VecDeque<(u64, Ordinal)>,
    doubtful: VecDeque<(u64, Ordinal)>,
    next_ticket: u64,
}

impl Ready {
    /// Puts a lane at the end, and returns its ticket. The caller makes sure that a lane is in at most once.
    pub fn push(&mut self, ordinal: Ordinal, doubtful: bool) -> u64 {
        let ticket = self.next_ticket;
        let queue = if doubtful { &mut self.doubtful } else { &mut self.good };
        queue.push_back((ticket, ordinal));
        self.next_ticket += 1;
        ticket
    }

    /// The lane with this ticket is good now. If it waits among the doubtful ones, it goes over and keeps its turn.
    pub fn is_good(&mut self, ticket: u64) {
        if let Ok(at) = self.doubtful.binary_search_by_key(&ticket, |(ticket, _)| *ticket)
            && let Some(entry) = self.doubtful.remove(at)
        {
            let at = self.good.partition_point(|(other, _)| *other < ticket);
            self.good.insert(at, entry);
        }
    }

    /// Takes the lane that has waited longest; of the good ones only, unless `doubtful_too`.
    pub fn pop(&mut self, doubtful_too: bool) -> Option<Ordinal> {
        let ticket = |queue: &VecDeque<(u64, Ordinal)>| queue.front().map_or(u64::MAX, |(ticket, _)| *ticket);
        let queue = if doubtful_too && ticket(&self.doubtful) < ticket(&self.good) {
            &mut self.doubtful
        } else {
            &mut self.good
        };
        queue.pop_front().map(|(_, ordinal)| ordinal)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lanes_come_in_turn_and_doubtful_ones_only_when_asked_for() {
        let mut ready = Ready::default();
        ready.push(Ordinal(1), false);
        ready.push(Ordinal(2), true);
        ready.push(Ordinal(3), false);
        assert_eq!(ready.pop(true), Some(Ordinal(1)));
        assert_eq!(ready.pop(false), Some(Ordinal(3)));
        assert_eq!(ready.pop(false), None);
        assert_eq!(ready.pop(true), Some(Ordinal(2)));
        assert_eq!(ready.pop(true), None);
    }

    #[test]
    fn a_lane_that_has_become_good_keeps_its_turn_among_the_good_ones() {
        let mut ready = Ready::default();
        ready.push(Ordinal(1), true);
        let ticket = ready.push(Ordinal(2), true);
        ready.push(Ordinal(3), false);
        ready.is_good(ticket);
        ready.is_good(ticket);
        assert_eq!(ready.pop(false), Some(Ordinal(2)));
        assert_eq!(ready.pop(false), Some(Ordinal(3)));
        assert_eq!(ready.pop(false), None);
        assert_eq!(ready.pop(true), Some(Ordinal(1)));
    }
}
