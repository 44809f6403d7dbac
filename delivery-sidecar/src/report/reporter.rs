//! The actor: takes news from the board, asks the planner whose turn it is, and hands statuses to the sink.
//!
//! The only place of this module with a clock. One task; a bounded number of requests at a time, at most one for an
//! object. While nothing is displayed anew it sleeps without a timer.

use std::{pin::pin, sync::Arc, time::Duration};

use futures::{FutureExt, StreamExt, future::BoxFuture, stream::FuturesUnordered};
use jiff::Timestamp;
use posthaste_delivery_config::StatusBudget;
use tokio::{
    sync::watch,
    time::{Instant, sleep_until, timeout_at},
};

use super::{
    board::{Board, Taker},
    health::judge,
    metrics::ReportMetrics,
    planner::{Action, Answer, Object, Planner, Shown, Ticket, Timing},
    request::{Done, Request},
    shown,
    sink::{SinkError, StatusSink},
    status::{self, Transitions},
    view::{EndpointView, WebhookView},
};

/// Requests at a time. Enough for 50 writes and 50 looks a second with answers that take 80 ms.
const MAX_IN_FLIGHT: usize = 8;
/// Shortest time between two rounds of taking news: thousands of outcomes a second are looked at ten times a second.
const ROUND: Duration = Duration::from_millis(100);
/// Longest time that the last writes may take.
const FLUSH: Duration = Duration::from_secs(2);

/// Requests under way.
type Requests = FuturesUnordered<BoxFuture<'static, Done>>;

/// Shows what is on a [`Board`] in a [`StatusSink`].
pub struct Reporter<S> {
    board: Arc<Board>,
    sink: Arc<S>,
    budget: watch::Receiver<StatusBudget>,
    metrics: ReportMetrics,
    planner: Planner,
    /// The planner's time 0.
    start: Instant,
    /// An API server that cannot serve us is said once, not with each request.
    complained: bool,
}

impl<S: StatusSink> Reporter<S> {
    /// A reporter under the budget that `budget` holds, now and whenever it changes.
    pub fn new(board: Arc<Board>, sink: S, mut budget: watch::Receiver<StatusBudget>, metrics: ReportMetrics) -> Self {
        let planner = Planner::new(&budget.borrow_and_update());
        Self { board, sink: Arc::new(sink), budget, metrics, planner, start: Instant::now(), complained: false }
    }

    /// Runs until `shutdown` resolves, then writes what the budget still allows, for at most two seconds. Shut the
    /// engine down first, so that its last outcomes are among it, and release the journal's lock afterwards.
    pub async fn run(mut self, shutdown: impl Future<Output = ()>) {
        let mut shutdown = pin!(shutdown);
        let mut requests = Requests::new();
        let mut next_round = Instant::now();
        let mut budget_may_change = true;
        loop {
            let wake = self.begin(&mut requests);
            let board = Arc::clone(&self.board);
            tokio::select! {
                biased;
                () = &mut shutdown => break,
                changed = self.budget.changed(), if budget_may_change => {
                    budget_may_change = changed.is_ok();
                    let now = self.now();
                    self.planner.set_budget(&self.budget.borrow_and_update(), now);
                }
                Some(done) = requests.next() => self.end(&done),
                () = async {
                    board.changed().await;
                    sleep_until(next_round).await;
                } => {
                    self.take_news();
                    next_round = Instant::now() + ROUND;
                }
                () = sleep_until(wake.unwrap_or(self.start)), if wake.is_some() => {}
            }
            self.metrics.plan(self.planner.take_savings(), self.planner.waiting());
        }
        let deadline = Instant::now() + FLUSH;
        if timeout_at(deadline, self.flush(&mut requests, deadline)).await.is_err() {
            tracing::info!("stopped before all statuses were written; the next process writes them");
        }
    }

    async fn flush(&mut self, requests: &mut Requests, deadline: Instant) {
        self.take_news();
        self.planner.flush(self.now());
        loop {
            let wake = self.begin(requests);
            match (requests.next().await, wake) {
                (Some(done), _) => self.end(&done),
                (None, Some(wake)) if wake < deadline => sleep_until(wake).await,
                (None, _) => return,
            }
        }
    }

    fn take_news(&mut self) {
        let now = self.now();
        self.board.take(&mut News { planner: &mut self.planner, now });
        self.planner.settle(now);
    }

