//! A journal whose writer has no thread and no clock of its own.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::writer::{Answers, Writer};
use crate::{Committed, Error, Filesystem, Journal, Options, Recovered};

/// Gets new events, as for [`Journal::open`].
pub type OnCommit = Box<dyn Fn(Vec<Committed>) + Send>;

/// The writer of a journal. It works only in [`SteppedWriter::step`]; what the handle's calls wait for comes from there.
/// Dropping it is the end of the process: nothing more is written, and the calls that wait get [`Error::Closed`].
pub struct SteppedWriter {
    /// `None` when the journal was closed.
    writer: Option<Writer<OnCommit>>,
    /// What the times that it is told are counted from.
    begin: Instant,
}

/// Opens a journal as [`Journal::open`] does, with a writer that is stepped by hand.
///
/// # Errors
/// As [`Journal::open`].
pub fn open_stepped(
    filesystem: Arc<dyn Filesystem>,
    options: Options,
    now_ms: i64,
    on_commit: OnCommit,
) -> Result<(Journal, SteppedWriter, Recovered), Error> {
    let (journal, writer, recovered) =
        Journal::open_with_writer(filesystem, options, now_ms, on_commit, Answers::at_once())?;
    Ok((journal, SteppedWriter { writer: Some(writer), begin: Instant::now() }, recovered))
}

impl SteppedWriter {
    /// Does what the writer's thread would do in one turn at this time: takes all that waits, commits, answers, and makes
    /// one step of cleaning. `elapsed` is the time since the journal was opened, and never goes back.
    pub fn step(&mut self, elapsed: Duration) {
        let now = self.begin + elapsed;
        self.writer = self.writer.take().and_then(|writer| writer.turn(now));
    }

    /// When the writer has something to do even if nothing is asked, on the clock of [`Self::step`].
    pub fn deadline(&self, elapsed: Duration) -> Option<Duration> {
        let deadline = self.writer.as_ref()?.next_turn(self.begin + elapsed)?;
        Some(deadline.saturating_duration_since(self.begin))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::FakeDisk;
    use crate::tests::support::{NOW, event, options, succeeded};
    use crate::{Accepted, Ordinal};
    use std::future::Future;
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    #[test]
    fn nothing_is_written_but_in_a_step() {
        let disk = FakeDisk::new(1);
        let options = Options { outcome_delay: Duration::from_millis(10), ..options() };
        let (journal, mut writer, _) =
            open_stepped(Arc::new(disk.clone()), options, NOW, Box::new(|_| {})).expect("the journal opens");
        let context = &mut Context::from_waker(Waker::noop());
        let before = disk.operations();
        let mut accept = pin!(journal.accept(vec![event(10, &[])]));
        assert!(accept.as_mut().poll(context).is_pending());
        assert_eq!(disk.operations(), before);
        writer.step(Duration::ZERO);
        let Poll::Ready(accepted) = accept.as_mut().poll(context) else { panic!("it was answered") };
        assert_eq!(accepted.unwrap(), [Accepted::New { seq: 1 }]);

        assert!(pin!(journal.record(succeeded(1, Ordinal(0)))).poll(context).is_ready());
        writer.step(Duration::from_secs(1));
        assert_eq!(writer.deadline(Duration::from_secs(1)), Some(Duration::from_millis(1_010)));

        let mut close = pin!(journal.clone().close());
        assert!(close.as_mut().poll(context).is_pending());
        writer.step(Duration::from_secs(1));
        assert!(close.poll(context).is_ready());
        assert_eq!(writer.deadline(Duration::from_secs(1)), None);
    }
}
