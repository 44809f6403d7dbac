//! `GET /v1/deliveries` and `GET /v1/deliveries/{id}`.

use std::sync::Arc;

use axum::{
    extract::{Path, RawQuery, State},
    http::StatusCode,
    response::Response,
};
use posthaste_history::{self as history, Filter, Key, Live, Status};
use posthaste_journal::{Ordinal, Standing};
use tokio::task::spawn_blocking;

use super::{
    Shared, json,
    model::{Attempt, DeliveryDetail, DeliveryList},
    parameters::{self, ListQuery},
    unavailable,
};
use crate::{
    event::Event,
    history::event_text,
    ingest::problem::{Kind, Problem},
};

/// Most attempts that are shown.
const MOST_ATTEMPTS: usize = 100;

pub async fn list(State(shared): State<Arc<Shared>>, RawQuery(query): RawQuery) -> Result<Response, Problem> {
    let query = ListQuery::read(query.as_deref().unwrap_or_default())?;
    let endpoint = match &query.endpoint {
        Some(name) => Some(shared.ordinal(name)?.0),
        None => None,
    };
    let ListQuery { status, event_type, tenant, event, since_ms, until_ms, limit, below, .. } = query;
    let filter = Filter { endpoint, status, event_type, tenant, event, since_ms, until_ms };
    shared.api.history.written().await;
    let (history, live) = (shared.api.history.clone(), shared.live());
    let page = spawn_blocking(move || history.list(&filter, &live, below, limit)).await;
    let page = page.unwrap_or_else(|error| Err(std::io::Error::other(error))).map_err(|error| unavailable(&error))?;
    let items = page.deliveries.into_iter().map(|delivery| shared.delivery(delivery)).collect();
    Ok(json(StatusCode::OK, &DeliveryList { items, next_cursor: page.next.map(parameters::cursor) }))
}

pub async fn show(State(shared): State<Arc<Shared>>, Path(id): Path<String>) -> Result<Response, Problem> {
    let key = parameters::read_id(&id).ok_or_else(|| no_delivery(&id))?;
    let (delivery, attempts) = shared.find(key).await?.ok_or_else(|| no_delivery(&id))?;
    let attempts = attempts.into_iter().map(Attempt::from).collect();
    Ok(json(StatusCode::OK, &DeliveryDetail { delivery: shared.delivery(delivery), attempts }))
}

/// There is no such delivery.
pub fn no_delivery(id: &str) -> Problem {
    let id: String = id.chars().take(40).collect();
    let detail = format!("Nothing is kept of a delivery \"{id}\": there was none, or history.retention is over.");
    Problem::new(Kind::DeliveryNotFound, detail)
}

impl Shared {
    /// The number of an endpoint.
    pub fn ordinal(&self, name: &str) -> Result<Ordinal, Problem> {
        let snapshot = self.api.snapshot.load();
        let found = snapshot.entries().find(|entry| &*entry.loaded.name == name).map(|entry| entry.ordinal);
        found.ok_or_else(|| no_endpoint(name))
    }

    /// A delivery and its attempts.
    pub async fn find(&self, key: Key) -> Result<Option<(history::Delivery, Vec<history::Attempt>)>, Problem> {
        self.api.history.written().await;
        let (history, journal, live) = (self.api.history.clone(), self.api.journal.clone(), self.live());
        let found = spawn_blocking(move || {
            let Some(delivery) = history.look_up(key, &live)? else { return Ok(from_journal(&journal, key, &live)) };
            let attempts = history.attempts(&delivery, MOST_ATTEMPTS)?;
            Ok(Some((delivery, attempts)))
        });
        let found = found.await.unwrap_or_else(|error| Err(std::io::Error::other(error)));
        found.map_err(|error| unavailable(&error))
    }
}

/// A delivery that the history lacks, as far as the journal knows it.
fn from_journal(
    journal: &posthaste_journal::Journal,
    key: Key,
    live: &Live,
) -> Option<(history::Delivery, Vec<history::Attempt>)> {
    let standing = journal.standing(key.seq, Ordinal(key.endpoint))?;
    let stored = journal.read(key.seq).ok().flatten()?;
    let event = event_text(&Event::decode(stored.payload).ok()?);
    let (status, attempts, updated_ms) = match standing {
        Standing::Pending { attempts: 0, .. } => (Status::Pending, 0, stored.accepted_ms),
        Standing::Pending { attempts, .. } => (Status::Retrying, attempts, stored.accepted_ms),
        Standing::Dead { attempts, at_ms } => (Status::DeadLettered, attempts, at_ms),
    };
    let delivery =
        history::Delivery::known(key, event, (stored.accepted_ms, updated_ms), live.status(key, status), attempts);
    Some((delivery, Vec::new()))
}

/// There is no such endpoint.
fn no_endpoint(name: &str) -> Problem {
    let name: String = name.chars().take(253).collect();
    let detail = format!("This Webhook has no endpoint \"{name}\" that is in use.");
    Problem::new(Kind::EndpointNotFound, detail)
}