    /// Begins all requests whose turn it is; says when there will be more, if that is known.
    fn begin(&mut self, requests: &mut Requests) -> Option<Instant> {
        while requests.len() < MAX_IN_FLIGHT {
            let (request, ticket) = match self.planner.next(self.now()) {
                Action::Look(ticket) => (self.look(&ticket), ticket),
                Action::Write(ticket) => (self.write(&ticket, Timestamp::now()), ticket),
                Action::WaitUntil(time) => return Some(self.start + time),
                Action::Idle => return None,
            };
            match request {
                Some(request) => requests.push(request.perform(Arc::clone(&self.sink), ticket).boxed()),
                None => self.planner.answer(&ticket, Answer::Dropped, self.timing(Duration::ZERO)),
            }
        }
        None
    }

    fn look(&self, ticket: &Ticket) -> Option<Request> {
        match &ticket.object {
            Object::Webhook => Some(Request::LookWebhook),
            Object::Endpoint(uid) => {
                let name = self.board.with_endpoint(uid, |view| Arc::clone(&view.name))?;
                Some(Request::LookEndpoint { name, uid: Arc::clone(uid) })
            }
        }
    }

    fn write(&self, ticket: &Ticket, wall: Timestamp) -> Option<Request> {
        let (mode, since) = (self.planner.mode(), self.planner.since(ticket));
        match &ticket.object {
            Object::Webhook => {
                let view = self.board.webhook_view()?;
                let target = |view: &EndpointView| status::target(view, judge(view));
                let uids = self.planner.targets();
                let targets = uids.iter().filter_map(|uid| self.board.with_endpoint(uid, target)).collect();
                let (totals, oldest) = (self.planner.totals(), self.planner.oldest_pending_ms());
                let status = Box::new(status::webhook(&view, &totals, oldest, targets, mode, &since, wall));
                let digest = shown::webhook(&view, &totals).under(mode);
                let shown = Shown { digest, since: Transitions::of_webhook(&status) };
                Some(Request::ApplyWebhook { status, shown })
            }
            Object::Endpoint(uid) => self.board.with_endpoint(uid, |view| {
                let health = judge(view);
                let status = Box::new(status::endpoint(view, health, mode, &since, wall));
                let digest = shown::endpoint(view, health).under(mode);
                let shown = Shown { digest, since: Transitions::of_endpoint(&status) };
                Request::ApplyEndpoint { name: Arc::clone(&view.name), uid: Arc::clone(uid), status, shown }
            }),
        }
    }

    fn end(&mut self, done: &Done) {
        let Done { ticket, name, result, labels, elapsed } = done;
        self.metrics.request(labels, *elapsed);
        let (kind, name) = (labels.kind, &**name);
        match result {
            Ok(_) if std::mem::take(&mut self.complained) => {
                tracing::info!("statuses can be written again");
            }
            Ok(_) => {}
            Err(SinkError::Gone) => tracing::debug!(?kind, name, "no status to write: the resource is gone"),
            Err(SinkError::Replaced) => {
                tracing::info!(?kind, name, "another resource has this name now; its status is not touched");
            }
            Err(SinkError::Refused(message)) => {
                tracing::warn!(?kind, name, message, "the API server refused a status; it is tried again later");
            }
            Err(SinkError::Unavailable { message, .. }) => {
                if !std::mem::replace(&mut self.complained, true) {
                    tracing::warn!(?kind, name, message, "statuses cannot be written now; deliveries go on");
                }
            }
        }
        let answer = result.as_ref().map_or_else(Answer::from, |answer| *answer);
        self.planner.answer(ticket, answer, self.timing(*elapsed));
    }

    fn now(&self) -> Duration {
        self.start.elapsed()
    }

    fn timing(&self, elapsed: Duration) -> Timing {
        Timing { now: self.now(), elapsed, jitter: rand::random() }
    }
}

/// Hands a round of news to the planner.
struct News<'a> {
    planner: &'a mut Planner,
    now: Duration,
}

impl Taker for News<'_> {
    fn removed(&mut self, uid: &str) {
        self.planner.remove_endpoint(uid, self.now);
    }

    fn webhook(&mut self, view: &WebhookView) {
        self.planner.observe_webhook(view);
    }

    fn endpoint(&mut self, view: &EndpointView) {
        self.planner.observe_endpoint(view, self.now);
    }
}

#[cfg(test)]
mod tests;
