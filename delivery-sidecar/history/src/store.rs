//! Rows and log together: what an entry does to them, and what is removed when.

use std::{io, path::Path, sync::Arc};

use crate::{
    block::Block,
    log::Log,
    place::Place,
    record,
    row::{Hashes, Row},
    rows::Rows,
    types::{Bounds, Entry, EventText, Key, Source, Status},
};

/// Of all bytes, an eighth is for rows; the rest is for the log.
const ROWS_SHARE: u64 = 8;
/// A file of the log is at most this part of what the log may take, so that space comes back in small pieces.
const LOG_FILES: u64 = 16;
/// It is written for at most this part of the time for which attempts are kept.
const LOG_TIMES: i64 = 16;
/// As for the log's size, for rows.
const ROW_FILES: u64 = 4;

/// See the module.
pub struct Store {
    pub rows: Rows,
    pub log: Log,
    pub source: Arc<dyn Source>,
    pub bounds: Bounds,
}

impl Store {
    /// Reads what is in a directory.
    pub fn open(directory: &Path, bounds: Bounds, source: Arc<dyn Source>) -> io::Result<Self> {
        std::fs::create_dir_all(directory)?;
        let mut store = Self { rows: Rows::open(directory)?, log: Log::open(directory)?, source, bounds };
        store.set_bounds(bounds);
        Ok(store)
    }

    pub fn set_bounds(&mut self, bounds: Bounds) {
        self.bounds = bounds;
        self.rows.set_file_bytes(self.most_rows() / ROW_FILES);
        self.log.set_files(self.most_log() / LOG_FILES, bounds.retention_ms / LOG_TIMES);
    }

    fn most_rows(&self) -> u64 {
        self.bounds.max_bytes / ROWS_SHARE
    }

    fn most_log(&self) -> u64 {
        self.bounds.max_bytes - self.most_rows()
    }

    /// Takes an entry. What it changes is seen once it is flushed.
    pub fn apply(&mut self, entry: Entry, now_ms: i64) -> io::Result<()> {
        match entry {
            Entry::Accepted { seq, accepted_ms, event, endpoints } => {
                self.accepted(seq, accepted_ms, &event, &endpoints, now_ms)
            }
            Entry::Ended { key, at_ms, status, code, attempted, attempt } => {
                let Some((at, before)) = self.find_or_learn(key, now_ms)? else { return Ok(()) };
                let mut row = Row { status, updated_ms: at_ms, ..before };
                if attempted {
                    row.attempts = row.attempts.saturating_add(1);
                    row.code = code.unwrap_or(0);
                }
                if let Some(attempt) = attempt {
                    let mut head = [0; 1 + Place::BYTES];
                    row.last = self.log.put(&attempt.parts(before.last, &mut head), now_ms)?;
                }
                self.rows.replace(at, before.status, &row)
            }
            Entry::Again { key, at_ms } => {
                let Some((at, before)) = self.find_or_learn(key, now_ms)? else { return Ok(()) };
                let row = Row { status: Status::Pending, updated_ms: at_ms, ..before };
                self.rows.replace(at, before.status, &row)
            }
        }
    }

    fn accepted(
        &mut self,
        seq: u64,
        accepted_ms: i64,
        event: &EventText,
        endpoints: &[u32],
        now_ms: i64,
    ) -> io::Result<()> {
        if endpoints.is_empty() {
            return Ok(());
        }
        let place = self.log.put(&[&record::event(event)], now_ms)?;
        let hashes = Hashes::of(event);
        for endpoint in endpoints {
            let key = Key { seq, endpoint: *endpoint };
            self.rows.append(&fresh(key, accepted_ms, place, hashes))?;
        }
        Ok(())
    }

    /// The row of a delivery. One that is missing, because it was lost or its event is old, is made.
    fn find_or_learn(&mut self, key: Key, now_ms: i64) -> io::Result<Option<(crate::rows::At, Row)>> {
        if let Some(found) = self.rows.find(key)? {
            return Ok(Some(found));
        }
        self.learn(key, now_ms)?;
        self.rows.find(key)
    }

    /// Makes a row for a delivery that has none, from what the journal knows.
    pub fn learn(&mut self, key: Key, now_ms: i64) -> io::Result<()> {
        let Some((event, accepted_ms)) = self.source.event(key.seq) else { return Ok(()) };
        let place = self.log.put(&[&record::event(&event)], now_ms)?;
        self.rows.append(&fresh(key, accepted_ms, place, Hashes::of(&event)))
    }

    /// Makes all that was applied visible.
    pub fn flush(&mut self) -> io::Result<()> {
        // Both, whatever becomes of one.
        let log = self.log.flush();
        self.rows.flush().and(log)
    }

    /// Nothing is to be done for a while.
    pub fn rest(&mut self) {
        self.rows.rest();
        self.log.rest();
    }

    /// Removes the oldest of what there is no room for.
    pub fn make_room(&mut self) -> io::Result<()> {
        while self.log.bytes() > self.most_log() && self.log.oldest_ms().is_some() {
            self.log.remove_oldest()?;
        }
        while self.rows.bytes() > self.most_rows() && self.rows.oldest().is_some() {
            self.rows.remove_oldest()?;
        }
        Ok(())
    }

    /// Removes what has been kept for long enough.
    pub fn tidy(&mut self, now_ms: i64) -> io::Result<()> {
        let is_over = |ms: i64, retention: i64| ms.saturating_add(retention) < now_ms;
        while self.log.oldest_ms().is_some_and(|newest_ms| is_over(newest_ms, self.bounds.retention_ms)) {
            self.log.remove_oldest()?;
        }
        while let Some(oldest) = self.rows.oldest() {
            let is_old = |block: &Block| !block.is_unfinished() && is_over(block.newest_ms, self.bounds.retention_ms);
            if !oldest.iter().all(is_old) || !self.nothing_is_visible(now_ms)? {
                break;
            }
            self.rows.remove_oldest()?;
        }
        Ok(())
    }

    /// Whether nothing of the oldest rows is shown any more.
    fn nothing_is_visible(&self, now_ms: i64) -> io::Result<bool> {
        let mut visible = false;
        self.rows.scan_oldest(|row| visible |= self.is_visible(row, now_ms))?;
        Ok(!visible)
    }

    /// Whether a row is shown: until its time is over, and as long as something may happen to it.
    pub fn is_visible(&self, row: &Row, now_ms: i64) -> bool {
        match row.status {
            Status::Pending | Status::InFlight | Status::Retrying => true,
            Status::DeadLettered => now_ms <= row.updated_ms.saturating_add(self.bounds.dead_letter_retention_ms),
            Status::Succeeded | Status::Dropped => now_ms <= row.accepted_ms.saturating_add(self.bounds.retention_ms),
        }
    }

    /// What there is to say about the event of a row.
    pub fn event_of(&self, row: &Row) -> Option<EventText> {
        if let Some(event) = self.log.read(row.event).and_then(|record| record::read_event(&record)) {
            return Some(event);
        }
        // The log keeps an event for as long as its attempts, the journal for as long as it is wanted.
        let is_wanted = !row.status.is_final() || row.status == Status::DeadLettered;
        is_wanted.then(|| self.source.event(row.key.seq)).flatten().map(|(event, _)| event)
    }
}

fn fresh(key: Key, accepted_ms: i64, event: Place, hashes: Hashes) -> Row {
    Row {
        key,
        accepted_ms,
        updated_ms: accepted_ms,
        event,
        last: Place::NONE,
        hashes,
        attempts: 0,
        code: 0,
        status: Status::Pending,
    }
}
