//! The rows of all deliveries, in files of blocks. Rows are never moved, so a row's number says where it is and which
//! of two is newer.
//!
//! Deliveries of new events come in order of their keys and fill one block after the other. Those that come out of order,
//! because an old event is sent to an endpoint that never had it, fill blocks of their own: so the keys of a block lie
//! close together, and a key is found by looking into one or two.

use std::{
    collections::VecDeque,
    fs::{File, OpenOptions},
    io,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
};

use crate::{
    block::{BLOCK_BYTES, BLOCK_ROWS, Block},
    files,
    row::{self, ROW_BYTES, Row},
    types::{Key, Status},
};

/// Most blocks of a file: 4 MiB.
const MOST_BLOCKS: usize = 64;
/// Blocks that the writer has in memory while it is at work.
const CACHED: usize = 4;

/// Where a row is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct At {
    pub file: u32,
    pub block: usize,
    pub index: usize,
}

impl At {
    /// The row's number. A later row of the same block has a greater one, and so have those of later blocks and files.
    pub fn number(self) -> u64 {
        (u64::from(self.file) << 32) | ((self.block * BLOCK_ROWS + self.index) as u64)
    }
}

#[derive(Debug)]
struct RowFile {
    id: u32,
    path: PathBuf,
    file: File,
    blocks: Vec<Block>,
}

/// A block that the writer works with.
#[derive(Debug)]
struct Cached {
    file: u32,
    block: usize,
    bytes: Box<[u8]>,
    /// The first row and the one behind the last that were changed.
    dirty: Option<(usize, usize)>,
}

/// See the module.
#[derive(Debug)]
pub struct Rows {
    directory: PathBuf,
    files: VecDeque<RowFile>,
    next_file: u32,
    blocks_per_file: usize,
    /// The blocks that are being filled: file and block.
    in_order: Option<(u32, usize)>,
    out_of_order: Option<(u32, usize)>,
    cache: VecDeque<Cached>,
}

impl Rows {
    /// Reads all files, to know what is in them.
    pub fn open(directory: &Path) -> io::Result<Self> {
        let mut rows = Self {
            directory: directory.to_owned(),
            files: VecDeque::new(),
            next_file: 1,
            blocks_per_file: MOST_BLOCKS,
            in_order: None,
            out_of_order: None,
            cache: VecDeque::new(),
        };
        let mut bytes = vec![0; BLOCK_BYTES];
        for (id, path) in files::all(directory, files::ROWS)? {
            let file = OpenOptions::new().read(true).write(true).open(&path)?;
            let mut blocks = Vec::new();
            for number in 0..MOST_BLOCKS {
                read_block(&file, number, &mut bytes)?;
                let mut block = Block::new();
                for (_, row) in rows_of(&bytes, BLOCK_ROWS) {
                    block.add(&row);
                }
                if block.rows == 0 {
                    break;
                }
                blocks.push(block);
            }
            rows.next_file = id + 1;
            rows.files.push_back(RowFile { id, path, file, blocks });
        }
        Ok(rows)
    }

    /// Bounds the size of files that are begun from now on, so that space comes back in pieces that are small compared to it.
    pub fn set_file_bytes(&mut self, bytes: u64) {
        let blocks = usize::try_from(bytes).unwrap_or(usize::MAX) / BLOCK_BYTES;
        self.blocks_per_file = blocks.clamp(1, MOST_BLOCKS);
    }

    /// Bytes of all files.
    pub fn bytes(&self) -> u64 {
        self.files.iter().map(|file| (file.blocks.len() * BLOCK_BYTES) as u64).sum()
    }

    /// Writes a row behind the others.
    pub fn append(&mut self, row: &Row) -> io::Result<()> {
        let follows = match self.in_order {
            Some((file, block)) => self.block(file, block).is_some_and(|block| block.last < row.key),
            None => self.greatest() < row.key,
        };
        let open = if follows { self.in_order } else { self.out_of_order };
        let (file, block) = match open {
            Some((file, block)) if self.block(file, block).is_some_and(|block| !block.is_full()) => (file, block),
            _ => self.begin_block()?,
        };
        if follows {
            self.in_order = Some((file, block));
        } else {
            self.out_of_order = Some((file, block));
        }
        let Some(known) = self.block_mut(file, block) else { return Ok(()) };
        let index = known.rows;
        known.add(row);
        self.write(At { file, block, index }, row)
    }

