//! The disk, its names, and what goes wrong on it.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use super::inode::Inode;
use super::random::Random;
use crate::filesystem::{Filesystem, Lock, SegmentFile};
use crate::halves;

/// How a crash ends the process that uses the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Crash {
    /// The process is killed. What it has written can be read.
    Kill,
    /// The machine stops. What is not synced may be lost.
    PowerLoss,
}

/// What fails once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The next write writes a part and fails.
    Write,
    /// The next sync of a file fails.
    Sync,
    /// The next change of names, or sync of them, fails.
    Names,
    /// The next truncation fails.
    Truncate,
}

/// A disk in memory. Clones are the same disk.
#[derive(Clone)]
pub struct FakeDisk {
    shared: Arc<Shared>,
}

struct Shared {
    disk: Mutex<Inner>,
    changed: Condvar,
}

#[derive(Debug)]
struct Inner {
    random: Random,
    inodes: BTreeMap<u64, Inode>,
    names: BTreeMap<PathBuf, u64>,
    durable_names: BTreeMap<PathBuf, u64>,
    name_changes: Vec<NameChange>,
    next_inode: u64,
    locks: BTreeSet<PathBuf>,
    /// Counts processes: files and locks of an earlier one are dead.
    generation: u64,
    operations: u64,
    syncs: u64,
    written: u64,
    crash_at: Option<(u64, Crash)>,
    down: bool,
    faults: Vec<Fault>,
    fault_rate: Option<u64>,
    capacity: Option<u64>,
    gated: bool,
    waiting_at_gate: usize,
}

#[derive(Clone, Debug)]
enum NameChange {
    Set(PathBuf, u64),
    Rename { from: PathBuf, to: PathBuf, inode: u64 },
    Remove(PathBuf),
}

impl NameChange {
    fn apply(self, names: &mut BTreeMap<PathBuf, u64>) {
        match self {
            Self::Set(path, inode) => drop(names.insert(path, inode)),
            Self::Rename { from, to, inode } => {
                names.remove(&from);
                names.insert(to, inode);
            }
            Self::Remove(path) => drop(names.remove(&path)),
        }
    }
}

/// What an operation comes to.
#[derive(Clone, Copy)]
enum Verdict {
    Works,
    Fails,
    Crashes(Crash),
}

fn gone() -> io::Error {
    io::Error::other("the process that had this open is dead")
}

fn failed() -> io::Error {
    io::Error::other("the disk fails")
}

