//! What is kept of deliveries for people who ask: puts together what the steps know, leaves out what must not be shown,
//! and hands it to the store. Delivering never waits for it.

mod attempt;
mod live;
mod redact;
mod source;

use std::{io, path::Path, sync::Arc, time::Duration};

use posthaste_delivery_config::WebhookConfig;
use posthaste_history::{Bounds, History, Options};
use posthaste_journal::{Journal, Outcome, OutcomeKind};

pub use attempt::record as attempt_record;
pub use live::InFlight;
pub use posthaste_history::{AttemptRecord, Entry, EventText, Key, Status};
pub use source::key;

use self::source::FromJournal;
use crate::{event::Event, run::replay::Again};

/// Beside the journal, the history takes this part of `journal.maxBytes`,
const SHARE: u64 = 8;
/// and at most this much.
const MOST_BYTES: u64 = 1 << 30;
/// Room for some thousand deliveries.
const LEAST_BYTES: u64 = 4 << 20;
/// What a process has to do when it begins comes first.
const REPAIR_AFTER: Duration = Duration::from_secs(10);

/// How much is kept of a Webhook's deliveries, and for how long.
pub fn bounds(webhook: &WebhookConfig) -> Bounds {
    Bounds {
        max_bytes: (webhook.journal_max_bytes / SHARE).clamp(LEAST_BYTES, MOST_BYTES),
        retention_ms: i64::try_from(webhook.history_retention_ms).unwrap_or(i64::MAX),
        dead_letter_retention_ms: i64::try_from(webhook.dead_letter.retention_ms).unwrap_or(i64::MAX),
    }
}

/// Opens the history that belongs to a journal.
///
/// # Errors
/// When there can be no thread for it.
pub fn start(
    directory: &Path,
    webhook: &WebhookConfig,
    journal: &Journal,
    now_ms: impl Fn() -> i64 + Send + Sync + 'static,
) -> io::Result<History> {
    let options = Options { directory: directory.join("history"), bounds: bounds(webhook), repair_after: REPAIR_AFTER };
    History::start(options, Arc::new(FromJournal::new(journal.clone())), Arc::new(now_ms))
}

/// What is kept of an event.
pub fn event_text(event: &Event) -> EventText {
    EventText { id: event.id.clone(), event_type: event.event_type.clone(), tenant: event.tenant.clone() }
}

/// Records that events are to be delivered to an endpoint again.
pub fn again(history: History, now_ms: impl Fn() -> i64 + Send + Sync + 'static) -> Again {
    Arc::new(move |endpoint, events| {
        let at_ms = now_ms();
        for seq in events {
            history.record(Entry::Again { key: key(*seq, endpoint), at_ms });
        }
    })
}

/// What an outcome says. `attempt` is `None` for a delivery that was given up without one.
pub fn ended(outcome: &Outcome, attempt: Option<AttemptRecord>) -> Entry {
    let (status, code) = match &outcome.kind {
        OutcomeKind::Succeeded { status } => (Status::Succeeded, Some(*status)),
        OutcomeKind::Retry { failure, .. } => (Status::Retrying, failure.status),
        OutcomeKind::DeadLettered { failure } => (Status::DeadLettered, failure.status),
    };
    let attempted = attempt.is_some();
    Entry::Ended { key: key(outcome.seq, outcome.endpoint), at_ms: outcome.at_ms, status, code, attempted, attempt }
}
