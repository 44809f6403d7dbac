//! The disk as the journal sees it.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::fake_disk::{FakeDisk, Fault};
use super::state::{Inner, NameChange, Verdict, gone};
use crate::filesystem::{Filesystem, Lock, SegmentFile};
use crate::halves;

impl Filesystem for FakeDisk {
    fn create_directory(&self, _directory: &Path) -> io::Result<()> {
        let inner = self.inner();
        inner.alive(inner.generation)
    }

    fn lock(&self, path: &Path) -> io::Result<Option<Box<dyn Lock>>> {
        let mut inner = self.inner();
        inner.alive(inner.generation)?;
        if !inner.locks.insert(path.to_owned()) {
            return Ok(None);
        }
        let (disk, path, generation) = (self.clone(), path.to_owned(), inner.generation);
        Ok(Some(Box::new(FakeLock { disk, path, generation })))
    }

    fn list(&self, directory: &Path) -> io::Result<Vec<PathBuf>> {
        let inner = self.inner();
        inner.alive(inner.generation)?;
        Ok(inner.names.keys().filter(|path| path.parent() == Some(directory)).cloned().collect())
    }

    fn create(&self, path: &Path) -> io::Result<Arc<dyn SegmentFile>> {
        let mut inner = self.inner();
        let inode = inner.add_inode();
        inner.change_name(NameChange::Set(path.to_owned(), inode))?;
        Ok(Arc::new(FakeFile { disk: self.clone(), inode, generation: inner.generation }))
    }

    fn open(&self, path: &Path) -> io::Result<Arc<dyn SegmentFile>> {
        let inner = self.inner();
        inner.alive(inner.generation)?;
        let inode = *inner.names.get(path).ok_or(io::ErrorKind::NotFound)?;
        Ok(Arc::new(FakeFile { disk: self.clone(), inode, generation: inner.generation }))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut inner = self.inner();
        let inode = *inner.names.get(from).ok_or(io::ErrorKind::NotFound)?;
        inner.change_name(NameChange::Rename { from: from.to_owned(), to: to.to_owned(), inode })
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let mut inner = self.inner();
        if !inner.names.contains_key(path) {
            return Err(io::ErrorKind::NotFound.into());
        }
        inner.change_name(NameChange::Remove(path.to_owned()))
    }

    fn sync_directory(&self, _directory: &Path) -> io::Result<()> {
        let mut inner = self.inner();
        let generation = inner.generation;
        let verdict = inner.operation(generation, Fault::Names)?;
        if matches!(verdict, Verdict::Works) {
            let Inner { name_changes, durable_names, .. } = &mut *inner;
            name_changes.drain(..).for_each(|change| change.apply(durable_names));
        }
        inner.end(verdict)
    }

    fn salt(&self) -> u32 {
        halves::low(self.inner().random.next())
    }
}

struct FakeLock {
    disk: FakeDisk,
    path: PathBuf,
    generation: u64,
}

impl Lock for FakeLock {}

impl Drop for FakeLock {
    fn drop(&mut self) {
        let mut inner = self.disk.inner();
        if inner.generation == self.generation {
            inner.locks.remove(&self.path);
        }
    }
}

struct FakeFile {
    disk: FakeDisk,
    inode: u64,
    generation: u64,
}

fn index(at: u64) -> usize {
    usize::try_from(at).unwrap_or(usize::MAX)
}

impl SegmentFile for FakeFile {
    fn length(&self) -> io::Result<u64> {
        let inner = self.disk.inner();
        inner.alive(self.generation)?;
        Ok(inner.inodes[&self.inode].content().len() as u64)
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        let inner = self.disk.inner();
        inner.alive(self.generation)?;
        let content = inner.inodes[&self.inode].content();
        let from = index(offset);
        let bytes = content.get(from..from.saturating_add(buffer.len())).ok_or(io::ErrorKind::UnexpectedEof)?;
        buffer.copy_from_slice(bytes);
        Ok(())
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        let mut inner = self.disk.inner();
        let verdict = inner.operation(self.generation, Fault::Write)?;
        let used = inner.used();
        inner.written += bytes.len() as u64;
        let Inner { random, inodes, capacity, .. } = &mut *inner;
        let Some(inode) = inodes.get_mut(&self.inode) else { return Err(gone()) };
        let grows = (offset + bytes.len() as u64).saturating_sub(inode.content().len() as u64);
        let free = capacity.map_or(u64::MAX, |capacity| capacity.saturating_sub(used));
        if !matches!(verdict, Verdict::Works) {
            let part = random.below(bytes.len() + 1);
            inode.write(index(offset), &bytes[..part]);
        } else if grows > free {
            let part = bytes.len() - index(grows - free).min(bytes.len());
            inode.write(index(offset), &bytes[..part]);
            return Err(io::ErrorKind::StorageFull.into());
        } else {
            inode.write(index(offset), bytes);
        }
        inner.end(verdict)
    }

    fn sync(&self) -> io::Result<()> {
        self.disk.pass_gate();
        let mut inner = self.disk.inner();
        let verdict = inner.operation(self.generation, Fault::Sync)?;
        let Inner { random, inodes, syncs, .. } = &mut *inner;
        let Some(inode) = inodes.get_mut(&self.inode) else { return Err(gone()) };
        match verdict {
            Verdict::Works => {
                inode.sync();
                *syncs += 1;
            }
            Verdict::Fails => inode.fail_sync(random),
            Verdict::Crashes(_) => {}
        }
        inner.end(verdict)
    }

    fn truncate(&self, length: u64) -> io::Result<()> {
        let mut inner = self.disk.inner();
        let verdict = inner.operation(self.generation, Fault::Truncate)?;
        let happens = matches!(verdict, Verdict::Works) || inner.random.one_in(2);
        if let Some(inode) = inner.inodes.get_mut(&self.inode).filter(|_| happens) {
            inode.truncate(index(length));
        }
        inner.end(verdict)
    }
}
