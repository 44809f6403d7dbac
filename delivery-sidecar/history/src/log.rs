//! Records, one behind the other in files. A record is its length and its checksum (CRC-32C), each 4 bytes, little-endian,
//! and its content. What is not whole was lost in a crash, and is as if it had not been kept.

use std::{
    collections::VecDeque,
    fs::{File, OpenOptions},
    io,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    time::UNIX_EPOCH,
};

use crate::{files, place::Place};

/// Bytes before a record's content.
const HEAD: usize = 8;
/// Longest content that is read.
const MOST_RECORD: usize = 64 << 10;
/// Files are between this
const LEAST_FILE: u64 = 64 << 10;
/// and this long.
const MOST_FILE: u64 = 16 << 20;

#[derive(Debug)]
struct LogFile {
    id: u32,
    path: PathBuf,
    file: File,
    bytes: u64,
    /// When it was begun, or first seen.
    begun_ms: i64,
    /// When something was last written.
    newest_ms: i64,
}

/// See the module.
#[derive(Debug)]
pub struct Log {
    directory: PathBuf,
    files: VecDeque<LogFile>,
    next_file: u32,
    file_bytes: u64,
    file_ms: i64,
    /// What is to be written behind the newest file.
    waiting: Vec<u8>,
}

impl Log {
    pub fn open(directory: &Path) -> io::Result<Self> {
        let mut log = Self {
            directory: directory.to_owned(),
            files: VecDeque::new(),
            next_file: 1,
            file_bytes: MOST_FILE,
            file_ms: i64::MAX,
            waiting: Vec::new(),
        };
        for (id, path) in files::all(directory, files::LOG)? {
            let file = OpenOptions::new().read(true).write(true).open(&path)?;
            let metadata = file.metadata()?;
            let age = metadata.modified()?.duration_since(UNIX_EPOCH).unwrap_or_default();
            let newest_ms = i64::try_from(age.as_millis()).unwrap_or(i64::MAX);
            log.next_file = id + 1;
            log.files.push_back(LogFile { id, path, file, bytes: metadata.len(), begun_ms: newest_ms, newest_ms });
        }
        Ok(log)
    }

    /// Bounds files: their size, and for how long they are written, so that what is old is not kept for the sake of what is
    /// new.
    pub fn set_files(&mut self, bytes: u64, ms: i64) {
        self.file_bytes = bytes.clamp(LEAST_FILE, MOST_FILE);
        self.file_ms = ms;
    }

    /// Bytes of all files.
    pub fn bytes(&self) -> u64 {
        self.files.iter().map(|file| file.bytes).sum::<u64>() + self.waiting.len() as u64
    }

    /// Puts a record, in parts, behind the others, and says where it will be once it is flushed.
    pub fn put(&mut self, parts: &[&[u8]], now_ms: i64) -> io::Result<Place> {
        let length: usize = parts.iter().map(|part| part.len()).sum();
        let room = |newest: &LogFile| {
            newest.bytes + ((self.waiting.len() + HEAD + length) as u64) <= self.file_bytes
                && now_ms.saturating_sub(newest.begun_ms) <= self.file_ms
        };
        if !self.files.back().is_some_and(room) {
            self.flush()?;
            self.begin(now_ms)?;
        }
        let newest = self.files.back_mut().ok_or(io::ErrorKind::NotFound)?;
        newest.newest_ms = now_ms;
        let offset = newest.bytes + self.waiting.len() as u64;
        let place = Place { file: newest.id, offset: u32::try_from(offset).unwrap_or(u32::MAX) };
        let checksum = parts.iter().fold(0, |checksum, part| crc32c::crc32c_append(checksum, part));
        self.waiting.extend_from_slice(&u32::try_from(length).unwrap_or(u32::MAX).to_le_bytes());
        self.waiting.extend_from_slice(&checksum.to_le_bytes());
        for part in parts {
            self.waiting.extend_from_slice(part);
        }
        Ok(place)
    }

    /// Writes what was put.
    pub fn flush(&mut self) -> io::Result<()> {
        let Some(newest) = self.files.back_mut() else { return Ok(()) };
        let written = newest.file.write_all_at(&self.waiting, newest.bytes);
        // A disk that fails must not make memory grow; places of what is lost lead to no whole record.
        newest.bytes += self.waiting.len() as u64;
        self.waiting.clear();
        self.waiting.shrink_to(1 << 20);
        written
    }

    /// Forgets what is in memory only to be fast.
    pub fn rest(&mut self) {
        self.waiting.shrink_to_fit();
    }

    /// The record at a place, if it is still there and whole.
    pub fn read(&self, place: Place) -> Option<Vec<u8>> {
        let file = self.files.iter().find(|file| file.id == place.file)?;
        let mut head = [0; HEAD];
        file.file.read_exact_at(&mut head, place.offset.into()).ok()?;
        let ([length, checksum], _) = head.as_chunks() else { return None };
        let length = usize::try_from(u32::from_le_bytes(*length)).ok().filter(|length| *length <= MOST_RECORD)?;
        let mut record = vec![0; length];
        file.file.read_exact_at(&mut record, u64::from(place.offset) + HEAD as u64).ok()?;
        (crc32c::crc32c(&record) == u32::from_le_bytes(*checksum)).then_some(record)
    }

    /// When something was last written into the oldest file.
    pub fn oldest_ms(&self) -> Option<i64> {
        self.files.front().map(|file| file.newest_ms)
    }

    /// Removes the oldest file.
    pub fn remove_oldest(&mut self) -> io::Result<()> {
        if self.files.len() == 1 {
            self.flush()?;
        }
        self.files.pop_front().map_or(Ok(()), |oldest| std::fs::remove_file(oldest.path))
    }

    fn begin(&mut self, now_ms: i64) -> io::Result<()> {
        let id = self.next_file;
        let path = files::path(&self.directory, files::LOG, id);
        let file = OpenOptions::new().read(true).write(true).create_new(true).open(&path)?;
        self.next_file += 1;
        self.files.push_back(LogFile { id, path, file, bytes: 0, begun_ms: now_ms, newest_ms: now_ms });
        Ok(())
    }
}
