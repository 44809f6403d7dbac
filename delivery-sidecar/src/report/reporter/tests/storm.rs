//! Ten thousand endpoints that flap, all at once.

use std::collections::HashMap;

use posthaste_crds::v1alpha1::EndpointDeliveryStatus;

use super::*;

const ENDPOINTS: usize = 10_000;
const MINUTE: Duration = Duration::from_mins(1);
const TICK: Duration = Duration::from_secs(2);
/// What transitions may overdraw the bucket by.
const DEBT: f64 = 80.0;

/// A write.
#[derive(Clone, Debug)]
struct Write {
    at: Duration,
    /// Empty for the Webhook.
    name: String,
    /// `Healthy`, as it says.
    healthy: Option<String>,
}

/// Keeps statuses and remembers when they were written. How it answers can be changed.
struct Recording {
    inner: MemorySink,
    start: Instant,
    requests: AtomicUsize,
    writes: Mutex<Vec<Write>>,
    latency: Mutex<Duration>,
    error: Mutex<Option<SinkError>>,
}

impl Recording {
    fn new() -> Self {
        Self {
            inner: MemorySink::new(),
            start: Instant::now(),
            requests: AtomicUsize::new(0),
            writes: Mutex::default(),
            latency: Mutex::default(),
            error: Mutex::default(),
        }
    }

    /// Answers as it is told to.
    async fn answer(&self) -> Result<(), SinkError> {
        self.requests.fetch_add(1, Ordering::SeqCst);
        let latency = *self.latency.lock().unwrap();
        sleep(latency).await;
        self.error.lock().unwrap().clone().map_or(Ok(()), Err)
    }

    fn note(&self, name: &str, healthy: Option<String>) {
        self.writes.lock().unwrap().push(Write { at: self.start.elapsed(), name: name.into(), healthy });
    }

    fn take_writes(&self) -> Vec<Write> {
        std::mem::take(&mut *self.writes.lock().unwrap())
    }

    fn take_requests(&self) -> usize {
        self.requests.swap(0, Ordering::SeqCst)
    }
}

impl StatusSink for Recording {
    async fn look_webhook(&self) -> Result<Option<WebhookStatus>, SinkError> {
        self.answer().await?;
        self.inner.look_webhook().await
    }

    async fn apply_webhook(&self, status: &WebhookStatus) -> Result<(), SinkError> {
        self.answer().await?;
        self.note("", None);
        self.inner.apply_webhook(status).await
    }

    async fn look_endpoint(&self, name: &str, uid: &str) -> Result<Option<WebhookEndpointStatus>, SinkError> {
        self.answer().await?;
        self.inner.look_endpoint(name, uid).await
    }

    async fn apply_endpoint(&self, name: &str, uid: &str, status: &WebhookEndpointStatus) -> Result<(), SinkError> {
        self.answer().await?;
        self.note(name, Some(healthy(status)));
        self.inner.apply_endpoint(name, uid, status).await
    }
}

fn healthy(status: &WebhookEndpointStatus) -> String {
    let mut conditions = status.conditions.iter().flatten();
    conditions.find(|condition| condition.type_ == "Healthy").expect("the condition").status.clone()
}

/// Ten thousand endpoints with some successes, all of which is displayed, and nothing left to do.
async fn settled() -> Running<Recording> {
    let running = run(Recording::new());
    running.load(ENDPOINTS);
    change(&running, 0..ENDPOINTS, |view| succeeded(view, 1));
    sleep(Duration::from_hours(2)).await;
    running.sink.take_writes();
    running.sink.take_requests();
    running
}

fn change(running: &Running<Recording>, endpoints: std::ops::Range<usize>, change: impl Fn(&mut EndpointView)) {
    for number in endpoints {
        assert!(running.board.update(&number.to_string(), &change));
    }
}

/// A minute in which every endpoint fails for four seconds, then succeeds for two, again and again.
async fn storm(running: &Running<Recording>) {
    for tick in 0..30 {
        change(running, 0..ENDPOINTS, |view| match tick % 3 {
            0 | 1 => (0..2).for_each(|_| failed(view, 2, "ServerError", Some(503))),
            _ => succeeded(view, 3),
        });
        sleep(TICK).await;
    }
}

/// In no time there were more writes than its length allows.
fn assert_within_budget(writes: &[Write]) {
    let budget = StatusBudget::default();
    for (first, begin) in writes.iter().enumerate() {
        for (count, end) in (1_u32..).zip(&writes[first..]) {
            let time = end.at.saturating_sub(begin.at).as_secs_f64();
            let allowed = budget.burst + DEBT + budget.per_second * time;
            assert!(f64::from(count) <= allowed + 1e-3, "{count} writes in {time} s, allowed are {allowed}");
        }
    }
}

