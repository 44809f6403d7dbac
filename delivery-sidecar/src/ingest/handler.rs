//! `POST /v1/events`, step by step. A step may refuse the whole request; only the checks of single events refuse single
//! events.

use std::sync::{Mutex, PoisonError};

use axum::{
    extract::{Request, State},
    response::{IntoResponse, Response},
};
use posthaste_delivery_config::Authentication;
use tokio::{sync::Semaphore, task::yield_now};

use super::{
    Ingest,
    accept::{AcceptError, Prepared},
    answer::{self, Outcome},
    auth::{self, PUBLISH},
    body::{Memory, overloaded},
    limits::{RETRY_FAILING, RETRY_FULL, RETRY_STOPPING},
    media,
    parse::{
        check::Checker,
        split::{Body, Item, split},
    },
    problem::{Kind, Problem},
    rate::{Bucket, Refused},
    settings::Settings,
};
use crate::telemetry::{
    events::{EventsHandled, JournalFailed},
    labels::EventResult,
};

/// Bytes of events after whose checking other tasks get a turn.
const TURN: usize = 256 * 1024;
/// Checking an event by a schema takes as long as checking so many bytes without, or longer.
const SCHEMA: usize = TURN / 8;

/// What all requests share.
pub(super) struct Shared {
    pub ingest: Ingest,
    requests: Semaphore,
    memory: Memory,
    rate: Mutex<Bucket>,
}

impl Shared {
    pub(super) fn new(ingest: Ingest) -> Self {
        Self {
            requests: Semaphore::new(ingest.limits.requests),
            memory: Memory::new(ingest.limits, ingest.metrics.clone()),
            rate: Mutex::default(),
            ingest,
        }
    }
}

/// The handler.
pub(super) async fn post_events(State(shared): State<std::sync::Arc<Shared>>, request: Request) -> Response {
    match shared.handle(request).await {
        Ok(response) => response,
        Err(problem) => problem.into_response(),
    }
}

impl Shared {
    async fn handle(&self, request: Request) -> Result<Response, Problem> {
        let ingest = &self.ingest;
        if ingest.shutdown.requested() {
            return Err(stopping());
        }
        let _turn = self.requests.try_acquire().map_err(|_| overloaded())?;
        let settings = ingest.settings.load_full();
        let (parts, body) = request.into_parts();
        media::check_accept(&parts.headers)?;
        match settings.authentication {
            Authentication::ServiceAccount => {
                ingest.authorizer.authorize(auth::bearer(&parts.headers), PUBLISH).await?;
            }
            Authentication::BearerKeys => settings.bearer_keys.check(auth::bearer(&parts.headers))?,
            Authentication::None => {}
        }
        let (format, coding) = (media::format(&parts.headers)?, media::coding(&parts.headers)?);
        let held = self.memory.read(body).await?;
        let held = match coding {
            None => held,
            Some(coding) => self.memory.expand(held, coding).await?,
        };
        match split(&held.bytes, format, ingest.limits.events)? {
            Body::One(text) => {
                let mut outcomes = self.keep(&settings, vec![Item { text, line: None }]).await?;
                Ok(answer::one(outcomes.remove(0)))
            }
            Body::Batch(items) => Ok(answer::batch(&self.keep(&settings, items).await?)),
        }
    }

    /// Checks events, keeps the good ones, and says for each what became of it.
    async fn keep(&self, settings: &Settings, items: Vec<Item>) -> Result<Vec<Outcome>, Problem> {
        let mut good = Vec::with_capacity(items.len());
        let mut remember_id = |event: Prepared| {
            let id = event.event.id.clone();
            good.push(event);
            id
        };
        let checked = self.check(settings, &items).await.into_iter();
        let checked: Vec<_> = checked.map(|event| event.map(&mut remember_id)).collect();
        let kept = if good.is_empty() { Vec::new() } else { self.accept(settings, good).await? };

        let mut kept = kept.into_iter();
        let outcomes = checked.into_iter().zip(&items).map(|(checked, item)| match checked {
            // One for each that was handed over: see `AcceptEvents`.
            Ok(id) => Outcome::new(id, kept.next().expect("an answer for each event"), item.line),
            Err(problem) => Outcome::Refused { problem, line: item.line },
        });
        let outcomes: Vec<_> = outcomes.collect();
        self.count(&outcomes);
        Ok(outcomes)
    }

