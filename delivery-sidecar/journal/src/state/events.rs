//! Events whose deliveries are not all finished, as small as they can be: there may be millions, and almost all wait for
//! something that has not been tried yet.

use super::event::{Deliveries, Event};
use super::seq_map::SeqMap;
use super::sets::Sets;
use super::standing::Standings;
use crate::delivery::Delivery;
use crate::{Ordinal, Seq, halves};

/// All of them. One takes 22 to 26 bytes while its deliveries wait for their first attempts, and some 20 more from then on for
/// one that is left; of several that are left, each takes 12.
#[derive(Debug, Default)]
pub(crate) struct Events {
    packed: SeqMap<Packed>,
    /// Deliveries of those that say [`Kind::Standing`].
    standing: SeqMap<Standings>,
    /// Endpoints of those that say [`Kind::Fresh`].
    sets: Sets,
    /// The newest segment that was named. No event is in one that is 65,536 older: there are never so many files.
    newest: u32,
}

/// An event without alignment.
#[derive(Clone, Copy, Debug)]
struct Packed {
    /// 48 bits, signed.
    accepted_ms: [u16; 3],
    /// The low half of the segment's id.
    segment: u16,
    offset: [u16; 2],
    length: [u16; 2],
    group: u16,
    kind: [u16; 2],
}

const _: () = assert!(size_of::<Packed>() == 22);

/// Where the deliveries are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// Here: one, before its first attempt.
    One(Ordinal),
    /// Several before their first attempts: the number of the set of their endpoints.
    Fresh(u32),
    /// Elsewhere.
    Standing,
}

/// From here on numbers are those of sets.
const SETS: u32 = 1 << 31;
const STANDING: u32 = u32::MAX;

impl Kind {
    fn pack(self) -> u32 {
        match self {
            Self::One(Ordinal(ordinal)) => ordinal,
            Self::Fresh(set) => SETS + set,
            Self::Standing => STANDING,
        }
    }

    fn unpack(packed: u32) -> Self {
        match packed {
            STANDING => Self::Standing,
            ..SETS => Self::One(Ordinal(packed)),
            _ => Self::Fresh(packed - SETS),
        }
    }
}

fn split(value: u32) -> [u16; 2] {
    let [a, b, c, d] = value.to_le_bytes();
    [u16::from_le_bytes([a, b]), u16::from_le_bytes([c, d])]
}

fn join([low, high]: [u16; 2]) -> u32 {
    u32::from(low) | (u32::from(high) << 16)
}

fn low(value: u32) -> u16 {
    split(value)[0]
}

impl Packed {
    fn new(event: &Event<'_>, kind: Kind) -> Self {
        let most = (1 << 47) - 1;
        let accepted_ms = event.accepted_ms.clamp(-most, most).cast_unsigned();
        let [first, second] = split(halves::low(accepted_ms));
        Self {
            accepted_ms: [first, second, low(halves::high(accepted_ms))],
            segment: low(event.segment),
            offset: split(event.offset),
            length: split(event.length),
            group: event.group,
            kind: split(kind.pack()),
        }
    }

    fn kind(&self) -> Kind {
        Kind::unpack(join(self.kind))
    }

    fn accepted_ms(&self) -> i64 {
        let [first, second, third] = self.accepted_ms;
        let bits = u64::from(join([first, second])) | (u64::from(third) << 32);
        (bits << 16).cast_signed() >> 16
    }
}

impl Events {
    pub(crate) fn len(&self) -> usize {
        self.packed.len()
    }

    #[cfg(test)]
    pub(crate) fn is_empty(&self) -> bool {
        self.packed.is_empty()
    }

