//! `POST /v1/endpoints/{name}/replay` and `GET /v1/replays/{id}`.

use std::sync::Arc;

use axum::{
    extract::{Path, Request, State},
    http::{HeaderValue, StatusCode, header},
    response::Response,
};
use jiff::Timestamp;
use tokio::sync::watch;

use super::{
    AGAIN, Shared, body,
    jobs::{Job, MOST_RUNNING},
    json,
    model::{ReplayMode, ReplayRequest, ReplayStatus},
};
use crate::{
    ingest::problem::{Kind, Problem},
    run::{Mode, Progress, Replay},
};

pub async fn begin(
    State(shared): State<Arc<Shared>>,
    Path(name): Path<String>,
    request: Request,
) -> Result<Response, Problem> {
    let (parts, body) = request.into_parts();
    let wanted = body::read(&parts.headers, body).await?.replay()?;
    let endpoint = shared.ordinal(&name)?;
    let ReplayRequest { mode, since, until, event_type, status } = wanted.clone();
    let replay = Replay {
        endpoint,
        mode: match mode {
            ReplayMode::Failed => Mode::Failed,
            ReplayMode::Missing => Mode::Missing,
            ReplayMode::All => Mode::All,
        },
        since_ms: since.map(Timestamp::as_millisecond),
        until_ms: until.map(Timestamp::as_millisecond),
        event_type,
        dead_letters: status.map(|status| status == ReplayStatus::DeadLettered),
    };
    let started_at = (shared.api.clock)();
    let begun = shared.jobs.begin(|| {
        let (sender, progress) = watch::channel(Progress::default());
        tokio::spawn(shared.api.replayer.clone().run(replay, sender));
        Job { id: (shared.api.new_id)(started_at), endpoint: name, request: wanted, started_at, progress }
    });
    let begun = begun.ok_or_else(|| {
        Problem::new(Kind::TooManyReplays, format!("{MOST_RUNNING} replays go on already; try again later."))
            .retry_after(AGAIN)
    })?;
    let mut response = json(StatusCode::ACCEPTED, &begun);
    if let Ok(location) = HeaderValue::try_from(format!("/v1/replays/{}", begun.id)) {
        response.headers_mut().insert(header::LOCATION, location);
    }
    Ok(response)
}

pub async fn show(State(shared): State<Arc<Shared>>, Path(id): Path<String>) -> Result<Response, Problem> {
    let replay = shared.jobs.get(&id).ok_or_else(|| {
        let id: String = id.chars().take(40).collect();
        let detail = format!("No replay \"{id}\" is known: there was none, or the process has begun anew since.");
        Problem::new(Kind::ReplayNotFound, detail)
    })?;
    Ok(json(StatusCode::OK, &replay))
}
