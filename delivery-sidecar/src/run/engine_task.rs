//! The task that owns the engine: hands it what happens, in batches, and does what it says.
//!
//! It never waits for anything that could wait for it. The journal hands events over without waiting, and attempts are
//! tasks of their own; only when sixteen thousand outcomes wait for a disk that fails does this task wait with them.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use posthaste_history::History;
use posthaste_journal::{Committed, Error, Journal, Ordinal, Outcome, Overflow, Seq};
use tokio::{
    sync::{mpsc, oneshot},
    task::JoinSet,
    time::{Instant, sleep_until},
};

use super::{
    attempt::{self, Attempted, Context},
    backlog::{Backlog, Waiting},
    clock::now_ms,
    memory::Memory,
    memos::Memos,
    showing::Showing,
    views::next_key_expiry_ms,
};
use crate::{
    admin::Latch,
    config::Snapshot,
    event::Event,
    history::{self, AttemptRecord, Entry, InFlight},
    record::Recorder,
    report::{Board, IntakeState},
    schedule::{Effect, Engine, Input, Start},
    send::Sender,
    telemetry::{Metrics, events::Overflowed},
};

/// Most messages that are taken at once.
const BATCH: usize = 512;
/// The journal is tidied at most this often,
const TIDY_INTERVAL: Duration = Duration::from_mins(1);
/// and this often when nothing happens while something is kept whose time will be over.
const IDLE_TIDY_INTERVAL: Duration = Duration::from_mins(10);
/// The journal's usage is looked at this often while something happens, or while it takes no events.
const USAGE_INTERVAL: Duration = Duration::from_secs(1);
/// Most deliveries that are given up in one step because endpoints have too much pending; more than an endpoint can have
/// in flight, so that a step always gets on.
const OVERFLOW_STEP: usize = 2_048;
/// The longest sleep: the calendar may be set while this task waits for one of its times.
const LONGEST_SLEEP: Duration = Duration::from_secs(30);

/// What the task is told.
pub enum Message {
    /// Events were synced.
    Committed(Vec<Committed>),
    /// An attempt ended.
    Finished(Ordinal, Seq, Attempted),
    /// Another configuration is in force, with this sender.
    Configure(Arc<Snapshot>, Arc<Sender>),
    /// A newer configuration than that in force cannot be used, for this reason.
    ConfigurationRefused(String),
    /// The outcomes behind the next views are synced, or could not be.
    Flushed(Result<(), Error>),
    /// What was given up because endpoints had too much pending is synced, or could not be.
    OverflowRecorded,
    /// Finished deliveries are pending again.
    Redelivered(Ordinal, Vec<Seq>),
    /// The journal took no events.
    Refused,
    /// No attempt is to start; the task ends when none is in flight, or at this time.
    Drain(Instant),
    /// Answers whether there were deliveries and all that can be made are made.
    IsDrained(oneshot::Sender<bool>),
}

/// What the task works with.
pub struct Parts {
    /// The engine, with what the journal held.
    pub engine: Engine,
    /// The journal held deliveries.
    pub has_work: bool,
    /// What the task is told. Bounded: committed events by the [`Backlog`], attempts by the engine's limit.
    pub inbox: mpsc::UnboundedReceiver<Message>,
    /// The other end of `inbox`, where attempts tell what came of them.
    pub outbox: mpsc::UnboundedSender<Message>,
    /// Events that are synced and not taken yet.
    pub backlog: Backlog,
    /// Room for the events of attempts.
    pub memory: Memory,
    /// Has the events and takes the outcomes.
    pub journal: Journal,
    /// What became of deliveries.
    pub history: History,
    /// Attempts in progress.
    pub in_flight: InFlight,
    /// Where the reporter looks.
    pub board: Arc<Board>,
    /// Set while the journal takes events.
    pub accepting: Latch,
    /// Metrics.
    pub metrics: Metrics,
    /// The configuration to begin with.
    pub snapshot: Arc<Snapshot>,
    /// Its sender.
    pub sender: Arc<Sender>,
}

/// An attempt that ended.
struct Ended {
    seq: Seq,
    /// Id of its event, as far as it is known.
    event_id: Option<String>,
    /// What is kept of it.
    record: Option<AttemptRecord>,
}

