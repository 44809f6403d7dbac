//! What endpoints that do not answer cost those that do: the same run without and with them.

use std::{sync::Arc, time::Duration};

use anyhow::ensure;
use tokio::{
    task::JoinHandle,
    time::{Instant, interval, sleep},
};

use super::{Bench, EVENT_TYPE, healthy, latency::timed};
use crate::{
    event::Template,
    load::{CONNECTIONS, Closed, Connection, Numbers, Open, Requests, Times},
    report::{Measured, Target},
    sidecar::{Endpoint, KEY, Peak, Sidecar, Stream, Watch},
    sink::{Behaviour, Receipts, Receiver},
    stats::mib,
};

/// Endpoints that answer.
const HEALTHY: u16 = 97;
/// As many endpoints as a Webhook may have.
const MOST_ENDPOINTS: u16 = 10_000;
/// `limits.inFlight` by default.
const IN_FLIGHT: f64 = 1024.0;
/// Time between two events of the part that measures latency: 2,910 deliveries a second.
const EVERY: Duration = Duration::from_nanos(33_333_333);
const EVENTS_A_SECOND: u64 = 30;
/// Type of the events of the endpoints that hang when there are thousands of them, and time between two. If they got
/// all events, their backlog would grow by three hundred thousand deliveries a second, and that would be measured.
const RARE_TYPE: &str = "bench.rare";
const RARE_EVERY: Duration = Duration::from_secs(1);
/// Memory that thousands of endpoints that hang may add.
const MORE_MIB: f64 = 128.0;
const WITHIN: f64 = 1.5;

/// Longest time until the endpoints that answer have got their first event.
const PATIENCE: Duration = Duration::from_secs(60);

/// What was seen at the endpoints that answer.
struct Seen {
    p50: f64,
    p99: f64,
    /// Of the last third.
    late_p99: f64,
    /// Not a number when it could not be measured.
    rate: f64,
    /// Deliveries that had not arrived minutes later.
    missing: usize,
    /// Memory before the first event.
    resident: u64,
    peak: Peak,
    ready_after: Duration,
}

pub async fn three_bad(bench: &Bench) -> anyhow::Result<Measured> {
    let without = run(bench, "without-three", &[], EVENT_TYPE).await?;
    let behaviours = [Behaviour::Hang, Behaviour::AnswerAfter(Duration::from_secs(5)), Behaviour::Reset];
    let mut bad = Vec::new();
    for (index, behaviour) in (usize::from(HEALTHY)..).zip(behaviours) {
        bad.push(Receiver::start(index, behaviour).await?);
    }
    let with = run(bench, "with-three", &bad, EVENT_TYPE).await?;
    Ok(compare(&without, &with))
}

pub async fn thousands_hang(bench: &Bench) -> anyhow::Result<Measured> {
    let without = run(bench, "without-thousands", &[], EVENT_TYPE).await?;
    let hanging = if bench.quick { 1_000 } else { MOST_ENDPOINTS - HEALTHY };
    let bad = Receiver::start_many(HEALTHY.into(), hanging.into(), &Behaviour::Hang).await?;
    let with = run(bench, "with-thousands", &bad, RARE_TYPE).await?;
    let more = with.peak.resident.saturating_sub(with.resident);
    // As many connections as attempts may be in flight, as many again that are kept for the next ones, the producers'.
    let sockets = 2.0 * IN_FLIGHT + 2.0 * figure(CONNECTIONS as u64);
    Ok(compare(&without, &with)
        .check("sockets", figure(with.peak.sockets), "", Target::AtMost(sockets))
        .check("memory that is added", mib(more), "MiB", Target::AtMost(MORE_MIB))
        .beside("memory before the first event", mib(with.resident), "MiB")
        .beside("time until ready", with.ready_after.as_secs_f64(), "s")
        .beside("endpoints that hang", f64::from(hanging), ""))
}

fn compare(without: &Seen, with: &Seen) -> Measured {
    let mut measured = Measured::default()
        .check("p99", with.p99 / without.p99, "times that without them", Target::AtMost(WITHIN))
        .check("time per delivery", without.rate / with.rate, "times that without them", Target::AtMost(WITHIN));
    for (name, seen) in [("without", without), ("with", with)] {
        measured = measured
            .beside(format!("{name}: p50"), seen.p50, "ms")
            .beside(format!("{name}: p99"), seen.p99, "ms")
            .beside(format!("{name}: p99 of the last third"), seen.late_p99, "ms")
            .beside(format!("{name}: deliveries not arrived"), figure(seen.missing as u64), "")
            .beside(format!("{name}: most deliveries"), seen.rate, "a second")
            .beside(format!("{name}: most memory"), mib(seen.peak.resident), "MiB")
            .beside(format!("{name}: most sockets"), figure(seen.peak.sockets), "");
    }
    measured
}

