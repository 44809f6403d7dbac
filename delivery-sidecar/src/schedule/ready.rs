//! Lanes that could start an attempt, in the order in which they became able to.
//!
//! A queue for each share of the places, with one row of tickets for all: lanes of a share that has no room wait apart, so
//! that they can be held back without anyone having to look past them. Each start sends its lane to the end, which is a
//! round-robin over all lanes: none can starve another.

use std::collections::VecDeque;

use posthaste_journal::Ordinal;

use super::places::Share;

/// See the module.
#[derive(Debug, Default)]
pub struct Ready {
    /// By [`Share`].
    queues: [VecDeque<(u64, Ordinal)>; 3],
    next_ticket: u64,
}

/// Where a lane waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ticket {
    share: Share,
    number: u64,
}

impl Ready {
    /// Nobody waits.
    pub fn is_empty(&self) -> bool {
        self.queues.iter().all(VecDeque::is_empty)
    }

    /// Puts a lane at the end. The caller makes sure that a lane is in at most once.
    pub fn push(&mut self, ordinal: Ordinal, share: Share) -> Ticket {
        let number = self.next_ticket;
        self.next_ticket += 1;
        self.queues[share.index()].push_back((number, ordinal));
        Ticket { share, number }
    }

    /// The lane with this ticket belongs to this share now. If it waited for another, it goes over and keeps its turn.
    pub fn go_over(&mut self, ticket: Ticket, share: Share) -> Ticket {
        let Ticket { share: before, number } = ticket;
        if before == share {
            return ticket;
        }
        let queue = &mut self.queues[before.index()];
        if let Ok(at) = queue.binary_search_by_key(&number, |(number, _)| *number)
            && let Some(entry) = queue.remove(at)
        {
            let queue = &mut self.queues[share.index()];
            let at = queue.partition_point(|(other, _)| *other < number);
            queue.insert(at, entry);
        }
        Ticket { share, number }
    }

    /// Takes the lane that has waited longest, of those whose share has room.
    pub fn pop(&mut self, has_room: impl Fn(Share) -> bool) -> Option<Ordinal> {
        let mut first: Option<Ticket> = None;
        for share in Share::ALL {
            if let Some(&(number, _)) = self.queues[share.index()].front()
                && first.is_none_or(|first| number < first.number)
                && has_room(share)
            {
                first = Some(Ticket { share, number });
            }
        }
        self.queues[first?.share.index()].pop_front().map(|(_, ordinal)| ordinal)
    }
}

#[cfg(test)]
mod tests {
    use super::{Share::*, *};

    #[test]
    fn lanes_come_in_turn_and_only_when_their_share_has_room() {
        let mut ready = Ready::default();
        ready.push(Ordinal(1), Proven);
        ready.push(Ordinal(2), Doubtful);
        ready.push(Ordinal(3), Untried);
        ready.push(Ordinal(4), Proven);
        assert_eq!(ready.pop(|_| true), Some(Ordinal(1)));
        assert_eq!(ready.pop(|share| share != Doubtful), Some(Ordinal(3)));
        assert_eq!(ready.pop(|share| share == Proven), Some(Ordinal(4)));
        assert_eq!(ready.pop(|share| share == Proven), None);
        assert!(!ready.is_empty());
        assert_eq!(ready.pop(|_| true), Some(Ordinal(2)));
        assert_eq!(ready.pop(|_| true), None);
        assert!(ready.is_empty());
    }

    #[test]
    fn a_lane_that_goes_over_keeps_its_turn() {
        let mut ready = Ready::default();
        ready.push(Ordinal(1), Doubtful);
        let ticket = ready.push(Ordinal(2), Doubtful);
        ready.push(Ordinal(3), Proven);
        let ticket = ready.go_over(ticket, Proven);
        assert_eq!(ready.go_over(ticket, Proven), ticket);
        assert_eq!(ready.pop(|share| share == Proven), Some(Ordinal(2)));
        assert_eq!(ready.pop(|share| share == Proven), Some(Ordinal(3)));
        assert_eq!(ready.pop(|share| share == Proven), None);
        assert_eq!(ready.pop(|_| true), Some(Ordinal(1)));
    }
}
