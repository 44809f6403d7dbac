//! The files, oldest first, and how much of each is still needed.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::Arc;

use crate::filesystem::SegmentFile;

/// One file.
#[derive(Clone)]
pub(crate) struct Segment {
    /// Counts files while the process runs; records in memory name their file by it.
    pub(crate) id: u32,
    pub(crate) path: PathBuf,
    pub(crate) file: Arc<dyn SegmentFile>,
    pub(crate) salt: u32,
    /// The number of its first commit.
    pub(crate) first: u64,
    /// Bytes that are synced.
    pub(crate) length: u64,
    /// Bytes among them that are neither records nor garbage: header, snapshot, index.
    pub(crate) overhead: u64,
    /// Bytes among them that are still needed.
    pub(crate) live: u64,
    /// Events and keys that are still needed. Counted apart from bytes, because a file without any is removed unread.
    pub(crate) held: u64,
    /// Events in it, finished or not.
    pub(crate) events: u64,
    /// When the latest of them was accepted; 0 without any.
    pub(crate) latest_ms: i64,
}

impl Segment {
    /// Bytes that cleaning it would free.
    fn garbage(&self) -> u64 {
        self.length.saturating_sub(self.overhead + self.live)
    }
}

/// All files.
#[derive(Default)]
pub(crate) struct Segments {
    list: VecDeque<Segment>,
}

impl Segments {
    pub(crate) fn push(&mut self, segment: Segment) {
        self.list.push_back(segment);
    }

    pub(crate) fn get(&self, id: u32) -> Option<&Segment> {
        let oldest = self.list.front()?.id;
        self.list.get(usize::try_from(id.checked_sub(oldest)?).ok()?)
    }

    fn get_mut(&mut self, id: u32) -> Option<&mut Segment> {
        let oldest = self.list.front()?.id;
        self.list.get_mut(usize::try_from(id.checked_sub(oldest)?).ok()?)
    }

    pub(crate) fn oldest(&self) -> Option<&Segment> {
        self.list.front()
    }

    pub(crate) fn newest(&self) -> Option<&Segment> {
        self.list.back()
    }

    pub(crate) fn len(&self) -> usize {
        self.list.len()
    }

    pub(crate) fn remove_oldest(&mut self) {
        self.list.pop_front();
    }

    /// Says how long a file has become, and how much of what was added is neither records nor garbage.
    pub(crate) fn grown(&mut self, id: u32, length: u64, overhead: u64) {
        if let Some(segment) = self.get_mut(id) {
            segment.length = length;
            segment.overhead += overhead;
        }
    }

    /// One more event is in a file, whether it is needed or not.
    pub(crate) fn count_event(&mut self, id: u32, accepted_ms: i64) {
        if let Some(segment) = self.get_mut(id) {
            segment.events += 1;
            segment.latest_ms = segment.latest_ms.max(accepted_ms);
        }
    }

    /// One more event or key of a file is needed.
    pub(crate) fn hold(&mut self, id: u32, bytes: u64) {
        if let Some(segment) = self.get_mut(id) {
            segment.live += bytes;
            segment.held += 1;
        }
    }

    /// An event or key of a file is no longer needed. A file that is gone holds nothing.
    pub(crate) fn release(&mut self, id: u32, bytes: u64) {
        if let Some(segment) = self.get_mut(id) {
            segment.live = segment.live.saturating_sub(bytes);
            segment.held -= 1;
        }
    }

    /// What is needed of an event has changed its size.
    pub(crate) fn resize(&mut self, id: u32, change: i64) {
        if let Some(segment) = self.get_mut(id) {
            segment.live = segment.live.saturating_add_signed(change);
        }
    }

    pub(crate) fn used(&self) -> u64 {
        self.list.iter().map(|segment| segment.length).sum()
    }

    pub(crate) fn live(&self) -> u64 {
        self.list.iter().map(|segment| segment.live).sum()
    }

    /// Bytes that cleaning all files would free.
    pub(crate) fn garbage(&self) -> u64 {
        self.list.iter().map(Segment::garbage).sum()
    }

    /// The same for files whose events were all accepted until then, up to the first that has later ones: files go in order.
    pub(crate) fn garbage_until(&self, until_ms: i64) -> u64 {
        self.list.iter().take_while(|segment| segment.latest_ms <= until_ms).map(Segment::garbage).sum()
    }

    /// The same for files with events that were accepted after that.
    pub(crate) fn garbage_after(&self, until_ms: i64) -> u64 {
        self.list.iter().filter(|segment| segment.latest_ms > until_ms).map(Segment::garbage).sum()
    }

    /// Events in all files, finished or not.
    pub(crate) fn events(&self) -> u64 {
        self.list.iter().map(|segment| segment.events).sum()
    }
}
