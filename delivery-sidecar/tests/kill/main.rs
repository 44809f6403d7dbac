//! The real program is killed (SIGKILL) at random moments while events come in all along: what it acknowledged is
//! delivered all the same, and what is delivered twice is bounded.
//!
//! Some processes are killed some time after they were started, which may be while they recover, the others some time
//! after they took events. The moments come from a seed, which is printed; `POSTHASTE_SEED` repeats it.

mod producer;
mod receiver;
mod sidecar;

use std::{collections::BTreeSet, time::Duration};

use rand::{RngExt, SeedableRng, rngs::StdRng};
use tokio::time::{sleep, timeout};

use producer::Producer;
use receiver::Receiver;
use sidecar::Sidecar;

const KILLS: usize = 100;
/// Streams of the receiver, with an endpoint each.
const ENDPOINTS: [&str; 2] = ["audit", "billing"];
/// Attempts in flight to each.
const CONCURRENCY: usize = 4;
/// The receiver takes at least so long for an answer, which bounds how many of them fit into one batch of outcomes.
const ANSWER_TAKES: Duration = Duration::from_millis(10);
/// So many answers may each connection bring from the beginning of a batch of outcomes until it is on the disk: a batch
/// waits for 10 ms, and the disk may on average take as long.
const BATCH: usize = 2;
/// A test that waits longer than this has failed.
const PATIENCE: Duration = Duration::from_secs(120);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_kills_lose_nothing_and_repeat_little() {
    let seed = std::env::var("POSTHASTE_SEED").map_or_else(|_| rand::random(), |seed| seed.parse().expect("a seed"));
    println!("POSTHASTE_SEED={seed}");
    timeout(PATIENCE, story(seed)).await.expect("it goes on");
}

async fn story(seed: u64) {
    let mut random = StdRng::seed_from_u64(seed);
    let receiver = Receiver::start().await;
    let directory = tempfile::tempdir().unwrap();
    let program = Sidecar::prepare(directory.path(), receiver.address()).await;
    let mut producer = Producer::start(program.ingest());

    let mut most = 0;
    for kill in 0..KILLS {
        let before = receiver.repeated();
        let mut sidecar = program.start();
        if kill % 2 == 1 {
            producer.next_accepted().await;
        }
        sleep(Duration::from_millis(random.random_range(20..250))).await;
        sidecar.kill().await;
        most = most.max(receiver.repeated() - before);
    }

    let mut last = program.start();
    producer.next_accepted().await;
    let accepted = producer.stop().await;
    for endpoint in ENDPOINTS {
        receiver.delivered(endpoint, &accepted).await;
    }
    last.kill().await;

    let (delivered, repeated) = (receiver.delivered_count(), receiver.repeated());
    println!(
        "kills: {KILLS}, accepted: {}, delivered: {delivered}, duplicates: {repeated} (at most {most} after one kill)",
        accepted.len()
    );
    // What was posted but never acknowledged may be delivered or not; nothing else is.
    for endpoint in ENDPOINTS {
        let strangers: BTreeSet<_> = &receiver.ids(endpoint) - &producer.posted();
        assert!(strangers.is_empty(), "nobody posted {strangers:?}");
    }
    assert!(accepted.len() > KILLS, "there was too little to lose: {}", accepted.len());
    let bound = KILLS * ENDPOINTS.len() * CONCURRENCY * (1 + BATCH);
    assert!(repeated <= bound, "{repeated} duplicates are more than {bound}");
}
