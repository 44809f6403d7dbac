//! The handle: what others call.

mod again;
mod standing;

use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, RwLock};
use std::thread;

pub use again::REDELIVER_EVENTS;
use bytes::Bytes;
use tokio::sync::{Mutex, OwnedSemaphorePermit, Semaphore, oneshot};

use crate::filesystem::Filesystem;
use crate::format::blob;
use crate::format::bytes::Malformed;
use crate::state::State;
use crate::store::{Store, look};
use crate::writer::{Answer, Answers, Closed, Outcomes, Request, WaitingOutcome, Writer};
use crate::{
    Accepted, Committed, DeadLetter, EndpointStats, Error, NewEvent, Options, Ordinal, Outcome, Overflow, Pending,
    Recovered, Seq, Space, Stored, Tidied, Usage,
};

/// Most bytes of one event's payload.
pub const PAYLOAD_BYTES: usize = 16 << 20;
/// Most bytes of what the engine remembers about an endpoint.
pub const MEMO_BYTES: usize = 1 << 10;

/// Most bytes of one endpoint's UID.
const UID_BYTES: usize = 256;
/// Most bytes of all events that are accepted together.
const BATCH_BYTES: usize = 64 << 20;

/// Events that wait to be synced take at most this many bytes, or so many places of the least size.
const QUEUE_BYTES: usize = 16 << 20;
const PLACE_BYTES: usize = 1 << 10;
/// At most this many outcomes wait to be synced.
const QUEUE_OUTCOMES: usize = 16 << 10;
/// At most this many other requests wait.
const QUEUE_REQUESTS: usize = 256;

/// A durable queue of events. Cheap to clone; when the last clone goes, the writer syncs what waits and ends.
#[derive(Clone)]
pub struct Journal {
    inner: Arc<Inner>,
}

struct Inner {
    state: Arc<RwLock<State>>,
    requests: Sender<Request>,
    waiting_outcomes: Arc<Outcomes>,
    events: Arc<Semaphore>,
    outcomes: Arc<Semaphore>,
    others: Arc<Semaphore>,
    /// Held by the one that looks for finished events.
    history: Arc<Mutex<()>>,
}

impl Journal {
    /// Opens the journal of a directory and starts its writer. Blocks while it reads.
    ///
    /// `on_commit` gets new events in order of [`Seq`], on the writer's thread, after they are synced and before those who
    /// posted them hear of it. It must not wait for the journal.
    ///
    /// # Errors
    /// [`Error::Locked`] when another process holds the directory, [`Error::Version`] and [`Error::Damaged`] when the files
    /// cannot be trusted, [`Error::Io`] and [`Error::Full`] when the disk fails.
    pub fn open(
        filesystem: Arc<dyn Filesystem>,
        options: Options,
        now_ms: i64,
        on_commit: impl Fn(Vec<Committed>) + Send + 'static,
    ) -> Result<(Self, Recovered), Error> {
        let answers = Answers::here();
        let (journal, writer, recovered) = Self::open_with_writer(filesystem, options, now_ms, on_commit, answers)?;
        thread::Builder::new().name("journal".into()).spawn(move || writer.run())?;
        Ok((journal, recovered))
    }

    /// Opens it and leaves the writer to the caller.
    pub(crate) fn open_with_writer<C: Fn(Vec<Committed>)>(
        filesystem: Arc<dyn Filesystem>,
        options: Options,
        now_ms: i64,
        on_commit: C,
        answers: Answers,
    ) -> Result<(Self, Writer<C>, Recovered), Error> {
        let outcome_delay = options.outcome_delay;
        let (store, recovered) = Store::open(filesystem, options, now_ms)?;
        let state = Arc::clone(store.state());
        let (requests, inbox) = channel();
        let waiting_outcomes = Arc::new(Outcomes::new());
        let writer = Writer::new(store, inbox, Arc::clone(&waiting_outcomes), outcome_delay, on_commit, answers);
        let inner = Inner {
            state,
            requests,
            waiting_outcomes,
            events: Arc::new(Semaphore::new(QUEUE_BYTES / PLACE_BYTES)),
            outcomes: Arc::new(Semaphore::new(QUEUE_OUTCOMES)),
            others: Arc::new(Semaphore::new(QUEUE_REQUESTS)),
            history: Arc::default(),
        };
        Ok((Self { inner: Arc::new(inner) }, writer, recovered))
    }

