//! Reads a file from front to back in large pieces.

use std::io;
use std::sync::Arc;

use crate::filesystem::SegmentFile;

const PIECE: u64 = 256 << 10;

/// A piece of a file in memory.
pub(crate) struct Window {
    file: Arc<dyn SegmentFile>,
    length: u64,
    start: u64,
    piece: Vec<u8>,
}

impl Window {
    /// A window over the first `length` bytes of a file.
    pub(crate) fn new(file: Arc<dyn SegmentFile>, length: u64) -> Self {
        Self { file, length, start: 0, piece: Vec::new() }
    }

    pub(crate) fn length(&self) -> u64 {
        self.length
    }

    /// The bytes from `offset` on; `None` when the file ends before they do.
    pub(crate) fn bytes(&mut self, offset: u64, length: u64) -> io::Result<Option<&[u8]>> {
        let Some(end) = offset.checked_add(length).filter(|end| *end <= self.length) else { return Ok(None) };
        let loaded = self.start + self.piece.len() as u64;
        if offset < self.start || end > loaded {
            let wanted = length.max(PIECE).min(self.length - offset);
            // Emptied first, so that a failed read leaves nothing that could be taken for content.
            self.piece.clear();
            self.start = offset;
            let mut piece = std::mem::take(&mut self.piece);
            piece.resize(usize::try_from(wanted).unwrap_or(usize::MAX), 0);
            self.file.read_at(&mut piece, offset)?;
            self.piece = piece;
        }
        let index = |at: u64| usize::try_from(at).unwrap_or(usize::MAX);
        let from = index(offset - self.start);
        Ok(self.piece.get(from..from + index(length)))
    }
}
