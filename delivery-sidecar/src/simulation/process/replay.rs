//! Sends events again while everything else goes on, with the real [`Replayer`] and a disk that takes a turn for each look.

use std::{
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, Waker},
};

use arc_swap::ArcSwap;
use posthaste_journal::{Error, Journal, Ordinal, Seq};
use tokio::sync::{mpsc, watch};

use super::{Process, Told};
use crate::{
    config::Snapshot,
    run::{
        Mode, Progress, Replay,
        engine_task::Message,
        replay::{ReadDisk, Replayer},
    },
    simulation::{
        around::Around,
        model::ledger::replays::{Asked, Which},
        rules::Checked,
        sabotage::Sabotage,
    },
};

/// A disk that answers when it is asked the second time.
#[derive(Clone, Copy, Debug)]
struct NextTurn;

impl ReadDisk for NextTurn {
    async fn read<T: Send + 'static>(&self, read: impl FnOnce() -> T + Send + 'static) -> Result<T, Error> {
        let mut asked = false;
        std::future::poll_fn(|_| if std::mem::replace(&mut asked, true) { Poll::Ready(()) } else { Poll::Pending })
            .await;
        Ok(read())
    }
}

/// What is going on.
pub struct Replays {
    replayer: Replayer<NextTurn>,
    told: mpsc::UnboundedReceiver<Message>,
    running: Vec<Running>,
}

struct Running {
    id: u64,
    /// What came of it, in words if it failed, and how many deliveries it says that it made pending.
    end: Pin<Box<dyn Future<Output = Ended>>>,
}

/// How a replay ended.
#[derive(Clone, Debug)]
pub struct Ended {
    /// Deliveries that it says it has made pending.
    pub scheduled: u64,
    /// Why it did not get to its end.
    pub error: Option<String>,
}

/// What a replay has done.
pub enum Done {
    /// It has made deliveries of an endpoint pending.
    Again(u64, Ordinal, Vec<Seq>),
    /// It has ended.
    Ended(u64, Ended),
}

impl Replays {
    /// None is going on.
    pub fn new(journal: Journal, snapshot: Arc<ArcSwap<Snapshot>>) -> Self {
        let (engine, told) = mpsc::unbounded_channel();
        // Nobody looks into the history here.
        let history = Arc::new(|_: Ordinal, _: &[Seq]| {});
        Self { replayer: Replayer { journal, history, engine, snapshot, disk: NextTurn }, told, running: Vec::new() }
    }

    /// Begins one.
    pub fn replay(&mut self, id: u64, replay: Replay) {
        let (sender, progress) = watch::channel(Progress::default());
        let run = self.replayer.clone().run(replay, sender);
        let end = async move {
            run.await;
            let Progress { scheduled, error, .. } = progress.borrow().clone();
            Ended { scheduled, error }
        };
        self.running.push(Running { id, end: Box::pin(end) });
    }

    /// Begins to send one event again.
    pub fn redeliver(&mut self, id: u64, endpoint: Ordinal, event: Seq) {
        let replayer = self.replayer.clone();
        let end = async move {
            match replayer.redeliver(endpoint, event).await {
                Ok(again) => Ended { scheduled: again.into(), error: None },
                Err(error) => Ended { scheduled: 0, error: Some(error.to_string()) },
            }
        };
        self.running.push(Running { id, end: Box::pin(end) });
    }

    /// None is going on.
    pub fn is_idle(&self) -> bool {
        self.running.is_empty()
    }

    /// Goes on, and tells what has been done.
    pub fn go_on(&mut self) -> Vec<Done> {
        let mut done = Vec::new();
        for mut running in std::mem::take(&mut self.running) {
            let polled = running.end.as_mut().poll(&mut Context::from_waker(Waker::noop()));
            while let Ok(message) = self.told.try_recv() {
                if let Message::Redelivered(ordinal, events) = message {
                    done.push(Done::Again(running.id, ordinal, events));
                }
            }
            match polled {
                Poll::Ready(ended) => done.push(Done::Ended(running.id, ended)),
                Poll::Pending => self.running.push(running),
            }
        }
        done
    }
}

impl Process {
    /// Somebody asks for events to be sent again.
    pub fn replay(&mut self, around: &mut Around, asked: Asked) {
        let found = around.ledger.ordinals.iter().find(|(_, number)| **number == asked.number);
        let Some((&endpoint, _)) = found.filter(|_| self.drain_until_ms.is_none()) else { return };
        let Asked { which, since_ms, until_ms, event_type, .. } = asked.clone();
        around.replays += 1;
        let id = around.replays;
        around.ledger.replay_begins(id, asked);
        let mode = match which {
            Which::Failed => Mode::Failed,
            Which::All => Mode::All,
            Which::Missing => Mode::Missing,
            Which::One(seq) => return self.replays.redeliver(id, endpoint, seq),
        };
        let mut replay = Replay { endpoint, mode, since_ms, until_ms, event_type, dead_letters: None };
        if let Some(sabotage) = around.sabotage {
            sabotage.replay(&mut replay, around.now_ms);
        }
        self.replays.replay(id, replay);
    }

    /// Goes on with replays.
    pub(super) fn go_on_replaying(&mut self, around: &mut Around) -> Checked {
        for done in self.replays.go_on() {
            match done {
                Done::Again(id, ordinal, mut events) => {
                    let number = around.number(ordinal)?;
                    around.line(format_args!("events {events:?} are pending for endpoint {number} again"));
                    around.ledger.again(id, number, &events, &self.log.journal)?;
                    if around.sabotage == Some(Sabotage::RedeliveryLost) {
                        events.pop();
                    }
                    self.told.push_back(Told::Redelivered(ordinal, events));
                }
                Done::Ended(id, Ended { scheduled, error }) => {
                    around.line(format_args!("replay {id} has ended: {scheduled} again, {error:?}"));
                    let (now_ms, journal) = (around.now_ms, &self.log.journal);
                    around.ledger.replay_ended(id, now_ms, scheduled, error.as_deref(), journal)?;
                }
            }
        }
        Ok(())
    }
}
