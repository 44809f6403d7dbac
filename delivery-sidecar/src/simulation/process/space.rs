//! Gives up what endpoints have too much pending, a step at a time, as `run::engine_task` does.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Waker},
};

use posthaste_journal::{Error, Overflow};

use super::{Process, Told};
use crate::{
    schedule::Input,
    simulation::{around::Around, rules::Checked},
};

/// Most deliveries that are given up in a step; more than an endpoint can have in flight.
const STEP: usize = 16;

/// What was given up is on its way to the journal, which does not count it yet.
pub type Recording = Pin<Box<dyn Future<Output = Result<(), Error>>>>;

impl Process {
    /// A step, if none is on its way.
    pub(super) fn overflow(&mut self, around: &mut Around) -> Checked {
        if self.recording.is_some() || self.drain_until_ms.is_some() {
            return Ok(());
        }
        let mut given_up = 0;
        for Overflow { endpoint, mut oldest } in self.log.journal.overflowing(STEP) {
            if let Some(sabotage) = around.sabotage {
                sabotage.overflow(&mut oldest);
            }
            let number = around.number(endpoint)?;
            around.line(format_args!("endpoint {number} has too much pending: {oldest:?}"));
            let before = self.engine.pending();
            around.life.overflows(number, &oldest);
            self.take(Input::Overflow { ordinal: endpoint, oldest }, around)?;
            let overflowed = around.life.overflowed();
            around.ledger.overflowed(number, &overflowed, |seq| around.life.waits((seq, number)))?;
            given_up += before.saturating_sub(self.engine.pending());
        }
        if given_up > 0 {
            let journal = self.log.journal.clone();
            self.recording = Some(Box::pin(async move { journal.flush().await }));
        } else if !self.log.journal.usage().refusing {
            around.ledger.has_room(|delivery| around.life.waits(delivery))?;
        }
        Ok(())
    }

    /// Whether what was given up is recorded by now.
    pub(super) fn look_at_recording(&mut self) {
        let context = &mut Context::from_waker(Waker::noop());
        if self.recording.as_mut().is_some_and(|recording| recording.as_mut().poll(context).is_ready()) {
            self.recording = None;
            self.told.push_back(Told::OverflowRecorded);
        }
    }
}
