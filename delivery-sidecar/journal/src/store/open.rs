//! Opens a journal: takes its lock, reads what is there, and begins a first segment if nothing is.

use std::path::{Path, PathBuf};
use std::sync::{Arc, RwLock};

use super::recover::Recovery;
use super::{Store, begin_segment};
use crate::filesystem::Filesystem;
use crate::format::record::Snapshot;
use crate::limits::Limits;
use crate::log::{self, Active, NewSegment};
use crate::state::State;
use crate::{Error, Options, Recovered};

const LOCK: &str = "lock";

impl Store {
    pub(crate) fn open(
        filesystem: Arc<dyn Filesystem>,
        options: Options,
        now_ms: i64,
    ) -> Result<(Self, Recovered), Error> {
        let directory = &options.directory;
        filesystem.create_directory(directory)?;
        let Some(lock) = filesystem.lock(&directory.join(LOCK))? else {
            return Err(Error::Locked(directory.clone()));
        };
        let mut state = State::new(Limits::new(&options.space, options.segment_bytes), options.max_idempotency_keys);
        let mut older = segments(&*filesystem, directory)?;
        let newest = older.pop();
        let mut recovery = Recovery::new(&*filesystem, &mut state);
        for (id, path) in older {
            recovery.read_older(id, path)?;
        }
        let (active, cut) = match newest {
            Some((id, path)) => recovery.read_newest(id, path)?,
            None => (first_segment(&*filesystem, &mut state, directory, now_ms)?, None),
        };
        // The name of the newest segment may have been given just before the last process died.
        filesystem.sync_directory(directory)?;
        state.settle(now_ms);
        let recovered = Recovered { endpoints: state.all_endpoints(), pending: state.pending(), cut };
        let state = Arc::new(RwLock::new(state));
        Ok((Self { filesystem, options, state, active, cleaner: None, _lock: lock }, recovered))
    }
}

/// Segments with their ids, oldest first.
fn segments(filesystem: &dyn Filesystem, directory: &Path) -> Result<Vec<(u32, PathBuf)>, Error> {
    let named = |path: PathBuf| Some((log::first_of(&path)?, path));
    let mut found: Vec<(u64, PathBuf)> = filesystem.list(directory)?.into_iter().filter_map(named).collect();
    found.sort_unstable();
    Ok((0..).zip(found).map(|(id, (_, path))| (id, path)).collect())
}

fn first_segment(
    filesystem: &dyn Filesystem,
    state: &mut State,
    directory: &Path,
    now_ms: i64,
) -> Result<Active, Error> {
    let snapshot = Snapshot { next_seq: state.next_seq, ..Snapshot::default() };
    let limit = state.limits.segment;
    let new = NewSegment { id: 0, first: 1, created_ms: now_ms, snapshot, limit, directory };
    let active = Active::create(filesystem, new)?;
    begin_segment(state, &active);
    Ok(active)
}
