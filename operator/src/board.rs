//! What the reconciles of Webhooks found out about their endpoints, for the reconciles of those endpoints.

use std::collections::HashMap;

use posthaste_delivery_config::resolve::Outcome;

use crate::key::Key;

/// What is to be said of an endpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// UID of the endpoint that was judged.
    pub uid: String,
    /// UID of the Webhook that it was judged for, so that a successor of the same name brings news.
    pub webhook: String,
    /// Generation that was judged.
    pub generation: i64,
    /// Condition `Accepted`.
    pub accepted: Outcome,
    /// Condition `ResolvedRefs`.
    pub resolved_refs: Outcome,
    /// Whether a sidecar is in charge of it: it is in the configuration of a Webhook that runs.
    pub delivering: bool,
    /// The Secret of its generated key.
    pub signing_secret: Option<String>,
}

/// The latest verdicts of one scope.
#[derive(Debug, Default)]
pub struct Board(HashMap<Key, Verdict>);

impl Board {
    /// Puts a verdict up. Whether it is another one than before.
    pub fn put(&mut self, endpoint: Key, verdict: Verdict) -> bool {
        let known = self.0.get(&endpoint) == Some(&verdict);
        if !known {
            self.0.insert(endpoint, verdict);
        }
        !known
    }

    /// The verdict on an endpoint.
    pub fn get(&self, endpoint: &Key) -> Option<Verdict> {
        self.0.get(endpoint).cloned()
    }

    /// Takes a verdict down: the endpoint or its Webhook is gone.
    pub fn remove(&mut self, endpoint: &Key) {
        self.0.remove(endpoint);
    }
}
