//! The system that is measured: the delivery sidecar's own program, as a child process, in standalone mode.

mod manifests;
mod process;

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Stdio,
    time::{Duration, Instant},
};

use anyhow::{Context, bail};
use tokio::{
    net::{TcpListener, TcpStream},
    process::{Child, Command},
    time::sleep,
};

pub use manifests::{Endpoint, KEY, Stream};
pub use process::{Peak, Process, Watch};

use crate::load::{Connection, Requests};

/// Longest time from its start until it is ready: ten thousand manifests are read.
const PATIENCE: Duration = Duration::from_secs(120);
const LOOK: Duration = Duration::from_millis(2);

/// A running sidecar. Killed when dropped.
#[derive(Debug)]
pub struct Sidecar {
    child: Child,
    directory: PathBuf,
    program: PathBuf,
    ingest: SocketAddr,
    admin: SocketAddr,
    /// How long it took until it was ready.
    pub ready_after: Duration,
}

impl Sidecar {
    /// Writes the manifests into `directory`, which must be new, and starts it with its journal there.
    pub async fn start(program: &Path, directory: &Path, stream: &Stream) -> anyhow::Result<Self> {
        std::fs::create_dir_all(directory)?;
        std::fs::write(directory.join("manifests.yaml"), stream.manifests())?;
        Self::launch(program, directory).await
    }

    /// Kills it in the middle of what it does and starts another one on the same directory, which takes over what the
    /// journal holds.
    pub async fn kill_and_start_again(mut self) -> anyhow::Result<Self> {
        self.child.kill().await?;
        Self::launch(&self.program, &self.directory).await
    }

    async fn launch(program: &Path, directory: &Path) -> anyhow::Result<Self> {
        let [ingest, admin] = free_addresses().await?;
        let output = |name: &str| std::fs::File::create(directory.join(name));
        let begin = Instant::now();
        let child = Command::new(program)
            .args(["run", "--allow-cidr", "127.0.0.0/8"])
            .args(["--listen", &ingest.to_string(), "--admin", &admin.to_string()])
            .arg("--filename")
            .arg(directory.join("manifests.yaml"))
            .arg("--data-directory")
            .arg(directory.join("data"))
            .env_remove("POSTHASTE_LOG")
            .stdin(Stdio::null())
            .stdout(output("output")?)
            .stderr(output("log")?)
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("start {}", program.display()))?;
        let (program, directory) = (program.to_owned(), directory.to_owned());
        let mut sidecar = Self { child, directory, program, ingest, admin, ready_after: Duration::ZERO };
        sidecar.wait_until_ready(begin).await?;
        sidecar.ready_after = begin.elapsed();
        Ok(sidecar)
    }

    async fn wait_until_ready(&mut self, begin: Instant) -> anyhow::Result<()> {
        loop {
            // A connection to where events are taken says more than readiness: it is what a producer needs.
            if let Ok((status, _)) = self.admin("/readyz").await
                && status.is_success()
                && TcpStream::connect(self.ingest).await.is_ok()
            {
                return Ok(());
            }
            if let Some(status) = self.child.try_wait()? {
                bail!("the delivery sidecar ended with {status}: {}", self.log());
            }
            if begin.elapsed() > PATIENCE {
                bail!("the delivery sidecar was not ready after {PATIENCE:?}: {}", self.log());
            }
            sleep(LOOK).await;
        }
    }

    /// Where events are taken.
    pub fn ingest(&self) -> SocketAddr {
        self.ingest
    }

    /// What the kernel knows of it.
    pub fn process(&self) -> anyhow::Result<Process> {
        Ok(Process::new(self.child.id().context("the delivery sidecar has ended")?))
    }

    /// The sum of all samples of a metric; 0 when it has none.
    pub async fn metric(&self, name: &str) -> anyhow::Result<f64> {
        let (_, text) = self.admin("/metrics").await?;
        Ok(sum_of(&String::from_utf8_lossy(&text), name))
    }

    /// Ends it and removes all that it has written.
    pub async fn end(mut self) -> anyhow::Result<()> {
        self.child.kill().await?;
        std::fs::remove_dir_all(&self.directory).with_context(|| format!("remove {}", self.directory.display()))
    }

    /// A connection for each request, so that none is open while others are counted.
    async fn admin(&self, path: &'static str) -> anyhow::Result<(http::StatusCode, bytes::Bytes)> {
        Connection::open(Requests::events(self.admin)).await?.get(path).await
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.directory.join("log")).unwrap_or_default()
    }
}

/// Two addresses on loopback that nobody listened on a moment ago.
async fn free_addresses() -> anyhow::Result<[SocketAddr; 2]> {
    let (first, second) = (TcpListener::bind("127.0.0.1:0").await?, TcpListener::bind("127.0.0.1:0").await?);
    Ok([first.local_addr()?, second.local_addr()?])
}

fn sum_of(text: &str, name: &str) -> f64 {
    let samples = text.lines().filter_map(|line| {
        let rest = line.strip_prefix(name)?;
        rest.starts_with(['{', ' ']).then(|| rest.rsplit_once(' ')?.1.parse::<f64>().ok())?
    });
    samples.sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_of_a_metric_are_added_up_and_longer_names_are_others() {
        let text = "# TYPE a_total counter\na_total{x=\"1\"} 2\na_total{x=\"b c\"} 3\na_total_more 10\na_total 0.5\n";
        assert!((sum_of(text, "a_total") - 5.5).abs() < 1e-9);
        assert!(sum_of(text, "b").abs() < 1e-9);
    }
}