/// See the module.
pub struct EngineTask {
    engine: Engine,
    had_work: bool,
    inbox: mpsc::UnboundedReceiver<Message>,
    outbox: mpsc::UnboundedSender<Message>,
    backlog: Backlog,
    memory: Memory,
    journal: Journal,
    history: History,
    in_flight: InFlight,
    recorder: Recorder,
    memos: Memos,
    showing: Showing,
    accepting: Latch,
    metrics: Metrics,
    snapshot: Arc<Snapshot>,
    sender: Arc<Sender>,
    tasks: JoinSet<()>,
    effects: Vec<Effect>,
    tidy_at: Option<Instant>,
    usage_at: Option<Instant>,
    key_expiry_ms: Option<i64>,
    drain_until: Option<Instant>,
    /// Something has happened after which an endpoint may have too much pending.
    may_overflow: bool,
    /// Outcomes of the last step are on their way to the journal, which does not count them yet.
    overflow_recording: bool,
}

impl EngineTask {
    /// Puts the first configuration in force. When this returns, the reporter has all views.
    pub async fn new(parts: Parts) -> Self {
        let Parts {
            engine,
            has_work,
            inbox,
            outbox,
            backlog,
            memory,
            journal,
            history,
            in_flight,
            board,
            accepting,
            metrics,
            snapshot,
            sender,
        } = parts;
        let mut task = Self {
            engine,
            had_work: has_work,
            inbox,
            outbox,
            backlog,
            memory,
            recorder: Recorder::new(journal.clone(), metrics.clone()),
            memos: Memos::new(journal.clone()),
            showing: Showing::new(Arc::clone(&board), journal.clone()),
            journal,
            history,
            in_flight,
            accepting,
            metrics,
            snapshot: Arc::clone(&snapshot),
            sender: Arc::clone(&sender),
            tasks: JoinSet::new(),
            effects: Vec::new(),
            tidy_at: Some(Instant::now() + TIDY_INTERVAL),
            usage_at: None,
            key_expiry_ms: None,
            drain_until: None,
            may_overflow: true,
            overflow_recording: false,
        };
        task.configure(snapshot, sender).await;
        task.showing.finish(&mut task.engine, &task.snapshot);
        task.look_at_journal();
        board.ready();
        task
    }

    /// Runs until it has drained. Returns how many attempts were in flight when the time was up; what became of these
    /// is not known, and the next process makes them again.
    pub async fn run(mut self) -> usize {
        let mut batch = Vec::with_capacity(BATCH);
        loop {
            let wake_at = self.wake_at();
            tokio::select! {
                _ = self.inbox.recv_many(&mut batch, BATCH) => {}
                () = sleep_until(wake_at) => {}
            }
            for message in batch.drain(..) {
                self.take(message).await;
            }
            self.timers().await;
            self.overflow().await;
            while self.tasks.try_join_next().is_some() {}
            if let Some(until) = self.drain_until
                && (self.engine.in_flight() == 0 || until <= Instant::now())
            {
                return self.end().await;
            }
        }
    }

    async fn take(&mut self, message: Message) {
        match message {
            Message::Committed(events) => {
                self.may_overflow = true;
                self.backlog.take(Waiting::of(&events));
                for Committed { seq, accepted_ms, deliveries, group, payload } in events {
                    self.had_work |= !deliveries.is_empty();
                    // An event that cannot be decoded fails at its attempt.
                    let event = if deliveries.is_empty() { None } else { Event::decode(payload).ok().map(Arc::new) };
                    if let Some(event) = &event {
                        let endpoints = deliveries.iter().map(|ordinal| ordinal.0).collect();
                        let event = history::event_text(event);
                        self.history.record(Entry::Accepted { seq, accepted_ms, event, endpoints });
                    }
                    self.handle(Input::Committed { seq, accepted_ms, deliveries, group, event }, None).await;
                }
            }
            Message::Finished(ordinal, seq, Attempted { event_id, verdict, record }) => {
                self.in_flight.ended(history::key(seq, ordinal));
                let input = Input::Finished { ordinal, seq, ended_ms: now_ms(), verdict };
                self.handle(input, Some(Ended { seq, event_id, record })).await;
            }
            Message::Configure(snapshot, sender) => self.configure(snapshot, sender).await,
            Message::ConfigurationRefused(error) => self.showing.refused(&self.snapshot, error),
            Message::Flushed(result) => self.showing.flushed(&result),
            Message::Redelivered(ordinal, events) => {
                self.had_work |= !events.is_empty();
                self.may_overflow = true;
                self.handle(Input::Redelivered { ordinal, events }, None).await;
            }
            Message::OverflowRecorded => (self.may_overflow, self.overflow_recording) = (true, false),
            Message::Refused => self.look_at_journal(),
            Message::Drain(until) => {
                self.drain_until = Some(until);
                self.handle(Input::Drain, None).await;
            }
            // Whoever asked may have gone.
            Message::IsDrained(answer) => drop(answer.send(self.had_work && self.engine.is_drained())),
        }
    }

