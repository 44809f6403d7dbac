//! A closed loop: each connection posts its next event when the one before is answered, as fast as the whole delivery
//! can go. So that it is the whole, a connection waits while many deliveries are under way: posting faster than is
//! delivered would only make a backlog.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::bail;
use tokio::{task::JoinSet, time::sleep};

use super::{Connection, Numbers, Requests};
use crate::{event::Template, sink::Receipts, stats::per_second};

/// Longest wait for what is under way at the end.
const PATIENCE: Duration = Duration::from_secs(60);
const LOOK: Duration = Duration::from_millis(1);

/// What is posted, and what is expected.
#[derive(Clone, Debug)]
pub struct Closed {
    /// Where events are taken.
    pub ingest: SocketAddr,
    /// Events of this kind.
    pub template: Arc<Template>,
    /// With these numbers.
    pub numbers: Arc<Numbers>,
    /// Connections.
    pub connections: usize,
    /// Events in a request; 1 is a request that is no batch.
    pub batch: u64,
    /// Where they arrive.
    pub receipts: Arc<Receipts>,
    /// How often each arrives.
    pub fan_out: u64,
    /// Deliveries that may be under way before connections wait.
    pub under_way: u64,
}

/// What came of it.
#[derive(Clone, Copy, Debug)]
pub struct Saturation {
    /// Deliveries a second, without the time to get going and to come to rest.
    pub rate: f64,
    /// Deliveries in that time.
    pub deliveries: u64,
    /// Deliveries that arrived more than once.
    pub duplicates: u64,
}

struct Progress {
    accepted: AtomicU64,
    received_before: u64,
    stop: AtomicBool,
}

impl Closed {
    /// Posts for `warm_up` and `time`, of which `time` is measured, and waits until all has arrived. `at_edges` is
    /// called where the measured time begins and where it ends.
    ///
    /// # Errors
    /// When a request fails, or when an accepted event has not arrived after a minute.
    pub async fn saturate(
        &self,
        warm_up: Duration,
        time: Duration,
        mut at_edges: impl FnMut() -> anyhow::Result<()>,
    ) -> anyhow::Result<Saturation> {
        let progress = Arc::new(Progress {
            accepted: AtomicU64::new(0),
            received_before: self.receipts.count(),
            stop: AtomicBool::new(false),
        });
        let mut tasks = JoinSet::new();
        for _ in 0..self.connections {
            tasks.spawn(self.clone().connection(Arc::clone(&progress)));
        }
        let measured = async {
            sleep(warm_up).await;
            at_edges()?;
            let (begin, before) = (Instant::now(), self.receipts.count());
            sleep(time).await;
            let (elapsed, deliveries) = (begin.elapsed(), self.receipts.count() - before);
            at_edges()?;
            anyhow::Ok((per_second(deliveries, elapsed), deliveries))
        };
        let (rate, deliveries) = tokio::select! {
            measured = measured => measured?,
            Some(ended) = tasks.join_next() => {
                ended??;
                bail!("a producer ended by itself");
            }
        };
        progress.stop.store(true, Ordering::Relaxed);
        while let Some(ended) = tasks.join_next().await {
            ended??;
        }
        let expected = progress.accepted.load(Ordering::Relaxed) * self.fan_out;
        let received = self.settle(progress.received_before, expected).await?;
        Ok(Saturation { rate, deliveries, duplicates: received - expected })
    }

    /// Posts `events` events, without waiting for what becomes of them.
    pub async fn post(&self, events: u64) -> anyhow::Result<()> {
        let left = Arc::new(AtomicU64::new(events));
        let mut tasks = JoinSet::new();
        for _ in 0..self.connections {
            let (this, left) = (self.clone(), Arc::clone(&left));
            tasks.spawn(async move {
                let mut connection = Connection::open(Requests::events(this.ingest)).await?;
                let take = |left: u64| left.checked_sub(this.batch.min(left)).filter(|_| left > 0);
                while let Ok(before) = left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take) {
                    this.request(&mut connection, this.batch.min(before)).await?;
                }
                anyhow::Ok(())
            });
        }
        while let Some(ended) = tasks.join_next().await {
            ended??;
        }
        Ok(())
    }

    async fn connection(self, progress: Arc<Progress>) -> anyhow::Result<()> {
        let mut connection = Connection::open(Requests::events(self.ingest)).await?;
        while !progress.stop.load(Ordering::Relaxed) {
            let received = self.receipts.count() - progress.received_before;
            if progress.accepted.load(Ordering::Relaxed) * self.fan_out >= received + self.under_way {
                sleep(LOOK).await;
                continue;
            }
            self.request(&mut connection, self.batch).await?;
            progress.accepted.fetch_add(self.batch, Ordering::Relaxed);
        }
        Ok(())
    }

    async fn request(&self, connection: &mut Connection, events: u64) -> anyhow::Result<()> {
        let first = self.numbers.take(events);
        let single = self.batch == 1;
        connection.post(if single { self.template.event(first) } else { self.template.batch(first, events) }).await
    }

    /// Waits until all that was accepted has arrived.
    async fn settle(&self, before: u64, expected: u64) -> anyhow::Result<u64> {
        let begin = Instant::now();
        loop {
            let received = self.receipts.count() - before;
            if received >= expected {
                return Ok(received);
            }
            if begin.elapsed() > PATIENCE {
                bail!("{} of {expected} deliveries have not arrived after {PATIENCE:?}", expected - received);
            }
            sleep(LOOK).await;
        }
    }
}
