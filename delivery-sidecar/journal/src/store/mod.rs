//! State and files together, for the one thread that writes. Every call does its I/O before it returns.
//!
//! [`Store::write`] is the commit: files first, then the state. The state is shared with threads that read.

mod clean;
mod open;
mod recover;
mod tidy;

use std::collections::HashMap;
use std::io;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use clean::Cleaner;

use crate::batch::Batch;
use crate::filesystem::{Filesystem, Lock};
use crate::format::record::Record;
use crate::limits::Limits;
use crate::log::{Active, NewSegment};
use crate::state::{Need, Place, Segment, State};
use crate::{Committed, Error, Kept, NewEvent, Options, Ordinal, Space};

/// How much a probe writes: enough that a disk with room for it has room for some work.
const PROBE_BYTES: usize = 64 << 10;

pub(crate) struct Store {
    filesystem: Arc<dyn Filesystem>,
    options: Options,
    state: Arc<RwLock<State>>,
    active: Active,
    cleaner: Option<Cleaner>,
    _lock: Box<dyn Lock>,
}

/// What a commit did.
#[derive(Debug, Default)]
pub(crate) struct Applied {
    /// New events, in order.
    pub(crate) committed: Vec<Committed>,
    /// How many deliveries each dropped endpoint had.
    pub(crate) dropped: HashMap<Ordinal, u64>,
}

/// The state, for a short look. A panic elsewhere does not make it wrong: records are applied whole or not at all.
pub(crate) fn look(state: &RwLock<State>) -> RwLockReadGuard<'_, State> {
    state.read().unwrap_or_else(PoisonError::into_inner)
}

fn change(state: &RwLock<State>) -> RwLockWriteGuard<'_, State> {
    state.write().unwrap_or_else(PoisonError::into_inner)
}

impl From<io::Error> for Error {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::Full,
            _ => Self::Io(error.to_string()),
        }
    }
}

impl Store {
    pub(crate) fn state(&self) -> &Arc<RwLock<State>> {
        &self.state
    }

