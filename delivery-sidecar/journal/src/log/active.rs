//! The segment that is written to.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::filesystem::{Filesystem, SegmentFile};
use crate::format::frame::{Frame, HEADER};
use crate::format::header::{Header, VERSION};
use crate::format::record::{Record, Snapshot};
use crate::format::seal::{self, IndexBuilder};

/// An index may take this part of a segment.
const INDEX_PART: u64 = 8;
/// A snapshot may take this part of a segment; a segment is longer if it has to be.
const SNAPSHOT_PART: u64 = 8;

/// The newest segment, and what is needed to append to it.
pub(crate) struct Active {
    pub(crate) id: u32,
    pub(crate) path: PathBuf,
    pub(crate) file: Arc<dyn SegmentFile>,
    pub(crate) salt: u32,
    pub(crate) first: u64,
    /// Bytes that are synced. What is behind them is not trusted.
    pub(crate) length: u64,
    /// The number of the next commit.
    pub(crate) next: u64,
    /// Bytes after which the next segment is begun.
    pub(crate) limit: u64,
    pub(crate) index: IndexBuilder,
    /// Nothing more may be appended.
    pub(crate) sealed: bool,
    /// There may be something behind `length`.
    pub(crate) torn: bool,
}

/// How a segment begins.
pub(crate) struct NewSegment<'a> {
    pub(crate) id: u32,
    pub(crate) first: u64,
    pub(crate) created_ms: i64,
    pub(crate) snapshot: Snapshot,
    /// Bytes after which it ends, if the snapshot allows.
    pub(crate) limit: u64,
    pub(crate) directory: &'a Path,
}

impl Active {
    /// Makes a segment. It gets its name only when header and snapshot are synced, so a segment without them is damaged and
    /// never torn.
    pub(crate) fn create(filesystem: &dyn Filesystem, new: NewSegment<'_>) -> io::Result<Self> {
        let temporary = super::temporary(new.directory);
        let path = super::path(new.directory, new.first);
        let salt = filesystem.salt();
        let mut bytes =
            Header { version: VERSION, salt, first: new.first, created_ms: new.created_ms }.encode().to_vec();
        let mut frame = Frame::new();
        frame.push(&Record::Snapshot(new.snapshot));
        bytes.append(&mut frame.finish(new.first, salt).0);
        let length = bytes.len() as u64;

        let make = || -> io::Result<Arc<dyn SegmentFile>> {
            let file = filesystem.create(&temporary)?;
            file.write_at(&bytes, 0)?;
            file.sync()?;
            filesystem.rename(&temporary, &path)?;
            filesystem.sync_directory(new.directory)?;
            Ok(file)
        };
        let file = make().inspect_err(|_| {
            // Whatever is left is made anew by the next attempt, or ignored by the next process.
            let _ = filesystem.remove(&temporary);
            let _ = filesystem.remove(&path);
        })?;
        let limit = Self::limit(new.limit, length);
        let index = Self::new_index(limit);
        let (id, first) = (new.id, new.first);
        Ok(Self { id, path, file, salt, first, length, next: first + 1, limit, index, sealed: false, torn: false })
    }

    /// Bytes after which a segment with a snapshot of this length ends.
    pub(crate) fn limit(wanted: u64, snapshot: u64) -> u64 {
        wanted.max(SNAPSHOT_PART * snapshot)
    }

    /// The index of a segment that ends at `limit`.
    pub(crate) fn new_index(limit: u64) -> IndexBuilder {
        IndexBuilder::new(limit / INDEX_PART)
    }

    /// Whether the next commit belongs into the next segment.
    pub(crate) fn is_full(&self) -> bool {
        self.sealed || self.length >= self.limit
    }

    /// Bytes that ending this segment will take.
    pub(crate) fn bytes_to_seal(&self) -> u64 {
        if self.sealed { 0 } else { self.index.length() + (HEADER + seal::FOOTER) as u64 }
    }

    /// Removes what a failed write may have left behind the synced end.
    pub(crate) fn repair(&mut self) -> io::Result<()> {
        if self.torn {
            self.file.truncate(self.length)?;
            self.file.sync()?;
            self.torn = false;
        }
        Ok(())
    }

    /// Appends a commit and syncs it. Returns where its blobs begin. After an error nothing of it counts, even if it is
    /// there: it is cut off before anything else is written.
    pub(crate) fn append(&mut self, frame: Frame) -> io::Result<u32> {
        self.repair()?;
        let (bytes, before_data) = frame.finish(self.next, self.salt);
        let offset = u32::try_from(self.length).map_err(io::Error::other)?;
        self.write(&bytes)?;
        self.next += 1;
        let data_offset = offset + before_data;
        self.index.push(data_offset, &bytes[HEADER..before_data as usize]);
        Ok(data_offset)
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.torn = true;
        self.file.write_at(bytes, self.length)?;
        self.file.sync()?;
        self.torn = false;
        self.length += bytes.len() as u64;
        Ok(())
    }

    /// Ends the segment with its index. Returns how many bytes that took.
    pub(crate) fn seal(&mut self) -> io::Result<u64> {
        self.repair()?;
        let before = self.length;
        if let Some(frame) = self.index.frame().filter(|_| !self.sealed) {
            let (mut bytes, _) = frame.finish(self.next, self.salt);
            bytes.extend_from_slice(&seal::footer(self.length, self.salt));
            self.write(&bytes)?;
            self.next += 1;
        }
        self.sealed = true;
        Ok(self.length - before)
    }

    /// Tries whether `length` bytes could be written, and leaves nothing behind.
    pub(crate) fn probe(&mut self, length: usize) -> io::Result<()> {
        self.repair()?;
        self.torn = true;
        self.file.write_at(&vec![0; length], self.length)?;
        self.file.sync()?;
        self.repair()
    }
}
