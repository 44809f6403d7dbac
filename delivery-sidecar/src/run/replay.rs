//! Sends an endpoint's dead letters again, in bounded steps, and tells how far it is.
//!
//! A step makes deliveries pending in the journal first and tells the engine then, so that a restart in between loses none.
//! What has not been gone through when the process ends is still a dead letter.

use posthaste_journal::{self as journal, DeadLetter, Journal, Ordinal, REDELIVER_EVENTS, Seq};
use tokio::{
    sync::{mpsc, watch},
    task::spawn_blocking,
};

use super::engine_task::Message;
use crate::event::Event;

/// Which dead letters of an endpoint are to be sent again. They keep their events' ids and are outside of any ordering.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replay {
    /// The endpoint.
    pub endpoint: Ordinal,
    /// Only of events that were accepted at this time or later, in milliseconds since the epoch.
    pub since_ms: Option<i64>,
    /// Only of events that were accepted before this time.
    pub until_ms: Option<i64>,
    /// Only of events of this type.
    pub event_type: Option<String>,
}

/// How far a replay is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Dead letters that were asked for, as far as they have been looked at.
    pub matched: u64,
    /// Those of them that are pending again. The others were gone when it was their turn.
    pub scheduled: u64,
    /// It has ended.
    pub done: bool,
    /// Why it has ended before all were looked at, if it has. Asking again goes on with what is left.
    pub error: Option<String>,
}

/// Goes through all dead letters that there are now, and ends. Those that are given up again meanwhile are not sent twice.
pub async fn run(
    replay: Replay,
    journal: Journal,
    engine: mpsc::UnboundedSender<Message>,
    progress: watch::Sender<Progress>,
) {
    let mut from = 0;
    let error = loop {
        let letters = journal.dead_letters_from(replay.endpoint, from, REDELIVER_EVENTS);
        let Some(last) = letters.last() else { break None };
        from = last.seq + 1;
        let wanted = match wanted(&replay, &journal, letters).await {
            Ok(wanted) => wanted,
            Err(error) => break Some(error),
        };
        let matched = wanted.len() as u64;
        match redeliver(&journal, &engine, replay.endpoint, wanted).await {
            Ok(scheduled) => progress.send_modify(|progress| {
                progress.matched += matched;
                progress.scheduled += scheduled;
            }),
            Err(error) => break Some(error.to_string()),
        }
    };
    progress.send_modify(|progress| {
        progress.done = true;
        progress.error = error;
    });
}

/// Makes deliveries pending and tells the engine. Returns how many: one that is pending or gone is none.
pub async fn redeliver(
    journal: &Journal,
    engine: &mpsc::UnboundedSender<Message>,
    endpoint: Ordinal,
    events: Vec<Seq>,
) -> Result<u64, journal::Error> {
    let events: Vec<Seq> = journal.redeliver(endpoint, events).await?.iter().map(|again| again.seq).collect();
    let count = events.len() as u64;
    // Nobody listens when the process is about to end; the next one delivers them.
    let _ = engine.send(Message::Redelivered(endpoint, events));
    Ok(count)
}

/// Those of the letters that are asked for. Events are read only for their type.
async fn wanted(replay: &Replay, journal: &Journal, letters: Vec<DeadLetter>) -> Result<Vec<Seq>, String> {
    let in_time = |letter: &DeadLetter| {
        replay.since_ms.is_none_or(|since| since <= letter.accepted_ms)
            && replay.until_ms.is_none_or(|until| letter.accepted_ms < until)
    };
    let in_time = letters.into_iter().filter(in_time).map(|letter| letter.seq);
    let Some(event_type) = replay.event_type.clone() else { return Ok(in_time.collect()) };
    let (in_time, journal): (Vec<Seq>, _) = (in_time.collect(), journal.clone());
    // Reading waits for the disk, which must not stop everything else.
    let read =
        spawn_blocking(move || in_time.into_iter().filter(|seq| is_of_type(&journal, *seq, &event_type)).collect());
    read.await.map_err(|error| error.to_string())
}

/// An event that cannot be read is of no type: it could not be sent either.
fn is_of_type(journal: &Journal, seq: Seq, event_type: &str) -> bool {
    let stored = journal.read(seq).ok().flatten();
    stored.and_then(|stored| Event::decode(stored.payload).ok()).is_some_and(|event| event.event_type == event_type)
}
