//! One life of the sidecar's process: the glue between the real parts, in place of its tasks.
//!
//! It does what `run::engine_task`, `run::configurator`, `run::attempt` and `run::delivery` do, in the same order, with a
//! clock that stands still while it works. Metrics, status, TLS, HTTP and the limit of memory for attempts are left out.

mod configure;
mod engine;

use std::{
    collections::{BTreeMap, VecDeque},
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, Waker},
};

use arc_swap::ArcSwap;
use posthaste_journal::{Committed, Error, Filesystem, Ordinal, Seq};
use rand::RngExt;
use tokio::sync::mpsc;

use super::{
    around::Around,
    configuration::{Compiled, Configuration},
    log::Log,
    rules::{Checked, Rule},
    sabotage::Sabotage,
};
use crate::{
    config::Snapshot,
    ingest::{AcceptError, AcceptEvents, Kept, Prepared, idempotency},
    run::{
        backlog::{Backlog, Waiting},
        intake::Intake,
        numbers::Numbers,
    },
    schedule::{self, Engine, Settings},
    send::Verdict,
    telemetry::Metrics,
};

/// How long a process that is asked to stop waits for what is in flight.
const GRACE_MS: i64 = 25_000;

/// See the module.
pub struct Process {
    log: Log,
    engine: Engine,
    numbers: Numbers,
    snapshot: Arc<ArcSwap<Snapshot>>,
    intake: Arc<Intake>,
    backlog: Backlog,
    told: VecDeque<Told>,
    accepts: Vec<Accept>,
    /// Attempts in flight: when they end, and a number for those that end together.
    answers: BTreeMap<(i64, u64), (Ordinal, Seq, Verdict)>,
    compiled: Compiled,
    applying: Option<Applying>,
    late_until_ms: i64,
    drain_until_ms: Option<i64>,
}

/// What the engine's task is told.
enum Told {
    Committed(Committed),
    Finished(Ordinal, Seq, Verdict),
    Configure(Arc<Configuration>, Settings),
    Drain,
}

type Answered = Result<Vec<Kept>, AcceptError>;

/// A producer that waits.
struct Accept {
    posts: Vec<usize>,
    answer: Pin<Box<dyn Future<Output = Answered>>>,
}

/// A configuration on its way into force.
struct Applying {
    configuration: Arc<Configuration>,
    /// In force for new events already; deletions are to be written.
    snapshot: Option<Arc<Snapshot>>,
    at_ms: i64,
}

/// How a process ends by itself.
pub enum End {
    /// It goes on.
    Not,
    /// It was asked to stop and has; everything that it knew is in the journal if this is true.
    Stopped(bool),
}

