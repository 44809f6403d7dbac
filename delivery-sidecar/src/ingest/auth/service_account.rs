//! Authorization by ServiceAccount token, with the API server's answers remembered.

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use futures::{
    FutureExt,
    future::{BoxFuture, Shared},
};
use kube::Client;
use tokio::{sync::Semaphore, time::timeout};

use super::{
    Authorizer, Caller, Denied, Right,
    cache::{Cache, Decision, Key, Lifetimes},
    review::{AUDIENCE, Reviewer, unavailable},
};
use crate::{
    ingest::Clock,
    telemetry::{
        Metrics,
        events::{ReviewFinished, TokenRemembered},
        labels::ReviewResult,
    },
};

/// Most decisions that are remembered.
const CAPACITY: usize = 4096;
/// Most reviews in progress: a flood of unknown tokens must not become a flood of requests to the API server.
const CONCURRENT_REVIEWS: usize = 32;
/// Longest time that a request waits for a review, waiting for its turn included.
const REVIEW_TIME: Duration = Duration::from_secs(5);
/// Longest token. A ServiceAccount's has about 1,000 characters.
const MAX_TOKEN: usize = 16 * 1024;

/// Lets in the bearers of tokens that TokenReview knows, for the audience `posthaste.dev`, and that
/// LocalSubjectAccessReview gives the right.
///
/// Decisions are remembered by the token's hash: allowed for a minute, denied for ten seconds. Requests with the same
/// token at the same time wait for one review. Cheap to clone; clones share what is remembered.
#[derive(Clone)]
pub struct ServiceAccountAuthorizer {
    reviewer: Reviewer,
    clock: Clock,
    turns: Arc<Semaphore>,
    review_time: Duration,
    known: Arc<Mutex<Known>>,
}

struct Known {
    cache: Cache,
    flights: HashMap<Key, Flight>,
}

/// A review in progress.
type Flight = Shared<BoxFuture<'static, Decision>>;

impl fmt::Debug for ServiceAccountAuthorizer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Reviewer { namespace, webhook, .. } = &self.reviewer;
        f.debug_struct("ServiceAccountAuthorizer")
            .field("namespace", namespace)
            .field("webhook", webhook)
            .finish_non_exhaustive()
    }
}

impl ServiceAccountAuthorizer {
    /// Decides about rights on one Webhook.
    pub fn new(client: Client, namespace: &str, webhook: &str, clock: Clock, metrics: Metrics) -> Self {
        Self {
            reviewer: Reviewer { client, namespace: namespace.into(), webhook: webhook.into(), metrics },
            clock,
            turns: Arc::new(Semaphore::new(CONCURRENT_REVIEWS)),
            review_time: REVIEW_TIME,
            known: Arc::new(Mutex::new(Known {
                cache: Cache::new(CAPACITY, Lifetimes::STANDARD),
                flights: HashMap::new(),
            })),
        }
    }

    #[cfg(test)]
    pub(super) fn with_review_time(self, review_time: Duration) -> Self {
        Self { review_time, ..self }
    }

    async fn decide(&self, token: Option<&str>, right: Right) -> Result<Caller, Denied> {
        let token = token.filter(|token| !token.is_empty()).ok_or_else(|| {
            Denied::Unauthenticated(
                format!("The request has no token. Send Authorization: Bearer with a ServiceAccount token for the audience \"{AUDIENCE}\".")
                    .into(),
            )
        })?;
        if token.len() > MAX_TOKEN {
            return Err(Denied::Unauthenticated("The token is too long to be one of a ServiceAccount.".into()));
        }
        let key = Key::new(token, right);
        let flight = {
            let mut known = self.lock();
            if let Some(decision) = known.cache.get(&key, self.now_ms()) {
                TokenRemembered.emit(&self.reviewer.metrics);
                return decision.clone();
            }
            known.flights.entry(key).or_insert_with(|| self.take_off(key, token.to_owned(), right)).clone()
        };
        flight.await
    }

    /// Starts a review. It runs by itself, so that it ends, and is remembered, even if all who wait for it go away.
    fn take_off(&self, key: Key, token: String, right: Right) -> Flight {
        let this = self.clone();
        let review = tokio::spawn(async move {
            let review = async {
                let _turn = this.turns.acquire().await;
                this.reviewer.review(token, right).await
            };
            let decision = timeout(this.review_time, review).await.unwrap_or_else(|_| {
                let error = Some("no answer in time");
                ReviewFinished { result: ReviewResult::Error, user: None, error }.emit(&this.reviewer.metrics);
                Err(unavailable())
            });
            let mut known = this.lock();
            known.flights.remove(&key);
            known.cache.put(key, decision.clone(), this.now_ms());
            decision
        });
        async { review.await.unwrap_or_else(|_| Err(unavailable())) }.boxed().shared()
    }

    fn now_ms(&self) -> i64 {
        (self.clock)().as_millisecond()
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        // Both maps are whole after every statement, so a panic elsewhere leaves nothing half done.
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Authorizer for ServiceAccountAuthorizer {
    fn authorize<'a>(&'a self, token: Option<&'a str>, right: Right) -> BoxFuture<'a, Result<Caller, Denied>> {
        self.decide(token, right).boxed()
    }
}
