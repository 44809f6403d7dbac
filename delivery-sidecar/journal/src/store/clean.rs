//! Cleaning: what is still needed of the oldest segment is copied to the newest, and the oldest is removed.
//!
//! It is done in small steps, each a commit of its own, so that nobody waits long for it and a failure of it is nobody
//! else's. Until the oldest segment is removed, everything is there twice, and reading it twice changes nothing. A segment is
//! removed only when nothing in memory refers to it any more.

use std::io;
use std::sync::Arc;

use super::{Store, change};
use crate::batch::Batch;
use crate::format::blob;
use crate::format::record::Record;
use crate::log::{ReadError, SegmentReader};
use crate::state::{Need, Segment, State};
use crate::{Error, IdempotencyKey, NewEvent};

/// A step ends after copying this much,
const COPY_BYTES: u64 = 256 << 10;
/// or after looking at this many commits.
const LOOK_COMMITS: usize = 4096;

/// Why a segment that has been read to its end is not removed.
const NEEDED_BUT_ABSENT: &str = "something that is needed was not found in it";

/// How far the oldest segment has been cleaned.
pub(super) struct Cleaner {
    segment: Segment,
    reader: SegmentReader,
}

/// Garbage that is worth copying what is needed, as long as space is not short.
fn worthwhile(live: u64, segment_bytes: u64) -> u64 {
    (live / 2).max(2 * segment_bytes)
}

impl State {
    /// Whether enough is garbage that copying the rest is worth it. Normally a third of all: each byte is then copied twice
    /// at most for each byte that is freed. When space runs short, less will do. Finished events that are kept are garbage
    /// only once they have to give way.
    fn is_cleaning_worth_it(&self, segment_bytes: u64) -> bool {
        let (garbage, live) = (self.segments.garbage(), self.segments.live());
        let is_short = self.is_disk_full() || self.segments.used() + segment_bytes >= self.limits.most_for_events();
        self.spare_garbage() > worthwhile(live, segment_bytes) || (is_short && garbage > (live / 16).max(segment_bytes))
    }

    /// The oldest segment, if nothing of it is needed or kept. The newest is always needed.
    fn needless_segment(&self, is_being_cleaned: bool) -> Option<&Segment> {
        let is_needless = self.segments.len() > 1 && (is_being_cleaned || self.is_oldest_spare());
        self.segments.oldest().filter(|oldest| oldest.held == 0 && is_needless)
    }
}

impl Store {
    /// Whether [`Store::clean`] has something to do.
    pub(crate) fn is_cleaning_due(&self) -> bool {
        if self.cleaner.is_some() {
            return true;
        }
        let state = self.look();
        let can_begin = state.segments.len() > 1 || self.active.is_full();
        state.needless_segment(false).is_some() || (can_begin && state.is_cleaning_worth_it(self.active.limit))
    }

    /// Whether space for events is about to be freed, which finished ones give way for. Places are not: those are of what is
    /// not finished.
    pub(crate) fn is_freeing_for(&self, batch: &Batch, events: &[NewEvent]) -> bool {
        let (before, most) = {
            let mut state = change(&self.state);
            let Need { bytes, places } = self.need_with(&state, batch, batch.need_of(&state, events));
            if state.places() + places > state.limits.places {
                return false;
            }
            let before = state.asked;
            state.asked = bytes.max(before);
            (before, state.limits.most_for_events())
        };
        let is_freeing = self.look().asked <= most && self.is_freeing();
        if !is_freeing {
            change(&self.state).asked = before;
        }
        is_freeing
    }

    /// Whether cleaning is about to free space: the oldest segment is at most half needed, or so much is garbage that
    /// others must be.
    fn is_freeing(&self) -> bool {
        let frees_much = {
            let state = self.look();
            let is_half_needed = |oldest: &Segment| oldest.live <= oldest.length / 2;
            state.segments.len() > 1
                && (state.segments.oldest().is_some_and(is_half_needed)
                    || state.segments.garbage() > worthwhile(state.segments.live(), self.active.limit))
        };
        frees_much && self.is_cleaning_due()
    }

    /// Takes a step of cleaning, if it is due.
    pub(crate) fn clean(&mut self) -> Result<(), Error> {
        if !self.is_cleaning_due() {
            return Ok(());
        }
        // One that has been copied goes, even if what is finished in it could be kept again by now.
        let is_copied = self.cleaner.is_some();
        let needless = self.look().needless_segment(is_copied).cloned();
        if let Some(segment) = needless {
            self.cleaner = None;
            return self.remove_oldest(&segment);
        }
        let mut cleaner = match self.cleaner.take() {
            Some(cleaner) => cleaner,
            None => self.begin_cleaning()?,
        };
        let before = cleaner.reader.position();
        let mut batch = self.begin();
        let copied = copy(&mut cleaner, &self.look(), &mut batch);
        let result = copied.and_then(|()| self.write_copies(batch));
        if result.is_err() {
            cleaner.reader.go_back(before);
        }
        self.cleaner = Some(cleaner);
        result
    }

