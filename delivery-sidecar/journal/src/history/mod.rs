//! Looks for events that are kept, finished or not, in the files: nothing in memory is about those that are finished.
//!
//! It goes through the files twice, as they are when it begins, in steps that are the caller's to take, and beside the
//! writer. The first time it reads records only, to learn which events the endpoint was given, and how many copies there
//! are of each. The second time it reads the last copy of what is wanted. Files that are removed meanwhile are not waited
//! for.

mod seq_set;

use std::sync::{Arc, RwLock};
use std::vec;

use bytes::Bytes;
use tokio::sync::OwnedMutexGuard;

use crate::format::blob;
use crate::format::bytes::Malformed;
use crate::format::record::Record;
use crate::log::{Group, ReadError, SegmentReader};
use crate::state::{Segment, State, event};
use crate::store::look;
use crate::{Error, Ordinal, Seq, Stored};
use seq_set::{Copies, SeqSet};

/// A step ends after reading this much of events,
const STEP_BYTES: usize = 1 << 20;
/// or finding so many,
const STEP_EVENTS: usize = 256;
/// or after looking at so many commits.
const STEP_COMMITS: usize = 4096;

/// Which events are looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// The endpoint that they are for.
    pub endpoint: Ordinal,
    /// Those that it was given before, or those that it never was; `None` for both.
    pub given: Option<bool>,
    /// Accepted at this time or later.
    pub since_ms: Option<i64>,
    /// Accepted before this time.
    pub until_ms: Option<i64>,
    /// This one only.
    pub only: Option<Seq>,
}

/// An event that is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// Its number.
    pub seq: Seq,
    /// As in [`crate::NewEvent`].
    pub group: u16,
    /// What there is of it. Its `deliveries` are all that it was ever for.
    pub stored: Stored,
}

impl Kept {
    /// Bytes that it counts for an endpoint that waits for it: once it is pending for this one, too.
    pub fn weight(&self, endpoint: Ordinal) -> u64 {
        let Stored { deliveries, payload, .. } = &self.stored;
        let mut all = deliveries.clone();
        if let Err(at) = all.binary_search(&endpoint) {
            all.insert(at, endpoint);
        }
        event::weight(blob::length(&all, payload) as u64)
    }
}

/// A way through the files. While there is one, others wait: what one makes pending again, another must see.
pub struct History {
    state: Arc<RwLock<State>>,
    wanted: Wanted,
    /// The newest segment when it began, and how long it was.
    last: (u32, u64),
    /// The segment that comes next, of the first way and of the second.
    surveyed: u32,
    next: u32,
    given: SeqSet,
    copies: Copies,
    current: Option<(Segment, SegmentReader)>,
    /// What is left of the last commit that was read.
    ahead: vec::IntoIter<(Record, u32)>,
    _turn: OwnedMutexGuard<()>,
}

impl History {
    pub(crate) fn new(state: Arc<RwLock<State>>, wanted: Wanted, turn: OwnedMutexGuard<()>) -> Self {
        let (oldest, last) = {
            let state = look(&state);
            let place = |segment: &Segment| (segment.id, segment.length);
            (state.segments.oldest().map_or(0, |oldest| oldest.id), state.segments.newest().map_or((0, 0), place))
        };
        Self {
            state,
            wanted,
            last,
            surveyed: oldest,
            next: oldest,
            given: SeqSet::default(),
            copies: Copies::default(),
            current: None,
            ahead: Vec::new().into_iter(),
            _turn: turn,
        }
    }

    /// The endpoint that events are looked for.
    pub(crate) fn endpoint(&self) -> Ordinal {
        self.wanted.endpoint
    }

    /// Takes a step, and returns what it found: often nothing. `None` at the end. Blocks for the disk. An event whose content
    /// is damaged is left out.
    ///
    /// # Errors
    /// [`Error::Damaged`] when a file is not what was written, [`Error::Io`] when it cannot be read.
    pub fn step(&mut self) -> Result<Option<Vec<Kept>>, Error> {
        if self.surveyed <= self.last.0 {
            self.survey()?;
            return Ok(Some(Vec::new()));
        }
        if self.current.is_none() {
            if self.next > self.last.0 {
                return Ok(None);
            }
            let Some(current) = self.open(self.next)? else {
                self.catch_up();
                return Ok(Some(Vec::new()));
            };
            self.current = Some(current);
        }
        self.find().map(Some)
    }

    /// Files that had been looked at are gone: what there is of their events is not known any more, and is learned again.
    fn catch_up(&mut self) {
        let oldest = look(&self.state).segments.oldest().map_or(self.next, |oldest| oldest.id);
        (self.surveyed, self.next) = (oldest, oldest.max(self.next));
        (self.given, self.copies) = (SeqSet::default(), Copies::default());
    }

