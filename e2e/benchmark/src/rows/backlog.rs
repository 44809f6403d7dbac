//! A dead endpoint's backlog: what it costs in memory, whether the others notice, and how long a restart takes.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::ensure;
use tokio::time::sleep;

use super::{Bench, healthy};
use crate::{
    event::Template,
    load::{CONNECTIONS, Closed, Numbers},
    report::{Measured, Target},
    sidecar::{Endpoint, KEY, Sidecar, Stream, Watch},
    sink::{Behaviour, Receipts, Receiver},
    stats::{mean, mib, per_second},
};

const LIVE_TYPE: &str = "bench.live";
const DEAD_TYPE: &str = "bench.dead";
/// Windows in which the rate of the live endpoint is measured. Their spread is the noise.
const WINDOWS: usize = 3;
/// Below the slowest window before by more than this, it is not noise.
const NOISE: f64 = 0.9;
const PATIENCE: Duration = Duration::from_secs(60);
/// Time for what the last event has set off.
const SETTLE: Duration = Duration::from_secs(2);

pub async fn backlog(bench: &Bench) -> anyhow::Result<Measured> {
    let pending: u32 = if bench.quick { 100_000 } else { 1_000_000 };
    let (receivers, receipts) = healthy(0, 1).await?;
    let dead = Receiver::start(1, Behaviour::Refuse).await?;
    let live = Endpoint { concurrency: Some(32), ..Endpoint::new(receivers[0].address(), LIVE_TYPE) };
    let endpoints = vec![live, Endpoint::new(dead.address(), DEAD_TYPE)];
    let sidecar = bench.start("backlog", &Stream { endpoints }).await?;
    let process = sidecar.process()?;
    let watch = Watch::start(process.clone());
    let numbers = Arc::new(Numbers::starting_at(0));

    let before = windows(bench, &sidecar, &receipts, &numbers).await?;
    let begin = Instant::now();
    let events = Closed { connections: 4, batch: 1_000, ..closed(&sidecar, DEAD_TYPE, &receipts, &numbers) };
    events.post(pending.into()).await?;
    let posted = per_second(pending.into(), begin.elapsed());
    let after = windows(bench, &sidecar, &receipts, &numbers).await?;
    sleep(SETTLE).await;
    let (resident, peak) = (process.resident()?, watch.peak());
    receipts.verify(KEY)?;

    let sidecar = sidecar.kill_and_start_again().await?;
    let delivered = first_delivery(&sidecar, &receipts, &numbers).await?;
    let restart = sidecar.ready_after + delivered;
    sleep(SETTLE).await;
    let left = sidecar.metric("posthaste_deliveries_pending").await?;
    let again = sidecar.process()?.resident()?;
    sidecar.end().await?;

    let slowest = before.iter().copied().fold(f64::INFINITY, f64::min);
    Ok(Measured::default()
        .check("memory at most", mib(peak.resident), "MiB", Target::Below(128.0))
        .check("deliveries of others", mean(&after) / slowest, "of the slowest window before", Target::AtLeast(NOISE))
        .check("restart to first delivery", restart.as_secs_f64(), "s", Target::Below(2.0))
        .beside("others before", mean(&before), "a second")
        .beside("others before, slowest window", slowest, "a second")
        .beside("others after", mean(&after), "a second")
        .beside("events for the dead endpoint", f64::from(pending), "")
        .beside("events for the dead endpoint, posted", posted, "a second")
        .beside("memory in the end", mib(resident), "MiB")
        .beside("memory after the restart", mib(again), "MiB")
        .beside("pending after the restart", left, ""))
}

fn closed(sidecar: &Sidecar, event_type: &str, receipts: &Arc<Receipts>, numbers: &Arc<Numbers>) -> Closed {
    Closed {
        ingest: sidecar.ingest(),
        template: Arc::new(Template::new(event_type)),
        numbers: Arc::clone(numbers),
        connections: CONNECTIONS,
        batch: 1,
        receipts: Arc::clone(receipts),
        fan_out: 1,
        under_way: 4_096,
    }
}

async fn windows(
    bench: &Bench,
    sidecar: &Sidecar,
    receipts: &Arc<Receipts>,
    numbers: &Arc<Numbers>,
) -> anyhow::Result<Vec<f64>> {
    let closed = closed(sidecar, LIVE_TYPE, receipts, numbers);
    let mut rates = Vec::new();
    for _ in 0..WINDOWS {
        rates.push(closed.saturate(Duration::from_secs(1), bench.seconds(6, 2), || Ok(())).await?.rate);
    }
    Ok(rates)
}

async fn first_delivery(
    sidecar: &Sidecar,
    receipts: &Arc<Receipts>,
    numbers: &Arc<Numbers>,
) -> anyhow::Result<Duration> {
    let (begin, before) = (Instant::now(), receipts.count());
    closed(sidecar, LIVE_TYPE, receipts, numbers).post(1).await?;
    while receipts.count() == before {
        ensure!(begin.elapsed() < PATIENCE, "no delivery {PATIENCE:?} after the restart");
        sleep(Duration::from_millis(1)).await;
    }
    Ok(begin.elapsed())
}