impl Process {
    /// Begins a process. `None` when it ends at once, because the disk does not let it begin.
    pub fn start(
        around: &mut Around,
        filesystem: Arc<dyn Filesystem>,
        configuration: &Arc<Configuration>,
        in_order: bool,
    ) -> Checked<Option<Self>> {
        let backlog = Backlog::new(Waiting { events: around.scene.backlog_events, bytes: usize::MAX });
        let opened = Log::open(filesystem, around.scene.options.clone(), around.now_ms, backlog.clone());
        let (mut log, recovered) = match opened {
            Ok(opened) => opened,
            Err(error @ (Error::Io(_) | Error::Full)) => {
                around.line(format_args!("the journal does not open: {error}"));
                return Ok(None);
            }
            Err(error) => return Err(Rule::Recovery.broken(error.to_string())),
        };
        let mut pending = log.journal.pending_after(0, usize::MAX);
        around.line(format_args!("the journal opens with {pending:?}, cut {:?}", recovered.cut));
        Rule::Recovery.holds(recovered.pending == pending.len() as u64, || format!("{} pending", recovered.pending))?;
        around.ledger.recovered(&recovered.endpoints, &pending, &log.journal)?;
        let ledger = &around.ledger;
        let subject = |seq| ledger.event(seq).and_then(|event| event.subject.clone());
        around.life.begin(around.now_ms, in_order, &ledger.base, subject);
        if let Some(sabotage) = around.sabotage {
            sabotage.recovered(&mut pending);
        }
        let mut numbers = Numbers::new(log.journal.clone(), &recovered.endpoints);
        let mut compiled = Compiled::default();
        let loaded = around.load(configuration, &mut compiled);
        let snapshot = match log.wait(around.now_ms, &mut around.ledger, numbers.snapshot(&loaded, None))? {
            Ok(snapshot) => Arc::new(snapshot),
            Err(error) => {
                around.line(format_args!("endpoints get no numbers: {error}"));
                return Ok(None);
            }
        };
        let in_force = Arc::new(ArcSwap::new(Arc::clone(&snapshot)));
        // Nobody listens: it says only that readiness is to be looked at.
        let (refused, _) = mpsc::unbounded_channel();
        let intake = Intake::new(log.journal.clone(), Arc::clone(&in_force), backlog.clone(), refused, Metrics::new());
        let options = schedule::Options { cache_bytes: around.scene.cache_bytes, seed: around.random.random() };
        let mut engine = Engine::new(options);
        engine.recover(&recovered.endpoints, &pending);
        let mut process = Self {
            log,
            engine,
            numbers,
            snapshot: in_force,
            intake: Arc::new(intake),
            backlog,
            told: VecDeque::new(),
            accepts: Vec::new(),
            answers: BTreeMap::new(),
            compiled,
            applying: None,
            late_until_ms: 0,
            drain_until_ms: None,
        };
        process.in_force(around, configuration, &snapshot, true)?;
        if let Err(error) = process.delete(around, &snapshot)? {
            around.line(format_args!("endpoints are not deleted: {error}"));
            return Ok(None);
        }
        let settings = around.settings(&snapshot);
        process.handle(Told::Configure(Arc::clone(configuration), settings), around)?;
        Ok(Some(process))
    }

    /// Producers post events together. False when the process takes none any more.
    pub fn post(&mut self, around: &mut Around, posts: Vec<usize>) -> bool {
        if self.drain_until_ms.is_some() {
            return false;
        }
        let now_ms = around.now_ms;
        let prepared = posts.iter().map(|post| {
            around.ledger.posted(*post);
            let event = around.scene.events[*post].clone();
            let idempotency = Some(idempotency::key(&event, true, i64::MAX));
            Prepared { event, accepted_ms: now_ms, idempotency }
        });
        let (batch, intake) = (prepared.collect(), Arc::clone(&self.intake));
        let mut answer: Pin<Box<dyn Future<Output = Answered>>> = Box::pin(async move { intake.accept(batch).await });
        // Matched and handed to the journal now, unless producers are slowed down.
        let polled = answer.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        debug_assert!(polled.is_pending(), "nothing is kept before the writer has worked");
        self.accepts.push(Accept { posts, answer });
        true
    }

    /// The process is asked to stop.
    pub fn stop(&mut self, around: &Around) {
        if self.drain_until_ms.is_none() {
            self.drain_until_ms = Some(around.now_ms + GRACE_MS);
            self.told.push_back(Told::Drain);
        }
    }

    /// Waits until all outcomes are synced, and compares. False when they could not be.
    pub fn flush(&mut self, around: &mut Around) -> Checked<bool> {
        let journal = self.log.journal.clone();
        let flushed = self.log.wait(around.now_ms, &mut around.ledger, journal.flush())?;
        self.collect(around);
        around.line(format_args!("flushed: {flushed:?}"));
        if flushed.is_ok() {
            around.ledger.flushed(&self.log.journal)?;
        }
        Ok(flushed.is_ok())
    }

    /// Removes what has had its time from the journal.
    pub fn tidy(&mut self, around: &mut Around) -> Checked {
        let journal = self.log.journal.clone();
        self.log.wait(around.now_ms, &mut around.ledger, journal.tidy(around.now_ms))?;
        self.collect(around);
        Ok(())
    }

