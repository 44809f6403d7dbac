//! Delivers for a Webhook of a cluster: the configuration comes from Secrets, status goes to the API server.

use std::{net::SocketAddr, path::PathBuf, sync::Arc};

use anyhow::Context;
use kube::Client;
use tokio::{net::TcpListener, sync::watch};

use super::delivery::{Delivery, Setup};
use crate::{
    admin::{self, Latch, Readiness},
    config::{self, KubeSource, Loaded, State},
    ingest::{self, Authorizer, ServiceAccountAuthorizer},
    report::{KubeSink, ReportMetrics},
    serve,
    shutdown::{self, Shutdown},
    telemetry::Metrics,
};

/// What the command line says.
#[derive(Clone, Debug)]
pub struct Options {
    /// Name of the Webhook.
    pub webhook: String,
    /// Its namespace.
    pub namespace: String,
    /// Directory of the journal.
    pub data_directory: PathBuf,
    /// Where events are taken in.
    pub listen: SocketAddr,
    /// Where probes and metrics are answered.
    pub admin: SocketAddr,
}

/// Delivers until the process is asked to stop.
///
/// # Errors
/// What makes it impossible to go on, for the log of a container that ends.
pub async fn run(options: Options) -> anyhow::Result<()> {
    let (trigger, shutdown) = shutdown::channel();
    let signal = tokio::spawn(async move {
        let signal = shutdown::on_signal().await;
        tracing::info!(signal = signal.unwrap_or("an error"), "stopping");
        trigger.start();
    });
    let report_metrics = ReportMetrics::default();
    let metrics = Metrics::with(|registry| report_metrics.register(registry));
    let readiness = Readiness::new();
    let configured = readiness.latch("configuration", "not read yet");
    let (admin_trigger, stop_admin) = shutdown::channel();
    let admin = TcpListener::bind(options.admin).await;
    let admin = admin.with_context(|| format!("cannot listen on {}", options.admin))?;
    let admin_router = admin::router(readiness.clone(), metrics.clone());
    let admin = tokio::spawn(serve::serve(admin, admin_router, serve::Limits::default(), stop_admin));

    let client = Client::try_default().await.context("cannot find the API server")?;
    let (state_sender, mut state) = watch::channel(State::default());
    let mut watch = tokio::spawn({
        let source = KubeSource::new(client.clone(), &options.namespace, &options.webhook);
        let metrics = metrics.clone();
        async move { config::follow(config::watch_index(&source), &source, &state_sender, &metrics).await }
    });
    let work = async {
        let Some(loaded) = first(&mut state, &configured, &shutdown).await else { return Ok(()) };
        let observed = Observed { metrics, report_metrics, readiness };
        deliver(options, client, loaded, state, observed, &shutdown).await
    };
    tokio::select! {
        result = Box::pin(work) => result?,
        // Without it the old configuration would stay in force, and nobody would know.
        ended = &mut watch => match ended {
            Ok(()) => anyhow::bail!("the watch of the configuration has ended"),
            Err(error) => anyhow::bail!("the watch of the configuration has failed: {error}"),
        },
    }
    watch.abort();
    signal.abort();
    admin_trigger.start();
    admin.await.context("the admin listener failed")?;
    Ok(())
}

/// Waits for the first configuration; `None` when the process is asked to stop before.
async fn first(state: &mut watch::Receiver<State>, configured: &Latch, shutdown: &Shutdown) -> Option<Arc<Loaded>> {
    loop {
        let State { loaded, error } = state.borrow_and_update().clone();
        if let Some(loaded) = loaded {
            configured.set();
            return Some(loaded);
        }
        if let Some(error) = error {
            configured.unset(error);
        }
        tokio::select! {
            changed = state.changed() => if changed.is_err() {
                // Its writer has failed, which `run` tells.
                shutdown.wait().await;
                return None;
            },
            () = shutdown.wait() => return None,
        }
    }
}

/// What others look at.
struct Observed {
    metrics: Metrics,
    report_metrics: ReportMetrics,
    readiness: Readiness,
}

async fn deliver(
    options: Options,
    client: Client,
    loaded: Arc<Loaded>,
    configurations: watch::Receiver<State>,
    observed: Observed,
    shutdown: &Shutdown,
) -> anyhow::Result<()> {
    let Options { webhook, namespace, data_directory, listen, .. } = options;
    let Observed { metrics, report_metrics, readiness } = observed;
    let sink = KubeSink::new(client.clone(), &namespace, &webhook, &loaded.webhook.uid);
    let clock = ingest::system_clock();
    let authorizer = ServiceAccountAuthorizer::new(client, &namespace, &webhook, clock, metrics.clone());
    let authorizer = Arc::new(authorizer);
    let setup = Setup {
        data_directory,
        loaded,
        configurations,
        listen,
        operators: Arc::clone(&authorizer) as Arc<dyn Authorizer>,
        authorizer,
        sink,
        metrics,
        report_metrics,
        readiness,
    };
    let Some(mut delivery) = Delivery::start(setup, shutdown).await? else { return Ok(()) };
    tracing::info!(address = %delivery.address(), "taking events");
    let broken = tokio::select! {
        () = shutdown.wait() => None,
        error = delivery.broken() => Some(error),
    };
    if let Some(error) = broken {
        return Err(error);
    }
    delivery.stop().await;
    Ok(())
}
