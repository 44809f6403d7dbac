//! Sends events to an endpoint again, in bounded steps, and tells how far it is.
//!
//! A step makes deliveries pending in the journal first and tells the engine then, so that a restart in between loses none.
//! What has not been gone through when the process ends is as it was.

use std::{future::Future, sync::Arc};

use arc_swap::ArcSwap;
use posthaste_journal::{
    self as journal, DeadLetter, History, Journal, Kept, Ordinal, REDELIVER_EVENTS, Seq, Standing, Wanted,
};
use tokio::{
    sync::{mpsc, watch},
    task::spawn_blocking,
};

use super::engine_task::Message;
use crate::{config::Snapshot, event::Event};

/// Which events of an endpoint are to be sent again. They keep their ids and are outside of any ordering.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replay {
    /// The endpoint.
    pub endpoint: Ordinal,
    /// Which of its events.
    pub mode: Mode,
    /// Only of events that were accepted at this time or later, in milliseconds since the epoch.
    pub since_ms: Option<i64>,
    /// Only of events that were accepted before this time.
    pub until_ms: Option<i64>,
    /// Only of events of this type.
    pub event_type: Option<String>,
    /// With [`Mode::All`], only those that are dead letters, or only those that were delivered; `None` for both.
    pub dead_letters: Option<bool>,
}

/// Which events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Those that were given up and are dead letters.
    Failed,
    /// All that are kept and were for the endpoint, delivered or not.
    All,
    /// All that are kept, were never for the endpoint, and match it now.
    Missing,
}

/// How far a replay is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Events that were asked for, as far as they have been looked at.
    pub matched: u64,
    /// Those of them that are pending again. The others were pending already, or gone when it was their turn.
    pub scheduled: u64,
    /// It has ended.
    pub done: bool,
    /// Why it has ended before all were looked at, if it has.
    pub error: Option<String>,
}

/// Where what waits for the disk waits, so that it does not stop everything else.
pub trait ReadDisk: Clone + Send + Sync + 'static {
    /// Reads there.
    fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce() -> T + Send + 'static,
    ) -> impl Future<Output = Result<T, journal::Error>> + Send;
}

/// On threads that may wait.
#[derive(Clone, Copy, Debug)]
pub struct OnThreads;

impl ReadDisk for OnThreads {
    async fn read<T: Send + 'static>(&self, read: impl FnOnce() -> T + Send + 'static) -> Result<T, journal::Error> {
        spawn_blocking(read).await.map_err(|error| journal::Error::Io(error.to_string()))
    }
}

/// Is told which events are to be delivered to an endpoint again.
pub type Again = Arc<dyn Fn(Ordinal, &[Seq]) + Send + Sync>;

/// What a replay works with.
#[derive(Clone)]
pub struct Replayer<D = OnThreads> {
    /// Has the events.
    pub journal: Journal,
    /// Is told of them first, so that who asks is answered with what was asked for.
    pub history: Again,
    /// Makes the deliveries.
    pub(crate) engine: mpsc::UnboundedSender<Message>,
    /// What endpoints match now.
    pub snapshot: Arc<ArcSwap<Snapshot>>,
    /// Where the journal is read.
    pub disk: D,
}

impl<D: ReadDisk> Replayer<D> {
    /// Goes through all that there is now, and ends. What comes meanwhile is not sent twice.
    pub async fn run(self, replay: Replay, progress: watch::Sender<Progress>) {
        let result = self.go_through(&replay, &progress).await;
        progress.send_modify(|progress| {
            progress.done = true;
            progress.error = result.err();
        });
    }

    async fn go_through(&self, replay: &Replay, progress: &watch::Sender<Progress>) -> Result<(), String> {
        // What is finished by now is not to be taken for pending.
        self.journal.flush().await.map_err(|error| error.to_string())?;
        match replay.mode {
            Mode::Failed => self.failed(replay, progress).await,
            Mode::All | Mode::Missing => self.kept(replay, progress).await,
        }
    }

    async fn failed(&self, replay: &Replay, progress: &watch::Sender<Progress>) -> Result<(), String> {
        let mut from = 0;
        loop {
            let letters = self.journal.dead_letters_from(replay.endpoint, from, REDELIVER_EVENTS);
            let Some(last) = letters.last() else { return Ok(()) };
            from = last.seq + 1;
            let wanted = self.wanted(replay, letters).await.map_err(|error| error.to_string())?;
            let matched = wanted.len() as u64;
            let scheduled = self.redeliver_known(replay.endpoint, wanted).await.map_err(|error| error.to_string())?;
            tell(progress, matched, scheduled);
        }
    }

    async fn kept(&self, replay: &Replay, progress: &watch::Sender<Progress>) -> Result<(), String> {
        let Replay { endpoint, mode, since_ms, until_ms, .. } = *replay;
        let wanted = Wanted { endpoint, given: Some(mode == Mode::All), since_ms, until_ms, only: None };
        let mut history = self.journal.history(wanted).await;
        loop {
            let found;
            (history, found) = self.step(history).await.map_err(|error| error.to_string())?;
            let Some(found) = found else { return Ok(()) };
            let found = found.into_iter().filter(|kept| self.ended_so(replay, kept) && self.is_asked_for(replay, kept));
            let found = found.collect();
            let (fitting, rest) = self.split(endpoint, found);
            let matched = fitting.len() as u64;
            let scheduled = self.restore(&history, endpoint, fitting).await.map_err(|error| error.to_string())?;
            tell(progress, matched, scheduled);
            if rest {
                return Err("the endpoint has as much pending as journal.maxBytesPerEndpoint allows".to_owned());
            }
        }
    }