    fn begin_cleaning(&mut self) -> Result<Cleaner, Error> {
        if self.look().segments.len() == 1 {
            self.roll()?;
        }
        let segment = self.look().segments.oldest().cloned().ok_or_else(|| Error::Io("there is no segment".into()))?;
        let mut reader =
            SegmentReader::new(Arc::clone(&segment.file), segment.length, segment.salt, segment.first, false)?;
        // The snapshot.
        reader.next().map_err(|error| unreadable(&segment, error))?;
        reader.use_index()?;
        Ok(Cleaner { segment, reader })
    }

    /// Copies that cannot be written are no reason to refuse events: those may still fit.
    fn write_copies(&mut self, batch: Batch) -> Result<(), Error> {
        if batch.is_empty() {
            return Ok(());
        }
        self.append(batch).map(|_| ())
    }

    /// Removes a segment, durably before the next one may go: files must never be missing in the middle.
    fn remove_oldest(&mut self, segment: &Segment) -> Result<(), Error> {
        match self.filesystem.remove(&segment.path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error.into()),
            _ => self.filesystem.sync_directory(&self.options.directory)?,
        }
        change(&self.state).segments.remove_oldest();
        tracing::debug!(file = %segment.path.display(), bytes = segment.length, "a segment is cleaned");
        Ok(())
    }
}

/// Copies what is needed until the step is large enough or the segment ends.
fn copy(cleaner: &mut Cleaner, state: &State, batch: &mut Batch) -> Result<(), Error> {
    let Cleaner { segment, reader } = cleaner;
    for _ in 0..LOOK_COMMITS {
        if batch.frame.length() > COPY_BYTES {
            return Ok(());
        }
        let group = match reader.next() {
            Ok(Some(group)) => group,
            Ok(None) if batch.is_empty() => {
                return Err(unreadable(segment, ReadError::Bad { offset: segment.length, what: NEEDED_BUT_ABSENT }));
            }
            Ok(None) => return Ok(()),
            Err(error) => return Err(unreadable(segment, error)),
        };
        let mut offset = group.data_offset;
        for record in group.records {
            let here = offset;
            offset += record.blob().map_or(0, |(_, length)| length);
            match record {
                Record::Event { seq, key, .. } => {
                    copy_event(segment, state, batch, seq, here)?;
                    if let Some(key) = key {
                        copy_key(segment, state, batch, key);
                    }
                }
                Record::Moved { seq, .. } => copy_event(segment, state, batch, seq, here)?,
                Record::Key { key, .. } => copy_key(segment, state, batch, key),
                // What these say is in the snapshot of a later segment, or in what is copied of the event.
                Record::Snapshot(_)
                | Record::Outcome { .. }
                | Record::Assigned { .. }
                | Record::Dropped { .. }
                | Record::Memo { .. }
                | Record::Removed { .. }
                | Record::Redelivered { .. } => {}
            }
        }
    }
    Ok(())
}

fn unreadable(segment: &Segment, error: ReadError) -> Error {
    match error {
        ReadError::Io(error) => error.into(),
        ReadError::Bad { offset, what } => Error::Damaged { file: segment.path.clone(), offset, what: what.into() },
    }
}

fn copy_event(segment: &Segment, state: &State, batch: &mut Batch, seq: u64, offset: u32) -> Result<(), Error> {
    let Some(event) = state.events.get(seq) else { return Ok(()) };
    if event.segment != segment.id || (event.length > 0 && event.offset != offset) {
        return Ok(());
    }
    let mut bytes = vec![0; event.length as usize];
    segment.file.read_at(&mut bytes, offset.into())?;
    if event.length > 0 && !blob::is_intact(seq, &bytes) {
        tracing::error!(
            file = %segment.path.display(), offset, seq,
            "the content of an event is damaged; it is given up, and its deliveries will fail",
        );
        bytes.clear();
    }
    batch.move_event(seq, &event, &bytes);
    Ok(())
}

/// The record has more of the key than memory.
fn copy_key(segment: &Segment, state: &State, batch: &mut Batch, key: IdempotencyKey) {
    if let Some(known) = state.keys.get(key.key).filter(|known| known.segment == segment.id && known.is(&key)) {
        batch.move_key(key, known.deliveries);
    }
}
