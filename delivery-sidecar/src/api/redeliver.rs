//! `POST /v1/deliveries/{id}/redeliver`.

use std::sync::Arc;

use axum::{
    extract::{Path, State},
    http::StatusCode,
    response::Response,
};
use posthaste_journal::{Error, Ordinal, Standing};

use super::{AGAIN, Shared, deliveries::no_delivery, json, parameters};
use crate::ingest::problem::{Kind, Problem};

pub async fn redeliver(State(shared): State<Arc<Shared>>, Path(id): Path<String>) -> Result<Response, Problem> {
    let key = parameters::read_id(&id).ok_or_else(|| no_delivery(&id))?;
    let ordinal = Ordinal(key.endpoint);
    if !shared.live().endpoints.contains(&key.endpoint) {
        return Err(no_delivery(&id));
    }
    if let Some(Standing::Pending { .. }) = shared.api.journal.standing(key.seq, ordinal) {
        return Err(already_pending());
    }
    // An event that was never for the endpoint is not sent to it by the number of a delivery that there never was.
    shared.find(key).await?.ok_or_else(|| no_delivery(&id))?;
    if !shared.api.replayer.redeliver(ordinal, key.seq).await.map_err(not_written)? {
        let Some(Standing::Pending { .. }) = shared.api.journal.standing(key.seq, ordinal) else {
            let detail = "The event is not kept any more, so it cannot be sent again.";
            return Err(Problem::new(Kind::EventNotKept, detail));
        };
        return Err(already_pending());
    }
    let (delivery, _) = shared.find(key).await?.ok_or_else(|| no_delivery(&id))?;
    Ok(json(StatusCode::ACCEPTED, &shared.delivery(delivery)))
}

fn already_pending() -> Problem {
    Problem::new(Kind::AlreadyPending, "The delivery is pending: it is attempted without being asked for.")
}

/// Nothing was made pending.
fn not_written(error: Error) -> Problem {
    match error {
        Error::Full => Problem::new(Kind::JournalFull, "The journal is full. Nothing is sent again; try again later."),
        Error::Closed => Problem::new(Kind::Stopping, "This process is stopping; try again."),
        error => {
            tracing::warn!(%error, "a delivery could not be made pending");
            Problem::new(
                Kind::JournalFailing,
                "The journal cannot be written or read. Nothing is sent again; try again later.",
            )
        }
    }
    .retry_after(AGAIN)
}
