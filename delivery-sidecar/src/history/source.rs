//! The journal, as the history asks it.

use posthaste_history::{EventText, Key, Source, Standing, Unfinished};
use posthaste_journal::{self as journal, Journal, Ordinal, Seq};

use super::event_text;
use crate::event::Event;

/// See the module.
pub struct FromJournal(Journal);

impl FromJournal {
    pub fn new(journal: Journal) -> Self {
        Self(journal)
    }
}

/// The history's word for a delivery.
pub fn key(seq: Seq, endpoint: Ordinal) -> Key {
    Key { seq, endpoint: endpoint.0 }
}

fn standing(standing: journal::Standing) -> Standing {
    match standing {
        journal::Standing::Pending { attempts, .. } => Standing::Pending { attempts },
        journal::Standing::Dead { attempts, at_ms } => Standing::Dead { at_ms, attempts },
    }
}

impl Source for FromJournal {
    fn event(&self, seq: u64) -> Option<(EventText, i64)> {
        let stored = self.0.read(seq).ok().flatten()?;
        Some((event_text(&Event::decode(stored.payload).ok()?), stored.accepted_ms))
    }

    fn standing(&self, key: Key) -> Option<Standing> {
        self.0.standing(key.seq, Ordinal(key.endpoint)).map(standing)
    }

    fn endpoints(&self) -> Vec<u32> {
        self.0.endpoints().into_iter().map(|ordinal| ordinal.0).collect()
    }

    fn unfinished(&self, endpoint: u32, from: u64, limit: usize) -> Vec<Unfinished> {
        let unfinished = self.0.unfinished(Ordinal(endpoint), from, limit).into_iter();
        let unfinished = unfinished.map(|delivery| Unfinished {
            key: Key { seq: delivery.seq, endpoint },
            accepted_ms: delivery.accepted_ms,
            standing: standing(delivery.standing),
        });
        unfinished.collect()
    }
}