    pub(crate) fn look(&self) -> RwLockReadGuard<'_, State> {
        look(&self.state)
    }

    /// Shares the disk out anew. What is too much then goes in the next steps of tidying and cleaning.
    pub(crate) fn set_space(&mut self, space: Space) {
        self.options.space = space;
        let mut state = change(&self.state);
        let state = &mut *state;
        state.limits = Limits::new(&space, self.options.segment_bytes);
        // One segment that was begun for a larger journal could hold all of a smaller one, and would never be cleaned.
        self.active.limit = self.active.limit.min(Active::limit(state.limits.segment, state.snapshot_bytes));
        state.endpoints.weigh_all(&state.limits);
    }

    /// Begins a commit.
    pub(crate) fn begin(&self) -> Batch {
        Batch::new(&self.look())
    }

    /// Whether events fit into the commit and the journal.
    pub(crate) fn fits(&self, batch: &Batch, events: &[NewEvent]) -> bool {
        let state = self.look();
        self.has_room(&state, batch, batch.need_of(&state, events))
    }

    /// Whether kept events fit that are to be pending again.
    pub(crate) fn fits_again(&self, batch: &Batch, events: &[Kept]) -> bool {
        self.has_room(&self.look(), batch, Batch::need_of_kept(events))
    }

    fn has_room(&self, state: &State, batch: &Batch, more: Need) -> bool {
        let Need { bytes, places } = self.need_with(state, batch, more);
        more.bytes == 0
            || (state.segments.used() + bytes <= state.limits.most_for_events()
                && state.places() + places <= state.limits.places)
    }

    /// What `more` takes with what is in the commit already: how much the files would grow, at most, and places.
    fn need_with(&self, state: &State, batch: &Batch, more: Need) -> Need {
        let bytes = match more.bytes {
            0 => 0,
            more if self.active.is_full() => {
                self.active.bytes_to_seal() + state.snapshot_bytes + batch.frame.length() + more
            }
            more => batch.frame.length() + more,
        };
        Need { bytes, places: batch.places + more.places }
    }

    /// Notes that events were refused for want of space, for [`State::usage`]: until there is some, the journal is full,
    /// even if smaller ones would still fit. A batch that is larger than a segment says less, or it would never end.
    pub(crate) fn note_refused(&self, batch: &Batch, events: &[NewEvent]) {
        let mut state = change(&self.state);
        let Need { bytes, places } = self.need_with(&state, batch, batch.need_of(&state, events));
        let Limits { segment, places: most, .. } = state.limits;
        state.wanted = Need { bytes: bytes.min(segment), places: places.min(most / 16) };
    }

    /// Notes that no events wait for space.
    pub(crate) fn ask_for_nothing(&self) {
        if self.look().asked > 0 {
            change(&self.state).asked = 0;
        }
    }

    /// Notes that events have found space.
    pub(crate) fn note_accepted(&self) {
        if self.look().wanted != Need::default() {
            change(&self.state).wanted = Need::default();
        }
    }

    /// Syncs a commit and applies it. After an error nothing of it counts.
    pub(crate) fn write(&mut self, batch: Batch) -> Result<Applied, Error> {
        if batch.is_empty() {
            return Ok(Applied::default());
        }
        let written = self.append(batch);
        self.say_whether_it_fails(&written);
        written
    }

    fn say_whether_it_fails<T>(&self, written: &Result<T, Error>) {
        let mut state = change(&self.state);
        match written {
            Ok(_) if state.failing => tracing::info!("the journal can be written again"),
            Err(error) if !state.failing => {
                tracing::error!(%error, "the journal cannot be written; events are refused until it can");
            }
            _ => {}
        }
        state.failing = written.is_err();
        state.broken = matches!(written, Err(error) if !matches!(error, Error::Full));
    }

    fn append(&mut self, batch: Batch) -> Result<Applied, Error> {
        if self.active.is_full() {
            self.roll()?;
        }
        let Batch { frame, records, committed, .. } = batch;
        let offset = self.active.append(frame)?;
        let mut place = Place { segment: self.active.id, offset };
        let mut applied = Applied { committed, dropped: HashMap::new() };
        let mut state = change(&self.state);
        state.segments.grown(self.active.id, self.active.length, 0);
        for record in records {
            if let Record::Event { accepted_ms, .. } = &record {
                state.now_ms = state.now_ms.max(*accepted_ms);
            }
            let endpoint = if let Record::Dropped { ordinal } = &record { Some(*ordinal) } else { None };
            let count = state.apply(record, &mut place);
            if let Some(ordinal) = endpoint {
                *applied.dropped.entry(ordinal).or_default() += count;
            }
        }
        Ok(applied)
    }

    /// Ends the segment and begins the next.
    fn roll(&mut self) -> io::Result<()> {
        let sealed = self.active.seal()?;
        change(&self.state).segments.grown(self.active.id, self.active.length, sealed);
        let (snapshot, limit, created_ms) = {
            let state = self.look();
            (state.snapshot(), state.limits.segment, state.now_ms)
        };
        let new = NewSegment {
            id: self.active.id + 1,
            first: self.active.next,
            created_ms,
            snapshot,
            limit,
            directory: &self.options.directory,
        };
        self.active = Active::create(&*self.filesystem, new)?;
        begin_segment(&mut change(&self.state), &self.active);
        Ok(())
    }

    /// Tries whether the disk can be written again.
    pub(crate) fn probe(&mut self) -> Result<(), Error> {
        let tried = self.active.probe(PROBE_BYTES).map_err(Error::from);
        self.say_whether_it_fails(&tried);
        tried
    }
}

/// Lets fewer finished events be kept than any journal of a test would have.
#[cfg(test)]
pub(crate) fn limit_history(store: &Store, events: u64) {
    change(&store.state).limits.history_events = events;
}

/// Says that a segment has begun, with nothing in it but its snapshot.
fn begin_segment(state: &mut State, active: &Active) {
    state.snapshot_bytes = active.length;
    state.segments.push(Segment {
        id: active.id,
        path: active.path.clone(),
        file: Arc::clone(&active.file),
        salt: active.salt,
        first: active.first,
        length: active.length,
        overhead: active.length,
        live: 0,
        held: 0,
        events: 0,
        latest_ms: 0,
    });
}
