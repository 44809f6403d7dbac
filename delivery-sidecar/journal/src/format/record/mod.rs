//! Records: what changes the state. Each is a type, a length and a body.

mod event;
mod outcome;
mod snapshot;

use bytes::Bytes;

use super::bytes::{Input, Malformed, put_bytes, put_length, put_u32, put_u64};
pub(crate) use outcome::{MESSAGE_BYTES, REASON_BYTES};
pub(crate) use snapshot::{Snapshot, SnapshotEndpoint};

use crate::delivery::Delivery;
use crate::{IdempotencyKey, Ordinal, Outcome, Seq};

/// A change of the state. Its meaning is [`crate::state::State::apply`].
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Record {
    /// The state of endpoints at the beginning of a segment.
    Snapshot(Snapshot),
    /// An event was accepted. Its blob is the next in the commit's data.
    Event { seq: Seq, accepted_ms: i64, key: Option<IdempotencyKey>, deliveries: Vec<Ordinal>, blob: u32, group: u16 },
    /// An event's blob was copied here, and its deliveries stand like this. A blob of no bytes was found damaged.
    Moved { seq: Seq, accepted_ms: i64, deliveries: Vec<Delivery>, blob: u32, group: u16 },
    /// An attempt or a delivery ended. `attempted` tells whether anything was sent.
    Outcome { outcome: Outcome, attempted: bool },
    /// An endpoint got its number.
    Assigned { ordinal: Ordinal, uid: String },
    /// An endpoint was deleted by a person, and its deliveries with it.
    Dropped { ordinal: Ordinal },
    /// What the engine remembers about an endpoint.
    Memo { ordinal: Ordinal, memo: Bytes },
    /// An idempotency key was copied here.
    Key { key: IdempotencyKey, deliveries: u32 },
    /// Dead letters were removed by age or size.
    Removed { dead_letters: Vec<(Seq, Ordinal)> },
    /// Finished deliveries of events that are still there are pending again.
    Redelivered { deliveries: Vec<(Seq, Ordinal)> },
}

mod kind {
    pub(super) const SNAPSHOT: u8 = 1;
    pub(super) const EVENT: u8 = 2;
    pub(super) const MOVED: u8 = 3;
    pub(super) const OUTCOME: u8 = 4;
    pub(super) const ASSIGNED: u8 = 5;
    pub(super) const DROPPED: u8 = 6;
    pub(super) const MEMO: u8 = 7;
    pub(super) const KEY: u8 = 8;
    pub(super) const REMOVED: u8 = 9;
    pub(super) const REDELIVERED: u8 = 11;
}

/// The type of the only record in a seal: see [`super::seal`].
pub(crate) const INDEX: u8 = 10;

impl Record {
    /// Appends the record. `body` is scratch space.
    pub(crate) fn put(&self, out: &mut Vec<u8>, body: &mut Vec<u8>) {
        body.clear();
        let kind = match self {
            Record::Snapshot(snapshot) => {
                snapshot.put(body);
                kind::SNAPSHOT
            }
            Record::Event { seq, accepted_ms, key, deliveries, blob, group } => {
                event::put_accepted(body, *seq, *accepted_ms, key.as_ref(), deliveries, *blob, *group);
                kind::EVENT
            }
            Record::Moved { seq, accepted_ms, deliveries, blob, group } => {
                event::put_moved(body, *seq, *accepted_ms, deliveries, *blob, *group);
                kind::MOVED
            }
            Record::Outcome { outcome, attempted } => {
                outcome::put(body, outcome, *attempted);
                kind::OUTCOME
            }
            Record::Assigned { ordinal, uid } => {
                put_u32(body, ordinal.0);
                put_bytes(body, uid.as_bytes());
                kind::ASSIGNED
            }
            Record::Dropped { ordinal } => {
                put_u32(body, ordinal.0);
                kind::DROPPED
            }
            Record::Memo { ordinal, memo } => {
                put_u32(body, ordinal.0);
                put_bytes(body, memo);
                kind::MEMO
            }
            Record::Key { key, deliveries } => {
                event::put_key(body, key);
                put_u32(body, *deliveries);
                kind::KEY
            }
            Record::Removed { dead_letters } => {
                put_pairs(body, dead_letters);
                kind::REMOVED
            }
            Record::Redelivered { deliveries } => {
                put_pairs(body, deliveries);
                kind::REDELIVERED
            }
        };
        out.push(kind);
        put_bytes(out, body);
    }

    /// Reads all records of a commit.
    pub(crate) fn all(records: &[u8]) -> Result<Vec<Record>, Malformed> {
        let mut input = Input(records);
        let mut all = Vec::new();
        while !input.is_empty() {
            let kind = input.u8()?;
            let mut body = Input(input.bytes()?);
            all.push(Record::read(kind, &mut body)?);
            if !body.is_empty() {
                return Err(Malformed("a record is longer than its content"));
            }
        }
        Ok(all)
    }

    fn read(kind: u8, body: &mut Input<'_>) -> Result<Record, Malformed> {
        Ok(match kind {
            kind::SNAPSHOT => Record::Snapshot(Snapshot::read(body)?),
            kind::EVENT => event::read_accepted(body)?,
            kind::MOVED => event::read_moved(body)?,
            kind::OUTCOME => outcome::read(body)?,
            kind::ASSIGNED => Record::Assigned { ordinal: body.ordinal()?, uid: body.text()? },
            kind::DROPPED => Record::Dropped { ordinal: body.ordinal()? },
            kind::MEMO => Record::Memo { ordinal: body.ordinal()?, memo: Bytes::copy_from_slice(body.bytes()?) },
            kind::KEY => Record::Key { key: event::read_key(body)?, deliveries: body.u32()? },
            kind::REMOVED => Record::Removed { dead_letters: read_pairs(body)? },
            kind::REDELIVERED => Record::Redelivered { deliveries: read_pairs(body)? },
            _ => return Err(Malformed("a record is of an unknown type")),
        })
    }

    /// Event and length of the record's blob, if it has one.
    pub(crate) fn blob(&self) -> Option<(Seq, u32)> {
        match self {
            Record::Event { seq, blob, .. } | Record::Moved { seq, blob, .. } if *blob > 0 => Some((*seq, *blob)),
            _ => None,
        }
    }
}

fn put_pairs(out: &mut Vec<u8>, pairs: &[(Seq, Ordinal)]) {
    put_length(out, pairs.len());
    for (seq, ordinal) in pairs {
        put_u64(out, *seq);
        put_u32(out, ordinal.0);
    }
}

fn read_pairs(input: &mut Input<'_>) -> Result<Vec<(Seq, Ordinal)>, Malformed> {
    let count = input.count()?;
    (0..count).map(|_| Ok((input.seq()?, input.ordinal()?))).collect()
}

#[cfg(test)]
mod tests;