    async fn configure(&mut self, snapshot: Arc<Snapshot>, sender: Arc<Sender>) {
        self.may_overflow = true;
        self.showing.configured(&snapshot);
        self.key_expiry_ms = next_key_expiry_ms(&snapshot, now_ms());
        self.history.set_bounds(history::bounds(&snapshot.webhook));
        if !snapshot.dropped.is_empty() {
            // Nothing else says what became of deliveries to a deleted endpoint.
            self.history.check();
        }
        let settings = snapshot.settings();
        self.snapshot = snapshot;
        self.sender = sender;
        self.handle(Input::Configure(settings), None).await;
    }

    /// Hands the engine an input and does what it says. `ended` is the attempt that the input is about.
    async fn handle(&mut self, input: Input, mut ended: Option<Ended>) {
        let mut effects = std::mem::take(&mut self.effects);
        self.engine.handle(input, now_ms(), &mut effects);
        if !effects.is_empty() {
            let tidy_at = Instant::now() + TIDY_INTERVAL;
            self.tidy_at = Some(self.tidy_at.map_or(tidy_at, |at| at.min(tidy_at)));
            self.usage_at.get_or_insert_with(|| Instant::now() + USAGE_INTERVAL);
        }
        let mut given_up: BTreeMap<Ordinal, Vec<Outcome>> = BTreeMap::new();
        for effect in effects.drain(..) {
            match effect {
                Effect::Start(start) => self.start(start),
                Effect::Record(outcome) => {
                    // Also when the engine has said so already: a view that is taken while this waits to be synced does
                    // not count it yet.
                    self.showing.changed(outcome.endpoint);
                    if let Some(Ended { event_id, record, .. }) = ended.take_if(|ended| ended.seq == outcome.seq) {
                        self.history.record(history::ended(&outcome, record));
                        let name = self.name(outcome.endpoint);
                        self.recorder.record(outcome, name, event_id.as_deref()).await;
                    } else {
                        self.history.record(history::ended(&outcome, None));
                        given_up.entry(outcome.endpoint).or_default().push(outcome);
                    }
                }
                Effect::Remember { ordinal, memo } => self.memos.keep(ordinal, memo),
                Effect::Changed(ordinal) => self.showing.changed(ordinal),
            }
        }
        for (ordinal, outcomes) in given_up {
            self.recorder.given_up(outcomes, self.name(ordinal)).await;
        }
        self.effects = effects;
    }

    /// Gives up the oldest deliveries of endpoints that have more pending than they may, a step at a time.
    async fn overflow(&mut self) {
        // The journal is asked only then: who looks at its state waits while a commit is applied to it.
        if !self.may_overflow || self.overflow_recording || self.drain_until.is_some() {
            return;
        }
        self.may_overflow = false;
        let mut given_up = 0;
        for Overflow { endpoint, oldest } in self.journal.overflowing(OVERFLOW_STEP) {
            let before = self.engine.pending();
            self.handle(Input::Overflow { ordinal: endpoint, oldest }, None).await;
            let deliveries = before.saturating_sub(self.engine.pending());
            if deliveries > 0 {
                Overflowed { endpoint: self.name(endpoint), deliveries }.emit(&self.metrics);
            }
            given_up += deliveries;
        }
        if given_up > 0 {
            self.overflow_recording = true;
            let (journal, outbox) = (self.journal.clone(), self.outbox.clone());
            self.tasks.spawn(async move {
                // Outcomes that cannot be synced now are kept, and what they are about does not wait any more.
                let _ = journal.flush().await;
                let _ = outbox.send(Message::OverflowRecorded);
            });
        }
    }

