//! The whole delivery of one Webhook, whatever its configuration comes from and its status goes to: puts the steps
//! together, and takes them apart in the right order.

use std::{net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};

use anyhow::Context;
use arc_swap::ArcSwap;
use posthaste_history::History;
use posthaste_journal::{self as journal, Committed, Journal, Ordinal, Seq};
use tokio::{
    net::TcpListener,
    sync::{mpsc, oneshot, watch},
    task::{JoinError, JoinHandle, spawn_blocking},
    time::{Instant, timeout},
};

use super::{
    backlog::{Backlog, Waiting},
    clock::now_ms,
    configurator::{Configurator, InForce, tell_loaded},
    engine_task::{EngineTask, Message, Parts},
    intake::Intake,
    memory::Memory,
    open::{self, Opened},
    replay::{OnThreads, Progress, Replay, Replayer},
};
use crate::{
    admin::{Latch, Readiness},
    api::{self, Api},
    config::{Loaded, State},
    history::{self, InFlight},
    ingest::{self, Authorizer, Ingest},
    report::{Board, ReportMetrics, Reporter, StatusSink},
    schedule::{self, Engine},
    serve,
    shutdown::{self, Shutdown, Trigger},
    telemetry::Metrics,
};

/// Events that may wait between journal and engine before producers are slowed down.
const BACKLOG_EVENTS: usize = 8_192;
/// Their bytes.
const BACKLOG_BYTES: usize = 32 << 20;
/// Bytes of events that attempts have in hand, bodies included.
const ATTEMPT_BYTES: u32 = 48 << 20;
/// Bytes of events that are kept in memory for their first attempts.
const CACHE_BYTES: usize = 32 << 20;
/// Time for what is in progress when the process is asked to stop. Kubernetes gives 30 s in all by default.
const GRACE: Duration = Duration::from_secs(25);
/// After it, the time that the engine has to notice.
const OVERTIME: Duration = Duration::from_secs(1);
/// Of it, the time for requests of producers.
const INGEST_GRACE: Duration = Duration::from_secs(10);

/// What a delivery is made from.
pub struct Setup<S> {
    /// Directory of the journal.
    pub data_directory: PathBuf,
    /// The configuration to begin with.
    pub loaded: Arc<Loaded>,
    /// Those that follow.
    pub configurations: watch::Receiver<State>,
    /// Where events are taken in.
    pub listen: SocketAddr,
    /// Who may post events.
    pub authorizer: Arc<dyn Authorizer>,
    /// Who may see deliveries and have them made again.
    pub operators: Arc<dyn Authorizer>,
    /// Where statuses go.
    pub sink: S,
    /// Metrics.
    pub metrics: Metrics,
    /// Metrics of the reporter.
    pub report_metrics: ReportMetrics,
    /// Readiness.
    pub readiness: Readiness,
}

/// A running delivery.
pub struct Delivery {
    address: SocketAddr,
    journal: Journal,
    history: History,
    running: Latch,
    ingest_trigger: Trigger,
    ingest: JoinHandle<usize>,
    engine: mpsc::UnboundedSender<Message>,
    replayer: Replayer,
    engine_task: JoinHandle<usize>,
    /// `None` once it has ended because no configuration follows.
    configurator: Option<JoinHandle<()>>,
    reporter_trigger: Trigger,
    reporter: JoinHandle<()>,
}

