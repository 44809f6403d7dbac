//! How single deliveries stand.

use super::Journal;
use crate::delivery::Standing as Kept;
use crate::store::look;
use crate::{Ordinal, Seq, Standing, Unfinished};

impl Journal {
    /// How a delivery stands; `None` when it is finished and no dead letter, or not known. Cheap.
    pub fn standing(&self, seq: Seq, endpoint: Ordinal) -> Option<Standing> {
        let state = look(&self.inner.state);
        let delivery = state.events.get(seq)?.deliveries.get(endpoint)?;
        Some(match delivery.standing() {
            Kept::Pending { due_ms } => Standing::Pending { attempts: delivery.attempts(), due_ms },
            Kept::Dead { at_ms } => Standing::Dead { attempts: delivery.attempts(), at_ms },
        })
    }

    /// Deliveries of an endpoint that are pending or dead letters, in order of acceptance from a number on: at most
    /// `limit` of each. To go on, begin behind the last one of which there are `limit`.
    pub fn unfinished(&self, endpoint: Ordinal, from: Seq, limit: usize) -> Vec<Unfinished> {
        let state = look(&self.inner.state);
        let Some(known) = state.endpoints.get(endpoint) else { return Vec::new() };
        let ends = |last: Option<Seq>, count: usize| if count < limit { Seq::MAX } else { last.unwrap_or(Seq::MAX) };
        let pending: Vec<Seq> = known.pending.iter_from(from).map(|(seq, ())| seq).take(limit).collect();
        let dead: Vec<Seq> = known.dead.iter_from(from).map(|(seq, ())| seq).take(limit).collect();
        // Beyond the end of the shorter list, the other one may lack some.
        let end = ends(pending.last().copied(), pending.len()).min(ends(dead.last().copied(), dead.len()));
        let mut all: Vec<Seq> = pending.into_iter().chain(dead).filter(|seq| *seq <= end).collect();
        all.sort_unstable();
        let unfinished = all.into_iter().filter_map(|seq| {
            let event = state.events.get(seq)?;
            let delivery = event.deliveries.get(endpoint)?;
            let attempts = delivery.attempts();
            let standing = match delivery.standing() {
                Kept::Pending { due_ms } => Standing::Pending { attempts, due_ms },
                Kept::Dead { at_ms } => Standing::Dead { attempts, at_ms },
            };
            Some(Unfinished { seq, accepted_ms: event.accepted_ms, standing })
        });
        unfinished.collect()
    }
}
