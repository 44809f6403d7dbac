//! How much a large backlog costs: `cargo run --release -p posthaste-journal --example backlog -- [events] [directory]`.
//!
//! Accepts events of 1 KiB with ids for one endpoint, opens the journal again in another process, delivers a half, and prints rates and
//! memory (of Linux).

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use posthaste_journal::{
    Disk, Error, IdempotencyKey, Journal, NewEvent, Options, Ordinal, Outcome, OutcomeKind, Recovered, Space,
};

const BATCH: usize = 64;
const PRODUCERS: usize = 32;
const DELIVER: &str = "deliver";

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let events = arguments.next().unwrap_or_else(|| "1000000".into());
    let directory = arguments.next().map_or_else(|| std::env::temp_dir().join("posthaste-backlog"), PathBuf::from);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build()?;
    println!("empty: {}", memory());
    if events == DELIVER {
        return runtime.block_on(deliver(&directory));
    }
    runtime.block_on(accept(events.parse()?, &directory))?;
    // Another process, so that its memory is its own.
    let delivered = Command::new(std::env::current_exe()?).arg(DELIVER).arg(&directory).status()?;
    std::fs::remove_dir_all(&directory)?;
    if delivered.success() { Ok(()) } else { Err(delivered.to_string().into()) }
}

fn open(directory: &Path) -> Result<(Journal, Recovered), Error> {
    let options = Options {
        directory: directory.to_owned(),
        space: Space {
            max_bytes: 8 << 30,
            max_bytes_per_endpoint: 8 << 30,
            dead_letter_retention_ms: 1 << 40,
            dead_letter_max_bytes: 1 << 30,
            history_retention_ms: 1 << 40,
        },
        segment_bytes: 64 << 20,
        max_idempotency_keys: 1_000_000,
        outcome_delay: Duration::from_millis(10),
    };
    Journal::open(Arc::new(Disk), options, 0, |_| {})
}

fn event(endpoint: Ordinal) -> NewEvent {
    static IDS: AtomicU64 = AtomicU64::new(1);
    let id = u128::from(IDS.fetch_add(1, Ordering::Relaxed));
    let key = id.wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835);
    let idempotency = Some(IdempotencyKey { key, content: 1, expires_ms: 1_800_086_400_000 });
    let payload = Bytes::from_static(&[b'x'; 1024]);
    NewEvent { payload, accepted_ms: 1_800_000_000_000, idempotency, deliveries: vec![endpoint], group: 0 }
}

fn memory() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let value = |name: &str| {
        let line = status.lines().find(|line| line.starts_with(name)).unwrap_or_default();
        line.split_whitespace().nth(1).and_then(|kib| kib.parse::<u64>().ok()).unwrap_or(0) / 1024
    };
    format!("{} MiB resident ({} MiB at most)", value("VmRSS:"), value("VmHWM:"))
}

#[expect(clippy::cast_precision_loss, reason = "rates are for people")]
fn rate(count: usize, since: Instant) -> String {
    format!("{:.0}/s ({:.2?})", count as f64 / since.elapsed().as_secs_f64(), since.elapsed())
}

async fn accept(events: usize, directory: &Path) -> Result<(), Box<dyn std::error::Error>> {
    let (journal, _) = open(directory)?;
    let endpoint = journal.ordinal("endpoint").await?;

    let start = Instant::now();
    let per_producer = events / BATCH / PRODUCERS;
    let batches = (0..PRODUCERS).map(|_| produce(journal.clone(), endpoint, per_producer, BATCH));
    let accepted = all(batches).await?;
    println!("accepted {accepted} in batches of {BATCH}: {}; {}", rate(accepted, start), memory());

    let start = Instant::now();
    let singles = (0..PRODUCERS).map(|_| produce(journal.clone(), endpoint, 500, 1));
    let count = all(singles).await?;
    println!("accepted {count} one by one from {PRODUCERS} producers: {}", rate(count, start));
    println!("usage: {:?}", journal.usage());
    Ok(journal.close().await?)
}

async fn deliver(directory: &Path) -> Result<(), Box<dyn std::error::Error>> {
    let start = Instant::now();
    let (journal, recovered) = open(directory)?;
    let endpoint = recovered.endpoints.first().ok_or("there is an endpoint")?.ordinal;
    println!("opened with {} pending: {:.2?}; {}", recovered.pending, start.elapsed(), memory());
    let half = recovered.pending / 2;
    let first = journal.pending_after(0, 1).first().ok_or("there is a backlog")?.seq;

    let start = Instant::now();
    let mut slowest = Duration::ZERO;
    for seq in first..first + half {
        let asked = Instant::now();
        journal.read(seq)?.ok_or("it is pending")?;
        let kind = OutcomeKind::Succeeded { status: 200 };
        let outcome = Outcome { seq, endpoint, at_ms: 1_800_000_000_001, attempts: 1, kind };
        journal.record(outcome).await;
        slowest = slowest.max(asked.elapsed());
    }
    journal.flush().await?;
    println!("read and finished {half}: {}, the slowest {slowest:.2?}", rate(usize::try_from(half)?, start));
    println!("usage: {:?}; {}", journal.usage(), memory());
    Ok(journal.close().await?)
}

async fn produce(journal: Journal, endpoint: Ordinal, rounds: usize, batch: usize) -> Result<usize, Error> {
    for _ in 0..rounds {
        journal.accept((0..batch).map(|_| event(endpoint)).collect()).await?;
    }
    Ok(rounds * batch)
}

async fn all(
    tasks: impl Iterator<Item = impl Future<Output = Result<usize, Error>> + Send + 'static>,
) -> Result<usize, Box<dyn std::error::Error>> {
    let tasks: Vec<_> = tasks.map(tokio::spawn).collect();
    let mut count = 0;
    for task in tasks {
        count += task.await??;
    }
    Ok(count)
}
