//! Reads the segments of a journal back into a state, oldest first.
//!
//! A segment with an index is read by it: its records are verified, and what its events contain is verified when it is read.
//! A segment without one, as the newest mostly is, is read and verified whole.
//!
//! What is damaged stops the opening, with one exception: the end of the newest segment, if no intact commit follows. That is
//! a commit that a crash has torn. It was never acknowledged, and it is cut off.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::filesystem::{Filesystem, SegmentFile};
use crate::format::header::{self, Header, Refused};
use crate::format::record::Record;
use crate::log::{self, Active, Group, ReadError, SegmentReader};
use crate::state::{Place, Segment, State};
use crate::{Cut, Error};

pub(super) struct Recovery<'a> {
    filesystem: &'a dyn Filesystem,
    state: &'a mut State,
    /// The number that the next segment must begin with.
    next: Option<u64>,
}

/// A segment whose header has been read.
struct Opened {
    id: u32,
    path: PathBuf,
    file: Arc<dyn SegmentFile>,
    length: u64,
    header: Header,
}

impl Opened {
    fn damaged(&self, offset: u64, what: impl Into<String>) -> Error {
        damaged(&self.path, offset, what)
    }

    fn error(&self, error: ReadError) -> Error {
        match error {
            ReadError::Io(error) => error.into(),
            ReadError::Bad { offset, what } => self.damaged(offset, what),
        }
    }
}

fn damaged(path: &Path, offset: u64, what: impl Into<String>) -> Error {
    Error::Damaged { file: path.to_owned(), offset, what: what.into() }
}

impl<'a> Recovery<'a> {
    pub(super) fn new(filesystem: &'a dyn Filesystem, state: &'a mut State) -> Self {
        Self { filesystem, state, next: None }
    }

    /// Reads a segment behind which there is another. It is whole, or damaged.
    pub(super) fn read_older(&mut self, id: u32, path: PathBuf) -> Result<(), Error> {
        let segment = self.open(id, path)?;
        // The snapshot is older than that of the newest segment, which takes its place.
        let (mut reader, _) = self.begin(&segment)?;
        reader.use_index()?;
        loop {
            match reader.next() {
                Ok(Some(group)) => self.apply(id, group),
                Ok(None) => break,
                Err(ReadError::Bad { offset, .. }) if reader.seal() == Some(offset) => {
                    // All commits before have been read; the index only repeats them.
                    tracing::warn!(file = %segment.path.display(), offset, "the index of a segment is damaged; its records are intact");
                    self.next = Some(reader.next_number() + 1);
                    self.grown(&segment, reader.seal());
                    return Ok(());
                }
                Err(error) => return Err(segment.error(error)),
            }
        }
        self.grown(&segment, reader.seal().filter(|_| reader.is_sealed()));
        self.next = Some(reader.next_number());
        Ok(())
    }

    /// Reads the newest segment and makes it ready to be appended to.
    pub(super) fn read_newest(mut self, id: u32, path: PathBuf) -> Result<(Active, Option<Cut>), Error> {
        let mut segment = self.open(id, path)?;
        let (mut reader, snapshot) = self.begin(&segment)?;
        let snapshot_end = reader.position().0;
        self.apply(id, snapshot);
        reader.use_index()?;
        let limit = Active::limit(self.state.limits.segment, snapshot_end);
        let mut index = Active::new_index(limit);
        let mut cut = None;
        loop {
            match reader.next() {
                Ok(Some(group)) => {
                    index.push(group.data_offset, &group.encoded);
                    self.apply(id, group);
                }
                Ok(None) => break,
                Err(ReadError::Bad { offset, what }) => {
                    cut = Some(cut_tail(&segment, offset, reader.next_number(), what)?);
                    segment.length = offset;
                    break;
                }
                Err(error) => return Err(segment.error(error)),
            }
        }
        self.grown(&segment, reader.seal().filter(|_| reader.is_sealed()));
        self.state.snapshot_bytes = snapshot_end;
        write_again(&segment, reader.last_write())?;
        let active = Active {
            id,
            path: segment.path,
            file: segment.file,
            salt: segment.header.salt,
            first: segment.header.first,
            length: segment.length,
            next: reader.next_number(),
            limit,
            index,
            // A build that knows only an older version must not find newer records in a segment of its own.
            sealed: reader.is_sealed() || segment.header.version < header::VERSION,
            torn: false,
        };
        Ok((active, cut))
    }