impl Delivery {
    /// Opens the journal, for which it waits as long as another process holds it, and starts everything. `None` when
    /// `shutdown` was requested before that.
    pub async fn start<S: StatusSink>(setup: Setup<S>, shutdown: &Shutdown) -> anyhow::Result<Option<Self>> {
        let Setup {
            data_directory,
            loaded,
            configurations,
            listen,
            authorizer,
            operators,
            sink,
            metrics,
            report_metrics,
            readiness,
        } = setup;
        let accepting = readiness.latch("journal", "not open yet");
        let running = readiness.latch("ingest", "not started yet");
        let (outbox, inbox) = mpsc::unbounded_channel();
        let backlog = Backlog::new(Waiting { events: BACKLOG_EVENTS, bytes: BACKLOG_BYTES });
        let on_commit = {
            let (outbox, backlog) = (outbox.clone(), backlog.clone());
            move |committed: Vec<Committed>| {
                backlog.add(Waiting::of(&committed));
                // Nobody listens when the process is about to end; the event is then delivered by the next one.
                let _ = outbox.send(Message::Committed(committed));
            }
        };
        let options = open::options(&data_directory, &loaded.webhook);
        let opened = open::open(options, on_commit, &accepting, &metrics, shutdown).await;
        let opened = opened.with_context(|| format!("cannot open the journal in {}", data_directory.display()))?;
        let Some(Opened { journal, recovered }) = opened else { return Ok(None) };
        let history = history::start(&data_directory, &loaded.webhook, &journal, now_ms);
        let history = history.context("cannot keep a history of deliveries")?;
        let in_flight = InFlight::default();

        let mut configurator = Configurator::new(journal.clone(), metrics.clone(), &recovered.endpoints);
        let (snapshot, sender) = configurator.prepare(&loaded, None).await.context("cannot begin")?;
        configurator.drop_deleted(&snapshot).await.context("cannot begin")?;
        tell_loaded(&snapshot, &metrics);
        let (budget, budget_receiver) = watch::channel(loaded.webhook.status.clone());
        let in_force = InForce {
            snapshot: Arc::new(ArcSwap::new(Arc::clone(&snapshot))),
            ingest: Arc::new(ArcSwap::from_pointee(ingest::Settings::new(&loaded.webhook, &loaded.schemas))),
            encryption: configurator.encryption(&loaded.webhook),
            sender: Arc::new(ArcSwap::new(Arc::clone(&sender))),
            budget,
        };

        let mut engine = Engine::new(schedule::Options { cache_bytes: CACHE_BYTES, seed: rand::random() });
        open::recover(&mut engine, &journal, &recovered, now_ms());
        let board = Arc::new(Board::new());
        let engine_task = EngineTask::new(Parts {
            engine,
            inbox,
            outbox: outbox.clone(),
            backlog: backlog.clone(),
            memory: Memory::new(ATTEMPT_BYTES),
            journal: journal.clone(),
            history: history.clone(),
            in_flight: in_flight.clone(),
            board: Arc::clone(&board),
            accepting,
            metrics: metrics.clone(),
            snapshot,
            sender,
            has_work: recovered.pending > 0,
        });
        let engine_task = tokio::spawn(engine_task.await.run());

        let (reporter_trigger, stop_reporter) = shutdown::channel();
        let reporter = Reporter::new(Arc::clone(&board), sink, budget_receiver, report_metrics);
        let reporter = tokio::spawn(reporter.run(async move { stop_reporter.wait().await }));

        let listener = TcpListener::bind(listen).await.with_context(|| format!("cannot listen on {listen}"))?;
        let address = listener.local_addr().context("cannot listen")?;
        let (ingest_trigger, stop_ingest) = shutdown::channel();
        let snapshot = Arc::clone(&in_force.snapshot);
        let intake = Intake::new(journal.clone(), Arc::clone(&snapshot), backlog, outbox.clone(), metrics.clone());
        let replayer = Replayer {
            journal: journal.clone(),
            history: history::again(history.clone(), now_ms),
            engine: outbox.clone(),
            snapshot,
            disk: OnThreads,
        };
        let api = api::router(Api {
            authorizer: operators,
            history: history.clone(),
            in_flight,
            journal: journal.clone(),
            snapshot: Arc::clone(&in_force.snapshot),
            replayer: replayer.clone(),
            sender: Arc::clone(&in_force.sender),
            clock: ingest::system_clock(),
            new_id: ingest::uuid_v7(),
            metrics: metrics.clone(),
            shutdown: stop_ingest.clone(),
        });
        let router = ingest::router(Ingest {
            settings: Arc::clone(&in_force.ingest),
            authorizer,
            journal: Arc::new(intake),
            clock: ingest::system_clock(),
            new_id: ingest::uuid_v7(),
            limits: ingest::Limits::default(),
            shutdown: stop_ingest.clone(),
            metrics,
        });
        let limits = serve::Limits { grace: INGEST_GRACE, ..serve::Limits::default() };
        let encryption = Arc::clone(&in_force.encryption);
        let ingest = tokio::spawn(serve::serve_encrypted(listener, router.merge(api), encryption, limits, stop_ingest));
        let configurator = tokio::spawn(configurator.follow(configurations, in_force, outbox.clone()));
        running.set();
        Ok(Some(Self {
            address,
            journal,
            history,
            running,
            ingest_trigger,
            ingest,
            engine: outbox,
            replayer,
            engine_task,
            configurator: Some(configurator),
            reporter_trigger,
            reporter,
        }))
    }

