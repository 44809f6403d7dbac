//! Outcomes on their way to the writer. They are not in its inbox: a thread that sleeps is woken for a delivery's outcome
//! only when it is the first since the last commit, and finds the others there when it makes the next.

use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::OwnedSemaphorePermit;

use crate::Outcome;

/// An outcome, and its place in the queue until it is synced.
pub(crate) struct WaitingOutcome {
    pub(crate) outcome: Outcome,
    pub(crate) _place: OwnedSemaphorePermit,
}

/// See the module. Bounded by the places that outcomes hold. `None` once the writer has ended.
pub(crate) struct Outcomes(Mutex<Option<Vec<WaitingOutcome>>>);

/// The writer has ended.
#[derive(Debug)]
pub(crate) struct Closed;

impl Outcomes {
    /// None yet.
    pub(crate) fn new() -> Self {
        Self(Mutex::new(Some(Vec::new())))
    }

    /// Adds one. True when it is the first: the writer then has to be told.
    pub(crate) fn push(&self, outcome: WaitingOutcome) -> Result<bool, Closed> {
        let mut waiting = self.lock();
        let waiting = waiting.as_mut().ok_or(Closed)?;
        waiting.push(outcome);
        Ok(waiting.len() == 1)
    }

    /// Moves all to the end of `to`, in the order in which they came.
    pub(crate) fn take(&self, to: &mut Vec<WaitingOutcome>) {
        if let Some(waiting) = &mut *self.lock() {
            to.append(waiting);
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.lock().as_ref().is_none_or(Vec::is_empty)
    }

    /// Takes none any more, and frees the places of those that wait.
    pub(crate) fn close(&self) {
        *self.lock() = None;
    }

    fn lock(&self) -> MutexGuard<'_, Option<Vec<WaitingOutcome>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tokio::sync::Semaphore;

    use super::*;
    use crate::Ordinal;
    use crate::tests::support::succeeded;

    #[test]
    fn the_writer_is_told_of_the_first_only_and_takes_them_in_order() {
        let places = Arc::new(Semaphore::new(4));
        let waiting = |seq| {
            let place = Arc::clone(&places).try_acquire_owned().unwrap();
            WaitingOutcome { outcome: succeeded(seq, Ordinal(0)), _place: place }
        };
        let outcomes = Outcomes::new();
        assert!(outcomes.is_empty());
        assert_eq!([1, 2].map(|seq| outcomes.push(waiting(seq)).unwrap()), [true, false]);
        let mut taken = Vec::new();
        outcomes.take(&mut taken);
        assert!(outcomes.push(waiting(3)).unwrap());
        outcomes.take(&mut taken);
        assert_eq!(taken.iter().map(|waiting| waiting.outcome.seq).collect::<Vec<_>>(), [1, 2, 3]);
        drop(taken);

        outcomes.push(waiting(4)).unwrap();
        outcomes.close();
        assert!(outcomes.push(waiting(5)).is_err());
        assert_eq!(places.available_permits(), 4);
    }
}
