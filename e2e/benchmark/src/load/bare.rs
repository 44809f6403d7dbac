//! The bare loop: what a client that only posts can do on this machine at this moment. No journal, no signature, no
//! retries; the same receiver, the same sizes, as many connections as a producer has.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use tokio::task::JoinSet;

use super::{CONNECTIONS, Connection, Requests};
use crate::{event::Template, stats::per_second};

/// Posts to a receiver for a time. Returns requests a second.
pub async fn bare_loop(receiver: SocketAddr, time: Duration) -> anyhow::Result<f64> {
    let body = Template::new("bench.bare").event(0);
    let mut connections = Vec::new();
    for _ in 0..CONNECTIONS {
        connections.push(Connection::open(Requests::deliveries(receiver)).await?);
    }
    let begin = Instant::now();
    let mut tasks = JoinSet::new();
    for mut connection in connections {
        let body = body.clone();
        tasks.spawn(async move {
            let mut posted = 0;
            while begin.elapsed() < time {
                connection.post(body.clone()).await?;
                posted += 1;
            }
            anyhow::Ok(posted)
        });
    }
    let mut posted = 0;
    while let Some(result) = tasks.join_next().await {
        posted += result??;
    }
    Ok(per_second(posted, begin.elapsed()))
}