    /// Writes a row in place of the one that was there.
    pub fn replace(&mut self, at: At, before: Status, row: &Row) -> io::Result<()> {
        if let Some(block) = self.block_mut(at.file, at.block) {
            block.change(before, row.status);
        }
        self.write(at, row)
    }

    /// Finds a row for the writer.
    pub fn find(&mut self, key: Key) -> io::Result<Option<(At, Row)>> {
        let candidates: Vec<_> = self.candidates(key).take(CANDIDATES).collect();
        for (file, block, rows, sorted) in candidates {
            let cached = self.cached(file, block)?;
            if let Some((index, row)) = search(&cached.bytes, rows, sorted, key) {
                return Ok(Some((At { file, block, index }, row)));
            }
        }
        Ok(None)
    }

    /// Finds a row for a reader. Sees only what is flushed.
    pub fn look_up(&self, key: Key) -> io::Result<Option<Row>> {
        let mut bytes = vec![0; BLOCK_BYTES];
        for (file, block, rows, sorted) in self.candidates(key).take(CANDIDATES) {
            let Some(file) = self.file(file) else { continue };
            read_block(&file.file, block, &mut bytes)?;
            if let Some((_, row)) = search(&bytes, rows, sorted, key) {
                return Ok(Some(row));
            }
        }
        Ok(None)
    }

    /// Goes through rows with numbers below `below`, newest first, in those blocks that `wanted` lets it read, until `visit`
    /// returns false. Sees only what is flushed.
    pub fn scan(
        &self,
        below: Option<u64>,
        wanted: impl Fn(&Block) -> bool,
        mut visit: impl FnMut(At, &Row) -> bool,
    ) -> io::Result<()> {
        let mut bytes = vec![0; BLOCK_BYTES];
        for file in self.files.iter().rev() {
            for (number, block) in file.blocks.iter().enumerate().rev() {
                let at = |index| At { file: file.id, block: number, index };
                if below.is_some_and(|below| at(0).number() >= below) || !wanted(block) {
                    continue;
                }
                read_block(&file.file, number, &mut bytes)?;
                for (index, row) in rows_of(&bytes, block.rows).rev() {
                    if below.is_none_or(|below| at(index).number() < below) && !visit(at(index), &row) {
                        return Ok(());
                    }
                }
            }
        }
        Ok(())
    }

    /// Shows the rows of the oldest file.
    pub fn scan_oldest(&self, mut visit: impl FnMut(&Row)) -> io::Result<()> {
        let Some(oldest) = self.files.front() else { return Ok(()) };
        let mut bytes = vec![0; BLOCK_BYTES];
        for (number, block) in oldest.blocks.iter().enumerate() {
            read_block(&oldest.file, number, &mut bytes)?;
            rows_of(&bytes, block.rows).for_each(|(_, row)| visit(&row));
        }
        Ok(())
    }

    /// Writes what was changed since the last time.
    pub fn flush(&mut self) -> io::Result<()> {
        for index in 0..self.cache.len() {
            self.write_back(index)?;
        }
        Ok(())
    }

    /// Forgets what is in memory only to be fast. Everything must be flushed.
    pub fn rest(&mut self) {
        self.cache = VecDeque::new();
    }

    /// What is in the oldest file, unless it is being written.
    pub fn oldest(&self) -> Option<&[Block]> {
        let oldest = self.files.front()?;
        let is_open = |open: Option<(u32, usize)>| open.is_some_and(|(file, _)| file == oldest.id);
        (!is_open(self.in_order) && !is_open(self.out_of_order)).then_some(&*oldest.blocks)
    }

    /// Removes the oldest file.
    pub fn remove_oldest(&mut self) -> io::Result<()> {
        let Some(oldest) = self.files.pop_front() else { return Ok(()) };
        self.cache.retain(|cached| cached.file != oldest.id);
        for open in [&mut self.in_order, &mut self.out_of_order] {
            open.take_if(|(file, _)| *file == oldest.id);
        }
        std::fs::remove_file(&oldest.path)
    }

    fn greatest(&self) -> Key {
        let all = self.files.iter().flat_map(|file| &file.blocks).map(|block| block.last);
        all.max().unwrap_or(Key { seq: 0, endpoint: 0 })
    }

    /// Blocks that may have a key, newest first.
    fn candidates(&self, key: Key) -> impl Iterator<Item = (u32, usize, usize, bool)> {
        self.files.iter().rev().flat_map(move |file| {
            let blocks = file.blocks.iter().enumerate().rev().filter(move |(_, block)| block.may_have(key));
            blocks.map(|(number, block)| (file.id, number, block.rows, block.sorted))
        })
    }

