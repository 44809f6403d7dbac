//! What it costs to do nothing, after something was done.

use std::{sync::Arc, time::Duration};

use anyhow::ensure;
use tokio::time::{Instant, sleep};

use super::{Bench, EVENT_TYPE, healthy};
use crate::{
    event::Template,
    load::{Closed, Numbers},
    report::{Measured, Target},
    sidecar::{Endpoint, Stream},
    stats::{mib, per_second},
};

const ENDPOINTS: u16 = 100;
const EVENTS: u64 = 10;
const PATIENCE: Duration = Duration::from_secs(30);
const STATUS_REQUESTS: &str = "posthaste_status_requests_total";

#[expect(clippy::cast_precision_loss, reason = "figures for people")]
pub async fn idle(bench: &Bench) -> anyhow::Result<Measured> {
    let (receivers, receipts) = healthy(0, ENDPOINTS.into()).await?;
    let endpoints = receivers.iter().map(|receiver| Endpoint::new(receiver.address(), EVENT_TYPE));
    let sidecar = bench.start("idle", &Stream { endpoints: endpoints.collect() }).await?;
    let process = sidecar.process()?;
    let at_start = process.resident()?;
    let closed = Closed {
        ingest: sidecar.ingest(),
        template: Arc::new(Template::new(EVENT_TYPE)),
        numbers: Arc::new(Numbers::starting_at(0)),
        connections: 1,
        batch: 1,
        receipts: Arc::clone(&receipts),
        fan_out: ENDPOINTS.into(),
        under_way: u64::MAX / 2,
    };
    closed.post(EVENTS).await?;
    let begin = Instant::now();
    while receipts.count() < EVENTS * u64::from(ENDPOINTS) {
        ensure!(begin.elapsed() < PATIENCE, "the deliveries have not arrived after {PATIENCE:?}");
        sleep(Duration::from_millis(10)).await;
    }

    // Longer than anything that is done once after the last delivery: connections and statuses, and the journal's
    // tidying after a minute.
    sleep(bench.seconds(75, 8)).await;
    let requests = sidecar.metric(STATUS_REQUESTS).await?;
    sleep(Duration::from_secs(1)).await;
    let (wake_ups, written, cpu) = (process.wake_ups()?, process.written()?, process.cpu()?);
    let begin = Instant::now();
    sleep(bench.seconds(20, 5)).await;
    let wake_ups = per_second(process.wake_ups()?.since(&wake_ups), begin.elapsed());
    let (written, cpu) = (process.written()? - written, process.cpu()?.saturating_sub(cpu));
    let (resident, anonymous) = (process.resident()?, process.anonymous()?);
    let requests = sidecar.metric(STATUS_REQUESTS).await? - requests;
    sidecar.end().await?;
    Ok(Measured::default()
        .check("memory", mib(resident), "MiB", Target::Below(15.0))
        .check("written to disk", written as f64, "bytes", Target::AtMost(0.0))
        .check("status writes", requests, "", Target::AtMost(0.0))
        .check("wake-ups", wake_ups, "a second", Target::Below(2.0))
        .beside("of it without the pages of its program", mib(anonymous), "MiB")
        .beside("memory before the first event", mib(at_start), "MiB")
        .beside("CPU", cpu.as_secs_f64() * 1e3, "ms"))
}
