//! Deliveries a second, as a part of what the bare loop does before and after.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::Context;

use super::{Bench, EVENT_TYPE, healthy};
use crate::{
    disk,
    event::Template,
    load::{CONNECTIONS, Closed, Numbers, Saturation, bare_loop},
    report::{Measured, Target},
    sidecar::{Endpoint, KEY, Process, Stream},
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
    /// The bare loop before and after.
    bare: [f64; 2],
    saturation: Saturation,
    /// CPU time that a delivery costs the sidecar.
    cpu_ms: f64,
    /// Who used how many cores. What is missing to all that there are was idle, or waited for the disk.
    cores: Cores,
    verified: usize,
    /// Before and after.
    syncs: [Latencies; 2],
}

#[derive(Clone, Copy, Debug)]
struct Cores {
    sidecar: f64,
    /// Producers and receivers.
    benchmark: f64,
    /// The measurement's noise.
    others: f64,
}

/// CPU time until a moment.
struct Used {
    at: Instant,
    sidecar: Duration,
    benchmark: Duration,
    all: Duration,
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
    let mut report = report(&measured, 0.25);
    for (when, syncs) in ["before", "after"].into_iter().zip(&measured.syncs) {
        let p50 = syncs.percentile_ms(50);
        let most = f64::from(u32::try_from(CONNECTIONS)?) / p50 * 1e3;
        report = report
            .beside(format!("fdatasync {when}, p50"), p50, "ms")
            .beside(format!("fdatasync {when}, p99"), syncs.percentile_ms(99), "ms")
            .beside(format!("32 producers could have synced at most, by the p50 {when}"), most, "a second");
    }
    Ok(report)
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
    let Throughput { bare, saturation, cpu_ms, cores, verified, .. } = measured;
    Measured::default()
        .check("deliveries", saturation.rate / mean(bare), OF_BARE, Target::AtLeast(least))
        .beside("deliveries", saturation.rate, "a second")
        .beside("bare loop before", bare[0], "a second")
        .beside("bare loop after", bare[1], "a second")
        .beside("CPU per delivery", *cpu_ms, "ms")
        .beside("cores used by the sidecar", cores.sidecar, "")
        .beside("cores used by producers and receivers", cores.benchmark, "")
        .beside("cores used by other processes", cores.others, "")
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
    let syncs_before = disk::sync_times(&bench.directory).await?;

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
    let mut used = Vec::new();
    let at_edges = || {
        used.push(Used::by(&process)?);
        Ok(())
    };
    let saturation = closed.saturate(WARM_UP, bench.seconds(12, 3), at_edges).await?;
    let verified = receipts.verify(KEY)?;
    let after = bare_loop(receivers[0].address(), bare_time).await?;
    sidecar.end().await?;
    let syncs_after = disk::sync_times(&bench.directory).await?;
    let [begin, end] = <[Used; 2]>::try_from(used).ok().context("the measured time has two edges")?;
    Ok(Throughput {
        bare: [before, after],
        saturation,
        cpu_ms: end.sidecar.saturating_sub(begin.sidecar).as_secs_f64() * 1e3 / saturation.deliveries as f64,
        cores: begin.cores_until(&end),
        verified,
        syncs: [syncs_before, syncs_after],
    })
}

impl Used {
    fn by(sidecar: &Process) -> anyhow::Result<Self> {
        Ok(Self {
            at: Instant::now(),
            sidecar: sidecar.cpu()?,
            benchmark: Process::this().cpu()?,
            all: Process::cpu_of_all()?,
        })
    }

    fn cores_until(&self, end: &Self) -> Cores {
        let cores = |used: fn(&Self) -> Duration| {
            used(end).saturating_sub(used(self)).as_secs_f64() / end.at.duration_since(self.at).as_secs_f64()
        };
        Cores {
            sidecar: cores(|used| used.sidecar),
            benchmark: cores(|used| used.benchmark),
            others: cores(|used| used.all.saturating_sub(used.sidecar + used.benchmark)),
        }
    }
}
