//! Asking for deliveries again.

use std::sync::Arc;

use super::{BATCH_BYTES, Journal, at_most};
use crate::history::{History, Kept, Wanted};
use crate::store::look;
use crate::writer::Request;
use crate::{Error, Ordinal, Redelivered, Seq};

/// Most deliveries that are made pending again at once.
pub const REDELIVER_EVENTS: usize = 1024;

impl Journal {
    /// Makes finished deliveries of an endpoint pending again, with no attempts, and returns them once that is synced: dead
    /// letters, and other events that are still kept for some endpoint, whether they were for this one or not. Those
    /// that are pending already, and events that are gone, are left out. At most [`REDELIVER_EVENTS`] at once.
    ///
    /// # Errors
    /// [`Error::Size`] for too many, [`Error::Full`] and [`Error::Io`] when the disk fails: nothing is redelivered.
    pub async fn redeliver(&self, endpoint: Ordinal, events: Vec<Seq>) -> Result<Vec<Redelivered>, Error> {
        if events.len() > REDELIVER_EVENTS {
            return Err(Error::Size { what: "a list of events", found: events.len(), allowed: "1024 of them" });
        }
        let place = self.place(&self.inner.others, 1).await?;
        self.ask(place, |answer| Request::Redeliver { endpoint, events, answer }).await?
    }

    /// Looks for events that are kept, finished or not. Waits while another does.
    pub async fn history(&self, wanted: Wanted) -> History {
        let turn = Arc::clone(&self.inner.history).lock_owned().await;
        History::new(Arc::clone(&self.inner.state), wanted, turn)
    }

    /// Makes events that `history` has found pending for its endpoint, with no attempts, and returns them once that is
    /// synced. A finished one is written anew. Those that are pending already are left out. At most [`REDELIVER_EVENTS`] at
    /// once.
    ///
    /// # Errors
    /// [`Error::Size`] for too many, [`Error::Full`] and [`Error::Io`]: nothing is pending that was not.
    pub async fn restore(&self, history: &History, events: Vec<Kept>) -> Result<Vec<Redelivered>, Error> {
        if events.len() > REDELIVER_EVENTS {
            return Err(Error::Size { what: "a list of events", found: events.len(), allowed: "1024 of them" });
        }
        let bytes = events.iter().map(|event| event.stored.payload.len()).sum();
        at_most("a list of events", bytes, BATCH_BYTES, "64 MiB")?;
        let endpoint = history.endpoint();
        let place = self.place(&self.inner.others, 1).await?;
        self.ask(place, |answer| Request::Restore { endpoint, events, answer }).await?
    }

    /// Bytes of events that may become pending for an endpoint before [`Self::overflowing`] tells of it.
    pub fn room(&self, ordinal: Ordinal) -> u64 {
        look(&self.inner.state).room(ordinal)
    }
}
