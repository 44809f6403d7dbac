//! One event's way to one endpoint, as small as it can be: there may be millions.

use std::fmt;

use crate::{Ordinal, halves};

const DEAD: u64 = 1 << 63;
const REDELIVERED: u64 = 1 << 62;
const TIME_BITS: u32 = 46;
const TIME: u64 = (1 << TIME_BITS) - 1;

/// A delivery that is pending or dead. One that is finished is nowhere.
///
/// 12 bytes: the ordinal, then from the highest bit: dead, redelivered, 16 bits of attempts, 46 bits of
/// time (until the year 4199).
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Delivery {
    ordinal: u32,
    high: u32,
    low: u32,
}

/// Where a delivery stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// The next attempt is due then; 0 before the first.
    Pending { due_ms: i64 },
    /// It was given up then.
    Dead { at_ms: i64 },
}

impl Delivery {
    pub(crate) fn new(endpoint: Ordinal, attempts: u32, standing: Standing) -> Self {
        let (flag, time) = match standing {
            Standing::Pending { due_ms } => (0, due_ms),
            Standing::Dead { at_ms } => (DEAD, at_ms),
        };
        let time = u64::try_from(time).unwrap_or(0).min(TIME);
        let attempts = u64::from(attempts.min(u16::MAX.into()));
        let packed = flag | (attempts << TIME_BITS) | time;
        Self { ordinal: endpoint.0, high: halves::high(packed), low: halves::low(packed) }
    }

    /// Before its first attempt.
    pub(crate) fn fresh(endpoint: Ordinal) -> Self {
        Self::new(endpoint, 0, Standing::Pending { due_ms: 0 })
    }

    /// The same, but asked for again after it was finished.
    pub(crate) fn redelivered(self) -> Self {
        Self { high: self.high | halves::high(REDELIVERED), ..self }
    }

    /// Whether it was asked for again after it was finished.
    pub(crate) fn is_redelivered(self) -> bool {
        self.packed() & REDELIVERED != 0
    }

    fn packed(self) -> u64 {
        (u64::from(self.high) << 32) | u64::from(self.low)
    }

    pub(crate) fn endpoint(self) -> Ordinal {
        Ordinal(self.ordinal)
    }

    /// Attempts so far; more than 65,535 count as that.
    pub(crate) fn attempts(self) -> u32 {
        u32::try_from((self.packed() & !(DEAD | REDELIVERED)) >> TIME_BITS).unwrap_or(u32::MAX)
    }

    pub(crate) fn standing(self) -> Standing {
        let time = (self.packed() & TIME).cast_signed();
        if self.is_dead() { Standing::Dead { at_ms: time } } else { Standing::Pending { due_ms: time } }
    }

    pub(crate) fn is_dead(self) -> bool {
        self.packed() & DEAD != 0
    }

    /// Whether it is as it was when the event was accepted.
    pub(crate) fn is_fresh(self) -> bool {
        self.packed() == 0
    }
}

impl fmt::Debug for Delivery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Delivery")
            .field("endpoint", &self.endpoint())
            .field("attempts", &self.attempts())
            .field("standing", &self.standing())
            .field("redelivered", &self.is_redelivered())
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_small_and_keeps_what_it_was_given() {
        assert_eq!(size_of::<Delivery>(), 12);
        for standing in [Standing::Pending { due_ms: 1_800_000_000_123 }, Standing::Dead { at_ms: 1_800_000_000_124 }] {
            let delivery = Delivery::new(Ordinal(u32::MAX), 65_535, standing);
            assert_eq!(delivery.endpoint(), Ordinal(u32::MAX));
            assert_eq!(delivery.attempts(), 65_535);
            assert_eq!(delivery.standing(), standing);
            assert!(!delivery.is_fresh() && !delivery.is_redelivered());
            let again = delivery.redelivered();
            assert!(again.is_redelivered());
            assert_eq!((again.endpoint(), again.attempts()), (delivery.endpoint(), delivery.attempts()));
            assert_eq!(again.standing(), standing);
        }
        assert!(Delivery::fresh(Ordinal(7)).is_fresh());
        assert!(!Delivery::fresh(Ordinal(7)).redelivered().is_fresh(), "which would be forgotten on disk");
    }

    #[test]
    fn what_does_not_fit_is_brought_to_the_nearest_that_does() {
        let delivery = Delivery::new(Ordinal(1), u32::MAX, Standing::Pending { due_ms: i64::MAX });
        assert_eq!(delivery.attempts(), 65_535);
        assert!(!delivery.is_dead());
        let delivery = Delivery::new(Ordinal(1), 1, Standing::Dead { at_ms: -5 });
        assert_eq!(delivery.standing(), Standing::Dead { at_ms: 0 });
    }
}