/// What is displayed last is how things are.
async fn assert_truth(running: &Running<Recording>) {
    sleep(Duration::from_hours(2)).await;
    let shown = running.sink.inner.endpoints();
    assert_eq!(shown.len(), ENDPOINTS);
    for number in 0..ENDPOINTS {
        let uid = number.to_string();
        let (name, delivered, failed, health) = running
            .board
            .with_endpoint(&uid, |view| {
                (view.name.to_string(), view.stats.delivered, view.stats.failed, judge(view).status.as_str())
            })
            .unwrap();
        let status = &shown[&name];
        assert_eq!(healthy(status), health, "{name}");
        let EndpointDeliveryStatus { delivered: shown_delivered, failed: shown_failed, .. } =
            status.delivery.clone().unwrap();
        let count = |count| Some(i64::try_from(count).unwrap());
        assert_eq!((shown_delivered, shown_failed), (count(delivered), count(failed)), "{name}");
    }
    let total = running.sink.inner.webhook().delivery.unwrap();
    let sum: i64 = shown.values().filter_map(|status| status.delivery.as_ref()?.delivered).sum();
    assert_eq!(total.delivered, Some(sum));
}

#[tokio::test(start_paused = true)]
async fn a_storm_stays_within_the_budget_and_ends_with_the_truth() {
    let running = settled().await;
    storm(&running).await;
    let writes = running.sink.take_writes();
    assert_within_budget(&writes);
    assert!(writes.len() > 300, "the budget is used: {}", writes.len());
    assert_truth(&running).await;
    running.sink.take_requests();
    sleep(Duration::from_hours(2)).await;
    assert_eq!(running.sink.take_requests(), 0, "then it is quiet");
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn transitions_are_written_before_the_counts_of_ten_thousand_others() {
    const BROKEN: usize = 60;
    let running = settled().await;
    change(&running, 0..ENDPOINTS, |view| succeeded(view, 2));
    sleep(TICK).await;
    assert!(running.sink.take_writes().iter().all(|write| write.healthy.as_deref() != Some("False")));
    change(&running, 5_000..5_000 + BROKEN, |view| (0..3).for_each(|_| failed(view, 3, "Timeout", None)));
    sleep(ROUND * 2).await;
    let writes = running.sink.take_writes();
    let endpoints: Vec<_> = writes.iter().filter(|write| !write.name.is_empty()).take(BROKEN).collect();
    assert_eq!(endpoints.len(), BROKEN, "at once");
    assert!(endpoints.iter().all(|write| write.healthy.as_deref() == Some("False")), "{endpoints:?}");
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn an_api_server_that_refuses_for_now_or_is_slow_is_left_alone_in_a_storm() {
    let running = settled().await;
    let overloaded = SinkError::Unavailable { message: "429".into(), retry_after: Some(Duration::from_secs(5)) };
    *running.sink.error.lock().unwrap() = Some(overloaded);
    storm(&running).await;
    let asked = running.sink.take_requests();
    assert!(asked < 30, "{asked} requests in a minute of 429");

    *running.sink.error.lock().unwrap() = None;
    *running.sink.latency.lock().unwrap() = Duration::from_secs(3);
    sleep(MINUTE).await;
    running.sink.take_requests();
    storm(&running).await;
    let asked = running.sink.take_requests();
    assert!(asked < 30, "{asked} requests in a minute of answers that take 3 s");

    *running.sink.latency.lock().unwrap() = Duration::ZERO;
    assert_truth(&running).await;
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn while_nothing_is_answered_each_endpoint_waits_once() {
    let running = settled().await;
    *running.sink.latency.lock().unwrap() = Duration::from_hours(10);
    storm(&running).await;
    let waiting = waiting(&running.metrics);
    assert!(waiting <= ENDPOINTS + 1, "{waiting} wait");
    assert!(running.sink.take_requests() < 30);
    running.stop().await;
}

/// How many objects wait, as the metrics say.
fn waiting(metrics: &ReportMetrics) -> usize {
    let mut registry = prometheus_client::registry::Registry::default();
    metrics.register(&mut registry);
    let mut text = String::new();
    prometheus_client::encoding::text::encode(&mut text, &registry).unwrap();
    let samples: HashMap<_, _> = text.lines().filter_map(|line| line.split_once(' ')).collect();
    samples["status_resources_waiting"].parse().unwrap()
}