    /// Accepts events, all or none, and answers for each once all are synced. Waits while the queue is full.
    ///
    /// A key is looked up at the event's own `accepted_ms`; a repetition of an event that is being synced waits for that
    /// sync. Deliveries to endpoints that are not known (any more) are left out.
    ///
    /// # Errors
    /// [`Error::Full`] and [`Error::Io`]: nothing was kept, and asking again may work. [`Error::Size`]: it never will.
    pub async fn accept(&self, events: Vec<NewEvent>) -> Result<Vec<Accepted>, Error> {
        let mut bytes = 0;
        for event in &events {
            at_most("an event", event.payload.len(), PAYLOAD_BYTES, "16 MiB")?;
            bytes += event.payload.len() + event.deliveries.len() * size_of::<Ordinal>();
        }
        at_most("a batch of events", bytes, BATCH_BYTES, "64 MiB")?;
        let places = (bytes.div_ceil(PLACE_BYTES)).clamp(1, QUEUE_BYTES / PLACE_BYTES);
        let place = self.place(&self.inner.events, places).await?;
        self.ask(place, |answer| Request::Accept { events, answer }).await?
    }

    /// Takes an outcome. Returns once it is queued and waits while the queue is full; it is synced within
    /// `outcome_delay` or with the next commit, and kept and tried again while the disk fails.
    ///
    /// An outcome of a delivery that is unknown or finished changes nothing. `attempts` that is not more than before says
    /// that nothing was sent: then no attempt is counted.
    pub async fn record(&self, outcome: Outcome) {
        let Ok(place) = self.place(&self.inner.outcomes, 1).await else { return };
        match self.inner.waiting_outcomes.push(WaitingOutcome { outcome, _place: place }) {
            // A writer that has ended meanwhile frees the place.
            Ok(true) => drop(self.inner.requests.send(Request::Outcomes)),
            Ok(false) => {}
            Err(Closed) => tracing::debug!("an outcome came after the journal was closed"),
        }
    }

    /// Waits until all outcomes that were recorded before are synced.
    ///
    /// # Errors
    /// [`Error::Full`] and [`Error::Io`]: they are not, but are still kept.
    pub async fn flush(&self) -> Result<(), Error> {
        let place = self.place(&self.inner.others, 1).await?;
        self.ask(place, |answer| Request::Flush { answer }).await?
    }

    /// The number of the endpoint with this UID. A new one is synced before this returns.
    ///
    /// # Errors
    /// [`Error::Size`] unless the UID has 1 to 256 bytes; [`Error::Full`] and [`Error::Io`] when the disk fails.
    pub async fn ordinal(&self, uid: &str) -> Result<Ordinal, Error> {
        self.ordinals(vec![uid.to_owned()]).await?.first().copied().ok_or(Error::Closed)
    }

    /// The numbers of the endpoints with these UIDs, with one sync for all that are new.
    ///
    /// # Errors
    /// As [`Journal::ordinal`].
    pub async fn ordinals(&self, uids: Vec<String>) -> Result<Vec<Ordinal>, Error> {
        for uid in &uids {
            if uid.is_empty() || uid.len() > UID_BYTES {
                return Err(Error::Size { what: "an endpoint's UID", found: uid.len(), allowed: "1 to 256" });
            }
        }
        let place = self.place(&self.inner.others, 1).await?;
        self.ask(place, |answer| Request::Ordinals { uids, answer }).await?
    }

    /// Drops an endpoint because a person deleted it: its pending deliveries and dead letters are gone, its UID is
    /// forgotten, and its number is never used again. Returns how many deliveries were dropped: 0 when it is not known.
    ///
    /// # Errors
    /// [`Error::Full`] and [`Error::Io`]: nothing was dropped.
    pub async fn drop_endpoint(&self, ordinal: Ordinal) -> Result<u64, Error> {
        let place = self.place(&self.inner.others, 1).await?;
        self.ask(place, |answer| Request::Drop { ordinal, answer }).await?
    }

