//! How the deliveries of an event stand, once they do not all wait for their first attempt.

use crate::Ordinal;
use crate::delivery::Delivery;

/// Deliveries in order of their endpoints; at least one. Of most events one is left, so one is kept without an allocation.
#[derive(Clone, Debug)]
pub(crate) enum Standings {
    One(Delivery),
    Many(Box<Many>),
}

#[derive(Clone, Debug)]
pub(crate) struct Many {
    list: Vec<Delivery>,
    pending: u32,
}

impl Standings {
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

    /// How many are not dead. Cheap.
    pub(crate) fn pending(&self) -> u32 {
        match self {
            Self::One(one) => u32::from(!one.is_dead()),
            Self::Many(many) => many.pending,
        }
    }

    /// Puts a delivery in, in place of the one to the same endpoint if there is one.
    pub(crate) fn put(&mut self, delivery: Delivery) {
        let at = self.as_slice().binary_search_by_key(&delivery.endpoint(), |other| other.endpoint());
        match (self, at) {
            (Self::One(one), Ok(_)) => *one = delivery,
            (Self::Many(many), Ok(at)) => {
                many.pending = many.pending - u32::from(!many.list[at].is_dead()) + u32::from(!delivery.is_dead());
                many.list[at] = delivery;
            }
            (Self::Many(many), Err(at)) => {
                many.pending += u32::from(!delivery.is_dead());
                many.list.insert(at, delivery);
            }
            (this @ Self::One(_), Err(at)) => {
                let mut list = this.as_slice().to_vec();
                list.insert(at, delivery);
                if let Some(more) = Self::new(list) {
                    *this = more;
                }
            }
        }
    }

    /// Takes out the delivery to an endpoint, unless it is the only one.
    pub(crate) fn remove(&mut self, endpoint: Ordinal) {
        let Self::Many(many) = self else { return };
        let found = many.list.binary_search_by_key(&endpoint, |delivery| delivery.endpoint());
        let Ok(at) = found else { return };
        let removed = many.list.remove(at);
        many.pending -= u32::from(!removed.is_dead());
        if let [one] = many.list[..] {
            *self = Self::One(one);
        }
    }
}
