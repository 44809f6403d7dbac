//! Where objects wait for their turn: one queue per kind of need, and one for those whose time has not come.

use std::{collections::BTreeSet, time::Duration};

/// Number of an object in the plan. Never reused, so that the answer to a request cannot be taken for another's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Id(pub u64);

/// The kinds of need, the most urgent first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Lane {
    /// A receiver began or ceased to fail.
    Transition,
    /// What comes from the configuration.
    Programmed,
    /// Not seen yet.
    Look,
    /// A first success.
    FirstVerdict,
    /// Counts.
    Counters,
}

/// Where an object waits, and since when it needs something.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Place {
    lane: Lane,
    /// When it became due. The oldest is served first.
    since: Duration,
    /// Until when it waits, if its time has not come.
    until: Option<Duration>,
}

/// The queues. Each object is in one of them at most.
#[derive(Debug, Default)]
pub struct Lanes {
    ready: [BTreeSet<(Duration, Id)>; 5],
    later: BTreeSet<(Duration, Id)>,
}

impl Lanes {
    /// Moves an object to where it belongs: `due` says which lane and from when on. It keeps its age as long as it
    /// needs anything; `eldest` ones go before all others.
    pub fn put(
        &mut self,
        id: Id,
        place: Option<Place>,
        due: Option<(Lane, Duration)>,
        now: Duration,
        eldest: bool,
    ) -> Option<Place> {
        let next = due.map(|(lane, due)| Place {
            lane,
            since: if eldest { Duration::ZERO } else { place.map_or(now, |place| place.since) },
            until: (due > now).then_some(due),
        });
        if place != next {
            if let Some(place) = place {
                self.set(place).remove(&(place.key(), id));
            }
            if let Some(next) = next {
                self.set(next).insert((next.key(), id));
            }
        }
        next
    }

    /// The object in this lane that has waited longest, and the one after it.
    pub fn first_two(&self, lane: Lane) -> [Option<Id>; 2] {
        let mut ids = self.ready[lane as usize].iter().map(|(_, id)| *id);
        [ids.next(), ids.next()]
    }

    /// The next object whose time comes, and when.
    pub fn next_due(&self) -> Option<(Duration, Id)> {
        self.later.first().copied()
    }

    /// All objects whose time has not come.
    pub fn later(&self) -> impl Iterator<Item = Id> {
        self.later.iter().map(|(_, id)| *id)
    }

    /// Objects that wait, however long.
    pub fn len(&self) -> usize {
        self.ready.iter().map(BTreeSet::len).sum::<usize>() + self.later.len()
    }

    fn set(&mut self, place: Place) -> &mut BTreeSet<(Duration, Id)> {
        match place.until {
            Some(_) => &mut self.later,
            None => &mut self.ready[place.lane as usize],
        }
    }
}

impl Place {
    fn key(self) -> Duration {
        self.until.unwrap_or(self.since)
    }
}
