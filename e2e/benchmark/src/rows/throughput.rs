//! Deliveries a second, as a part of what the bare loop does before and after.

use std::{sync::Arc, time::Duration};

use tokio::task::spawn_blocking;

use super::{Bench, EVENT_TYPE, healthy};
use crate::{
    disk,
    event::Template,
    load::{CONNECTIONS, Closed, Numbers, Saturation, bare_loop},
    report::{Measured, Target},
    sidecar::{Endpoint, KEY, Stream},
    stats::{Latencies, mean},
};

const WARM_UP: Duration = Duration::from_secs(2);
const OF_BARE: &str = "of the bare loop";

/// How events are posted and where they go.
struct Shape {
    name: &'static str,
    endpoints: u16,
    /// Attempts in flight to each endpoint.
    concurrency: Option<u32>,
    connections: usize,
    batch: u64,
    under_way: u64,
}

/// What was measured.
#[derive(Debug)]
pub struct Throughput {
    bare: f64,
    saturation: Saturation,
    cpu_ms: f64,
    verified: usize,
    syncs: Latencies,
}

/// One endpoint gets as many attempts in flight as the producer has connections: with fewer, it would be measured how
/// long a receiver's answer takes.
const ONE_TO_ONE: Shape = Shape {
    name: "one-to-one",
    endpoints: 1,
    concurrency: Some(32),
    connections: CONNECTIONS,
    batch: 1,
    under_way: 4_096,
};
const FAN_OUT: Shape = Shape { name: "fan-out", endpoints: 10, concurrency: None, under_way: 10_240, ..ONE_TO_ONE };
const BATCHES: Shape = Shape { name: "batches", connections: 8, batch: 100, ..ONE_TO_ONE };

pub async fn one_to_one(bench: &Bench) -> anyhow::Result<Measured> {
    let measured = measure(bench, &ONE_TO_ONE).await?;
    let (p50, p99) = (measured.syncs.percentile_ms(50), measured.syncs.percentile_ms(99));
    let most = f64::from(u32::try_from(CONNECTIONS)?) / p50 * 1e3;
    let report = report(&measured, 0.25);
    Ok(report.beside("fdatasync p50", p50, "ms").beside("fdatasync p99", p99, "ms").beside(
        "most synced events of 32 producers (32 / p50)",
        most,
        "a second",
    ))
}

pub async fn fan_out(bench: &Bench) -> anyhow::Result<Measured> {
    let measured = bench.fan_out.get_or_try_init(|| measure(bench, &FAN_OUT)).await?;
    Ok(report(measured, 0.5))
}

pub async fn batches(bench: &Bench) -> anyhow::Result<Measured> {
    Ok(report(&measure(bench, &BATCHES).await?, 0.5))
}

pub async fn cpu(bench: &Bench) -> anyhow::Result<Measured> {
    let measured = bench.fan_out.get_or_try_init(|| measure(bench, &FAN_OUT)).await?;
    Ok(Measured::default().check("CPU per delivery", measured.cpu_ms, "ms", Target::Below(0.06)).beside(
        "deliveries",
        measured.saturation.rate,
        "a second",
    ))
}

#[expect(clippy::cast_precision_loss, reason = "figures for people")]
fn report(measured: &Throughput, least: f64) -> Measured {
    let Throughput { bare, saturation, cpu_ms, verified, .. } = measured;
    Measured::default()
        .check("deliveries", saturation.rate / bare, OF_BARE, Target::AtLeast(least))
        .beside("deliveries", saturation.rate, "a second")
        .beside("bare loop", *bare, "a second")
        .beside("CPU per delivery", *cpu_ms, "ms")
        .beside("duplicates", saturation.duplicates as f64, "")
        .beside("signatures verified", *verified as f64, "")
}

#[expect(clippy::cast_precision_loss, reason = "counts of one run are far below 2^52")]
async fn measure(bench: &Bench, shape: &Shape) -> anyhow::Result<Throughput> {
    let (receivers, receipts) = healthy(0, shape.endpoints.into()).await?;
    let endpoints = receivers
        .iter()
        .map(|receiver| Endpoint { concurrency: shape.concurrency, ..Endpoint::new(receiver.address(), EVENT_TYPE) });
    let sidecar = bench.start(shape.name, &Stream { endpoints: endpoints.collect() }).await?;
    let process = sidecar.process()?;
    let directory = bench.directory.clone();
    let syncs = spawn_blocking(move || disk::sync_times(&directory)).await??;

    let bare_time = bench.seconds(4, 1);
    let before = bare_loop(receivers[0].address(), bare_time).await?;
    receipts.forget_samples();
    let closed = Closed {
        ingest: sidecar.ingest(),
        template: Arc::new(Template::new(EVENT_TYPE)),
        numbers: Arc::new(Numbers::starting_at(0)),
        connections: shape.connections,
        batch: shape.batch,
        receipts: Arc::clone(&receipts),
        fan_out: shape.endpoints.into(),
        under_way: shape.under_way,
    };
    let mut cpu = Vec::new();
    let at_edges = || {
        cpu.push(process.cpu()?);
        Ok(())
    };
    let saturation = closed.saturate(WARM_UP, bench.seconds(12, 3), at_edges).await?;
    let verified = receipts.verify(KEY)?;
    let after = bare_loop(receivers[0].address(), bare_time).await?;
    sidecar.end().await?;
    let used = cpu.last().zip(cpu.first()).map_or(Duration::ZERO, |(last, first)| last.saturating_sub(*first));
    Ok(Throughput {
        bare: mean(&[before, after]),
        saturation,
        cpu_ms: used.as_secs_f64() * 1e3 / saturation.deliveries as f64,
        verified,
        syncs,
    })
}
