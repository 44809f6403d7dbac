//! Reads the records of a segment in the order in which they were written.

use std::io;
use std::sync::Arc;

use super::window::Window;
use crate::filesystem::SegmentFile;
use crate::format::blob;
use crate::format::bytes::{Input, Malformed};
use crate::format::frame::{self, FrameHeader};
use crate::format::header;
use crate::format::record::Record;
use crate::format::seal;

/// Why a segment cannot be read on.
#[derive(Debug)]
pub(crate) enum ReadError {
    Io(io::Error),
    /// What is at `offset` is not the next commit.
    Bad {
        offset: u64,
        what: &'static str,
    },
}

impl From<io::Error> for ReadError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// The records of one commit.
#[derive(Debug)]
pub(crate) struct Group {
    pub(crate) records: Vec<Record>,
    /// Where the first record's blob is.
    pub(crate) data_offset: u32,
    /// The records as they are on disk; empty when they come from an index.
    pub(crate) encoded: Vec<u8>,
}

/// A place in a segment, between two commits.
pub(crate) struct SegmentReader {
    window: Window,
    salt: u32,
    check_blobs: bool,
    index: Option<Vec<u8>>,
    /// Into the index if there is one, else into the file.
    position: u64,
    next: u64,
    last: Option<(u64, u64)>,
    /// Where the index commit begins, if the segment has a footer that says so.
    seal: Option<u64>,
    /// Whether the end was found at an index commit.
    sealed: bool,
}

impl SegmentReader {
    /// Reads the first `length` bytes of a segment from the first commit on. With `check_blobs`, commits whose blobs are
    /// damaged are bad; an index is trusted to describe its segment, so blobs are then left to whoever reads them.
    pub(crate) fn new(
        file: Arc<dyn SegmentFile>,
        length: u64,
        salt: u32,
        first: u64,
        check_blobs: bool,
    ) -> io::Result<Self> {
        let mut reader = Self {
            window: Window::new(file, length),
            salt,
            check_blobs,
            index: None,
            position: header::LENGTH as u64,
            next: first,
            last: None,
            seal: None,
            sealed: false,
        };
        reader.seal = reader.footer()?;
        Ok(reader)
    }

    fn footer(&mut self) -> io::Result<Option<u64>> {
        let Some(at) = self.window.length().checked_sub(seal::FOOTER as u64) else { return Ok(None) };
        let footer = self.window.bytes(at, seal::FOOTER as u64)?.and_then(|bytes| bytes.try_into().ok());
        Ok(footer.and_then(|footer| seal::read_footer(footer, self.salt)))
    }

    /// Goes on with the index, if the segment has an intact one. Call it after the first commit has been read.
    pub(crate) fn use_index(&mut self) -> io::Result<()> {
        let Some(offset) = self.seal else { return Ok(()) };
        let Some((header, records)) = self.frame_at(offset)? else { return Ok(()) };
        if header.number < self.next {
            return Ok(());
        }
        if let Ok(entries) = seal::entries(&records) {
            self.index = Some(entries.to_vec());
            self.position = 0;
            self.next = header.number + 1;
            self.last = Some((offset, self.window.length() - offset));
            self.sealed = true;
        }
        Ok(())
    }

    /// The number that the next commit must have. After the end, that of the next segment's first.
    pub(crate) fn next_number(&self) -> u64 {
        self.next
    }

    /// Where the segment's index begins, as far as its footer is intact.
    pub(crate) fn seal(&self) -> Option<u64> {
        self.seal
    }

    /// Whether the end was an index commit. Nothing may be appended then.
    pub(crate) fn is_sealed(&self) -> bool {
        self.sealed
    }

    /// Offset and length of what was written last, as far as it has been read.
    pub(crate) fn last_write(&self) -> Option<(u64, u64)> {
        self.last
    }

    /// Where it stands, for [`SegmentReader::go_back`].
    pub(crate) fn position(&self) -> (u64, u64) {
        (self.position, self.next)
    }

    /// Goes back to where it stood before.
    pub(crate) fn go_back(&mut self, (position, next): (u64, u64)) {
        (self.position, self.next) = (position, next);
        // The end has to be found again.
        self.sealed = self.index.is_some();
    }

    /// The next commit's records; `None` at the end.
    pub(crate) fn next(&mut self) -> Result<Option<Group>, ReadError> {
        if let Some(index) = &self.index {
            let at = usize::try_from(self.position).unwrap_or(usize::MAX);
            let mut entries = Input(index.get(at..).unwrap_or_default());
            if entries.is_empty() {
                return Ok(None);
            }
            let offset = self.seal.unwrap_or_default();
            let (data_offset, records) =
                seal::next_entry(&mut entries).map_err(|Malformed(what)| ReadError::Bad { offset, what })?;
            self.position = (index.len() - entries.0.len()) as u64;
            return Ok(Some(Group { records, data_offset, encoded: Vec::new() }));
        }
        if self.sealed || self.position == self.window.length() {
            return Ok(None);
        }
        self.next_frame()
    }

    fn next_frame(&mut self) -> Result<Option<Group>, ReadError> {
        let offset = self.position;
        let bad = |what| ReadError::Bad { offset, what };
        let Some((header, encoded)) = self.frame_at(offset)? else { return Err(bad("this is not an intact commit")) };
        if header.number != self.next {
            return Err(bad("this is not the commit that comes next"));
        }
        if seal::is_index(&encoded) {
            self.sealed = true;
            self.next += 1;
            self.last = Some((offset, self.window.length() - offset));
            return Ok(None);
        }
        let records = Record::all(&encoded).map_err(|Malformed(what)| bad(what))?;
        let data = offset + frame::HEADER as u64 + u64::from(header.records);
        if self.check_blobs && !self.blobs_are_intact(&records, data, header.data)? {
            return Err(bad("the content of an event is damaged"));
        }
        let data_offset = u32::try_from(data).map_err(|_| bad("the segment is too long"))?;
        self.position += header.length();
        self.next += 1;
        self.last = Some((offset, header.length()));
        Ok(Some(Group { records, data_offset, encoded }))
    }

    /// Header and records of the commit at `offset`, if header and records are intact and the blobs' space is there.
    fn frame_at(&mut self, offset: u64) -> io::Result<Option<(FrameHeader, Vec<u8>)>> {
        let header = self.window.bytes(offset, frame::HEADER as u64)?.and_then(FrameHeader::decode);
        let Some(header) = header else { return Ok(None) };
        if self.window.length() - offset < header.length() {
            return Ok(None);
        }
        let records = self.window.bytes(offset + frame::HEADER as u64, header.records.into())?;
        Ok(records.filter(|records| header.is_intact(self.salt, records)).map(|records| (header, records.to_vec())))
    }

    /// Whether blobs fill exactly the space for them, and each is what was written.
    fn blobs_are_intact(&mut self, records: &[Record], data: u64, length: u32) -> io::Result<bool> {
        let mut offset = data;
        for (seq, blob_length) in records.iter().filter_map(Record::blob) {
            let blob = self.window.bytes(offset, blob_length.into())?;
            if !blob.is_some_and(|blob| blob::is_intact(seq, blob)) {
                return Ok(false);
            }
            offset += u64::from(blob_length);
        }
        Ok(offset == data + u64::from(length))
    }
}