    /// Keeps what the engine wants to remember about an endpoint, in place of what it kept before. Nothing happens when
    /// the endpoint is not known.
    ///
    /// # Errors
    /// [`Error::Size`] over 1 KiB; [`Error::Full`] and [`Error::Io`] when the disk fails.
    pub async fn remember(&self, ordinal: Ordinal, memo: Bytes) -> Result<(), Error> {
        at_most("what is remembered about an endpoint", memo.len(), MEMO_BYTES, "up to 1 KiB")?;
        // The caller's bytes may be a piece of something larger.
        let memo = Bytes::copy_from_slice(&memo);
        let place = self.place(&self.inner.others, 1).await?;
        self.ask(place, |answer| Request::Remember { ordinal, memo, answer }).await?
    }

    /// Shares the disk out anew: events that were refused are taken as soon as this returns, if there is space for them
    /// now, and what is too much for the new limits goes from then on, a bounded step at a time.
    pub async fn set_space(&self, space: Space) {
        let Ok(place) = self.place(&self.inner.others, 1).await else { return };
        // Whoever closed the journal needs no space.
        let _ = self.ask(place, |answer| Request::Space { space, answer }).await;
    }

    /// Removes idempotency keys that have expired, and dead letters that are too old or too many, oldest first. To be
    /// called about once a minute; nothing depends on it but space.
    pub async fn tidy(&self, now_ms: i64) -> Tidied {
        let Ok(place) = self.place(&self.inner.others, 1).await else { return Tidied::default() };
        self.ask(place, |answer| Request::Tidy { now_ms, answer }).await.unwrap_or_default()
    }

    /// Syncs what waits, ends the writer and frees the lock. Other clones get [`Error::Closed`] from then on.
    ///
    /// # Errors
    /// [`Error::Io`] when outcomes could not be synced: their deliveries will be attempted again.
    pub async fn close(self) -> Result<(), Error> {
        let place = self.place(&self.inner.others, 1).await?;
        self.ask(place, |answer| Request::Close { answer }).await?
    }

    /// Reads an event that has unfinished deliveries or dead letters. `None` when it has none. Blocks for the disk.
    ///
    /// # Errors
    /// [`Error::Damaged`] when its content is not what was written, [`Error::Io`] when it cannot be read.
    pub fn read(&self, seq: Seq) -> Result<Option<Stored>, Error> {
        read(&self.inner.state, seq)
    }

    /// How many bytes [`Self::read`] would have to read for an event: its content and the list of its endpoints. `None`
    /// when it would return `None`. Cheap.
    pub fn stored_bytes(&self, seq: Seq) -> Option<usize> {
        look(&self.inner.state).events.get(seq).map(|event| event.length as usize)
    }

    /// The counts of an endpoint. `None` when it is not known.
    pub fn stats(&self, ordinal: Ordinal) -> Option<EndpointStats> {
        look(&self.inner.state).endpoints.get(ordinal).map(|endpoint| endpoint.stats.clone())
    }

    /// Deliveries and attempts of all endpoints that were dropped, together. What they had waiting is not counted.
    pub fn stats_of_dropped(&self) -> EndpointStats {
        look(&self.inner.state).dropped.clone()
    }

    /// The endpoints that are known, in order.
    pub fn endpoints(&self) -> Vec<Ordinal> {
        look(&self.inner.state).endpoints.iter().map(|(ordinal, _)| ordinal).collect()
    }

    /// Deliveries that are not finished, in order of acceptance: those of the events behind `after`, until there are `most` of
    /// them or a few more, because those of one event come together. To go through all in steps, begin behind 0.
    pub fn pending_after(&self, after: Seq, most: usize) -> Vec<Pending> {
        look(&self.inner.state).pending_after(after, most)
    }

    /// How many deliveries of an endpoint are not finished.
    pub fn pending(&self, ordinal: Ordinal) -> u64 {
        look(&self.inner.state).endpoints.get(ordinal).map_or(0, |endpoint| endpoint.pending.len() as u64)
    }

    /// When the first event, in order of acceptance, that an endpoint still waits for was accepted. Exact, and cheap.
    pub fn oldest_pending_ms(&self, ordinal: Ordinal) -> Option<i64> {
        look(&self.inner.state).oldest_pending_ms(ordinal)
    }

    /// Endpoints that have more bytes pending than one may, and the oldest of their deliveries, at most `most` in all, which
    /// are to be given up for it. Whoever delivers decides: what is in flight need not be given up, and is told of again.
    /// Cheap when there are none.
    pub fn overflowing(&self, most: usize) -> Vec<Overflow> {
        look(&self.inner.state).overflowing(most)
    }

