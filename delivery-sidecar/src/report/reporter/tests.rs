//! The actor with a pretended clock and sinks that misbehave.

mod storm;

use std::sync::{
    Mutex,
    atomic::{AtomicUsize, Ordering},
};

use posthaste_crds::v1alpha1::{WebhookEndpointStatus, WebhookStatus};
use posthaste_delivery_config::StatusMode;
use tokio::{sync::oneshot, task::JoinHandle, time::sleep};

use super::*;
use crate::report::{
    MemorySink,
    testing::{failed, succeeded, view, webhook},
};

/// A reporter that runs.
struct Running<S> {
    board: Arc<Board>,
    sink: Arc<S>,
    budget: watch::Sender<StatusBudget>,
    metrics: ReportMetrics,
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

fn run<S: StatusSink>(sink: S) -> Running<S> {
    let board = Arc::new(Board::new());
    let sink = Arc::new(sink);
    let (budget, budgets) = watch::channel(StatusBudget::default());
    let (stop, stopped) = oneshot::channel();
    let metrics = ReportMetrics::default();
    let reporter = Reporter::new(Arc::clone(&board), Arc::clone(&sink), budgets, metrics.clone());
    let task = tokio::spawn(reporter.run(async {
        let _ = stopped.await;
    }));
    Running { board, sink, budget, metrics, stop, task }
}

impl<S> Running<S> {
    fn load(&self, endpoints: usize) {
        self.board.webhook(webhook());
        (0..endpoints).for_each(|number| self.board.endpoint(view(&number.to_string())));
        self.board.ready();
    }

    async fn stop(self) -> Arc<S> {
        self.stop.send(()).unwrap();
        self.task.await.unwrap();
        self.sink
    }
}

fn delivered(sink: &MemorySink, name: &str) -> Option<i64> {
    sink.endpoints().get(name).and_then(|status| status.delivery.as_ref()?.delivered)
}

/// Counts calls, and does with them what a test wants.
#[derive(Default)]
struct Counting {
    calls: Mutex<Vec<String>>,
    at_once: AtomicUsize,
    most_at_once: AtomicUsize,
    latency: Duration,
    error: Mutex<Option<SinkError>>,
}

impl Counting {
    async fn call<T>(&self, call: String, answer: T) -> Result<T, SinkError> {
        self.calls.lock().unwrap().push(call);
        let now = self.at_once.fetch_add(1, Ordering::SeqCst) + 1;
        self.most_at_once.fetch_max(now, Ordering::SeqCst);
        sleep(self.latency).await;
        self.at_once.fetch_sub(1, Ordering::SeqCst);
        self.error.lock().unwrap().clone().map_or(Ok(answer), Err)
    }

    fn calls(&self) -> Vec<String> {
        self.calls.lock().unwrap().clone()
    }
}

impl StatusSink for Counting {
    async fn look_webhook(&self) -> Result<Option<WebhookStatus>, SinkError> {
        self.call("look webhook".into(), None).await
    }

    async fn apply_webhook(&self, _: &WebhookStatus) -> Result<(), SinkError> {
        self.call("apply webhook".into(), ()).await
    }

    async fn look_endpoint(&self, name: &str, _: &str) -> Result<Option<WebhookEndpointStatus>, SinkError> {
        self.call(format!("look {name}"), None).await
    }

