//! What people look at deliveries and operate them with, over the same Service as ingest: list, detail, redelivery,
//! replay, a test event. Reads the history and asks the engine; decides nothing about deliveries itself.
//!
//! Everything that goes wrong is answered with a [problem document](crate::ingest::problem).

mod access;
mod body;
mod deliveries;
mod jobs;
mod model;
mod openapi;
mod parameters;
mod redeliver;
mod replays;
mod test_event;
mod view;

use std::{sync::Arc, time::Duration};

use arc_swap::ArcSwap;
use axum::{
    Router,
    extract::{Request, State},
    http::{Method, StatusCode, header},
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use posthaste_history::History;
use posthaste_journal::Journal;
use serde::Serialize;
use tokio::{sync::Semaphore, time::timeout};

pub use access::Everyone;
pub use openapi::document;

use self::jobs::Jobs;
use crate::{
    config::Snapshot,
    history::InFlight,
    ingest::{
        Authorizer, Clock, NewId,
        problem::{Kind, Problem},
    },
    run::Replayer,
    send::Sender,
    shutdown::Shutdown,
    telemetry::Metrics,
};

/// Requests at a time. Each may read the disk.
const CONCURRENT: usize = 32;
/// Longest time of a request. A test event may take as long as an attempt.
const LONGEST: Duration = Duration::from_mins(1);

/// What the API works with.
#[derive(Clone)]
pub struct Api {
    /// Says who may do what.
    pub authorizer: Arc<dyn Authorizer>,
    /// What became of deliveries.
    pub history: History,
    /// Attempts in progress.
    pub in_flight: InFlight,
    /// How deliveries stand.
    pub journal: Journal,
    /// The endpoints.
    pub snapshot: Arc<ArcSwap<Snapshot>>,
    /// Sends test events.
    pub sender: Arc<ArcSwap<Sender>>,
    /// Makes deliveries again.
    pub replayer: Replayer,
    /// Tells the time.
    pub clock: Clock,
    /// Makes ids of replays and of test events.
    pub new_id: NewId,
    /// Where it is told what happens.
    pub metrics: Metrics,
    /// From the moment that it is requested, nothing is begun.
    pub shutdown: Shutdown,
}

/// What all requests share.
struct Shared {
    api: Api,
    turns: Semaphore,
    jobs: Jobs,
}

/// The routes under `/v1` besides `/v1/events`, and `/openapi.json`. Has no fallback for other paths, so that it can be
/// merged with another router.
pub fn router(api: Api) -> Router {
    let metrics = api.metrics.clone();
    let shared = Arc::new(Shared { api, turns: Semaphore::new(CONCURRENT), jobs: Jobs::default() });
    let guarded = Router::new()
        .route("/v1/deliveries", get(deliveries::list))
        .route("/v1/deliveries/{id}", get(deliveries::show))
        .route("/v1/deliveries/{id}/redeliver", post(redeliver::redeliver))
        .route("/v1/endpoints/{name}/test", post(test_event::test))
        .route("/v1/endpoints/{name}/replay", post(replays::begin))
        .route("/v1/replays/{id}", get(replays::show))
        .method_not_allowed_fallback(method_not_allowed)
        .layer(middleware::from_fn_with_state(Arc::clone(&shared), guard))
        .with_state(shared);
    let open =
        Router::new().route("/openapi.json", get(openapi::serve)).method_not_allowed_fallback(method_not_allowed);
    guarded.merge(open).layer(middleware::from_fn_with_state(metrics, observe))
}

/// Who may do it, a turn, and an end in time.
async fn guard(State(shared): State<Arc<Shared>>, request: Request, next: Next) -> Response {
    let right = access::right(request.method());
    let answer = async {
        if shared.api.shutdown.requested() {
            return Err(Problem::new(Kind::Stopping, "This process is stopping; try again.").retry_after(AGAIN));
        }
        let _turn = shared.turns.try_acquire().map_err(|_| {
            Problem::new(Kind::Overloaded, format!("{CONCURRENT} requests are in progress; try again."))
                .retry_after(AGAIN)
        })?;
        access::check(&*shared.api.authorizer, request.headers(), right).await?;
        let answer = timeout(LONGEST, next.run(request)).await;
        answer.map_err(|_| {
            let detail = format!("There was no answer within {} s.", LONGEST.as_secs());
            Problem::new(Kind::HistoryUnavailable, detail).retry_after(AGAIN)
        })
    };
    answer.await.unwrap_or_else(IntoResponse::into_response)
}

/// When it makes sense to try again.
const AGAIN: Duration = Duration::from_secs(2);

async fn observe(State(metrics): State<Metrics>, request: Request, next: Next) -> Response {
    let changes = *request.method() == Method::POST;
    let response = next.run(request).await;
    metrics.api_request(changes, response.status());
    response
}

async fn method_not_allowed(method: Method) -> Problem {
    let method: String = method.as_str().chars().take(20).collect();
    Problem::new(Kind::MethodNotAllowed, format!("{method} is not possible here; the Allow header names what is."))
}

/// An answer in JSON.
fn json(status: StatusCode, body: &impl Serialize) -> Response {
    // Only strings, numbers and booleans are in it, so it always serializes.
    let body = serde_json::to_vec(body).expect("an answer is JSON");
    (status, [(header::CONTENT_TYPE, "application/json")], body).into_response()
}

/// The history cannot be read.
fn unavailable(error: &std::io::Error) -> Problem {
    tracing::warn!(%error, "the history of deliveries cannot be read");
    Problem::new(Kind::HistoryUnavailable, "The history of deliveries cannot be read now; deliveries go on.")
        .retry_after(AGAIN)
}