    /// Does all that can be done at this time.
    pub fn turn(&mut self, around: &mut Around, is_down: impl Fn() -> bool) -> Checked<End> {
        while let Some(entry) = self.answers.first_entry().filter(|entry| entry.key().0 <= around.now_ms) {
            let (ordinal, seq, verdict) = entry.remove();
            self.told.push_back(Told::Finished(ordinal, seq, verdict));
        }
        self.work(around)?;
        if !is_down() && self.applying.as_ref().is_some_and(|applying| applying.at_ms <= around.now_ms) {
            self.apply(around)?;
        }
        if around.now_ms >= self.late_until_ms && !is_down() {
            self.late_until_ms = match around.scene.late_one_in {
                one_in @ 1.. if around.random.random_ratio(1, one_in) => {
                    around.now_ms + around.random.random_range(1..60)
                }
                _ => 0,
            };
            if self.late_until_ms == 0 {
                self.run_engine(around, &is_down)?;
                self.work(around)?;
            }
        }
        match self.drain_until_ms {
            Some(until_ms)
                if !is_down()
                    && around.life.draining
                    && (self.engine.in_flight() == 0 || until_ms <= around.now_ms) =>
            {
                let journal = self.log.journal.clone();
                let closed = self.log.wait(around.now_ms, &mut around.ledger, journal.close())?;
                self.collect(around);
                around.line(format_args!("stopped: {closed:?}"));
                if closed.is_ok() {
                    around.ledger.synced();
                }
                self.answer(around)?;
                Ok(End::Stopped(closed.is_ok()))
            }
            _ => Ok(End::Not),
        }
    }

    /// When there is something to do.
    pub fn wake_at_ms(&self, now_ms: i64) -> Option<i64> {
        let engine = if self.late_until_ms > now_ms {
            Some(self.late_until_ms)
        } else if self.told.is_empty() {
            self.engine.wake_at_ms()
        } else {
            Some(now_ms)
        };
        let answers = self.answers.first_key_value().map(|((at_ms, _), _)| *at_ms);
        let applying = self.applying.as_ref().map(|applying| applying.at_ms);
        [engine, answers, applying, self.log.wake_at_ms(now_ms), self.drain_until_ms].into_iter().flatten().min()
    }

    /// Nothing waits for the process itself.
    pub fn is_idle(&self) -> bool {
        self.told.is_empty() && self.accepts.is_empty() && self.answers.is_empty() && self.applying.is_none()
    }

    /// One turn of the writer, and what follows from it.
    fn work(&mut self, around: &mut Around) -> Checked {
        // Those who were slowed down may hand their events to the journal by now.
        self.answer(around)?;
        self.log.step(around.now_ms, &mut around.ledger)?;
        self.collect(around);
        self.answer(around)
    }

    /// Tells the engine of events that were synced.
    fn collect(&mut self, around: &mut Around) {
        for event in self.log.fresh.drain(..) {
            around.line(format_args!("event {} is synced for {:?}", event.seq, event.deliveries));
            around.count += 1;
            if around.sabotage == Some(Sabotage::EventLost) && around.count % 4 == 3 {
                self.backlog.take(Waiting::of(std::slice::from_ref(&event)));
                continue;
            }
            self.told.push_back(Told::Committed(event));
        }
    }

    /// Gives producers their answers.
    fn answer(&mut self, around: &mut Around) -> Checked {
        let mut waiting = Vec::new();
        for mut accept in std::mem::take(&mut self.accepts) {
            let Poll::Ready(answer) = accept.answer.as_mut().poll(&mut Context::from_waker(Waker::noop())) else {
                waiting.push(accept);
                continue;
            };
            around.line(format_args!("posts {:?} are answered: {answer:?}", accept.posts));
            let answer = match around.sabotage {
                Some(sabotage) => sabotage.answer(answer, accept.posts.len()),
                None => answer,
            };
            around.ledger.answered(&accept.posts, &answer)?;
        }
        self.accepts = waiting;
        Ok(())
    }
}
