//! The rows of the table, one function each.

mod backlog;
mod idle;
mod isolation;
mod latency;
mod throughput;

use std::{path::PathBuf, sync::Arc, time::Duration};

use clap::ValueEnum;
use tokio::{sync::OnceCell, time::timeout};

use self::throughput::Throughput;
use crate::{
    report::Measured,
    sidecar::{Sidecar, Stream},
    sink::{Behaviour, Receipts, Receiver},
};

/// Type of the events of most rows.
const EVENT_TYPE: &str = "bench.all";
/// Longest time of a row.
const MOST_TIME: Duration = Duration::from_mins(12);

/// A row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Row {
    /// 1 event -> 1 endpoint, single-event requests on 32 connections
    OneToOne,
    /// 1 event -> 10 endpoints
    FanOut,
    /// Batches of 100 at ingest, 1 endpoint
    Batches,
    /// 1,000 events/s open loop, sent to received
    Latency,
    /// Of 100 endpoints one hangs, one answers in 5 s, one resets connections
    ThreeBad,
    /// Of 10,000 endpoints all but 97 hang
    ThousandsHang,
    /// 1,000,000 pending events for a dead endpoint
    Backlog,
    /// Idle with 100 endpoints
    Idle,
    /// CPU per delivery at fan-out 10
    Cpu,
}

impl Row {
    /// Its name on the command line, and what it is about.
    pub fn describe(self) -> (String, String) {
        let value = self.to_possible_value().expect("no row is hidden");
        (value.get_name().to_owned(), value.get_help().map(ToString::to_string).unwrap_or_default())
    }

    /// Measures it.
    ///
    /// # Errors
    /// When it could not be run, which is not the same as a figure that falls short.
    pub async fn measure(self, bench: &Bench) -> anyhow::Result<Measured> {
        let measured = async {
            match self {
                Self::OneToOne => throughput::one_to_one(bench).await,
                Self::FanOut => throughput::fan_out(bench).await,
                Self::Batches => throughput::batches(bench).await,
                Self::Latency => latency::latency(bench).await,
                Self::ThreeBad => isolation::three_bad(bench).await,
                Self::ThousandsHang => isolation::thousands_hang(bench).await,
                Self::Backlog => backlog::backlog(bench).await,
                Self::Idle => idle::idle(bench).await,
                Self::Cpu => throughput::cpu(bench).await,
            }
        };
        timeout(MOST_TIME, measured).await?
    }
}

/// What rows work with.
#[derive(Debug)]
pub struct Bench {
    /// Where journals are; on a disk.
    pub directory: PathBuf,
    /// The delivery sidecar's program.
    pub program: PathBuf,
    /// Shorter runs, whose figures only show that all works.
    pub quick: bool,
    /// Fan-out is measured once for both rows that show it.
    pub fan_out: OnceCell<Throughput>,
}

impl Bench {
    /// A time, or the shorter one of a quick run.
    fn seconds(&self, full: u64, quick: u64) -> Duration {
        Duration::from_secs(if self.quick { quick } else { full })
    }

    /// Starts a sidecar, with its files in a directory of that name.
    async fn start(&self, name: &str, stream: &Stream) -> anyhow::Result<Sidecar> {
        Sidecar::start(&self.program, &self.directory.join(name), stream).await
    }
}

/// Receivers that answer and count together, from this index on.
async fn healthy(first: usize, count: usize) -> anyhow::Result<(Vec<Receiver>, Arc<Receipts>)> {
    let receipts = Arc::new(Receipts::default());
    let receivers = Receiver::start_many(first, count, &Behaviour::Answer(Arc::clone(&receipts))).await?;
    Ok((receivers, receipts))
}