    /// Whether a delivery ended as it is asked for.
    fn ended_so(&self, replay: &Replay, kept: &Kept) -> bool {
        let Some(dead) = replay.dead_letters else { return true };
        match self.journal.standing(kept.seq, replay.endpoint) {
            Some(Standing::Pending { .. }) => false,
            Some(Standing::Dead { .. }) => dead,
            None => !dead,
        }
    }

    /// An event that cannot be read is of no type: it could not be sent either.
    fn is_asked_for(&self, replay: &Replay, kept: &Kept) -> bool {
        if replay.event_type.is_none() && replay.mode != Mode::Missing {
            return true;
        }
        let Ok(event) = Event::decode(kept.stored.payload.clone()) else { return false };
        let is_of_type = replay.event_type.as_ref().is_none_or(|wanted| *wanted == event.event_type);
        let matches = || self.snapshot.load().router.wants(replay.endpoint, &event);
        is_of_type && (replay.mode != Mode::Missing || matches())
    }

    /// As many events as may be pending for the endpoint, and whether there are more: those would be given up at once.
    fn split(&self, endpoint: Ordinal, mut found: Vec<Kept>) -> (Vec<Kept>, bool) {
        let mut room = self.journal.room(endpoint);
        let fitting = found.iter().take_while(|kept| {
            let bytes = kept.weight(endpoint);
            let fits = bytes <= room;
            room = room.saturating_sub(bytes);
            fits
        });
        let fitting = fitting.count();
        let rest = found.len() > fitting;
        found.truncate(fitting);
        (found, rest)
    }

    /// Makes the delivery of one event pending, whatever came of it before. False when it is pending, or the event is gone.
    ///
    /// # Errors
    /// What the journal says: nothing is sent then.
    pub async fn redeliver(&self, endpoint: Ordinal, event: Seq) -> Result<bool, journal::Error> {
        self.journal.flush().await?;
        let journal = self.journal.clone();
        let stored = self.disk.read(move || journal.read(event)).await??;
        // An event that was not for this endpoint has to say so from now on.
        if stored.is_some_and(|stored| stored.deliveries.contains(&endpoint)) {
            return Ok(self.redeliver_known(endpoint, vec![event]).await? > 0);
        }
        let wanted = Wanted { endpoint, given: None, since_ms: None, until_ms: None, only: Some(event) };
        let mut history = self.journal.history(wanted).await;
        loop {
            let found;
            (history, found) = self.step(history).await?;
            match found {
                None => return Ok(false),
                Some(found) if found.is_empty() => {}
                Some(found) => return Ok(self.restore(&history, endpoint, found).await? > 0),
            }
        }
    }

    /// Makes deliveries of events that are not finished pending, and tells the engine. Returns how many.
    async fn redeliver_known(&self, endpoint: Ordinal, events: Vec<Seq>) -> Result<u64, journal::Error> {
        let events = self.journal.redeliver(endpoint, events).await?;
        Ok(self.tell_engine(endpoint, &events))
    }

    /// The same for any that are kept.
    async fn restore(&self, history: &History, endpoint: Ordinal, found: Vec<Kept>) -> Result<u64, journal::Error> {
        if found.is_empty() {
            return Ok(0);
        }
        let events = self.journal.restore(history, found).await?;
        Ok(self.tell_engine(endpoint, &events))
    }

    /// Looks on.
    async fn step(&self, mut history: History) -> Result<(History, Option<Vec<Kept>>), journal::Error> {
        let step = move || {
            let found = history.step()?;
            Ok((history, found))
        };
        self.disk.read(step).await?
    }

    /// Those of the letters that are asked for. Events are read only for their type.
    async fn wanted(&self, replay: &Replay, letters: Vec<DeadLetter>) -> Result<Vec<Seq>, journal::Error> {
        let in_time = |letter: &DeadLetter| {
            replay.since_ms.is_none_or(|since| since <= letter.accepted_ms)
                && replay.until_ms.is_none_or(|until| letter.accepted_ms < until)
        };
        let in_time: Vec<Seq> = letters.into_iter().filter(in_time).map(|letter| letter.seq).collect();
        let Some(event_type) = replay.event_type.clone() else { return Ok(in_time) };
        let journal = self.journal.clone();
        let is_wanted = move |seq: &Seq| is_of_type(&journal, *seq, &event_type);
        self.disk.read(move || in_time.into_iter().filter(is_wanted).collect()).await
    }

    fn tell_engine(&self, endpoint: Ordinal, events: &[journal::Redelivered]) -> u64 {
        let events: Vec<Seq> = events.iter().map(|again| again.seq).collect();
        let count = events.len() as u64;
        (self.history)(endpoint, &events);
        // Nobody listens when the process is about to end; the next one delivers them.
        let _ = self.engine.send(Message::Redelivered(endpoint, events));
        count
    }
}

fn tell(progress: &watch::Sender<Progress>, matched: u64, scheduled: u64) {
    progress.send_modify(|progress| {
        progress.matched += matched;
        progress.scheduled += scheduled;
    });
}

/// An event that cannot be read is of no type: it could not be sent either.
fn is_of_type(journal: &Journal, seq: Seq, event_type: &str) -> bool {
    let stored = journal.read(seq).ok().flatten();
    stored.and_then(|stored| Event::decode(stored.payload).ok()).is_some_and(|event| event.event_type == event_type)
}
