//! Posts events all along, each until it is acknowledged.

use std::{
    collections::BTreeSet,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{
    sync::watch,
    task::JoinSet,
    time::{sleep, timeout},
};

/// Requests at a time.
const AT_ONCE: usize = 4;
/// After each acknowledged event, so that a backlog does not grow.
const PAUSE: Duration = Duration::from_millis(8);
/// After a request that failed.
const AGAIN: Duration = Duration::from_millis(5);
/// The longest wait for an answer of a process that is killed meanwhile.
const ANSWER: Duration = Duration::from_secs(10);

/// See the module.
pub struct Producer {
    shared: Arc<Shared>,
    tasks: JoinSet<()>,
}

struct Shared {
    client: reqwest::Client,
    url: String,
    posted: Mutex<BTreeSet<String>>,
    accepted: watch::Sender<BTreeSet<String>>,
    stop: watch::Sender<bool>,
}

impl Producer {
    /// Begins to post.
    pub fn start(to: SocketAddr) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let shared = Arc::new(Shared {
            client: reqwest::Client::builder().no_proxy().timeout(ANSWER).build().unwrap(),
            url: format!("http://{to}/v1/events"),
            posted: Mutex::default(),
            accepted: watch::Sender::new(BTreeSet::new()),
            stop: watch::Sender::new(false),
        });
        let mut tasks = JoinSet::new();
        for line in 0..AT_ONCE {
            tasks.spawn(Arc::clone(&shared).post_all(line));
        }
        Self { shared, tasks }
    }

    /// Waits for the next acknowledgement.
    pub async fn next_accepted(&self) {
        let mut accepted = self.shared.accepted.subscribe();
        let before = accepted.borrow_and_update().len();
        let next = accepted.wait_for(|accepted| accepted.len() > before);
        timeout(Duration::from_secs(30), next).await.expect("events are taken").unwrap();
    }

    /// Posts nothing more; the ids of all that was acknowledged.
    pub async fn stop(&mut self) -> BTreeSet<String> {
        self.shared.stop.send_replace(true);
        while let Some(ended) = self.tasks.join_next().await {
            ended.expect("no answer says that an event is wrong");
        }
        self.shared.accepted.borrow().clone()
    }

    /// The ids of all that was posted.
    pub fn posted(&self) -> BTreeSet<String> {
        self.shared.posted().clone()
    }
}

impl Shared {
    fn posted(&self) -> MutexGuard<'_, BTreeSet<String>> {
        self.posted.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn post_all(self: Arc<Self>, line: usize) {
        let stop = self.stop.subscribe();
        for number in 0_u64.. {
            let id = format!("event-{line}-{number}");
            self.posted().insert(id.clone());
            while !self.post(&id).await {
                if *stop.borrow() {
                    return;
                }
                sleep(AGAIN).await;
            }
            self.accepted.send_if_modified(|accepted| accepted.insert(id));
            if *stop.borrow() {
                return;
            }
            sleep(PAUSE).await;
        }
    }

    /// Whether it was acknowledged, now or, unknown to us, before a kill.
    async fn post(&self, id: &str) -> bool {
        let event = format!(r#"{{"id":"{id}","type":"order.created","data":{{"of":"{id}"}}}}"#);
        let request = self.client.post(&self.url).header("content-type", "application/json").body(event);
        match request.send().await {
            Ok(answer) => {
                let status = answer.status().as_u16();
                assert!(matches!(status, 200 | 202 | 503), "neither taken nor to be asked again: {status}");
                matches!(status, 200 | 202)
            }
            Err(_) => false,
        }
    }
}
