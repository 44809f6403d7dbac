//! The content of a file: what can be read, what is durable, and what is between.

use super::random::Random;

const SECTOR: usize = 512;

/// What has been done since the last sync.
#[derive(Clone, Debug)]
enum Change {
    Write { offset: usize, bytes: Vec<u8> },
    Truncate(usize),
}

#[derive(Clone, Debug, Default)]
pub(super) struct Inode {
    readable: Vec<u8>,
    durable: Vec<u8>,
    changes: Vec<Change>,
}

fn write(content: &mut Vec<u8>, offset: usize, bytes: &[u8]) {
    let end = offset + bytes.len();
    if content.len() < end {
        content.resize(end, 0);
    }
    content[offset..end].copy_from_slice(bytes);
}

fn apply(content: &mut Vec<u8>, change: &Change) {
    match change {
        Change::Write { offset, bytes } => write(content, *offset, bytes),
        Change::Truncate(length) => content.resize(*length, 0),
    }
}

impl Inode {
    pub(super) fn content(&self) -> &[u8] {
        &self.readable
    }

    /// Replaces the content, durably: for tests that damage files.
    pub(super) fn replace(&mut self, content: Vec<u8>) {
        self.durable.clone_from(&content);
        self.readable = content;
        self.changes.clear();
    }

    fn change(&mut self, change: Change) {
        apply(&mut self.readable, &change);
        self.changes.push(change);
    }

    pub(super) fn write(&mut self, offset: usize, bytes: &[u8]) {
        self.change(Change::Write { offset, bytes: bytes.to_vec() });
    }

    pub(super) fn truncate(&mut self, length: usize) {
        self.change(Change::Truncate(length));
    }

    pub(super) fn sync(&mut self) {
        self.changes.drain(..).for_each(|change| apply(&mut self.durable, &change));
    }

    /// A part of what was to be synced gets to the disk, and the rest never will, although it can be read.
    pub(super) fn fail_sync(&mut self, random: &mut Random) {
        for change in std::mem::take(&mut self.changes) {
            keep_part(&mut self.durable, &change, random);
        }
    }

    /// Only what is durable is left, and any part of the rest.
    pub(super) fn lose_power(&mut self, random: &mut Random) {
        self.fail_sync(random);
        self.readable.clone_from(&self.durable);
    }
}

fn keep_part(durable: &mut Vec<u8>, change: &Change, random: &mut Random) {
    match (random.below(4), change) {
        (0, _) => {}
        (1, _) | (_, Change::Truncate(_)) => apply(durable, change),
        (2, Change::Write { offset, bytes }) => write(durable, *offset, &bytes[..random.below(bytes.len())]),
        (_, Change::Write { offset, bytes }) => {
            for (at, sector) in bytes.chunks(SECTOR).enumerate() {
                if random.one_in(2) {
                    write(durable, offset + at * SECTOR, sector);
                }
            }
        }
    }
}