    /// Dead letters of an endpoint, at most `limit`, in order of acceptance.
    pub fn dead_letters(&self, ordinal: Ordinal, limit: usize) -> Vec<DeadLetter> {
        self.dead_letters_from(ordinal, 0, limit)
    }

    /// The same, from a number on: to go through them in steps.
    pub fn dead_letters_from(&self, ordinal: Ordinal, from: Seq, limit: usize) -> Vec<DeadLetter> {
        look(&self.inner.state).dead_letters(ordinal, from, limit)
    }

    /// Bytes in use.
    pub fn usage(&self) -> Usage {
        look(&self.inner.state).usage()
    }

    async fn place(&self, queue: &Arc<Semaphore>, places: usize) -> Result<OwnedSemaphorePermit, Error> {
        let places = u32::try_from(places).unwrap_or(u32::MAX);
        Arc::clone(queue).acquire_many_owned(places).await.map_err(|_| Error::Closed)
    }

    async fn ask<T>(
        &self,
        place: OwnedSemaphorePermit,
        request: impl FnOnce(Answer<T>) -> Request,
    ) -> Result<T, Error> {
        let (to, answer) = oneshot::channel();
        self.inner.requests.send(request(Answer { to, place })).map_err(|_| Error::Closed)?;
        answer.await.map_err(|_| Error::Closed)
    }
}

fn at_most(what: &'static str, found: usize, most: usize, allowed: &'static str) -> Result<(), Error> {
    if found > most { Err(Error::Size { what, found, allowed }) } else { Ok(()) }
}

/// Reads an event. The disk is read without holding the state, and a file that is removed meanwhile can still be read.
pub(crate) fn read(state: &RwLock<State>, seq: Seq) -> Result<Option<Stored>, Error> {
    let (file, path, offset, length, accepted_ms) = {
        let state = look(state);
        let Some(event) = state.events.get(seq) else { return Ok(None) };
        let Some(segment) = state.segments.get(event.segment) else { return Ok(None) };
        (Arc::clone(&segment.file), segment.path.clone(), u64::from(event.offset), event.length, event.accepted_ms)
    };
    let mut bytes = vec![0; length as usize];
    file.read_at(&mut bytes, offset)?;
    let (deliveries, payload) = blob::open(seq, &Bytes::from(bytes)).map_err(|Malformed(what)| Error::Damaged {
        file: path,
        offset,
        what: what.into(),
    })?;
    Ok(Some(Stored { accepted_ms, deliveries, payload }))
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::testing::FakeDisk;
    use crate::tests::support::{event, journal, succeeded, with_space};

    #[tokio::test]
    async fn queues_are_bounded_and_who_finds_them_full_waits() {
        let disk = FakeDisk::new(1);
        let journal = journal(&disk, with_space(|space| space.max_bytes = 1 << 30));
        let gate = disk.hold_syncs();
        let accept = |length| {
            let journal = journal.clone();
            tokio::spawn(async move { journal.accept(vec![event(length, &[])]).await })
        };
        let accepts: Vec<_> = (0..40).map(|_| accept(1 << 20)).collect();
        let recorded = Arc::new(AtomicUsize::new(0));
        let recording = {
            let (journal, recorded) = (journal.clone(), Arc::clone(&recorded));
            tokio::spawn(async move {
                for _ in 0..QUEUE_OUTCOMES + 5 {
                    journal.record(succeeded(1, Ordinal(0))).await;
                    recorded.fetch_add(1, Ordering::Relaxed);
                }
            })
        };
        while journal.inner.events.available_permits() + journal.inner.outcomes.available_permits() > 0 {
            tokio::task::yield_now().await;
        }
        assert!(!recording.is_finished());
        assert_eq!(recorded.load(Ordering::Relaxed), QUEUE_OUTCOMES, "the next one waits");
        drop(gate);
        for accept in accepts {
            accept.await.unwrap().unwrap();
        }
        // Outcomes wait for the next commit here.
        while !recording.is_finished() {
            journal.flush().await.unwrap();
        }
        journal.flush().await.unwrap();
        assert_eq!(journal.inner.events.available_permits(), QUEUE_BYTES / PLACE_BYTES);
        assert_eq!(journal.inner.outcomes.available_permits(), QUEUE_OUTCOMES);
    }
}
