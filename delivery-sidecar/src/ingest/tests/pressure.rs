//! Overload: what is in progress is bounded in number and in bytes; the rest waits or is asked to come back, and what was
//! taken is kept.

use tokio::sync::watch;

use super::*;

const PATIENCE: Duration = Duration::from_secs(60);

/// Keeps nothing until it is let go, and counts what has come to it.
struct Held {
    arrived: watch::Sender<usize>,
    go: watch::Sender<bool>,
}

impl AcceptEvents for Held {
    fn accept(&self, batch: Vec<Prepared>) -> BoxFuture<'_, Result<Vec<Kept>, AcceptError>> {
        let mut go = self.go.subscribe();
        self.arrived.send_modify(|arrived| *arrived += 1);
        async move {
            go.wait_for(|go| *go).await.expect("it is let go");
            Ok(vec![Kept::New { deliveries: 1 }; batch.len()])
        }
        .boxed()
    }
}

impl Held {
    fn start(setup: &mut Setup) -> Arc<Self> {
        let held = Arc::new(Self { arrived: watch::Sender::new(0), go: watch::Sender::new(false) });
        setup.ingest.journal = held.clone();
        held
    }

    async fn has(&self, requests: usize) {
        let mut arrived = self.arrived.subscribe();
        let arrived = tokio::time::timeout(PATIENCE, arrived.wait_for(|arrived| *arrived >= requests));
        arrived.await.expect("they arrive").unwrap();
    }

    fn let_go(&self) {
        self.go.send_replace(true);
    }
}

/// An event of about so many bytes.
fn large(id: usize, bytes: usize) -> String {
    format!(r#"{{"id":"e{id}","type":"order.created","data":"{}"}}"#, "x".repeat(bytes))
}

/// Posts events all at once.
fn post_all(client: &Arc<Client>, events: usize, bytes: usize) -> Vec<tokio::task::JoinHandle<Answer>> {
    let post = |id| {
        let client = client.clone();
        tokio::spawn(async move { client.post(JSON, large(id, bytes)).await })
    };
    (0..events).map(post).collect()
}

fn reserved_bytes(setup: &Setup) -> usize {
    let text = setup.ingest.metrics.render();
    let line = text.lines().find_map(|line| line.strip_prefix("posthaste_ingest_bodies_bytes "));
    line.unwrap().parse().unwrap()
}

#[tokio::test]
async fn over_the_number_of_requests_producers_are_asked_to_come_back() {
    let mut setup = setup();
    setup.limit(|limits| limits.requests = 8);
    let held = Held::start(&mut setup);
    let client = Arc::new(setup.client());
    let mut answers = post_all(&client, 100, 500);
    held.has(8).await;

    let (mut refused, mut waiting) = (0, Vec::new());
    while answers.len() > waiting.len() {
        let (answer, _, rest) =
            tokio::time::timeout(PATIENCE, futures::future::select_all(answers)).await.expect("answers");
        let answer = answer.unwrap();
        answer.problem(503, "overloaded");
        assert_eq!(answer.header(header::RETRY_AFTER), "1");
        refused += 1;
        answers = rest;
        if refused == 92 {
            waiting = std::mem::take(&mut answers);
        }
    }
    assert_eq!((waiting.len(), *held.arrived.borrow()), (8, 8));
    assert!(reserved_bytes(&setup) <= 8 * 1024);
    held.let_go();
    for answer in waiting {
        assert_eq!(answer.await.unwrap().status, StatusCode::ACCEPTED);
    }
    assert_eq!(reserved_bytes(&setup), 0);
    assert_eq!(client.post(JSON, event("later")).await.status, StatusCode::ACCEPTED);
}

#[tokio::test]
async fn over_the_bytes_of_requests_producers_wait_and_nothing_is_lost() {
    let mut setup = setup();
    setup.set(|settings| settings.max_payload_bytes = 32 * 1024);
    setup.limit(|limits| {
        (limits.body_bytes, limits.memory_bytes) = (32 * 1024, 64 * 1024);
        limits.memory_wait = PATIENCE;
    });
    let held = Held::start(&mut setup);
    let client = Arc::new(setup.client());
    // A little less than 16 KiB each, so four have room.
    let answers = post_all(&client, 20, 16_000);
    held.has(4).await;
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    assert_eq!(*held.arrived.borrow(), 4);
    assert_eq!(reserved_bytes(&setup), 64 * 1024);
    held.let_go();
    for answer in answers {
        assert_eq!(answer.await.unwrap().status, StatusCode::ACCEPTED);
    }
}

#[tokio::test]
async fn producers_that_waited_too_long_for_memory_are_asked_to_come_back() {
    let mut setup = setup();
    setup.set(|settings| settings.max_payload_bytes = 32 * 1024);
    setup.limit(|limits| {
        (limits.body_bytes, limits.memory_bytes) = (32 * 1024, 64 * 1024);
        limits.memory_wait = Duration::ZERO;
    });
    let held = Held::start(&mut setup);
    let client = Arc::new(setup.client());
    let answers = post_all(&client, 4, 16_000);
    held.has(4).await;
    let answer = client.post(JSON, large(5, 16_000)).await;
    answer.problem(503, "overloaded");
    assert_eq!(answer.header(header::RETRY_AFTER), "1");
    held.let_go();
    for answer in answers {
        assert_eq!(answer.await.unwrap().status, StatusCode::ACCEPTED);
    }
}
