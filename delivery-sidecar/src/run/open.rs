//! Opens the journal, and waits while another process holds it.

use std::{path::Path, sync::Arc, time::Duration};

use posthaste_delivery_config::WebhookConfig;
use posthaste_journal::{Committed, Disk, Error, Journal, Options, Recovered, Space};
use tokio::{task::spawn_blocking, time::sleep};

use super::clock::now_ms;
use crate::{
    admin::Latch,
    schedule::Engine,
    shutdown::Shutdown,
    telemetry::{Metrics, events::JournalOpened},
};

/// A held journal is tried again after this time: two pods overlap for some seconds when one replaces the other.
const AGAIN: Duration = Duration::from_secs(1);
/// Ids that are remembered at most; each takes some 32 bytes of memory.
const MAX_IDEMPOTENCY_KEYS: usize = 1_000_000;
/// The journal makes it smaller where it is small itself: space comes back in whole segments.
const SEGMENT_BYTES: u64 = 64 << 20;
/// So long may an outcome wait for others: what a crash repeats at most besides what was in flight.
const OUTCOME_DELAY: Duration = Duration::from_millis(10);

/// An open journal and what was in it.
pub struct Opened {
    /// It.
    pub journal: Journal,
    /// What was in it.
    pub recovered: Recovered,
}

/// Most deliveries that are handed to the engine at once, so that a backlog is not in memory three times.
const RECOVER_DELIVERIES: usize = 4_096;

/// How a Webhook's journal is opened.
pub fn options(directory: &Path, webhook: &WebhookConfig) -> Options {
    Options {
        directory: directory.join("journal"),
        space: space(webhook),
        segment_bytes: SEGMENT_BYTES,
        max_idempotency_keys: MAX_IDEMPOTENCY_KEYS,
        outcome_delay: OUTCOME_DELAY,
    }
}

/// What a Webhook's journal may use of the disk, and for what.
pub fn space(webhook: &WebhookConfig) -> Space {
    Space {
        max_bytes: webhook.journal_max_bytes,
        max_bytes_per_endpoint: webhook.journal_max_bytes_per_endpoint,
        dead_letter_retention_ms: i64::try_from(webhook.dead_letter.retention_ms).unwrap_or(i64::MAX),
        dead_letter_max_bytes: webhook.dead_letter.max_bytes,
        history_retention_ms: i64::try_from(webhook.history_retention_ms).unwrap_or(i64::MAX),
    }
}

/// Hands an engine what a journal held when it was opened.
pub fn recover(engine: &mut Engine, journal: &Journal, recovered: &Recovered, now_ms: i64) {
    engine.recover(&recovered.endpoints, &[], now_ms);
    let mut last = 0;
    loop {
        let pending = journal.pending_after(last, RECOVER_DELIVERIES);
        let Some(delivery) = pending.last() else { return };
        last = delivery.seq;
        engine.recover(&[], &pending, now_ms);
    }
}

/// Opens a journal. While another process holds it this waits, says so in `latch` and once in the log; `None` when
/// the process is asked to stop meanwhile.
pub async fn open(
    options: Options,
    on_commit: impl Fn(Vec<Committed>) + Clone + Send + 'static,
    latch: &Latch,
    metrics: &Metrics,
    shutdown: &Shutdown,
) -> Result<Option<Opened>, Error> {
    let mut told = false;
    loop {
        let (options, on_commit) = (options.clone(), on_commit.clone());
        let opened = spawn_blocking(move || Journal::open(Arc::new(Disk), options, now_ms(), on_commit)).await;
        match opened.unwrap_or_else(|error| Err(Error::Io(error.to_string()))) {
            Ok((journal, recovered)) => {
                JournalOpened { recovered: &recovered }.emit(metrics);
                return Ok(Some(Opened { journal, recovered }));
            }
            Err(error @ Error::Locked(_)) => {
                latch.unset(format!("waiting: {error}"));
                if !told {
                    tracing::info!(%error, "waiting for the journal");
                    told = true;
                }
            }
            Err(error) => return Err(error),
        }
        tokio::select! {
            () = sleep(AGAIN) => {}
            () = shutdown.wait() => return Ok(None),
        }
    }
}
