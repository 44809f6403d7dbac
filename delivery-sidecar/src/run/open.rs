//! Opens the journal, and waits while another process holds it.

use std::{path::Path, sync::Arc, time::Duration};

use posthaste_delivery_config::WebhookConfig;
use posthaste_journal::{Committed, Disk, Error, Journal, Options, Recovered};
use tokio::{task::spawn_blocking, time::sleep};

use super::clock::now_ms;
use crate::{
    admin::Latch,
    shutdown::Shutdown,
    telemetry::{Metrics, events::JournalOpened},
};

/// A held journal is tried again after this time: two pods overlap for some seconds when one replaces the other.
const AGAIN: Duration = Duration::from_secs(1);
/// Ids that are remembered at most; each takes some 40 bytes of memory.
const MAX_IDEMPOTENCY_KEYS: usize = 1_000_000;
/// How long dead letters are kept.
const DEAD_LETTER_RETENTION: Duration = Duration::from_hours(168);
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

/// How a Webhook's journal is opened.
pub fn options(directory: &Path, webhook: &WebhookConfig) -> Options {
    let max_bytes = webhook.journal_max_bytes;
    Options {
        directory: directory.join("journal"),
        max_bytes,
        // Space comes back in whole segments, so a small journal needs small ones.
        segment_bytes: SEGMENT_BYTES.min(max_bytes / 16).max(1 << 20),
        max_idempotency_keys: MAX_IDEMPOTENCY_KEYS,
        dead_letter_retention_ms: i64::try_from(DEAD_LETTER_RETENTION.as_millis()).unwrap_or(i64::MAX),
        // One part in eight for what is only kept to be looked at and replayed.
        dead_letter_max_bytes: max_bytes / 8,
        outcome_delay: OUTCOME_DELAY,
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
