//! What is kept in memory of an event whose deliveries are not all finished.

use super::standing::Standings;
use crate::Ordinal;
use crate::delivery::Delivery;

/// Where an event's blob is and how its deliveries stand.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Event<'a> {
    pub(crate) accepted_ms: i64,
    /// The segment's id.
    pub(crate) segment: u32,
    /// Where its blob begins.
    pub(crate) offset: u32,
    /// Bytes of its blob. 0: it was found damaged and is gone.
    pub(crate) length: u32,
    /// The caller's.
    pub(crate) group: u16,
    pub(crate) deliveries: Deliveries<'a>,
}

/// Deliveries in order of their endpoints.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Deliveries<'a> {
    /// One, before its first attempt.
    One(Ordinal),
    /// Several, all of them before their first attempts.
    Fresh(&'a [Ordinal]),
    /// Others.
    Standing(&'a Standings),
}

/// Bytes of an event's record without its blob and deliveries, as it would be written again.
const RECORD_BYTES: u64 = 21;

/// What a delivery that waits costs besides its event's content, so that events without content count too.
const WAITING_BYTES: u64 = 32;

/// Bytes that an event with a blob of this length counts for each endpoint that waits for it.
pub(crate) fn weight(blob: u64) -> u64 {
    WAITING_BYTES + blob
}

fn delivery_bytes(delivery: Delivery) -> u64 {
    if delivery.is_fresh() { 3 } else { 11 }
}

impl Event<'_> {
    /// Bytes that are needed on disk for its sake.
    pub(crate) fn live(&self) -> u64 {
        RECORD_BYTES + u64::from(self.length) + self.deliveries.iter().map(delivery_bytes).sum::<u64>()
    }

    /// Bytes that it counts for each endpoint that waits for it.
    pub(crate) fn weight(&self) -> u64 {
        weight(self.length.into())
    }

    /// How many bytes more (or fewer) are needed when a delivery changes.
    pub(crate) fn live_change(before: impl Into<Option<Delivery>>, after: Option<Delivery>) -> i64 {
        let bytes = |delivery: Option<Delivery>| delivery.map_or(0, delivery_bytes).cast_signed();
        bytes(after) - bytes(before.into())
    }

    /// Whether it is kept for its dead letters alone. Cheap.
    pub(crate) fn is_only_dead(&self) -> bool {
        matches!(self.deliveries, Deliveries::Standing(standings) if standings.pending() == 0)
    }
}

impl Deliveries<'_> {
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::One(_) => 1,
            Self::Fresh(endpoints) => endpoints.len(),
            Self::Standing(standings) => standings.as_slice().len(),
        }
    }

    pub(crate) fn get(&self, endpoint: Ordinal) -> Option<Delivery> {
        match self {
            Self::One(one) => (*one == endpoint).then(|| Delivery::fresh(endpoint)),
            Self::Fresh(endpoints) => endpoints.binary_search(&endpoint).ok().map(|_| Delivery::fresh(endpoint)),
            Self::Standing(standings) => {
                let list = standings.as_slice();
                list.binary_search_by_key(&endpoint, |delivery| delivery.endpoint()).ok().map(|at| list[at])
            }
        }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = Delivery> {
        let (fresh, standing): (&[Ordinal], &[Delivery]) = match self {
            Self::One(one) => (std::slice::from_ref(one), &[]),
            Self::Fresh(endpoints) => (endpoints, &[]),
            Self::Standing(standings) => (&[], standings.as_slice()),
        };
        fresh.iter().map(|endpoint| Delivery::fresh(*endpoint)).chain(standing.iter().copied())
    }
}
