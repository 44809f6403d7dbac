//! Keeps checked events: says which endpoints they are for, and has them synced.

use std::sync::Arc;

use arc_swap::ArcSwap;
use futures::future::BoxFuture;
use posthaste_journal::{Accepted, Journal, NewEvent};
use tokio::{sync::mpsc, task::spawn_blocking};

use super::{backlog::Backlog, engine_task::Message};
use crate::{
    config::Snapshot,
    ingest::{AcceptError, AcceptEvents, Kept, Prepared},
    route::{Routed, Router},
    telemetry::{Metrics, events::FiltersErred},
};

/// More evaluations of filters than this are not made between two other things that a thread does: each takes some
/// microseconds, and about a millisecond at worst.
const FILTERS_INLINE: usize = 32;

/// See the module.
pub struct Intake {
    journal: Journal,
    snapshot: Arc<ArcSwap<Snapshot>>,
    backlog: Backlog,
    engine: mpsc::UnboundedSender<Message>,
    metrics: Metrics,
}

impl Intake {
    /// Matches against the snapshot of the moment.
    pub fn new(
        journal: Journal,
        snapshot: Arc<ArcSwap<Snapshot>>,
        backlog: Backlog,
        engine: mpsc::UnboundedSender<Message>,
        metrics: Metrics,
    ) -> Self {
        Self { journal, snapshot, backlog, engine, metrics }
    }

    async fn keep(&self, batch: Vec<Prepared>) -> Result<Vec<Kept>, AcceptError> {
        self.backlog.below_limit().await;
        let snapshot = self.snapshot.load_full();
        let (batch, routed) = if batch.len() * snapshot.router.filters() > FILTERS_INLINE {
            let routing = spawn_blocking(move || {
                let routed = route(&snapshot.router, &batch);
                (batch, routed)
            });
            routing.await.map_err(|_| AcceptError::Stopping)?
        } else {
            let routed = route(&snapshot.router, &batch);
            (batch, routed)
        };
        FiltersErred { errors: routed.iter().flat_map(|routed| &routed.errors) }.emit(&self.metrics);
        let events = batch.into_iter().zip(routed).map(|(prepared, routed)| {
            let Prepared { event, accepted_ms, idempotency } = prepared;
            let deliveries = routed.endpoints;
            NewEvent { payload: event.encode(), accepted_ms, idempotency, deliveries, group: event.group() }
        });
        let events: Vec<NewEvent> = events.collect();
        let deliveries: Vec<usize> = events.iter().map(|event| event.deliveries.len()).collect();
        let accepted = self.journal.accept(events).await.inspect_err(|_| {
            // Readiness follows; when the process is about to end, nobody needs it.
            let _ = self.engine.send(Message::Refused);
        })?;
        let kept = accepted.into_iter().zip(deliveries).map(|(accepted, deliveries)| match accepted {
            Accepted::New { .. } => Kept::New { deliveries: u32::try_from(deliveries).unwrap_or(u32::MAX) },
            Accepted::Duplicate { deliveries } => Kept::Duplicate { deliveries },
            Accepted::Conflict => Kept::Conflict,
        });
        Ok(kept.collect())
    }
}

fn route(router: &Router, batch: &[Prepared]) -> Vec<Routed> {
    batch.iter().map(|prepared| router.route(&prepared.event)).collect()
}

impl AcceptEvents for Intake {
    fn accept(&self, batch: Vec<Prepared>) -> BoxFuture<'_, Result<Vec<Kept>, AcceptError>> {
        Box::pin(self.keep(batch))
    }
}
