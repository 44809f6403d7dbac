//! What is kept in memory of an event whose deliveries are not all finished.

use crate::Ordinal;
use crate::delivery::Delivery;

/// Where an event's blob is and how its deliveries stand.
#[derive(Debug)]
pub(crate) struct Event {
    pub(crate) accepted_ms: i64,
    /// The segment's id.
    pub(crate) segment: u32,
    /// Where its blob begins.
    pub(crate) offset: u32,
    /// Bytes of its blob. 0: it was found damaged and is gone.
    pub(crate) length: u32,
    /// The caller's.
    pub(crate) group: u16,
    pub(crate) deliveries: Deliveries,
}

/// Deliveries in order of their endpoints. Most events have one, so one is kept without an allocation.
#[derive(Debug)]
pub(crate) enum Deliveries {
    One(Delivery),
    Many(Box<Many>),
}

#[derive(Debug)]
pub(crate) struct Many {
    list: Vec<Delivery>,
    pending: u32,
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

impl Event {
    /// Bytes that are needed on disk for its sake.
    pub(crate) fn live(&self) -> u64 {
        let deliveries: u64 = self.deliveries.as_slice().iter().map(|delivery| delivery_bytes(*delivery)).sum();
        RECORD_BYTES + u64::from(self.length) + deliveries
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

    /// Whether it is kept for its dead letters alone.
    pub(crate) fn is_only_dead(&self) -> bool {
        self.deliveries.pending() == 0
    }
}

impl Deliveries {
    /// `None` for none. They must be in order of their endpoints.
    pub(crate) fn new(list: Vec<Delivery>) -> Option<Self> {
        match list.as_slice() {
            [] => None,
            [one] => Some(Self::One(*one)),
            _ => {
                let pending = list.iter().filter(|delivery| !delivery.is_dead()).count();
                Some(Self::Many(Box::new(Many { list, pending: u32::try_from(pending).unwrap_or(u32::MAX) })))
            }
        }
    }

    pub(crate) fn as_slice(&self) -> &[Delivery] {
        match self {
            Self::One(one) => std::slice::from_ref(one),
            Self::Many(many) => &many.list,
        }
    }

    fn pending(&self) -> u32 {
        match self {
            Self::One(one) => u32::from(!one.is_dead()),
            Self::Many(many) => many.pending,
        }
    }

    pub(crate) fn get(&self, endpoint: Ordinal) -> Option<Delivery> {
        let list = self.as_slice();
        list.binary_search_by_key(&endpoint, |delivery| delivery.endpoint()).ok().map(|at| list[at])
    }

    /// Puts a delivery in the place of the one to the same endpoint.
    pub(crate) fn replace(&mut self, delivery: Delivery) {
        match self {
            Self::One(one) if one.endpoint() == delivery.endpoint() => *one = delivery,
            Self::One(_) => {}
            Self::Many(many) => {
                let found = many.list.binary_search_by_key(&delivery.endpoint(), |other| other.endpoint());
                let Ok(at) = found else { return };
                many.pending = many.pending - u32::from(!many.list[at].is_dead()) + u32::from(!delivery.is_dead());
                many.list[at] = delivery;
            }
        }
    }

    /// Puts a delivery in, in place of the one to the same endpoint if there is one.
    pub(crate) fn put(&mut self, delivery: Delivery) {
        if self.get(delivery.endpoint()).is_some() {
            return self.replace(delivery);
        }
        let mut list = self.as_slice().to_vec();
        list.insert(list.partition_point(|other| other.endpoint() < delivery.endpoint()), delivery);
        if let Some(more) = Self::new(list) {
            *self = more;
        }
    }

    /// Takes out the delivery to an endpoint. True when it was the last one, which is then still there.
    pub(crate) fn remove(&mut self, endpoint: Ordinal) -> bool {
        let Self::Many(many) = self else { return true };
        let found = many.list.binary_search_by_key(&endpoint, |delivery| delivery.endpoint());
        let Ok(at) = found else { return false };
        let removed = many.list.remove(at);
        many.pending -= u32::from(!removed.is_dead());
        if let [one] = many.list[..] {
            *self = Self::One(one);
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_with_one_delivery_takes_forty_bytes() {
        assert_eq!(size_of::<Event>(), 40);
    }
}
