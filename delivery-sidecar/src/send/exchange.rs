//! What was sent and what came back, for people who want to know what happened. Holds secrets: who shows it decides what
//! of it may be shown.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

use bytes::BytesMut;
use http::{HeaderMap, StatusCode};

/// Most bytes of an answer's body that are kept.
pub const KEPT_BODY_BYTES: usize = 4 * 1024;

/// See the module.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Exchange {
    /// The headers that were sent, but for those that the connection makes. Empty when nothing was sent.
    pub request: HeaderMap,
    /// The answer, if one had begun.
    pub response: Option<Answer>,
    /// How long its parts took.
    pub times: Times,
}

/// The beginning of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Its status.
    pub status: StatusCode,
    /// Its headers.
    pub headers: HeaderMap,
    /// At most [`KEPT_BODY_BYTES`] of its body.
    pub body: BytesMut,
    /// There was no more of it.
    pub whole: bool,
}

impl Answer {
    /// An answer of whose body nothing was read yet.
    pub fn new(status: StatusCode, headers: HeaderMap) -> Self {
        Self { status, headers, body: BytesMut::new(), whole: false }
    }

    /// A piece of the body was read.
    pub fn read(&mut self, chunk: &[u8]) {
        let room = KEPT_BODY_BYTES.saturating_sub(self.body.len());
        self.body.extend_from_slice(&chunk[..chunk.len().min(room)]);
    }
}

/// How long the parts of an attempt took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Times {
    /// To resolve the name; `None` when there was none to resolve, as on a connection that was open already.
    pub dns: Option<Duration>,
    /// To open the connection, TLS included, without the name; `None` on one that was open already.
    pub connect: Option<Duration>,
    /// From the beginning to the answer's headers.
    pub first_byte: Option<Duration>,
}

tokio::task_local! {
    /// The stopwatch of the attempt that the task makes. The HTTP client knows nothing of attempts: this is how what it
    /// calls, the resolver and the connector, knows for whom it works. A connection that goes on being opened in the
    /// background belongs to nobody.
    static STOPWATCH: Arc<Stopwatch>;
}

/// Takes the times of what happens below the HTTP client.
#[derive(Debug, Default)]
pub struct Stopwatch {
    /// Microseconds and one; 0 is not taken.
    dns: AtomicU32,
    connect: AtomicU32,
}

impl Stopwatch {
    /// Runs what may resolve and connect, and says how long that took.
    pub async fn around<T>(work: impl Future<Output = T>) -> (T, Arc<Self>) {
        let stopwatch = Arc::new(Self::default());
        let result = STOPWATCH.scope(Arc::clone(&stopwatch), work).await;
        (result, stopwatch)
    }

    /// The stopwatch of the attempt for which the caller works, if there is one.
    pub fn current() -> Option<Arc<Self>> {
        STOPWATCH.try_with(Arc::clone).ok()
    }

    /// A name was resolved, or was not.
    pub fn resolved(&self, since: Instant) {
        self.dns.store(micros(since.elapsed()), Ordering::Relaxed);
    }

    /// A connection was opened, its name included.
    pub fn connected(&self, since: Instant) {
        self.connect.store(micros(since.elapsed()), Ordering::Relaxed);
    }

    /// What was taken.
    pub fn times(&self) -> Times {
        let taken = |taken: &AtomicU32| match taken.load(Ordering::Relaxed) {
            0 => None,
            micros => Some(Duration::from_micros(u64::from(micros - 1))),
        };
        let dns = taken(&self.dns);
        let connect = taken(&self.connect).map(|whole| whole.saturating_sub(dns.unwrap_or_default()));
        Times { dns, connect, first_byte: None }
    }
}

fn micros(elapsed: Duration) -> u32 {
    u32::try_from(elapsed.as_micros()).unwrap_or(u32::MAX).saturating_add(1)
}
