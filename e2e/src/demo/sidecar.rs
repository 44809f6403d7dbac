//! The delivery sidecar as a process of its own.

use std::{
    net::SocketAddr,
    path::PathBuf,
    process::Stdio,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use anyhow::{Context, bail};
use tokio::process::{Child, Command};

use super::Settings;

/// Longest wait until it takes events.
const PATIENCE: Duration = Duration::from_secs(20);

pub(super) struct Sidecar {
    child: Child,
    url: String,
    command: String,
    directory: PathBuf,
}

impl Sidecar {
    /// Starts it and waits until it takes events.
    pub(super) async fn start(settings: &Settings, receiver: SocketAddr) -> anyhow::Result<Self> {
        let unique = SystemTime::now().duration_since(UNIX_EPOCH)?.as_nanos();
        let directory = std::env::temp_dir().join(format!("posthaste-demo-{unique}"));
        std::fs::create_dir_all(&directory)?;
        let [listen, admin] = free_addresses().await?;
        let service = format!("default/receiver={receiver}");
        let log = std::fs::File::create(directory.join("log"))?;
        let manifests = settings.manifests.display().to_string();
        let child = Command::new(&settings.sidecar)
            .args(["run", "-f", &manifests, "--service", &service])
            .args(["--listen", &listen.to_string(), "--admin", &admin.to_string()])
            .arg("--data-directory")
            .arg(directory.join("data"))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log)
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("start {}", settings.sidecar.display()))?;
        let mut sidecar = Self {
            child,
            url: format!("http://{listen}/v1/events"),
            command: format!("delivery-sidecar run -f {manifests} --service {service}"),
            directory,
        };
        sidecar.wait_until_ready(admin).await?;
        Ok(sidecar)
    }

    async fn wait_until_ready(&mut self, admin: SocketAddr) -> anyhow::Result<()> {
        let client = crate::plain_client();
        let deadline = Instant::now() + PATIENCE;
        loop {
            let answer = client.get(format!("http://{admin}/readyz")).send().await;
            if answer.is_ok_and(|answer| answer.status().is_success()) {
                return Ok(());
            }
            if let Some(status) = self.child.try_wait()? {
                bail!("the delivery sidecar ended with {status}: {}", self.log());
            }
            if Instant::now() > deadline {
                bail!("the delivery sidecar was not ready after {PATIENCE:?}: {}", self.log());
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Where events are posted.
    pub(super) fn url(&self) -> &str {
        &self.url
    }

    /// How a user would start it.
    pub(super) fn command(&self) -> &str {
        &self.command
    }

    /// Stops it as Kubernetes does and gives back the tables that it prints.
    pub(super) async fn stop(mut self) -> anyhow::Result<String> {
        let id = self.child.id().context("the delivery sidecar ended by itself")?;
        let mut stdout = self.child.stdout.take().context("its output is a pipe")?;
        Command::new("kill").arg(id.to_string()).status().await?;
        let mut text = String::new();
        tokio::io::AsyncReadExt::read_to_string(&mut stdout, &mut text).await?;
        let status = self.child.wait().await?;
        if !status.success() {
            bail!("the delivery sidecar ended with {status}: {}", self.log());
        }
        std::fs::remove_dir_all(&self.directory)?;
        Ok(text)
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.directory.join("log")).unwrap_or_default()
    }
}

/// Two addresses on loopback that nobody listened on a moment ago.
async fn free_addresses() -> anyhow::Result<[SocketAddr; 2]> {
    let first = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let second = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    Ok([first.local_addr()?, second.local_addr()?])
}