    /// A segment and its records, as far as they were there at the beginning. `None` when it is gone.
    fn open(&self, id: u32) -> Result<Option<(Segment, SegmentReader)>, Error> {
        let segment = look(&self.state).segments.get(id).cloned();
        let Some(mut segment) = segment else { return Ok(None) };
        if id == self.last.0 {
            segment.length = self.last.1;
        }
        let mut reader =
            SegmentReader::new(Arc::clone(&segment.file), segment.length, segment.salt, segment.first, false)?;
        // The snapshot.
        reader.next().map_err(|error| unreadable(&segment, error))?;
        reader.use_index()?;
        Ok(Some((segment, reader)))
    }

    /// Learns what there is in the next segment.
    fn survey(&mut self) -> Result<(), Error> {
        let id = self.surveyed;
        self.surveyed += 1;
        let Some((segment, mut reader)) = self.open(id)? else { return Ok(()) };
        let endpoint = self.wanted.endpoint;
        while let Some(group) = next(&segment, &mut reader)? {
            for (record, here) in placed(group) {
                match &record {
                    Record::Event { seq, deliveries, .. } => {
                        self.copies.add(*seq);
                        if deliveries.contains(&endpoint) {
                            self.given.insert(*seq);
                        }
                    }
                    Record::Moved { seq, blob, .. } if *blob > 0 => {
                        self.copies.add(*seq);
                        // Finished deliveries are in the blob only.
                        if read(&segment, *seq, here, *blob)?.is_some_and(|(all, _)| all.contains(&endpoint)) {
                            self.given.insert(*seq);
                        }
                    }
                    Record::Outcome { outcome, .. } if outcome.endpoint == endpoint => {
                        self.given.insert(outcome.seq);
                    }
                    Record::Redelivered { deliveries } => {
                        for (seq, _) in deliveries.iter().filter(|(_, other)| *other == endpoint) {
                            self.given.insert(*seq);
                        }
                    }
                    _ => {}
                }
            }
        }
        Ok(())
    }

    /// Reads what is wanted of the current segment, a step's worth.
    fn find(&mut self) -> Result<Vec<Kept>, Error> {
        let mut found = Vec::new();
        let (mut bytes, mut commits) = (0, 0);
        while bytes < STEP_BYTES && found.len() < STEP_EVENTS {
            let Some((segment, reader)) = &mut self.current else { break };
            let Some((record, here)) = self.ahead.next() else {
                commits += 1;
                if commits > STEP_COMMITS {
                    break;
                }
                if let Some(group) = next(segment, reader)? {
                    self.ahead = placed(group);
                } else {
                    self.current = None;
                    self.next += 1;
                }
                continue;
            };
            let (Record::Event { seq, accepted_ms, blob, group, .. }
            | Record::Moved { seq, accepted_ms, blob, group, .. }) = record
            else {
                continue;
            };
            if blob == 0 || !self.copies.pass(seq) || !is_wanted(&self.wanted, &self.given, seq, accepted_ms) {
                continue;
            }
            bytes += blob as usize;
            if let Some((deliveries, payload)) = read(segment, seq, here, blob)? {
                found.push(Kept { seq, group, stored: Stored { accepted_ms, deliveries, payload } });
            }
        }
        Ok(found)
    }
}

/// Records of a commit, and where the blob of each is that has one.
fn placed(group: Group) -> vec::IntoIter<(Record, u32)> {
    let mut offset = group.data_offset;
    let placed = group.records.into_iter().map(|record| {
        let here = offset;
        offset += record.blob().map_or(0, |(_, length)| length);
        (record, here)
    });
    placed.collect::<Vec<_>>().into_iter()
}

fn is_wanted(wanted: &Wanted, given: &SeqSet, seq: Seq, accepted_ms: i64) -> bool {
    wanted.since_ms.is_none_or(|since| since <= accepted_ms)
        && wanted.until_ms.is_none_or(|until| accepted_ms < until)
        && wanted.only.is_none_or(|only| only == seq)
        && wanted.given.is_none_or(|wanted| wanted == given.contains(seq))
}

/// The next commit; `None` at the end. An index that is damaged ends a segment too: what it is about has been read.
fn next(segment: &Segment, reader: &mut SegmentReader) -> Result<Option<Group>, Error> {
    match reader.next() {
        Err(ReadError::Bad { offset, .. }) if reader.seal() == Some(offset) => Ok(None),
        read => read.map_err(|error| unreadable(segment, error)),
    }
}

/// The endpoints and the payload of an event; `None` when they are damaged.
fn read(segment: &Segment, seq: Seq, offset: u32, length: u32) -> Result<Option<(Vec<Ordinal>, Bytes)>, Error> {
    let mut bytes = vec![0; length as usize];
    segment.file.read_at(&mut bytes, offset.into())?;
    let opened = blob::open(seq, &Bytes::from(bytes)).inspect_err(|Malformed(what)| {
        tracing::error!(file = %segment.path.display(), offset, seq, what, "an event cannot be sent again");
    });
    Ok(opened.ok())
}

fn unreadable(segment: &Segment, error: ReadError) -> Error {
    match error {
        ReadError::Io(error) => error.into(),
        ReadError::Bad { offset, what } => Error::Damaged { file: segment.path.clone(), offset, what: what.into() },
    }
}
