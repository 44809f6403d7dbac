//! Takes events over HTTP. Checks them, asks who may post them, and answers when they are kept; knows nothing of
//! endpoints, deliveries or the journal's form.
//!
//! The way of a request: who posts it -> what it is -> its body, within bounds, expanded if it is compressed -> its events -> each one's checks ->
//! the event rate -> [`AcceptEvents`] -> the answer.

pub mod accept;
mod answer;
pub mod auth;
mod body;
mod catalogue;
mod expand;
mod handler;
pub(crate) mod idempotency;
mod limits;
mod media;
mod parse;
pub mod problem;
mod rate;
mod settings;
#[cfg(test)]
mod tests;

use std::{fmt, sync::Arc};

use arc_swap::ArcSwap;
use axum::{
    Router,
    extract::{Request, State},
    http::{Method, Uri},
    middleware::{self, Next},
    response::Response,
    routing::post,
};
use jiff::Timestamp;
use tokio::time::Instant;
use uuid::{NoContext, Uuid};

pub use accept::{AcceptError, AcceptEvents, Kept, Prepared};
pub use auth::{Authorizer, BearerKeys, ServiceAccountAuthorizer};
pub use catalogue::Catalogue;
pub use limits::Limits;
pub use settings::Settings;

use self::{
    handler::Shared,
    problem::{Kind, Problem},
};
use crate::{
    shutdown::Shutdown,
    telemetry::{Metrics, events::RequestFinished},
};

/// Tells the time.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;
/// Makes the id of an event that was accepted at a time.
pub type NewId = Arc<dyn Fn(Timestamp) -> String + Send + Sync>;

/// What ingest works with.
#[derive(Clone)]
pub struct Ingest {
    /// What the Webhook's configuration says. A request uses what is there when it begins.
    pub settings: Arc<ArcSwap<Settings>>,
    /// Asked when the settings say [`ServiceAccount`](posthaste_delivery_config::Authentication::ServiceAccount).
    pub authorizer: Arc<dyn Authorizer>,
    /// Keeps events.
    pub journal: Arc<dyn AcceptEvents>,
    /// Tells the time.
    pub clock: Clock,
    /// Makes ids.
    pub new_id: NewId,
    /// Bounds.
    pub limits: Limits,
    /// From the moment that it is requested, no events are taken.
    pub shutdown: Shutdown,
    /// Where it is told what happens.
    pub metrics: Metrics,
}

impl fmt::Debug for Ingest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ingest").field("settings", &self.settings).field("limits", &self.limits).finish_non_exhaustive()
    }
}

/// `POST /v1/events`. Everything that goes wrong, unknown paths and methods included, is answered with a
/// [problem document](problem).
pub fn router(ingest: Ingest) -> Router {
    let metrics = ingest.metrics.clone();
    Router::new()
        .route("/v1/events", post(handler::post_events))
        .fallback(not_found)
        .method_not_allowed_fallback(method_not_allowed)
        .layer(middleware::from_fn_with_state(metrics, observe))
        .with_state(Arc::new(Shared::new(ingest)))
}

/// The clock of this machine.
pub fn system_clock() -> Clock {
    Arc::new(Timestamp::now)
}

/// Ids that sort by the time at which they were made (UUID version 7).
pub fn uuid_v7() -> NewId {
    Arc::new(|now| {
        let seconds = u64::try_from(now.as_second()).unwrap_or(0);
        let nanoseconds = u32::try_from(now.subsec_nanosecond()).unwrap_or(0);
        Uuid::new_v7(uuid::Timestamp::from_unix(NoContext, seconds, nanoseconds)).to_string()
    })
}

async fn not_found(uri: Uri) -> Problem {
    let path: String = uri.path().chars().take(80).collect();
    Problem::new(Kind::NotFound, format!("There is nothing at {path}; events are posted to /v1/events."))
}

async fn method_not_allowed(method: Method) -> Problem {
    let method: String = method.as_str().chars().take(20).collect();
    Problem::new(Kind::MethodNotAllowed, format!("{method} is not possible here; events are sent with POST."))
}

async fn observe(State(metrics): State<Metrics>, request: Request, next: Next) -> Response {
    let begun = Instant::now();
    let response = next.run(request).await;
    let problem = response.extensions().get::<Kind>().copied();
    RequestFinished { status: response.status(), problem, elapsed: begun.elapsed() }.emit(&metrics);
    response
}
