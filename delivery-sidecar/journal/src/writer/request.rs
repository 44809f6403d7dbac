//! What is asked of the writer.

use bytes::Bytes;
use tokio::sync::{OwnedSemaphorePermit, oneshot};

use crate::{Accepted, Error, Kept, NewEvent, Ordinal, Redelivered, Seq, Space, Tidied};

/// One thing that is asked. `Outcomes`: some wait in [`super::Outcomes`].
pub(crate) enum Request {
    Accept { events: Vec<NewEvent>, answer: Answer<Result<Vec<Accepted>, Error>> },
    Outcomes,
    Ordinals { uids: Vec<String>, answer: Answer<Result<Vec<Ordinal>, Error>> },
    Drop { ordinal: Ordinal, answer: Answer<Result<u64, Error>> },
    Remember { ordinal: Ordinal, memo: Bytes, answer: Answer<Result<(), Error>> },
    Flush { answer: Answer<Result<(), Error>> },
    Space { space: Space, answer: Answer<()> },
    Redeliver { endpoint: Ordinal, events: Vec<Seq>, answer: Answer<Result<Vec<Redelivered>, Error>> },
    Restore { endpoint: Ordinal, events: Vec<Kept>, answer: Answer<Result<Vec<Redelivered>, Error>> },
    Tidy { now_ms: i64, answer: Answer<Tidied> },
    Close { answer: Answer<Result<(), Error>> },
}

impl Request {
    /// Answers parked events with an error.
    pub(crate) fn refuse(self, error: Error) {
        if let Self::Accept { answer, .. } = self {
            answer.give(Err(error));
        }
    }
}

/// Where an answer goes, and the place in the queue until it is given.
pub(crate) struct Answer<T> {
    pub(crate) to: oneshot::Sender<T>,
    pub(crate) place: OwnedSemaphorePermit,
}

impl<T> Answer<T> {
    /// Answers. Whoever asked may have stopped waiting.
    pub(crate) fn give(self, answer: T) {
        drop(self.place);
        let _ = self.to.send(answer);
    }
}