    /// Where events are taken in.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Whether there was something to deliver and all of it that can be delivered has been.
    pub async fn is_drained(&self) -> bool {
        let (answer, drained) = oneshot::channel();
        self.engine.send(Message::IsDrained(answer)).is_ok() && drained.await.unwrap_or(false)
    }

    /// Begins to send events of an endpoint again. Returns how far it is; it goes on if nobody looks.
    pub fn replay(&self, replay: Replay) -> watch::Receiver<Progress> {
        let (progress, receiver) = watch::channel(Progress::default());
        tokio::spawn(self.replayer.clone().run(replay, progress));
        receiver
    }

    /// Sends one event to an endpoint again. `false` when its delivery is pending, or the event is gone.
    ///
    /// # Errors
    /// When the journal cannot be written: nothing is sent then.
    pub async fn redeliver(&self, endpoint: Ordinal, event: Seq) -> Result<bool, journal::Error> {
        self.replayer.redeliver(endpoint, event).await
    }

    /// Ends when a part of it has ended by itself, which only a defect makes it do.
    pub async fn broken(&mut self) -> anyhow::Error {
        let (part, ended) = tokio::select! {
            ended = &mut self.ingest => ("ingest", ended.map(drop)),
            ended = &mut self.engine_task => ("engine", ended.map(drop)),
            ended = &mut self.reporter => ("reporter", ended),
            error = failed(&mut self.configurator) => ("configurator", Err(error)),
        };
        match ended {
            Ok(()) => anyhow::anyhow!("the {part} has ended"),
            Err(error) => anyhow::anyhow!("the {part} has failed: {error}"),
        }
    }

    /// Takes no more events, finishes what is in flight as far as the time allows, writes the last statuses, and
    /// closes the journal. What is not delivered waits in the journal.
    pub async fn stop(self) {
        self.running.unset("stopping");
        if let Some(configurator) = self.configurator {
            configurator.abort();
        }
        self.ingest_trigger.start();
        let _ = self.engine.send(Message::Drain(Instant::now() + GRACE));
        // A part that failed has been reported, or is about to be by the panic itself.
        let mut engine_task = self.engine_task;
        let (cut_off, abandoned) = tokio::join!(self.ingest, timeout(GRACE + OVERTIME, &mut engine_task));
        if let Ok(requests @ 1..) = cut_off {
            tracing::warn!(requests, "requests were cut off; their events may or may not have been kept");
        }
        match abandoned {
            Ok(Ok(attempts @ 1..)) => {
                tracing::warn!(attempts, "attempts were still in flight; they are made again after the next start");
            }
            Ok(_) => {}
            // A disk that fails can hold it up for ever.
            Err(_) => {
                tracing::warn!("outcomes could not be recorded; their attempts are made again after the next start");
                engine_task.abort();
            }
        }
        self.reporter_trigger.start();
        let _ = self.reporter.await;
        let history = self.history;
        // A disk that fails can hold this up for ever, too; the journal is closed in any case.
        if timeout(OVERTIME, spawn_blocking(move || history.close())).await.is_err() {
            tracing::warn!("the history of deliveries could not be closed; it is checked after the next start");
        }
        if let Err(error) = self.journal.close().await {
            tracing::warn!(%error, "the journal could not be closed; what was acknowledged is safe");
        }
    }
}

/// Ends when the task fails; one that ends by itself is done, which is no fault. Cancel safe.
async fn failed(task: &mut Option<JoinHandle<()>>) -> JoinError {
    if let Some(running) = task {
        match running.await {
            Ok(()) => *task = None,
            Err(error) => return error,
        }
    }
    std::future::pending().await
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    #[tokio::test]
    async fn a_task_that_panics_is_a_fault_and_one_that_ends_is_not() {
        let mut panics = Some(tokio::spawn(async { panic!("on purpose") }));
        assert!(failed(&mut panics).await.is_panic());
        let ends = tokio::spawn(async {});
        while !ends.is_finished() {
            tokio::task::yield_now().await;
        }
        let mut ends = Some(ends);
        for _ in 0..2 {
            assert!(failed(&mut ends).now_or_never().is_none());
        }
        assert!(ends.is_none());
    }
}