    fn open(&self, id: u32, path: PathBuf) -> Result<Opened, Error> {
        let file = self.filesystem.open(&path)?;
        let length = file.length()?;
        let mut bytes = [0; header::LENGTH];
        if length < bytes.len() as u64 {
            return Err(damaged(&path, 0, format!("its {length} bytes are less than a header")));
        }
        file.read_at(&mut bytes, 0)?;
        let header = match Header::decode(&bytes) {
            Ok(header) => header,
            Err(Refused::Version(found)) => {
                return Err(Error::Version { file: path, found, supported: header::VERSION });
            }
            Err(Refused::Damaged(what)) => return Err(damaged(&path, 0, what)),
        };
        if log::first_of(&path) != Some(header.first) {
            return Err(damaged(&path, 0, format!("its name is not that of its first commit, {}", header.first)));
        }
        match self.next {
            Some(next) if next != header.first => {
                let what = format!(
                    "it begins with commit {}, but commit {next} comes next: a file is missing or cut off",
                    header.first
                );
                Err(damaged(&path, 0, what))
            }
            _ => Ok(Opened { id, path, file, length, header }),
        }
    }

    /// Reads the snapshot, and makes the segment known.
    fn begin(&mut self, segment: &Opened) -> Result<(SegmentReader, Group), Error> {
        let Opened { file, length, header, .. } = segment;
        let mut reader = SegmentReader::new(Arc::clone(file), *length, header.salt, header.first, true)?;
        let first = reader.next().map_err(|error| segment.error(error))?;
        let Some(group) = first.filter(|group| matches!(group.records[..], [Record::Snapshot(_)])) else {
            return Err(segment.damaged(header::LENGTH as u64, "it does not begin with a snapshot"));
        };
        self.state.segments.push(Segment {
            id: segment.id,
            path: segment.path.clone(),
            file: Arc::clone(file),
            salt: header.salt,
            first: header.first,
            length: *length,
            overhead: reader.position().0,
            live: 0,
            held: 0,
            events: 0,
            latest_ms: 0,
        });
        Ok((reader, group))
    }

    fn apply(&mut self, segment: u32, group: Group) {
        let mut place = Place { segment, offset: group.data_offset };
        for record in group.records {
            self.state.apply(record, &mut place);
        }
    }

    /// Says how long the segment really is, and that its index is neither records nor garbage.
    fn grown(&mut self, segment: &Opened, seal: Option<u64>) {
        let index = seal.map_or(0, |seal| segment.length.saturating_sub(seal));
        self.state.segments.grown(segment.id, segment.length, index);
    }
}

/// What is at `offset` is to be cut off, unless something behind it shows that it was synced.
fn cut_tail(segment: &Opened, offset: u64, number: u64, what: &str) -> Result<Cut, Error> {
    let Opened { file, length, header, .. } = segment;
    if let Some(later) = log::later_commit(file, *length, header.salt, offset, number)? {
        return Err(segment.damaged(offset, format!("{what}, and an intact one follows at byte {later}")));
    }
    let records = log::whole_records(file, *length, header.salt, offset, number)?;
    let cut = Cut { file: segment.path.clone(), bytes: length - offset, records };
    tracing::warn!(
        file = %cut.file.display(), offset, bytes = cut.bytes, records = cut.records,
        "the end of the journal was torn by a crash and is cut off; nothing of it was acknowledged",
    );
    Ok(cut)
}

/// Writes the last write again, cuts the file behind it, and syncs. When a sync has failed, the system may show as done what
/// never reached the disk; only doing it again does. What is older was synced before the last write was made.
fn write_again(segment: &Opened, last: Option<(u64, u64)>) -> Result<(), Error> {
    if let Some((offset, length)) = last {
        let mut bytes = vec![0; usize::try_from(length).unwrap_or(usize::MAX)];
        segment.file.read_at(&mut bytes, offset)?;
        segment.file.write_at(&bytes, offset)?;
    }
    segment.file.truncate(segment.length)?;
    Ok(segment.file.sync()?)
}
