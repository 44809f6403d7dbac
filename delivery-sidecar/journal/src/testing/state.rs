//! What a fake disk has and what is to go wrong on it.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::PathBuf;

use super::fake_disk::{Crash, Fault};
use super::inode::Inode;
use super::random::Random;

#[derive(Debug)]
pub(super) struct Inner {
    pub(super) random: Random,
    pub(super) inodes: BTreeMap<u64, Inode>,
    pub(super) names: BTreeMap<PathBuf, u64>,
    pub(super) durable_names: BTreeMap<PathBuf, u64>,
    pub(super) name_changes: Vec<NameChange>,
    pub(super) next_inode: u64,
    pub(super) locks: BTreeSet<PathBuf>,
    /// Counts processes: files and locks of an earlier one are dead.
    pub(super) generation: u64,
    pub(super) operations: u64,
    pub(super) syncs: u64,
    pub(super) written: u64,
    pub(super) crash_at: Option<(u64, Crash)>,
    pub(super) down: bool,
    pub(super) faults: Vec<Fault>,
    pub(super) fault_rate: Option<u64>,
    pub(super) capacity: Option<u64>,
    pub(super) gated: bool,
    pub(super) waiting_at_gate: usize,
}

#[derive(Clone, Debug)]
pub(super) enum NameChange {
    Set(PathBuf, u64),
    Rename { from: PathBuf, to: PathBuf, inode: u64 },
    Remove(PathBuf),
}

impl NameChange {
    /// The file that gets a name.
    fn inode(&self) -> Option<u64> {
        match self {
            Self::Set(_, inode) | Self::Rename { inode, .. } => Some(*inode),
            Self::Remove(_) => None,
        }
    }

    pub(super) fn apply(self, names: &mut BTreeMap<PathBuf, u64>) {
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
pub(super) enum Verdict {
    Works,
    Fails,
    Crashes(Crash),
}

pub(super) fn gone() -> io::Error {
    io::Error::other("the process that had this open is dead")
}

fn failed() -> io::Error {
    io::Error::other("the disk fails")
}

impl Inner {
    pub(super) fn new(seed: u64) -> Self {
        Self {
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
        }
    }

    pub(super) fn add_inode(&mut self) -> u64 {
        self.next_inode += 1;
        self.inodes.insert(self.next_inode, Inode::default());
        self.next_inode
    }

    pub(super) fn used(&self) -> u64 {
        self.names.values().map(|inode| self.inodes[inode].content().len() as u64).sum()
    }

    /// Counts an operation and decides what becomes of it.
    pub(super) fn operation(&mut self, generation: u64, fault: Fault) -> io::Result<Verdict> {
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

    pub(super) fn alive(&self, generation: u64) -> io::Result<()> {
        if self.down || generation != self.generation { Err(gone()) } else { Ok(()) }
    }

    pub(super) fn crash(&mut self, crash: Crash) {
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
        let changed = self.name_changes.iter().filter_map(NameChange::inode);
        let named = self.names.values().chain(self.durable_names.values()).copied();
        // A name that was given and taken away again may still be the one that a power loss leaves.
        let named: BTreeSet<u64> = named.chain(changed).collect();
        self.inodes.retain(|inode, _| named.contains(inode));
    }

    pub(super) fn change_name(&mut self, change: NameChange) -> io::Result<()> {
        let verdict = self.operation(self.generation, Fault::Names)?;
        // A change in whose middle the machine stops has happened or has not.
        if matches!(verdict, Verdict::Works) || (matches!(verdict, Verdict::Crashes(_)) && self.random.one_in(2)) {
            change.clone().apply(&mut self.names);
            self.name_changes.push(change);
        }
        self.end(verdict)
    }

    /// Ends an operation that has done what it could.
    pub(super) fn end(&mut self, verdict: Verdict) -> io::Result<()> {
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