    async fn check(&self, settings: &Settings, items: &[Item]) -> Vec<Result<Prepared, Problem>> {
        let mut checker = Checker::new(settings, (self.ingest.clock)(), &*self.ingest.new_id);
        let mut results = Vec::with_capacity(items.len());
        let mut bytes = 0;
        for item in items {
            let by_schema = checker.checked_by_schema();
            results.push(checker.check(&item.text));
            bytes += item.text.len() + SCHEMA * (checker.checked_by_schema() - by_schema);
            if bytes >= TURN {
                bytes = 0;
                yield_now().await;
            }
        }
        results
    }

    /// Lets events through the rate limit and into the journal: all of them, or none.
    async fn accept(&self, settings: &Settings, events: Vec<Prepared>) -> Result<Vec<super::Kept>, Problem> {
        let count = u32::try_from(events.len()).unwrap_or(u32::MAX);
        self.take_rate(settings, count)?;
        let number = events.len();
        match self.ingest.journal.accept(events).await {
            Ok(kept) => {
                debug_assert_eq!(kept.len(), number, "an answer for each event");
                Ok(kept)
            }
            Err(error) => {
                if let Some(limit) = settings.event_rate {
                    self.rate.lock().unwrap_or_else(PoisonError::into_inner).give_back(limit, count);
                }
                self.tell(EventResult::Unavailable, u64::from(count), 0);
                if let AcceptError::Failing(error) = &error {
                    JournalFailed { error }.emit(&self.ingest.metrics);
                }
                Err(not_kept(&error))
            }
        }
    }

    fn take_rate(&self, settings: &Settings, count: u32) -> Result<(), Problem> {
        let Some(limit) = settings.event_rate else { return Ok(()) };
        let now = (self.ingest.clock)().as_nanosecond();
        let taken = self.rate.lock().unwrap_or_else(PoisonError::into_inner).take(limit, count, now);
        let problem = match taken {
            Ok(()) => return Ok(()),
            Err(Refused::Later(wait)) => Problem::new(
                Kind::RateLimited,
                format!(
                    "The Webhook takes {} events in {} ms (spec.limits.eventRate). Nothing of this request was kept.",
                    limit.limit, limit.per_ms
                ),
            )
            .retry_after(wait),
            Err(Refused::Never) => Problem::new(
                Kind::TooManyEvents,
                format!(
                    "The request holds {count} events; the Webhook takes {} in {} ms (spec.limits.eventRate), so more \
                     can never pass at once. Nothing of it was kept.",
                    limit.limit, limit.per_ms
                ),
            ),
        };
        self.tell(EventResult::RateLimited, u64::from(count), 0);
        Err(problem)
    }

    fn count(&self, outcomes: &[Outcome]) {
        for &result in EventResult::ALL {
            let (mut events, mut deliveries) = (0, 0);
            for outcome in outcomes.iter().filter(|outcome| result_of(outcome) == result) {
                events += 1;
                if let Outcome::Kept { deliveries: n, duplicate: false, .. } = outcome {
                    deliveries += u64::from(*n);
                }
            }
            self.tell(result, events, deliveries);
        }
    }

    fn tell(&self, result: EventResult, events: u64, deliveries: u64) {
        if events > 0 {
            EventsHandled { result, events, deliveries }.emit(&self.ingest.metrics);
        }
    }
}

fn result_of(outcome: &Outcome) -> EventResult {
    match outcome {
        Outcome::Kept { duplicate: false, .. } => EventResult::Accepted,
        Outcome::Kept { duplicate: true, .. } => EventResult::Duplicate,
        Outcome::Refused { problem, .. } => match problem.kind {
            Kind::IdConflict => EventResult::Conflict,
            Kind::EventTooLarge => EventResult::TooLarge,
            _ => EventResult::Invalid,
        },
    }
}

fn not_kept(error: &AcceptError) -> Problem {
    match error {
        AcceptError::Full => {
            Problem::new(Kind::JournalFull, "The journal is full. Nothing of this request was kept; try again later.")
                .retry_after(RETRY_FULL)
        }
        AcceptError::Failing(_) => Problem::new(
            Kind::JournalFailing,
            "The journal cannot be written. Nothing of this request is acknowledged; send it again.",
        )
        .retry_after(RETRY_FAILING),
        AcceptError::Stopping => stopping(),
    }
}

fn stopping() -> Problem {
    Problem::new(Kind::Stopping, "This process is stopping. Nothing of this request was kept; try again.")
        .retry_after(RETRY_STOPPING)
}
