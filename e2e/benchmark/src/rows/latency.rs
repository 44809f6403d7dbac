//! How long an event takes from its producer to its receiver when there is room.

use std::{sync::Arc, time::Duration};

use anyhow::ensure;
use tokio::time::{Instant, sleep};

use super::{Bench, EVENT_TYPE, healthy};
use crate::{
    disk,
    event::Template,
    load::{Numbers, Open, Requests, Times, open_loop},
    report::{Measured, Target},
    sidecar::{Endpoint, KEY, Stream},
    sink::Receipts,
};

const EVERY: Duration = Duration::from_millis(1);
const EVENTS_A_SECOND: u32 = 1_000;
/// Connections and code are warm after so many events.
const WARM_UP: u32 = 1_000;
/// Longest wait for events that are under way when the last one is sent.
const PATIENCE: Duration = Duration::from_mins(4);
const LOOK: Duration = Duration::from_millis(10);

pub async fn latency(bench: &Bench) -> anyhow::Result<Measured> {
    let (receivers, receipts) = healthy(0, 1).await?;
    let receiver = receivers[0].address();
    let endpoint = Endpoint { concurrency: Some(32), ..Endpoint::new(receiver, EVENT_TYPE) };
    let sidecar = bench.start("latency", &Stream { endpoints: vec![endpoint] }).await?;
    let seconds = u32::try_from(bench.seconds(30, 4).as_secs())?;

    let bare = run(Requests::deliveries(receiver), &receipts, 0, EVENTS_A_SECOND * seconds / 3).await?;
    run(Requests::events(sidecar.ingest()), &receipts, 1_000_000, WARM_UP).await?;
    receipts.forget_samples();
    let times = run(Requests::events(sidecar.ingest()), &receipts, 2_000_000, EVENTS_A_SECOND * seconds).await?;
    receipts.verify(KEY)?;
    sidecar.end().await?;

    let syncs = disk::sync_times(&bench.directory).await?;
    let (sent, accepted, bare) =
        (times.since_due(Duration::ZERO), times.since_accepted(), bare.since_due(Duration::ZERO));
    Ok(Measured::default()
        .check("p50", sent.percentile_ms(50), "ms", Target::Below(2.0))
        .check("p99", sent.percentile_ms(99), "ms", Target::Below(5.0))
        .beside("from the 202 to receipt, p50", accepted.percentile_ms(50), "ms")
        .beside("from the 202 to receipt, p99", accepted.percentile_ms(99), "ms")
        .beside("fdatasync p50", syncs.percentile_ms(50), "ms")
        .beside("fdatasync p99", syncs.percentile_ms(99), "ms")
        .beside("bare loop p50", bare.percentile_ms(50), "ms")
        .beside("bare loop p99", bare.percentile_ms(99), "ms"))
}

async fn run(requests: Requests, receipts: &Arc<Receipts>, first: u64, events: u32) -> anyhow::Result<Arc<Times>> {
    let open = Open {
        requests,
        template: Arc::new(Template::new(EVENT_TYPE)),
        numbers: Arc::new(Numbers::starting_at(first)),
        every: EVERY,
        events,
        times: Arc::new(Times::new(first, usize::try_from(events)?, 1)),
    };
    let (times, missing) = timed(open, receipts).await?;
    ensure!(missing == 0, "{missing} of {events} deliveries have not arrived after {PATIENCE:?}");
    Ok(times)
}

/// Runs an open loop, and waits until all that it sent has arrived. What has not arrived in time counts as if it had
/// just then; the number of these is returned too.
///
/// # Errors
/// When a request fails.
pub async fn timed(open: Open, receipts: &Receipts) -> anyhow::Result<(Arc<Times>, usize)> {
    let times = Arc::clone(&open.times);
    receipts.keep_times(Some(Arc::clone(&times)));
    open_loop(open).await?;
    let begin = Instant::now();
    while times.missing() > 0 && begin.elapsed() < PATIENCE {
        sleep(LOOK).await;
    }
    receipts.keep_times(None);
    let missing = times.missing();
    times.give_up();
    Ok((times, missing))
}