impl FakeDisk {
    /// An empty disk whose failures come from `seed`.
    pub fn new(seed: u64) -> Self {
        let inner = Inner {
            random: Random(seed),
            inodes: BTreeMap::new(),
            names: BTreeMap::new(),
            durable_names: BTreeMap::new(),
            name_changes: Vec::new(),
            next_inode: 0,
            locks: BTreeSet::new(),
            generation: 0,
            operations: 0,
            syncs: 0,
            written: 0,
            crash_at: None,
            down: false,
            faults: Vec::new(),
            fault_rate: None,
            capacity: None,
            gated: false,
            waiting_at_gate: 0,
        };
        Self { shared: Arc::new(Shared { disk: Mutex::new(inner), changed: Condvar::new() }) }
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.shared.disk.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many operations have changed something, or tried.
    pub fn operations(&self) -> u64 {
        self.inner().operations
    }

    /// How many syncs of files have worked.
    pub fn syncs(&self) -> u64 {
        self.inner().syncs
    }

    /// How many bytes have been written to files.
    pub fn written(&self) -> u64 {
        self.inner().written
    }

    /// Crashes in the operation that comes after `operations` others. Everything fails from then on, until
    /// [`FakeDisk::restart`].
    pub fn crash_in(&self, operations: u64, crash: Crash) {
        let mut inner = self.inner();
        inner.crash_at = Some((inner.operations + operations, crash));
    }

    /// Whether a crash has happened.
    pub fn is_down(&self) -> bool {
        self.inner().down
    }

    /// Crashes now, between two operations.
    pub fn crash(&self, crash: Crash) {
        self.inner().crash(crash);
    }

    /// Begins a new process after a crash. Faults that were asked for are forgotten.
    pub fn restart(&self) {
        let mut inner = self.inner();
        inner.down = false;
        inner.crash_at = None;
        inner.faults.clear();
    }

    /// Makes one operation fail.
    pub fn fail_next(&self, fault: Fault) {
        self.inner().faults.push(fault);
    }

    /// Makes one operation in `one_in` fail.
    pub fn fail_randomly(&self, one_in: Option<u64>) {
        self.inner().fault_rate = one_in;
    }

    /// Takes no more than this many bytes in all files. `None`: as many as wanted.
    pub fn set_capacity(&self, bytes: Option<u64>) {
        self.inner().capacity = bytes;
    }

    /// Bytes of all files.
    pub fn used(&self) -> u64 {
        self.inner().used()
    }

    /// The files and their content.
    pub fn files(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        let inner = self.inner();
        inner.names.iter().map(|(path, inode)| (path.clone(), inner.inodes[inode].content().to_vec())).collect()
    }

    /// Gives a file this content, durably. It is made when it is missing.
    pub fn set_file(&self, path: &Path, content: Vec<u8>) {
        let mut inner = self.inner();
        let inode = inner.names.get(path).copied().unwrap_or_else(|| inner.add_inode());
        inner.inodes.entry(inode).or_default().replace(content);
        inner.names.insert(path.to_owned(), inode);
        inner.durable_names.insert(path.to_owned(), inode);
    }

    /// Removes a file, durably.
    pub fn remove_file(&self, path: &Path) {
        let mut inner = self.inner();
        inner.names.remove(path);
        inner.durable_names.remove(path);
    }

    /// Makes syncs of files wait until the gate is dropped.
    pub fn hold_syncs(&self) -> SyncGate {
        self.inner().gated = true;
        SyncGate { disk: self.clone() }
    }

    fn pass_gate(&self) {
        let mut inner = self.inner();
        inner.waiting_at_gate += 1;
        self.shared.changed.notify_all();
        while inner.gated {
            inner = self.shared.changed.wait(inner).unwrap_or_else(PoisonError::into_inner);
        }
        inner.waiting_at_gate -= 1;
    }
}

/// Holds syncs back until it is dropped.
pub struct SyncGate {
    disk: FakeDisk,
}

impl SyncGate {
    /// Blocks until a sync waits at the gate.
    pub fn wait_for_sync(&self) {
        let mut inner = self.disk.inner();
        while inner.waiting_at_gate == 0 {
            inner = self.disk.shared.changed.wait(inner).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

impl Drop for SyncGate {
    fn drop(&mut self) {
        self.disk.inner().gated = false;
        self.disk.shared.changed.notify_all();
    }
}

impl Inner {
    fn add_inode(&mut self) -> u64 {
        self.next_inode += 1;
        self.inodes.insert(self.next_inode, Inode::default());
        self.next_inode
    }

    fn used(&self) -> u64 {
        self.names.values().map(|inode| self.inodes[inode].content().len() as u64).sum()
    }

    /// Counts an operation and decides what becomes of it.
    fn operation(&mut self, generation: u64, fault: Fault) -> io::Result<Verdict> {
        self.alive(generation)?;
        self.operations += 1;
        if let Some((_, crash)) = self.crash_at.filter(|(at, _)| self.operations > *at) {
            return Ok(Verdict::Crashes(crash));
        }
        let asked = self.faults.iter().position(|asked| *asked == fault);
        if let Some(at) = asked {
            self.faults.remove(at);
            return Ok(Verdict::Fails);
        }
        let fails = self.fault_rate.is_some_and(|rate| self.random.one_in(rate));
        Ok(if fails { Verdict::Fails } else { Verdict::Works })
    }

    fn alive(&self, generation: u64) -> io::Result<()> {
        if self.down || generation != self.generation { Err(gone()) } else { Ok(()) }
    }

    fn crash(&mut self, crash: Crash) {
        self.down = true;
        self.generation += 1;
        self.locks.clear();
        if crash == Crash::PowerLoss {
            for change in std::mem::take(&mut self.name_changes) {
                // Any of them, not the first ones: nothing promises an order.
                if self.random.one_in(2) {
                    change.apply(&mut self.durable_names);
                }
            }
            self.names = self.durable_names.clone();
            for inode in self.inodes.values_mut() {
                inode.lose_power(&mut self.random);
            }
        }
        let named: BTreeSet<u64> = self.names.values().chain(self.durable_names.values()).copied().collect();
        self.inodes.retain(|inode, _| named.contains(inode));
    }

    fn change_name(&mut self, change: NameChange) -> io::Result<()> {
        let verdict = self.operation(self.generation, Fault::Names)?;
        // A change in whose middle the machine stops has happened or has not.
        if matches!(verdict, Verdict::Works) || (matches!(verdict, Verdict::Crashes(_)) && self.random.one_in(2)) {
            change.clone().apply(&mut self.names);
            self.name_changes.push(change);
        }
        self.end(verdict)
    }

    /// Ends an operation that has done what it could.
    fn end(&mut self, verdict: Verdict) -> io::Result<()> {
        match verdict {
            Verdict::Works => Ok(()),
            Verdict::Fails => Err(failed()),
            Verdict::Crashes(crash) => {
                self.crash(crash);
                Err(gone())
            }
        }
    }
}

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
