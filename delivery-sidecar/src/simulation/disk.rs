//! The disk: the journal's fake one, and around it one that lies, for showing that a lie is noticed.

use std::{
    io,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use posthaste_journal::{
    Filesystem,
    filesystem::{Lock, SegmentFile},
    testing::FakeDisk,
};

/// Of so many syncs, one only says that it worked.
const ONE_IN: u64 = 3;

/// A disk that now and then says that it has synced a file and has not.
pub struct LyingDisk {
    disk: FakeDisk,
    syncs: Arc<AtomicU64>,
}

impl LyingDisk {
    /// Stores on `disk`. `syncs` counts over restarts.
    pub fn new(disk: FakeDisk, syncs: Arc<AtomicU64>) -> Self {
        Self { disk, syncs }
    }

    fn lying(&self, file: io::Result<Arc<dyn SegmentFile>>) -> io::Result<Arc<dyn SegmentFile>> {
        Ok(Arc::new(LyingFile { file: file?, syncs: Arc::clone(&self.syncs) }))
    }
}

impl Filesystem for LyingDisk {
    fn create_directory(&self, directory: &Path) -> io::Result<()> {
        self.disk.create_directory(directory)
    }

    fn lock(&self, path: &Path) -> io::Result<Option<Box<dyn Lock>>> {
        self.disk.lock(path)
    }

    fn list(&self, directory: &Path) -> io::Result<Vec<PathBuf>> {
        self.disk.list(directory)
    }

    fn create(&self, path: &Path) -> io::Result<Arc<dyn SegmentFile>> {
        self.lying(self.disk.create(path))
    }

    fn open(&self, path: &Path) -> io::Result<Arc<dyn SegmentFile>> {
        self.lying(self.disk.open(path))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.disk.rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.disk.remove(path)
    }

    fn sync_directory(&self, directory: &Path) -> io::Result<()> {
        self.disk.sync_directory(directory)
    }

    fn salt(&self) -> u32 {
        self.disk.salt()
    }
}

struct LyingFile {
    file: Arc<dyn SegmentFile>,
    syncs: Arc<AtomicU64>,
}

impl SegmentFile for LyingFile {
    fn length(&self) -> io::Result<u64> {
        self.file.length()
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        self.file.read_at(buffer, offset)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.file.write_at(bytes, offset)
    }

    fn sync(&self) -> io::Result<()> {
        if self.syncs.fetch_add(1, Ordering::Relaxed) % ONE_IN == ONE_IN - 1 { Ok(()) } else { self.file.sync() }
    }

    fn truncate(&self, length: u64) -> io::Result<()> {
        self.file.truncate(length)
    }
}
