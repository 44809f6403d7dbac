//! Runs the reconciles of one scope until told to stop.

use std::{convert::Infallible, sync::Arc};

use futures::{FutureExt, Stream, StreamExt, stream};
use kube::{
    Resource, ResourceExt,
    runtime::{
        applier,
        controller::{Action, Config, Error, ReconcileRequest},
        reflector::Store,
    },
};
use tokio::{sync::mpsc, sync::watch, time::Instant};

use crate::{context::Context, endpoint, key::Key, watch::Queues, webhook};

/// Reconciles of Webhooks at the same time.
const WEBHOOKS: u16 = 4;
/// Reconciles of endpoints at the same time: each is one small write at most.
const ENDPOINTS: u16 = 8;

/// Runs both controllers until `stop` is true and what was being done is done.
pub async fn run(context: Arc<Context>, queues: Queues, stop: watch::Receiver<bool>) {
    let webhooks = applier(
        |object, context: Arc<Context>| {
            measured("webhook", Arc::clone(&context), webhook::reconcile(object, context)).boxed()
        },
        |object, error, context| webhook::retry(&context, &Key::of(&*object), error),
        Arc::clone(&context),
        context.webhooks.clone(),
        requests(queues.webhooks, stop.clone()),
        Config::default().concurrency(WEBHOOKS),
    );
    let endpoints = applier(
        |object, context: Arc<Context>| {
            measured("endpoint", Arc::clone(&context), endpoint::reconcile(object, context)).boxed()
        },
        |object, error, context| endpoint::retry(&context, &Key::of(&*object), error),
        Arc::clone(&context),
        context.endpoints.clone(),
        requests(queues.endpoints, stop),
        Config::default().concurrency(ENDPOINTS),
    );
    // Tasks of their own: judging thousands of endpoints must not hold up the writing of statuses.
    let (webhooks, endpoints) = (tokio::spawn(drain(webhooks)), tokio::spawn(drain(endpoints)));
    for ended in [webhooks.await, endpoints.await] {
        if let Err(error) = ended {
            std::panic::resume_unwind(error.into_panic());
        }
    }
}

/// The queue of a controller. Ends when told to stop.
fn requests<K: Resource<DynamicType = ()>>(
    mut queue: mpsc::Receiver<Key>,
    mut stop: watch::Receiver<bool>,
) -> impl Stream<Item = Result<ReconcileRequest<K>, Infallible>> {
    let stopped = async move {
        // A sender that is gone means the same as a signal.
        let _ = stop.wait_for(|stop| *stop).await;
    };
    stream::poll_fn(move |cx| queue.poll_recv(cx)).map(|key| Ok(key.object_ref().into())).take_until(stopped)
}

/// Counts and times a reconcile.
async fn measured<E>(
    controller: &'static str,
    context: Arc<Context>,
    reconcile: impl Future<Output = Result<Action, E>>,
) -> Result<Action, E> {
    let started = Instant::now();
    let result = reconcile.await;
    context.shared.metrics.reconciled(controller, result.is_ok(), started.elapsed());
    result
}

/// Errors of reconciles are told where the wait is decided; an object that is gone needs no reconcile.
async fn drain<T, E>(results: impl Stream<Item = Result<T, Error<E, Infallible>>>)
where
    E: std::error::Error + 'static,
{
    results
        .for_each(|result| async move {
            match result {
                Ok(_) | Err(Error::ReconcilerFailed(..)) => {}
                Err(Error::ObjectNotFound(object)) => tracing::debug!(%object, "gone before it was reconciled"),
                Err(error @ (Error::QueueError(_) | Error::RunnerError(_))) => {
                    tracing::error!(%error, "a controller cannot go on");
                }
            }
        })
        .await;
}

/// Asks for a reconcile of every object of a cache.
pub fn all_keys<K>(store: &Store<K>) -> Vec<Key>
where
    K: Resource<DynamicType = ()> + ResourceExt + Clone + 'static,
{
    store.state().iter().map(|object| Key::of(&**object)).collect()
}
