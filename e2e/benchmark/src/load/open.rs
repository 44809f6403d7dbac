//! An open loop: events are sent by a clock, whether the ones before are answered or not. What an event waits for a
//! free connection counts as latency.

use std::{
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use anyhow::Context;
use tokio::{sync::mpsc, task::JoinSet};

use super::{CONNECTIONS, Connection, Numbers, Requests, Times};
use crate::event::Template;

/// Time from connecting to the first event.
const LEAD: Duration = Duration::from_millis(200);

/// What is sent, where, and how often.
#[derive(Clone, Debug)]
pub struct Open {
    /// Where to.
    pub requests: Requests,
    /// Events of this kind.
    pub template: Arc<Template>,
    /// With these numbers.
    pub numbers: Arc<Numbers>,
    /// Time between two of them.
    pub every: Duration,
    /// How many.
    pub events: u32,
    /// Where times are kept.
    pub times: Arc<Times>,
}

/// Sends them all and waits for the answers.
///
/// # Errors
/// When a request fails.
pub async fn open_loop(open: Open) -> anyhow::Result<()> {
    let mut tasks = JoinSet::new();
    let mut senders = Vec::new();
    for _ in 0..CONNECTIONS {
        // Bounded by the number of events.
        let (sender, mut numbers) = mpsc::unbounded_channel();
        senders.push(sender);
        let mut connection = Connection::open(open.requests.clone()).await?;
        let (template, times) = (Arc::clone(&open.template), Arc::clone(&open.times));
        tasks.spawn(async move {
            while let Some(number) = numbers.recv().await {
                connection.post(template.event(number)).await?;
                times.accepted(number, Instant::now());
            }
            anyhow::Ok(())
        });
    }
    let clock = thread::Builder::new().name("clock".to_owned());
    let clock = clock.spawn(move || send_by_clock(&open, &senders)).context("the clock's thread")?;
    while let Some(ended) = tasks.join_next().await {
        ended??;
    }
    clock.join().ok().context("the clock failed")
}

/// A thread of its own: the runtime's timers are of whole milliseconds. Ends early when a connection has failed.
fn send_by_clock(open: &Open, connections: &[mpsc::UnboundedSender<u64>]) {
    let begin = Instant::now() + LEAD;
    for (index, connection) in (0..open.events).zip(connections.iter().cycle()) {
        let due = begin + open.every * index;
        thread::sleep(due.saturating_duration_since(Instant::now()));
        let number = open.numbers.take(1);
        open.times.due(number, due);
        if connection.send(number).is_err() {
            return;
        }
    }
}
