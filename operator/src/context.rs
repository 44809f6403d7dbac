//! What reconciles share.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use kube::{
    Client,
    api::PartialObjectMeta,
    core::DeserializeGuard,
    runtime::reflector::{Store, store::Writer},
};
use posthaste_crds::v1alpha1::{Webhook, WebhookEndpoint};
use posthaste_delivery_config::StatusBudget;
use tokio::{sync::watch, time::Instant};

use crate::{
    apply::Applier,
    args::Settings,
    backoff::Failures,
    board::Board,
    budget,
    children::Children,
    events::Events,
    key::Key,
    metrics::Metrics,
    references::References,
    scope::Scope,
    sync::lock,
    watch::{Queues, Triggers, Writers},
};

/// Metadata of an object whose content nobody needs to watch.
pub type Meta<K> = PartialObjectMeta<K>;

/// What all scopes of the process share.
pub struct Shared {
    /// The API server.
    pub client: Client,
    /// What every Webhook's children have in common.
    pub settings: Settings,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// Tells users.
    pub events: Events,
    /// By what the budget of status writes is divided; see [`budget`].
    pub divisor: watch::Sender<u32>,
    /// Webhooks by scope, in the order of the scopes; their sum decides the divisor.
    counts: Mutex<Vec<usize>>,
}

impl Shared {
    /// For a process that watches so many scopes.
    pub fn new(client: Client, settings: Settings, metrics: Arc<Metrics>, instance: &str, scopes: usize) -> Self {
        let events = Events::new(client.clone(), instance);
        Self {
            client,
            settings,
            metrics,
            events,
            divisor: watch::Sender::new(budget::divisor(0)),
            counts: Mutex::new(vec![0; scopes]),
        }
    }

    /// The share of the status writes that each Webhook has now.
    pub fn status_budget(&self) -> StatusBudget {
        budget::share(self.settings.status_mode, self.settings.status_writes_per_second, *self.divisor.borrow())
    }

    /// Notes how many Webhooks a scope has.
    pub fn count(&self, scope: usize, webhooks: usize) {
        let total = {
            let mut counts = lock(&self.counts);
            if let Some(count) = counts.get_mut(scope) {
                *count = webhooks;
            }
            counts.iter().sum()
        };
        let divisor = budget::divisor(total);
        self.divisor.send_if_modified(|current| std::mem::replace(current, divisor) != divisor);
    }
}

/// What the controllers of one scope share.
pub struct Context {
    /// What all scopes share.
    pub shared: Arc<Shared>,
    /// The part of the cluster.
    pub scope: Scope,
    /// Its number among the scopes.
    pub number: usize,
    /// All Webhooks.
    pub webhooks: Store<DeserializeGuard<Webhook>>,
    /// All endpoints.
    pub endpoints: Store<DeserializeGuard<WebhookEndpoint>>,
    /// What is known of the children.
    pub children: Mutex<Children>,
    /// What endpoints refer to.
    pub references: Mutex<References>,
    /// What was found out about endpoints.
    pub board: Mutex<Board>,
    /// Asks for reconciles.
    pub triggers: Triggers,
    /// Webhooks whose last reconcile failed.
    pub webhook_failures: Failures<Key>,
    /// Endpoints whose last reconcile failed.
    pub endpoint_failures: Failures<Key>,
    /// When each Webhook was reconciled last.
    pub reconciled: Mutex<HashMap<Key, Instant>>,
}

impl Context {
    /// For a scope, with the writing ends of its caches and the taking ends of its queues.
    pub fn new(shared: Arc<Shared>, scope: Scope, number: usize) -> (Arc<Self>, Writers, Queues) {
        let writers = Writers { webhooks: Writer::default(), endpoints: Writer::default() };
        let (triggers, queues) = Triggers::new();
        let context = Self {
            shared,
            scope,
            number,
            webhooks: writers.webhooks.as_reader(),
            endpoints: writers.endpoints.as_reader(),
            children: Mutex::default(),
            references: Mutex::default(),
            board: Mutex::default(),
            triggers,
            webhook_failures: Failures::default(),
            endpoint_failures: Failures::default(),
            reconciled: Mutex::default(),
        };
        (Arc::new(context), writers, queues)
    }

    /// Applies children.
    pub fn applier(&self) -> Applier<'_> {
        Applier { client: &self.shared.client, children: &self.children, metrics: &self.shared.metrics }
    }

    /// The endpoints of a namespace.
    pub fn endpoints_in(&self, namespace: &str) -> Vec<Arc<DeserializeGuard<WebhookEndpoint>>> {
        use kube::Resource;
        self.endpoints.state_filter(|endpoint| endpoint.meta().namespace.as_deref() == Some(namespace))
    }

    /// Forgets a Webhook that is gone.
    pub fn forget_webhook(&self, webhook: &Key) {
        lock(&self.children).forget(webhook);
        lock(&self.references).set(webhook, std::collections::HashSet::new());
        lock(&self.reconciled).remove(webhook);
        self.webhook_failures.forget(webhook);
    }

    /// Forgets an endpoint that is gone.
    pub fn forget_endpoint(&self, endpoint: &Key) {
        lock(&self.board).remove(endpoint);
        self.endpoint_failures.forget(endpoint);
    }

    /// How long to wait until a Webhook may be reconciled again, so that a series of changes (ten thousand endpoints
    /// created one by one) is taken together. The first change is taken at once.
    pub fn breather(&self, webhook: &Key) -> Option<Duration> {
        /// Least time from the end of one reconcile of a Webhook to the next.
        const BREATHER: Duration = Duration::from_millis(500);
        let last = lock(&self.reconciled).get(webhook).copied()?;
        BREATHER.checked_sub(last.elapsed()).filter(|left| !left.is_zero())
    }
}
