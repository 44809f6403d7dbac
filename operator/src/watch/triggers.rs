//! Where reconciles are asked for, and where the controllers take the requests from.

use tokio::sync::mpsc;

use crate::key::Key;

/// Requests that may wait in a queue. The controllers take them out at once and merge equal ones.
const QUEUE: usize = 1024;

/// Asks for a reconcile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trigger {
    /// Of a Webhook.
    Webhook(Key),
    /// Of an endpoint.
    Endpoint(Key),
}

/// Where reconciles are asked for.
#[derive(Clone)]
pub struct Triggers {
    webhooks: mpsc::Sender<Key>,
    endpoints: mpsc::Sender<Key>,
}

/// Where the controllers take requests from.
pub struct Queues {
    /// Webhooks to reconcile.
    pub webhooks: mpsc::Receiver<Key>,
    /// Endpoints to reconcile.
    pub endpoints: mpsc::Receiver<Key>,
}

impl Triggers {
    /// Both ends.
    pub fn new() -> (Self, Queues) {
        let (webhooks, webhook_queue) = mpsc::channel(QUEUE);
        let (endpoints, endpoint_queue) = mpsc::channel(QUEUE);
        (Self { webhooks, endpoints }, Queues { webhooks: webhook_queue, endpoints: endpoint_queue })
    }

    /// Asks; waits while the queue is full. A controller that has ended wants no more.
    pub async fn send(&self, trigger: Trigger) {
        let _ = match trigger {
            Trigger::Webhook(key) => self.webhooks.send(key).await,
            Trigger::Endpoint(key) => self.endpoints.send(key).await,
        };
    }
}