    pub(crate) fn get(&self, seq: Seq) -> Option<Event<'_>> {
        Some(self.event(seq, self.packed.get(seq)?))
    }

    /// In order of acceptance.
    #[cfg(test)]
    pub(crate) fn iter(&self) -> impl Iterator<Item = (Seq, Event<'_>)> {
        self.iter_from(0)
    }

    /// Those from a number on. Does not look at those before.
    pub(crate) fn iter_from(&self, from: Seq) -> impl Iterator<Item = (Seq, Event<'_>)> {
        self.packed.iter_from(from).map(|(seq, packed)| (seq, self.event(seq, packed)))
    }

    fn event(&self, seq: Seq, packed: &Packed) -> Event<'_> {
        let deliveries = match packed.kind() {
            Kind::One(ordinal) => Deliveries::One(ordinal),
            Kind::Fresh(set) => Deliveries::Fresh(self.sets.get(set)),
            Kind::Standing => self.standing.get(seq).map_or(Deliveries::Fresh(&[]), Deliveries::Standing),
        };
        Event {
            accepted_ms: packed.accepted_ms(),
            segment: self.newest - u32::from(low(self.newest).wrapping_sub(packed.segment)),
            offset: join(packed.offset),
            length: join(packed.length),
            group: packed.group,
            deliveries,
        }
    }

    /// Puts an event in, in place of the one that was there. It has at least one delivery.
    pub(crate) fn insert(&mut self, seq: Seq, event: &Event<'_>) {
        self.newest = self.newest.max(event.segment);
        let kind = self.keep(seq, event.deliveries);
        let before = self.packed.insert(seq, Packed::new(event, kind));
        match before.map(|packed| packed.kind()) {
            // Replaced already.
            Some(Kind::Standing) if kind == Kind::Standing => {}
            Some(before) => self.forget(seq, before),
            None => {}
        }
    }

    fn keep(&mut self, seq: Seq, deliveries: Deliveries<'_>) -> Kind {
        let is_fresh = deliveries.iter().all(Delivery::is_fresh);
        let mut endpoints = deliveries.iter().map(Delivery::endpoint);
        match (endpoints.next(), deliveries.len()) {
            (Some(one), 1) if is_fresh && one.0 < SETS => Kind::One(one),
            (Some(_), 2..) if is_fresh => match deliveries {
                Deliveries::Fresh(endpoints) => Kind::Fresh(self.sets.hold(endpoints)),
                _ => Kind::Fresh(self.sets.hold(&deliveries.iter().map(Delivery::endpoint).collect::<Vec<_>>())),
            },
            _ => {
                if let Some(standings) = Standings::new(deliveries.iter().collect()) {
                    self.standing.insert(seq, standings);
                }
                Kind::Standing
            }
        }
    }

    fn forget(&mut self, seq: Seq, kind: Kind) {
        match kind {
            Kind::One(_) => {}
            Kind::Fresh(set) => self.sets.release(set),
            Kind::Standing => drop(self.standing.remove(seq)),
        }
    }

    pub(crate) fn remove(&mut self, seq: Seq) {
        if let Some(packed) = self.packed.remove(seq) {
            self.forget(seq, packed.kind());
        }
    }

    /// Says that an event's blob is elsewhere now, or damaged.
    pub(crate) fn moved(&mut self, seq: Seq, segment: u32, offset: u32, length: u32) {
        self.newest = self.newest.max(segment);
        if let Some(packed) = self.packed.get_mut(seq) {
            packed.segment = low(segment);
            (packed.offset, packed.length) = (split(offset), split(length));
        }
    }

    /// Puts a delivery of an event in, in place of the one to the same endpoint if there is one.
    pub(crate) fn put(&mut self, seq: Seq, delivery: Delivery) {
        self.change(seq, |standings| standings.put(delivery));
    }

    /// Takes a delivery out of an event that has others.
    pub(crate) fn take(&mut self, seq: Seq, endpoint: Ordinal) {
        self.change(seq, |standings| standings.remove(endpoint));
    }

    fn change(&mut self, seq: Seq, change: impl FnOnce(&mut Standings)) {
        let Some(kind) = self.packed.get(seq).map(Packed::kind) else { return };
        if kind == Kind::Standing {
            let Some(standings) = self.standing.get_mut(seq) else { return };
            change(standings);
            // Most that are left alone have not been tried.
            let Standings::One(one) = standings else { return };
            let one = *one;
            if one.is_fresh() && one.endpoint().0 < SETS {
                self.standing.remove(seq);
                self.set_kind(seq, Kind::One(one.endpoint()));
            }
            return;
        }
        let list = self.get(seq).map(|event| event.deliveries.iter().collect()).unwrap_or_default();
        let Some(mut standings) = Standings::new(list) else { return };
        change(&mut standings);
        self.forget(seq, kind);
        self.standing.insert(seq, standings);
        self.set_kind(seq, Kind::Standing);
    }

    fn set_kind(&mut self, seq: Seq, kind: Kind) {
        if let Some(packed) = self.packed.get_mut(seq) {
            packed.kind = split(kind.pack());
        }
    }
}

#[cfg(test)]
mod tests;
