//! Events about requests at ingest. None of them holds a token, a payload or an event's id.

use std::time::Duration;

use http::StatusCode;
use posthaste_expressions::EvalError;
use posthaste_journal::Ordinal;
use tracing::{debug, warn};

use crate::{
    ingest::problem::Kind,
    telemetry::{
        Metrics,
        labels::{ByKind, ByProblem, ByResult, ByStatus, EventResult, ReviewResult},
    },
};

/// A request was answered.
#[derive(Debug)]
pub struct RequestFinished {
    /// The answer's status.
    pub status: StatusCode,
    /// The kind of problem, when the request was refused as a whole.
    pub problem: Option<Kind>,
    /// From its headers to its answer.
    pub elapsed: Duration,
}

impl RequestFinished {
    /// Logs and counts it.
    pub fn emit(&self, metrics: &Metrics) {
        let status = self.status.as_u16();
        if let Some(problem) = self.problem {
            metrics.problems.get_or_create(&ByProblem { problem }).inc();
            let problem = problem.name();
            if self.status.is_server_error() {
                warn!(status, problem, "request refused");
            } else {
                debug!(status, problem, "request refused");
            }
        }
        let class = ByStatus { status: self.status.into() };
        metrics.request_seconds.get_or_create(&class).observe(self.elapsed.as_secs_f64());
    }
}

/// Events of a request came to the same result.
#[derive(Debug)]
pub struct EventsHandled {
    /// The result.
    pub result: EventResult,
    /// How many.
    pub events: u64,
    /// Deliveries that they were routed to; 0 unless they are new.
    pub deliveries: u64,
}

impl EventsHandled {
    /// Logs and counts them.
    pub fn emit(&self, metrics: &Metrics) {
        metrics.events.get_or_create(&ByResult { result: self.result }).inc_by(self.events);
        metrics.deliveries_created.inc_by(self.deliveries);
        debug!(result = self.result.as_str(), events = self.events, deliveries = self.deliveries, "events handled");
    }
}

/// Endpoints did not get events because their filters have no value for them.
#[derive(Debug)]
pub struct FiltersErred<E> {
    /// The endpoints and what their filters say. An error says nothing of an event's content.
    pub errors: E,
}

impl<'e, E: Iterator<Item = &'e (Ordinal, EvalError)>> FiltersErred<E> {
    /// Logs and counts them.
    pub fn emit(self, metrics: &Metrics) {
        for (endpoint, error) in self.errors {
            metrics.filter_errors.get_or_create(&ByKind { kind: error.kind.as_str() }).inc();
            debug!(endpoint = endpoint.0, %error, "a filter has no value for an event");
        }
    }
}

/// The API server was asked about a token.
#[derive(Debug)]
pub struct ReviewFinished<'a> {
    /// Its answer.
    pub result: ReviewResult,
    /// Whose token it is, where that is known.
    pub user: Option<&'a str>,
    /// What went wrong, where something did.
    pub error: Option<&'a str>,
}

impl ReviewFinished<'_> {
    /// Logs and counts it.
    pub fn emit(&self, metrics: &Metrics) {
        metrics.reviews.get_or_create(&ByResult { result: self.result }).inc();
        let result = self.result.as_str();
        if let Some(error) = self.error {
            warn!(result, user = self.user, error, "token could not be reviewed");
        } else {
            debug!(result, user = self.user, "token reviewed");
        }
    }
}

/// A request needed no review, because the answer for its token was still remembered.
#[derive(Debug)]
pub struct TokenRemembered;

impl TokenRemembered {
    /// Counts it.
    pub fn emit(&self, metrics: &Metrics) {
        metrics.review_cache_hits.inc();
    }
}
