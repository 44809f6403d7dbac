//! All that the journal asks of a disk. [`Disk`] is the real one; `testing::FakeDisk` fails on purpose.
//!
//! Calls block. Only the writer's thread changes files; any thread may read.

mod disk;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub use disk::Disk;

/// Directories and names.
pub trait Filesystem: Send + Sync {
    /// Makes a directory, and those above it, when it is missing.
    fn create_directory(&self, directory: &Path) -> io::Result<()>;

    /// Takes the lock of a file, which is made when missing, for this process alone. `None` when another holds it.
    fn lock(&self, path: &Path) -> io::Result<Option<Box<dyn Lock>>>;

    /// The paths of the files in a directory, in any order.
    fn list(&self, directory: &Path) -> io::Result<Vec<PathBuf>>;

    /// Makes an empty file, or empties the one that is there, and opens it for reading and writing.
    fn create(&self, path: &Path) -> io::Result<Arc<dyn SegmentFile>>;

    /// Opens a file for reading and writing.
    fn open(&self, path: &Path) -> io::Result<Arc<dyn SegmentFile>>;

    /// Gives a file another name in the same directory, in one step. Durable after [`Filesystem::sync_directory`].
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Removes a file. Those who have it open can go on reading. Durable after [`Filesystem::sync_directory`].
    fn remove(&self, path: &Path) -> io::Result<()>;

    /// Makes new, changed and removed names of a directory durable.
    fn sync_directory(&self, directory: &Path) -> io::Result<()>;

    /// A number that whoever posts events cannot know, so that content cannot pass for a commit.
    fn salt(&self) -> u32;
}

/// A lock that is held until it is dropped.
pub trait Lock: Send {}

/// An open file.
pub trait SegmentFile: Send + Sync {
    /// Its length in bytes.
    fn length(&self) -> io::Result<u64>;

    /// Fills `buffer` from `offset`; an error when the file ends before.
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()>;

    /// Writes all of `bytes` at `offset`. After an error any part of them may be there.
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()>;

    /// Makes content and length durable. After an error, what was written since the last sync may or may not be, and a
    /// later sync that works does not change that: it has to be written again.
    fn sync(&self) -> io::Result<()>;

    /// Cuts the file to `length`.
    fn truncate(&self, length: u64) -> io::Result<()>;
}