    fn file(&self, id: u32) -> Option<&RowFile> {
        // A row that is looked for is mostly one of the newest.
        self.files.iter().rev().find(|file| file.id == id)
    }

    fn block(&self, file: u32, block: usize) -> Option<&Block> {
        self.file(file)?.blocks.get(block)
    }

    fn block_mut(&mut self, file: u32, block: usize) -> Option<&mut Block> {
        self.files.iter_mut().rev().find(|candidate| candidate.id == file)?.blocks.get_mut(block)
    }

    fn begin_block(&mut self) -> io::Result<(u32, usize)> {
        let most = self.blocks_per_file;
        if self.files.back().is_none_or(|newest| newest.blocks.len() >= most) {
            let id = self.next_file;
            let path = files::path(&self.directory, files::ROWS, id);
            let file = OpenOptions::new().read(true).write(true).create_new(true).open(&path)?;
            self.next_file += 1;
            self.files.push_back(RowFile { id, path, file, blocks: Vec::new() });
        }
        let newest = self.files.back_mut().ok_or(io::ErrorKind::NotFound)?;
        newest.blocks.push(Block::new());
        Ok((newest.id, newest.blocks.len() - 1))
    }

    fn write(&mut self, at: At, row: &Row) -> io::Result<()> {
        let cached = self.cached(at.file, at.block)?;
        let from = at.index * ROW_BYTES;
        cached.bytes[from..from + ROW_BYTES].copy_from_slice(&row.to_bytes());
        let (first, end) = cached.dirty.unwrap_or((at.index, at.index + 1));
        cached.dirty = Some((first.min(at.index), end.max(at.index + 1)));
        Ok(())
    }

    fn cached(&mut self, file: u32, block: usize) -> io::Result<&mut Cached> {
        let found = self.cache.iter().position(|cached| cached.file == file && cached.block == block);
        let index = if let Some(index) = found {
            index
        } else {
            let mut bytes = vec![0; BLOCK_BYTES].into_boxed_slice();
            if let Some(from) = self.file(file) {
                read_block(&from.file, block, &mut bytes)?;
            }
            if self.cache.len() >= CACHED {
                self.write_back(0)?;
                self.cache.pop_front();
            }
            self.cache.push_back(Cached { file, block, bytes, dirty: None });
            self.cache.len() - 1
        };
        Ok(&mut self.cache[index])
    }

    fn write_back(&mut self, index: usize) -> io::Result<()> {
        let Some(Cached { file, block, bytes, dirty: Some((first, end)) }) = self.cache.get(index) else {
            return Ok(());
        };
        if let Some(to) = self.file(*file) {
            let place = block * BLOCK_BYTES + first * ROW_BYTES;
            to.file.write_all_at(&bytes[first * ROW_BYTES..end * ROW_BYTES], place as u64)?;
        }
        self.cache[index].dirty = None;
        Ok(())
    }
}

/// Blocks that are searched for a key at most. More than a few overlap only when many events were sent again out of order.
const CANDIDATES: usize = 64;

/// Fills `bytes`; with zeros behind the end of the file.
fn read_block(file: &File, block: usize, bytes: &mut [u8]) -> io::Result<()> {
    let mut done = 0;
    while done < bytes.len() {
        match file.read_at(&mut bytes[done..], (block * BLOCK_BYTES + done) as u64) {
            Ok(0) => break,
            Ok(read) => done += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    bytes[done..].fill(0);
    Ok(())
}

fn rows_of(bytes: &[u8], rows: usize) -> impl DoubleEndedIterator<Item = (usize, Row)> {
    let (all, _) = bytes.as_chunks::<ROW_BYTES>();
    all.iter().take(rows).enumerate().filter_map(|(index, bytes)| Some((index, Row::from_bytes(bytes)?)))
}

fn search(bytes: &[u8], rows: usize, sorted: bool, key: Key) -> Option<(usize, Row)> {
    let (all, _) = bytes.as_chunks::<ROW_BYTES>();
    let all = &all[..rows.min(all.len())];
    let index = if sorted {
        all.binary_search_by_key(&key, row::key).ok()?
    } else {
        all.iter().rposition(|row| row::key(row) == key)?
    };
    Some((index, Row::from_bytes(&all[index])?))
}