#[expect(clippy::cast_precision_loss, reason = "figures for people")]
fn figure(count: u64) -> f64 {
    count as f64
}

async fn run(bench: &Bench, name: &str, bad: &[Receiver], bad_type: &str) -> anyhow::Result<Seen> {
    let (receivers, receipts) = healthy(0, HEALTHY.into()).await?;
    let good = receivers.iter().map(|receiver| Endpoint::new(receiver.address(), EVENT_TYPE));
    let bad = bad.iter().map(|receiver| Endpoint::new(receiver.address(), bad_type));
    let sidecar = bench.start(name, &Stream { endpoints: good.chain(bad).collect() }).await?;
    let process = sidecar.process()?;
    let resident = process.resident()?;
    let watch = Watch::start(process);
    introduce(&sidecar, &receipts).await?;
    let rare = if bad_type == EVENT_TYPE { None } else { Some(RareEvents::start(sidecar.ingest(), bad_type).await?) };

    let template = Arc::new(Template::new(EVENT_TYPE));
    let time = bench.seconds(45, 6);
    let events = u32::try_from(time.as_secs() * EVENTS_A_SECOND)?;
    let open = Open {
        requests: Requests::events(sidecar.ingest()),
        template: Arc::clone(&template),
        numbers: Arc::new(Numbers::starting_at(0)),
        every: EVERY,
        events,
        times: Arc::new(Times::new(0, usize::try_from(events)?, HEALTHY.into())),
    };
    let (times, missing) = timed(open, &receipts).await?;
    let closed = Closed {
        ingest: sidecar.ingest(),
        template,
        numbers: Arc::new(Numbers::starting_at(1_000_000)),
        connections: CONNECTIONS,
        batch: 1,
        receipts: Arc::clone(&receipts),
        fan_out: HEALTHY.into(),
        under_way: u64::from(HEALTHY) * 100,
    };
    // What is still missing would be counted with what follows.
    let rate = if missing == 0 {
        let time = bench.seconds(10, 2);
        let rate = closed.saturate(Duration::from_secs(1), time, || Ok(())).await?.rate;
        receipts.verify(KEY)?;
        rate
    } else {
        f64::NAN
    };
    if let Some(rare) = rare {
        rare.end().await?;
    }
    let peak = watch.peak();
    let ready_after = sidecar.ready_after;
    sidecar.end().await?;
    let all = times.since_due(Duration::ZERO);
    Ok(Seen {
        p50: all.percentile_ms(50),
        p99: all.percentile_ms(99),
        late_p99: times.since_due(time * 2 / 3).percentile_ms(99),
        rate,
        missing,
        resident,
        peak,
        ready_after,
    })
}

/// Lets the endpoints that answer show that they do. One that has never answered cannot be told from those that hang, and
/// waits in turn with them for the share of new endpoints.
async fn introduce(sidecar: &Sidecar, receipts: &Arc<Receipts>) -> anyhow::Result<()> {
    let closed = Closed {
        ingest: sidecar.ingest(),
        template: Arc::new(Template::new(EVENT_TYPE)),
        numbers: Arc::new(Numbers::starting_at(3_000_000)),
        connections: 1,
        batch: 1,
        receipts: Arc::clone(receipts),
        fan_out: HEALTHY.into(),
        under_way: u64::from(HEALTHY),
    };
    closed.post(1).await?;
    let begin = Instant::now();
    while receipts.count() < u64::from(HEALTHY) {
        ensure!(begin.elapsed() < PATIENCE, "the endpoints that answer have not got an event after {PATIENCE:?}");
        sleep(Duration::from_millis(10)).await;
    }
    Ok(())
}

/// Posts an event for the endpoints that hang now and then, until it is ended.
struct RareEvents(JoinHandle<anyhow::Result<()>>);

impl RareEvents {
    async fn start(ingest: std::net::SocketAddr, event_type: &str) -> anyhow::Result<Self> {
        let mut connection = Connection::open(Requests::events(ingest)).await?;
        let template = Template::new(event_type);
        Ok(Self(tokio::spawn(async move {
            let mut clock = interval(RARE_EVERY);
            for number in 2_000_000.. {
                clock.tick().await;
                connection.post(template.event(number)).await?;
            }
            Ok(())
        })))
    }

    /// # Errors
    /// When one could not be posted.
    async fn end(self) -> anyhow::Result<()> {
        self.0.abort();
        self.0.await.unwrap_or(Ok(()))
    }
}