    async fn apply_endpoint(&self, name: &str, _: &str, _: &WebhookEndpointStatus) -> Result<(), SinkError> {
        self.call(format!("apply {name}"), ()).await
    }
}

#[tokio::test(start_paused = true)]
async fn outcomes_are_displayed() {
    let running = run(MemorySink::new());
    running.load(2);
    sleep(Duration::from_secs(1)).await;
    assert_eq!(delivered(&running.sink, "name-0"), Some(0));
    running.board.update("0", |view| succeeded(view, 1_000));
    running.board.update("1", |view| (0..3).for_each(|_| failed(view, 2_000, "DNSError", None)));
    sleep(Duration::from_secs(15)).await;
    assert_eq!(delivered(&running.sink, "name-0"), Some(1));
    let webhook = running.sink.webhook();
    assert_eq!(webhook.endpoints.unwrap().display.as_deref(), Some("1/2"));
    let targets = webhook.targets.unwrap();
    let names: Vec<&str> = targets.iter().map(|target| target.name.as_str()).collect();
    assert_eq!(names, ["name-1", "name-0"]);
    assert_eq!(targets[0].reason.as_deref(), Some("DNSError"));
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn nothing_is_sent_before_the_counts_are_recovered() {
    let running = run(Counting::default());
    running.board.webhook(webhook());
    running.board.endpoint(view("0"));
    sleep(Duration::from_mins(1)).await;
    assert_eq!(running.sink.calls(), [""; 0]);
    running.board.ready();
    sleep(Duration::from_secs(1)).await;
    assert_eq!(running.sink.calls(), ["look webhook", "look name-0", "apply webhook", "apply name-0"]);
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_quiet_board_is_never_written_again() {
    let running = run(Counting::default());
    running.load(5);
    sleep(Duration::from_secs(1)).await;
    let settled = running.sink.calls().len();
    for _ in 0..100 {
        running
            .board
            .update("3", |view| view.next_attempt_ms = view.next_attempt_ms.map_or(Some(1), |at| Some(at + 1)));
        sleep(Duration::from_secs(36)).await;
    }
    assert_eq!(running.sink.calls().len(), settled);
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_transition_is_displayed_within_one_round() {
    let running = run(MemorySink::new());
    running.load(50);
    sleep(Duration::from_mins(1)).await;
    for number in 0..50 {
        running.board.update(&number.to_string(), |view| (0..3).for_each(|_| failed(view, 1, "Timeout", None)));
    }
    sleep(ROUND * 2).await;
    let failing = running.sink.endpoints().into_values().filter(|status| {
        status.conditions.iter().flatten().any(|condition| condition.type_ == "Healthy" && condition.status == "False")
    });
    assert_eq!(failing.count(), 50);
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn requests_are_bounded_however_much_there_is_to_write() {
    let running = run(Counting { latency: Duration::from_millis(80), ..Counting::default() });
    running.load(1_000);
    sleep(Duration::from_secs(30)).await;
    assert_eq!(running.sink.most_at_once.load(Ordering::SeqCst), MAX_IN_FLIGHT);
    assert_eq!(running.sink.calls().len(), 2_002, "looked at and applied once each, and fast enough");
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn an_api_server_that_hangs_costs_nothing_but_time() {
    let running = run(Counting { latency: Duration::from_hours(10), ..Counting::default() });
    running.load(1_000);
    sleep(Duration::from_mins(10)).await;
    let calls = running.sink.calls().len();
    assert!(calls < 40, "{calls} calls in ten minutes");
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn it_recovers_from_an_outage_and_shows_the_latest() {
    let running = run(Counting::default());
    let down = SinkError::Unavailable { message: "503".into(), retry_after: None };
    *running.sink.error.lock().unwrap() = Some(down);
    running.load(3);
    sleep(Duration::from_mins(5)).await;
    assert!(running.sink.calls().len() < 20, "{:?}", running.sink.calls());
    *running.sink.error.lock().unwrap() = None;
    sleep(Duration::from_mins(2)).await;
    let calls = running.sink.calls();
    for name in ["webhook", "name-0", "name-1", "name-2"] {
        assert_eq!(calls.iter().filter(|call| **call == format!("apply {name}")).count(), 1, "{calls:?}");
    }
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn the_last_outcomes_are_displayed_before_it_stops() {
    let running = run(MemorySink::new());
    running.load(1);
    sleep(Duration::from_secs(30)).await;
    running.board.update("0", |view| succeeded(view, 1));
    sleep(Duration::from_secs(1)).await;
    running.board.update("0", |view| succeeded(view, 2));
    let sink = running.stop().await;
    assert_eq!(delivered(&sink, "name-0"), Some(2));
    assert_eq!(sink.webhook().delivery.unwrap().delivered, Some(2));
}

#[tokio::test(start_paused = true)]
async fn it_stops_in_time_although_the_api_server_hangs() {
    let running = run(Counting { latency: Duration::from_hours(10), ..Counting::default() });
    running.load(100);
    sleep(Duration::from_secs(1)).await;
    let start = Instant::now();
    running.stop().await;
    assert_eq!(start.elapsed().as_secs(), FLUSH.as_secs());
}

#[tokio::test(start_paused = true)]
async fn a_changed_budget_is_followed_and_its_loss_survived() {
    let running = run(MemorySink::new());
    running.load(1);
    sleep(Duration::from_secs(1)).await;
    let off = StatusBudget { mode: StatusMode::Off, ..StatusBudget::default() };
    running.budget.send(off).unwrap();
    sleep(Duration::from_secs(1)).await;
    assert_eq!(running.sink.webhook().delivery, None);
    let Running { board, sink, budget, stop, task, .. } = running;
    drop(budget);
    board.endpoint(view("late"));
    sleep(Duration::from_secs(1)).await;
    assert!(sink.endpoints().contains_key("name-late"));
    stop.send(()).unwrap();
    task.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_removed_endpoint_is_left_to_the_operator() {
    let running = run(Counting::default());
    running.load(2);
    sleep(Duration::from_secs(1)).await;
    let before = running.sink.calls().len();
    running.board.update("0", |view| view.generation = 2);
    running.board.remove_endpoint("0");
    sleep(Duration::from_mins(1)).await;
    assert_eq!(running.sink.calls()[before..], ["apply webhook"]);
    running.stop().await;
}