    fn name(&self, ordinal: Ordinal) -> &str {
        self.snapshot.by_ordinal(ordinal).map_or("unknown", |entry| &entry.loaded.name)
    }

    fn start(&mut self, start: Start) {
        self.in_flight.began(history::key(start.seq, start.ordinal));
        let entry = self.snapshot.by_ordinal(start.ordinal);
        let endpoint = entry.and_then(|entry| entry.running.clone());
        let context = Context {
            endpoint: endpoint.expect("the engine starts only lanes that this snapshot runs"),
            webhook: Arc::clone(&self.snapshot.webhook),
            sender: Arc::clone(&self.sender),
            journal: self.journal.clone(),
            memory: self.memory.clone(),
            metrics: self.metrics.clone(),
        };
        let outbox = self.outbox.clone();
        self.tasks.spawn(async move {
            let (ordinal, seq) = (start.ordinal, start.seq);
            let attempted = attempt::attempt(start, context).await;
            // Nobody listens any more when the task has ended, which counted this attempt as one that was in flight.
            let _ = outbox.send(Message::Finished(ordinal, seq, attempted));
        });
    }

    fn wake_at(&self) -> Instant {
        let now = Instant::now();
        let at = |due_ms: i64| now + Duration::from_millis(u64::try_from(due_ms - now_ms()).unwrap_or(0));
        let times = [
            self.engine.wake_at_ms().map(at),
            self.key_expiry_ms.map(at),
            self.showing.at(),
            self.tidy_at,
            self.usage_at,
            self.drain_until,
        ];
        times.into_iter().flatten().fold(now + LONGEST_SLEEP, Instant::min)
    }

    async fn timers(&mut self) {
        let now = Instant::now();
        let has_come = |at: Option<Instant>| at.is_some_and(|at| at <= now);
        if self.engine.wake_at_ms().is_some_and(|at_ms| at_ms <= now_ms()) {
            self.handle(Input::Tick, None).await;
        }
        if self.key_expiry_ms.is_some_and(|at_ms| at_ms <= now_ms()) {
            self.key_expiry_ms = next_key_expiry_ms(&self.snapshot, now_ms());
            self.showing.all_changed(&self.snapshot);
        }
        if has_come(self.showing.at()) && self.showing.go_on(&mut self.engine, &self.snapshot) {
            let (journal, outbox) = (self.journal.clone(), self.outbox.clone());
            self.tasks.spawn(async move {
                let _ = outbox.send(Message::Flushed(journal.flush().await));
            });
        }
        if has_come(self.usage_at) {
            self.may_overflow = true;
            self.look_at_journal();
        }
        if has_come(self.tidy_at) {
            let usage = self.journal.usage();
            let keeps_something = usage.dead_letters > 0 || usage.history > 0;
            self.tidy_at = keeps_something.then(|| now + IDLE_TIDY_INTERVAL);
            let journal = self.journal.clone();
            self.tasks.spawn(async move {
                journal.tidy(now_ms()).await;
            });
        }
    }

    fn look_at_journal(&mut self) {
        let usage = self.journal.usage();
        self.metrics.set_journal_usage(&usage);
        self.metrics.set_pending(self.engine.pending());
        self.metrics.set_history_left_out(self.history.left_out());
        let intake = match (usage.refusing, usage.failing) {
            (false, _) => IntakeState::Accepting,
            (true, false) => IntakeState::JournalFull,
            (true, true) => IntakeState::JournalFailing,
        };
        self.showing.intake(&self.snapshot, intake);
        if usage.refusing {
            self.accepting.unset(intake.message());
            self.usage_at = Some(Instant::now() + USAGE_INTERVAL);
        } else {
            self.accepting.set();
            self.usage_at = None;
        }
    }

    /// Shows the last views, as far as their outcomes can be synced.
    async fn end(mut self) -> usize {
        self.look_at_journal();
        self.memos.finish().await;
        if self.journal.flush().await.is_ok() {
            self.showing.finish(&mut self.engine, &self.snapshot);
        }
        self.engine.in_flight()
    }
}
