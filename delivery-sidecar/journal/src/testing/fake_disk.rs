//! The disk as tests see it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use super::state::Inner;

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

impl FakeDisk {
    /// An empty disk whose failures come from `seed`.
    pub fn new(seed: u64) -> Self {
        let inner = Inner::new(seed);
        Self { shared: Arc::new(Shared { disk: Mutex::new(inner), changed: Condvar::new() }) }
    }

    pub(super) fn inner(&self) -> MutexGuard<'_, Inner> {
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

    pub(super) fn pass_gate(&self) {
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
