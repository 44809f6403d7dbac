//! The life of the process: wait for the kinds, wait for the Lease, watch and reconcile, stop.

use std::{sync::Arc, time::Duration};

use anyhow::{Context as _, anyhow, bail};
use futures::future::join_all;
use kube::Client;
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::{Notify, watch},
    task::JoinSet,
    time::timeout,
};

use crate::{
    admin,
    args::Args,
    context::{Context, Shared},
    controllers,
    lease::Election,
    metrics::Metrics,
    readiness::{self, Readiness, Stage},
    reviewer,
    watch::{self as watches, Trigger},
};

/// How long a stop waits for reconciles that are under way.
const GRACE: Duration = Duration::from_secs(15);

/// Runs until a signal, or until something is wrong that only a restart mends.
///
/// # Errors
/// What is wrong.
pub async fn run(args: Args) -> anyhow::Result<()> {
    let mut stop = stop_signal()?;
    let client = Client::try_default().await.context("cannot find out how to reach the API server")?;
    let (metrics, readiness) = (Arc::new(Metrics::default()), Arc::new(Readiness::default()));
    let listener = admin::bind(args.admin_address)
        .await
        .with_context(|| format!("cannot listen on --admin-address {}", args.admin_address))?;
    // Answers until the end, so that a replica that stops says so.
    let admin = tokio::spawn(admin::serve(listener, Arc::clone(&readiness), Arc::clone(&metrics)));
    let looking = {
        let (client, readiness, metrics) = (client.clone(), Arc::clone(&readiness), Arc::clone(&metrics));
        tokio::spawn(async move { readiness::keep_looking(client, &readiness, &metrics).await })
    };

    let mut election =
        args.leader_election.then(|| Election::new(client.clone(), &args.namespace, &args.lease_name, &args.pod_name));
    let begin = async {
        readiness::served(&readiness).await;
        if let Some(election) = &mut election {
            readiness.set_stage(Stage::StandingBy);
            tracing::info!(lease = args.lease_name, "standing by");
            election.acquire().await;
        }
    };
    let begun = tokio::select! {
        () = begin => true,
        () = stopped(stop.clone()) => false,
    };
    let result = if begun {
        metrics.set_leading(true);
        readiness.set_stage(Stage::Filling);
        tracing::info!("working");
        work(&args, &client, &metrics, &readiness, election.as_mut(), &mut stop).await
    } else {
        Ok(())
    };
    readiness.set_stage(Stage::Stopping);
    if let (Some(election), true, Ok(())) = (&election, begun, &result) {
        election.release().await;
    }
    metrics.set_leading(false);
    looking.abort();
    admin.abort();
    result
}

/// Watches and reconciles all scopes.
async fn work(
    args: &Args,
    client: &Client,
    metrics: &Arc<Metrics>,
    readiness: &Readiness,
    election: Option<&mut Election>,
    stop: &mut watch::Receiver<bool>,
) -> anyhow::Result<()> {
    let scopes = args.scopes();
    let shared = Shared::new(client.clone(), args.settings(), Arc::clone(metrics), &args.pod_name, scopes.len());
    let shared = Arc::new(shared);
    let webhooks_changed = Arc::new(Notify::new());
    let mut background = JoinSet::new();
    let mut started = Vec::new();
    let mut synced = Vec::new();
    for (number, scope) in scopes.into_iter().enumerate() {
        let (context, writers, queues) = Context::new(Arc::clone(&shared), scope, number);
        synced.extend(watches::start(&context, writers, &webhooks_changed, &mut background));
        started.push((context, queues));
    }
    // Reconciling from incomplete caches would take what is not there yet for deleted.
    tokio::select! {
        results = join_all(synced) => {
            if results.iter().any(Result::is_err) {
                bail!("a watch broke off before its first list was complete");
            }
        }
        () = stopped(stop.clone()) => return Ok(()),
        Some(ended) = background.join_next() => return Err(broke_off(ended)),
    }
    readiness.set_stage(Stage::Working);
    tracing::info!("the caches are filled");

    if let (Some(name), Some((context, _))) = (&args.reviewer_binding, started.first()) {
        background.spawn(reviewer::run(Arc::clone(context), name.clone(), Arc::clone(&webhooks_changed)));
    }
    let mut controllers = JoinSet::new();
    for (context, queues) in started {
        background.spawn(follow_budget(Arc::clone(&context)));
        controllers.spawn(controllers::run(context, queues, stop.clone()));
    }
    let lost = async {
        match election {
            Some(election) => election.hold().await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        () = stopped(stop.clone()) => {}
        why = lost => bail!("no longer the leader: {why}"),
        Some(ended) = background.join_next() => return Err(broke_off(ended)),
        Some(ended) = controllers.join_next() => return Err(broke_off(ended)),
    }
    tracing::info!("stopping");
    if timeout(GRACE, controllers.join_all()).await.is_err() {
        tracing::warn!("stopped before all reconciles were done; the next leader does them again");
    }
    Ok(())
}

/// Reconciles every Webhook when its share of the status writes has changed.
async fn follow_budget(context: Arc<Context>) {
    let mut divisor = context.shared.divisor.subscribe();
    while divisor.changed().await.is_ok() {
        for key in controllers::all_keys(&context.webhooks) {
            context.triggers.send(Trigger::Webhook(key)).await;
        }
    }
}

fn broke_off(ended: Result<(), tokio::task::JoinError>) -> anyhow::Error {
    match ended {
        Ok(()) => anyhow!("a task ended that should run for as long as the process"),
        Err(error) => anyhow!("a task broke off: {error}"),
    }
}

/// Becomes true with SIGTERM or SIGINT.
fn stop_signal() -> anyhow::Result<watch::Receiver<bool>> {
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let (send, receive) = watch::channel(false);
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        let _ = send.send(true);
    });
    Ok(receive)
}

async fn stopped(mut stop: watch::Receiver<bool>) {
    // A sender that is gone has sent its signal.
    let _ = stop.wait_for(|stop| *stop).await;
}

#[cfg(test)]
mod tests;
