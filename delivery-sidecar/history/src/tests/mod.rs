//! The whole, as those who use it see it.

mod bounds;
mod listing;
mod model;
mod repair;

use std::{
    collections::{BTreeMap, HashSet},
    path::Path,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use crate::{
    AttemptRecord, Bounds, Delivery, Durations, Entry, EventText, Filter, History, Key, Live, Options, Source,
    Standing, Status, Unfinished,
};

/// A journal that knows what a test tells it.
#[derive(Clone, Default)]
pub struct Journal {
    pub events: Arc<Mutex<BTreeMap<u64, EventText>>>,
    pub unfinished: Arc<Mutex<BTreeMap<Key, Standing>>>,
    pub endpoints: Arc<Mutex<Vec<u32>>>,
}

impl Journal {
    pub fn knows(&self, seq: u64, event: EventText) {
        self.events.lock().unwrap_or_else(PoisonError::into_inner).insert(seq, event);
    }

    pub fn has(&self, key: Key, standing: Standing) {
        self.unfinished.lock().unwrap_or_else(PoisonError::into_inner).insert(key, standing);
    }
}

impl Source for Journal {
    fn event(&self, seq: u64) -> Option<(EventText, i64)> {
        self.events.lock().unwrap_or_else(PoisonError::into_inner).get(&seq).cloned().map(|event| (event, 1))
    }
    fn standing(&self, key: Key) -> Option<Standing> {
        self.unfinished.lock().unwrap_or_else(PoisonError::into_inner).get(&key).copied()
    }
    fn endpoints(&self) -> Vec<u32> {
        self.endpoints.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
    fn unfinished(&self, endpoint: u32, from: u64, limit: usize) -> Vec<Unfinished> {
        let unfinished = self.unfinished.lock().unwrap_or_else(PoisonError::into_inner);
        let of = unfinished.iter().filter(|(key, _)| key.endpoint == endpoint && key.seq >= from).take(limit);
        of.map(|(key, standing)| Unfinished { key: *key, accepted_ms: 1, standing: *standing }).collect()
    }
}

pub const DAY: i64 = 86_400_000;

pub struct Setup {
    pub history: History,
    pub now_ms: Arc<AtomicI64>,
    pub journal: Journal,
}

impl Setup {
    /// Lacks nothing, so that the journal is not asked.
    pub fn start(directory: &Path) -> Self {
        std::fs::write(directory.join("complete"), []).unwrap();
        Self::with(directory, 64 << 20, Journal::default())
    }

    pub fn with(directory: &Path, max_bytes: u64, journal: Journal) -> Self {
        let now_ms = Arc::new(AtomicI64::new(1));
        let bounds = Bounds { max_bytes, retention_ms: DAY, dead_letter_retention_ms: 3 * DAY };
        let options = Options { directory: directory.to_owned(), bounds, repair_after: Duration::ZERO };
        let clock = {
            let now_ms = Arc::clone(&now_ms);
            Arc::new(move || now_ms.load(Ordering::Relaxed))
        };
        let history = History::start(options, Arc::new(journal.clone()), clock).unwrap();
        Self { history, now_ms, journal }
    }

    pub fn accepted(&self, seq: u64, endpoints: &[u32]) {
        let event = event(seq);
        let accepted_ms = self.now_ms.load(Ordering::Relaxed);
        self.history.record(Entry::Accepted { seq, accepted_ms, event, endpoints: endpoints.to_vec() });
    }

    pub fn ended(&self, seq: u64, endpoint: u32, number: u32, status: Status, code: u16) {
        let mut attempt = AttemptRecord::new(number, 5, Durations { total_us: number, ..Durations::default() });
        attempt.response(code, [("a", b"b".as_slice())].into_iter(), format!("body {number}").as_bytes(), true);
        let at_ms = self.now_ms.load(Ordering::Relaxed);
        self.history.record(Entry::Ended {
            key: Key { seq, endpoint },
            at_ms,
            status,
            code: Some(code),
            attempted: true,
            attempt: Some(attempt),
        });
    }

    pub async fn list(&self, filter: Filter) -> Vec<Delivery> {
        self.written().await;
        let page = self.history.list(&filter, &live(), None, usize::MAX).unwrap();
        assert_eq!(page.next, None);
        page.deliveries
    }

    pub async fn look_up(&self, seq: u64, endpoint: u32) -> Option<Delivery> {
        self.written().await;
        self.history.look_up(Key { seq, endpoint }, &live()).unwrap()
    }

    pub async fn written(&self) {
        tokio::time::timeout(Duration::from_secs(30), self.history.written()).await.expect("the thread writes");
    }

    /// Waits until a delivery is as it is wanted.
    pub async fn until(&self, seq: u64, endpoint: u32, wanted: impl Fn(Option<&Delivery>) -> bool) {
        let look = async {
            while !wanted(self.look_up(seq, endpoint).await.as_ref()) {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(30), look).await.expect("it becomes what is wanted");
    }
}

pub fn event(seq: u64) -> EventText {
    let event_type = if seq.is_multiple_of(2) { "order.even" } else { "order.odd" };
    let tenant = seq.is_multiple_of(3).then(|| format!("tenant-{}", seq % 9));
    EventText { id: format!("event-{seq}"), event_type: event_type.to_owned(), tenant }
}

/// Endpoints 0 to 9 are there, and nothing is in flight.
pub fn live() -> Live {
    Live { in_flight: HashSet::new(), endpoints: (0..10).collect() }
}

pub fn keys(deliveries: &[Delivery]) -> Vec<(u64, u32)> {
    deliveries.iter().map(|delivery| (delivery.key.seq, delivery.key.endpoint)).collect()
}
