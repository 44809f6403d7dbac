//! What a client is told.
//!
//! One event: 202 `{"id","deliveries"}`, or 200 with `"duplicate":true` when it had been kept before, or a problem.
//!
//! A batch: 202 when every event was kept (now or before), 207 when some were, and 422, a problem document, when none was.
//! All three have `results`, one for each event in order: `{"id","status":202,"deliveries"}`, the same with status 200
//! and `"duplicate":true`, or `{"status","problem"}`; in NDJSON, a refused event has its `line` too. JSON pointers in a
//! problem are relative to its event. An empty batch is 202 with no results.

use axum::{
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;

use super::{
    accept::Kept,
    problem::{Kind, Problem, respond},
};

/// What became of one event.
#[derive(Debug)]
pub(super) enum Outcome {
    /// It is kept: now, or from before.
    Kept { id: String, deliveries: u32, duplicate: bool },
    /// It is refused.
    Refused { problem: Problem, line: Option<usize> },
}

impl Outcome {
    /// The outcome of an event that was handed to the journal.
    pub(super) fn new(id: String, kept: Kept, line: Option<usize>) -> Self {
        match kept {
            Kept::New { deliveries } => Self::Kept { id, deliveries, duplicate: false },
            Kept::Duplicate { deliveries } => Self::Kept { id, deliveries, duplicate: true },
            Kept::Conflict => {
                let detail =
                    format!("Another event with the id \"{id}\" and the same tenant and source was kept before.");
                Self::Refused { problem: Problem::new(Kind::IdConflict, detail), line }
            }
        }
    }

    fn status(&self) -> StatusCode {
        match self {
            Self::Kept { duplicate: false, .. } => StatusCode::ACCEPTED,
            Self::Kept { duplicate: true, .. } => StatusCode::OK,
            Self::Refused { problem, .. } => problem.kind.status(),
        }
    }
}

/// `{"id","deliveries"}` and what else there is to say.
#[derive(Serialize)]
struct Report<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    deliveries: Option<u32>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    duplicate: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    line: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<&'a Problem>,
}

impl<'a> Report<'a> {
    fn in_batch(outcome: &'a Outcome) -> Self {
        let status = Some(outcome.status().as_u16());
        match outcome {
            Outcome::Kept { id, deliveries, duplicate } => Self { status, ..Self::kept(id, *deliveries, *duplicate) },
            Outcome::Refused { problem, line } => {
                let problem = Some(problem);
                Self { id: None, status, deliveries: None, duplicate: false, line: *line, problem }
            }
        }
    }

    fn kept(id: &'a str, deliveries: u32, duplicate: bool) -> Self {
        Self { id: Some(id), status: None, deliveries: Some(deliveries), duplicate, line: None, problem: None }
    }
}

/// The answer for a single event.
pub(super) fn one(outcome: Outcome) -> Response {
    let status = outcome.status();
    match outcome {
        Outcome::Kept { id, deliveries, duplicate } => json(status, &Report::kept(&id, deliveries, duplicate)),
        Outcome::Refused { problem, .. } => problem.into_response(),
    }
}

/// The answer for a batch.
pub(super) fn batch(outcomes: &[Outcome]) -> Response {
    #[derive(Serialize)]
    struct Batch<'a> {
        #[serde(flatten)]
        problem: Option<&'a Problem>,
        results: Vec<Report<'a>>,
    }
    let results = outcomes.iter().map(Report::in_batch).collect();
    let refused = outcomes.iter().filter(|outcome| matches!(outcome, Outcome::Refused { .. })).count();
    match refused {
        0 => json(StatusCode::ACCEPTED, &Batch { problem: None, results }),
        n if n < outcomes.len() => json(StatusCode::MULTI_STATUS, &Batch { problem: None, results }),
        n => {
            let problem = Problem::new(Kind::NothingKept, format!("All {n} events are refused; results says why."));
            let body = to_json(&Batch { problem: Some(&problem), results });
            respond(problem, body)
        }
    }
}

fn json(status: StatusCode, body: &impl Serialize) -> Response {
    (status, [(header::CONTENT_TYPE, "application/json")], to_json(body)).into_response()
}

fn to_json(body: &impl Serialize) -> Vec<u8> {
    // Only strings, numbers and booleans are in it, so it always serializes.
    serde_json::to_vec(body).expect("an answer is JSON")
}
