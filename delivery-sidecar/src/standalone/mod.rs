//! The whole delivery from manifests, without a cluster: for trying it out, and for tests.
//!
//! Manifests are checked and resolved by the same functions as in a cluster. What differs is told when it starts:
//! ServiceAccount tokens cannot be reviewed, so events are taken from this machine only; Services are where `--service`
//! says; generated keys are kept in the data directory; statuses stay in memory and are printed at the end.

mod check;
mod columns;
mod configuration;
mod documents;
mod keys;
mod manifests;
mod tables;
#[cfg(test)]
mod tests;

use std::{
    io::{self, Write},
    net::{Ipv4Addr, SocketAddr},
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use anyhow::Context;
use jiff::Timestamp;
use tokio::{net::TcpListener, sync::watch, task::JoinHandle, time::sleep};

use self::{
    configuration::{Resolved, Surroundings, resolve},
    documents::Problem,
    keys::KeyDirectory,
};
use crate::{
    admin::{self, Readiness},
    args::StandaloneArgs,
    config::{Loader, State},
    ingest::auth::NoApiServer,
    report::{MemorySink, ReportMetrics},
    run::{Delivery, Setup},
    serve,
    shutdown::{self, Shutdown, Trigger},
    telemetry::Metrics,
};

/// With `--until-drained`, nothing must have waited for this long: events that are posted one after the other are not
/// the end.
const QUIET: Duration = Duration::from_secs(2);
const LOOK: Duration = Duration::from_millis(200);

/// What the command line says.
#[derive(Clone, Debug)]
pub struct Options {
    /// Manifests and surroundings.
    pub standalone: StandaloneArgs,
    /// Directory of journal and keys; `None` is one that goes when the process ends.
    pub data_directory: Option<PathBuf>,
    /// Where events are taken in.
    pub listen: Option<SocketAddr>,
    /// Where probes and metrics are answered, if anywhere.
    pub admin: Option<SocketAddr>,
}

/// Why a run did not end well.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The manifests are wrong: one line each.
    #[error("{}", lines(.0))]
    Manifests(Vec<Problem>),
    /// Anything else.
    #[error(transparent)]
    Other(#[from] anyhow::Error),
}

fn lines(problems: &[Problem]) -> String {
    problems.iter().map(Problem::to_string).collect::<Vec<_>>().join("\n")
}

/// Checks manifests.
///
/// # Errors
/// Everything that is wrong with them: one line each.
pub fn validate(paths: &[PathBuf], out: &mut impl Write) -> Result<(), RunError> {
    let manifests = check::read(paths, Timestamp::now()).map_err(RunError::Manifests)?;
    let problems = check::judge(&manifests);
    if !problems.is_empty() {
        return Err(RunError::Manifests(problems));
    }
    let (webhooks, endpoints) = (manifests.webhooks.len(), manifests.endpoints.len());
    writeln!(out, "valid: Webhooks: {webhooks}, WebhookEndpoints: {endpoints}").context("standard output")?;
    Ok(())
}

/// Delivers until the process is asked to stop, or with `--until-drained` until nothing is left to deliver, and prints
/// what came of it to `out`.
///
/// # Errors
/// Manifests that cannot run, and what makes it impossible to go on.
pub async fn run(options: Options, shutdown: Shutdown, out: &mut impl Write) -> Result<(), RunError> {
    let until_drained = options.standalone.until_drained;
    let Some(mut standalone) = Standalone::start(options, &shutdown, out).await? else { return Ok(()) };
    standalone.wait(&shutdown, until_drained).await?;
    let tables = standalone.finish().await;
    write!(out, "\n{tables}").context("standard output")?;
    Ok(())
}

/// A delivery from manifests.
struct Standalone {
    delivery: Delivery,
    resolved: Resolved,
    sink: Arc<MemorySink>,
    admin: Option<(Trigger, JoinHandle<usize>)>,
    directory: DataDirectory,
}

impl Standalone {
    /// Starts it, and tells `out` what differs from a cluster and where events are taken. `None` when `shutdown` came
    /// before that.
    async fn start(options: Options, shutdown: &Shutdown, out: &mut impl Write) -> Result<Option<Self>, RunError> {
        let directory = DataDirectory::open(options.data_directory.as_deref()).context("the data directory")?;
        let listen = options.listen.unwrap_or_else(|| SocketAddr::from((Ipv4Addr::LOCALHOST, 8080)));
        let resolved = resolved(&options.standalone, listen, directory.path())?;
        tell(&resolved, &directory, out).context("standard output")?;
        let report_metrics = ReportMetrics::default();
        let metrics = Metrics::with(|registry| report_metrics.register(registry));
        let readiness = Readiness::new();
        let admin = match options.admin {
            Some(address) => Some(serve_admin(address, &readiness, &metrics).await?),
            None => None,
        };
        let sink = Arc::new(MemorySink::new());
        let loaded = load(&resolved).await?;
        let setup = Setup {
            data_directory: directory.path().to_owned(),
            configurations: watch::channel(State { loaded: Some(Arc::clone(&loaded)), error: None }).1,
            loaded,
            listen,
            authorizer: Arc::new(NoApiServer),
            sink: Arc::clone(&sink),
            metrics,
            report_metrics,
            readiness,
        };
        let Some(delivery) = Delivery::start(setup, shutdown).await? else { return Ok(None) };
        let scheme = if resolved.configuration.index.webhook.tls.is_some() { "https" } else { "http" };
        writeln!(out, "taking events at {scheme}://{}/v1/events", delivery.address()).context("standard output")?;
        Ok(Some(Self { delivery, resolved, sink, admin, directory }))
    }

    /// Waits until it is time to end.
    async fn wait(&mut self, shutdown: &Shutdown, until_drained: bool) -> anyhow::Result<()> {
        let mut quiet = Duration::ZERO;
        while quiet < QUIET {
            tokio::select! {
                () = shutdown.wait() => return Ok(()),
                error = self.delivery.broken() => return Err(error),
                () = sleep(LOOK), if until_drained => {}
            }
            quiet = if self.delivery.is_drained().await { quiet + LOOK } else { Duration::ZERO };
        }
        Ok(())
    }

    /// Stops it, and returns the tables of what came of it.
    async fn finish(self) -> String {
        self.delivery.stop().await;
        if let Some((trigger, task)) = self.admin {
            trigger.start();
            // What is still being answered there is of no use any more.
            drop(task.await);
        }
        drop(self.directory);
        tables::tables(&self.resolved, self.sink.webhook(), self.sink.endpoints(), Timestamp::now())
    }
}

fn resolved(args: &StandaloneArgs, listen: SocketAddr, directory: &Path) -> Result<Resolved, RunError> {
    let now = Timestamp::now();
    let manifests = check::read(&args.files, now).map_err(RunError::Manifests)?;
    let keys = KeyDirectory::open(directory).context("the directory of signing keys")?;
    let surroundings =
        Surroundings { services: &args.services, allow: &args.allow, loopback_only: listen.ip().is_loopback() };
    resolve(manifests, &surroundings, &keys, now).map_err(|error| RunError::Other(error.into()))
}

fn tell(resolved: &Resolved, directory: &DataDirectory, out: &mut impl Write) -> io::Result<()> {
    let metadata = &resolved.webhook.metadata;
    let part = |text: &Option<String>| text.clone().unwrap_or_default();
    writeln!(out, "Webhook {} of namespace {}", part(&metadata.name), part(&metadata.namespace))?;
    for note in &resolved.notes {
        writeln!(out, "note: {note}")?;
    }
    for warning in &resolved.warnings {
        writeln!(out, "warning: {warning}")?;
    }
    if directory.is_temporary() {
        writeln!(out, "note: journal and keys go when this ends; keep them with --data-directory")?;
    }
    Ok(())
}

async fn load(resolved: &Resolved) -> anyhow::Result<Arc<crate::config::Loaded>> {
    let index = resolved.configuration.index_json();
    let loaded = Loader::default().load(index.as_bytes(), &resolved.configuration).await;
    Ok(Arc::new(loaded.context("the configuration")?))
}

async fn serve_admin(
    address: SocketAddr,
    readiness: &Readiness,
    metrics: &Metrics,
) -> anyhow::Result<(Trigger, JoinHandle<usize>)> {
    let listener = TcpListener::bind(address).await.with_context(|| format!("cannot listen on {address}"))?;
    let (trigger, shutdown) = shutdown::channel();
    let router = admin::router(readiness.clone(), metrics.clone());
    Ok((trigger, tokio::spawn(serve::serve(listener, router, serve::Limits::default(), shutdown))))
}

/// Where journal and keys are.
#[derive(Debug)]
enum DataDirectory {
    Kept(PathBuf),
    /// Removed when this is dropped.
    Temporary(PathBuf),
}

impl DataDirectory {
    fn open(path: Option<&Path>) -> io::Result<Self> {
        if let Some(path) = path {
            std::fs::create_dir_all(path)?;
            return Ok(Self::Kept(path.to_owned()));
        }
        let path = std::env::temp_dir().join(format!("posthaste-{}", uuid::Uuid::now_v7()));
        std::fs::DirBuilder::new().mode(0o700).create(&path)?;
        Ok(Self::Temporary(path))
    }

    fn path(&self) -> &Path {
        match self {
            Self::Kept(path) | Self::Temporary(path) => path,
        }
    }

    fn is_temporary(&self) -> bool {
        matches!(self, Self::Temporary(_))
    }
}

impl Drop for DataDirectory {
    fn drop(&mut self) {
        if let Self::Temporary(path) = self
            && let Err(error) = std::fs::remove_dir_all(&path)
        {
            tracing::warn!(%error, directory = %path.display(), "the temporary directory could not be removed");
        }
    }
}
