//! One attempt, from the engine's word to its outcome: gets the event, sends it, tells.

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;
use posthaste_crds::conditions::healthy;
use posthaste_delivery_config::WebhookConfig;
use posthaste_journal::{self as journal, Failure, Journal, Seq};
use tokio::{task::spawn_blocking, time::sleep};

use super::memory::Memory;
use crate::{
    endpoint::Endpoint,
    event::Event,
    history::{self, AttemptRecord},
    schedule::Start,
    send::{Attempt, FailureClass, Sender, Verdict},
    telemetry::{Metrics, events::AttemptFinished},
};

/// A disk that cannot be read is asked again after this time. The attempt is not counted, because none was made.
const READ_AGAIN: Duration = Duration::from_secs(1);
/// How often an event is in memory during an attempt: as it is kept, and as the body that is sent.
const COPIES: usize = 2;

/// What an attempt needs, all of the moment at which it begins.
pub struct Context {
    /// Where to.
    pub endpoint: Arc<Endpoint>,
    /// Whose.
    pub webhook: Arc<WebhookConfig>,
    /// Sends it.
    pub sender: Arc<Sender>,
    /// Has the event, if it is not at hand.
    pub journal: Journal,
    /// Room for it.
    pub memory: Memory,
    /// Counts it.
    pub metrics: Metrics,
}

/// What came of an attempt.
#[derive(Debug)]
pub struct Attempted {
    /// Id of the event; `None` when it could not be had. Not the event itself, whose room is free again.
    pub event_id: Option<String>,
    /// The verdict.
    pub verdict: Verdict,
    /// What is kept of it; `None` when none was made.
    pub record: Option<AttemptRecord>,
}

/// Makes an attempt.
pub async fn attempt(start: Start, context: Context) -> Attempted {
    // The journal is asked only for an event that is not at hand: its writer holds up those who look at its state.
    let bytes = start.event.as_ref().map(|event| event.bytes());
    let bytes = bytes.or_else(|| context.journal.stored_bytes(start.seq)).unwrap_or(0).saturating_mul(COPIES);
    let (at_hand, _room) = if let Some(room) = context.memory.room_now(bytes) {
        (start.event, room)
    } else {
        // Who waits must hold no event: it is read from the journal when there is room for it.
        drop(start.event);
        (None, context.memory.room(bytes).await)
    };
    let event = match at_hand {
        Some(event) => event,
        None => match read(&context.journal, start.seq).await {
            Ok(event) => Arc::new(event),
            Err(message) => return Attempted { event_id: None, verdict: unreadable(message), record: None },
        },
    };
    let now = Timestamp::now();
    let report = {
        let _in_flight = context.metrics.attempt_started();
        let attempt = Attempt {
            endpoint: &context.endpoint,
            event: &event,
            webhook_name: &context.webhook.name,
            webhook_namespace: &context.webhook.namespace,
            number: start.attempt,
            now,
        };
        context.sender.attempt(attempt).await
    };
    let name = &context.endpoint.name;
    AttemptFinished { endpoint: name, event_id: &event.id, attempt: start.attempt, report: &report }
        .emit(&context.metrics);
    let record = history::attempt_record(&context.endpoint, start.attempt, now.as_millisecond(), &report);
    Attempted { event_id: Some(event.id.clone()), verdict: report.verdict, record: Some(record) }
}

/// The event from the journal; an error is one that stays.
async fn read(journal: &Journal, seq: Seq) -> Result<Event, String> {
    loop {
        let reader = journal.clone();
        // Reading waits for the disk, which must not stop everything else.
        match spawn_blocking(move || reader.read(seq)).await {
            Ok(Ok(Some(stored))) => return Event::decode(stored.payload).map_err(|error| error.to_string()),
            Ok(Ok(None)) => return Err("the event is no longer in the journal".to_owned()),
            Ok(Err(error @ journal::Error::Damaged { .. })) => return Err(error.to_string()),
            Ok(Err(error)) => tracing::error!(seq, %error, "an event cannot be read; trying again"),
            Err(error) => tracing::error!(seq, %error, "reading an event failed; trying again"),
        }
        sleep(READ_AGAIN).await;
    }
}

fn unreadable(message: String) -> Verdict {
    let failure = Failure { status: None, reason: healthy::RENDER_ERROR.to_owned(), message };
    Verdict::Failed { failure, retry_after: None, class: FailureClass::Permanent }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;
    use posthaste_delivery_config::{AddressPolicy, Redacted};
    use posthaste_journal::{Disk, NewEvent, Ordinal};

    use super::*;
    use crate::{
        config::testing::{endpoint, webhook},
        run::{clock::now_ms, open, testing::Receiver},
        schedule::testing,
    };

    #[tokio::test]
    async fn who_waits_for_memory_holds_no_event_and_reads_it_when_there_is_room() {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let directory = tempfile::tempdir().unwrap();
        let webhook = Arc::new(webhook(1));
        let options = open::options(directory.path(), &webhook);
        let (journal, _) = Journal::open(Arc::new(Disk), options, now_ms(), |_| {}).unwrap();
        let ordinal = journal.ordinal("uid-acme").await.unwrap();
        let event = testing::event("one");
        let new = NewEvent {
            payload: event.encode(),
            accepted_ms: now_ms(),
            idempotency: None,
            deliveries: vec![ordinal],
            group: 0,
        };
        journal.accept(vec![new]).await.unwrap();
        let receiver = Receiver::healthy().await;
        let mut config = endpoint("acme");
        config.target.url = Redacted::new(receiver.url());
        let policy = AddressPolicy { allow: vec!["127.0.0.0/8".parse().unwrap()], deny: Vec::new() };
        let memory = Memory::new(1_000);
        let context = Context {
            endpoint: Arc::new(Endpoint::compile(&config).unwrap()),
            webhook,
            sender: Arc::new(Sender::new(&policy).unwrap()),
            journal,
            memory: memory.clone(),
            metrics: Metrics::new(),
        };

        let taken = memory.room_now(1_000).unwrap();
        let at_hand = Arc::downgrade(&event);
        let start = Start { ordinal: Ordinal(0), seq: 1, attempt: 1, event: Some(event) };
        let mut waiting = std::pin::pin!(attempt(start, context));
        assert!(waiting.as_mut().now_or_never().is_none());
        assert!(at_hand.upgrade().is_none(), "it is in memory although there is no room for it");
        assert!(receiver.received().is_empty());
        drop(taken);
        let attempted = tokio::time::timeout(Duration::from_secs(30), waiting).await.expect("there is room");
        assert_eq!(attempted.event_id.as_deref(), Some("one"));
        assert!(matches!(attempted.verdict, Verdict::Succeeded { .. }), "{attempted:?}");
        assert_eq!(receiver.received()[0].id, "one");
        assert!(memory.room_now(1_000).is_some(), "the room is free again");
    }
}
