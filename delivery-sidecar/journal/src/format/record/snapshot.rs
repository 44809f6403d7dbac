//! The state of endpoints at the beginning of a segment, so that older segments can go.

use bytes::Bytes;

use super::outcome::{put_failure, put_status, read_failure, read_status};
use crate::format::bytes::{Input, Malformed, put_bytes, put_i64, put_length, put_u32, put_u64};
use crate::{EndpointStats, LastFailure, Ordinal, Seq};

/// What is not repeated by later records.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Snapshot {
    /// The number that the next event gets.
    pub(crate) next_seq: Seq,
    /// The number that the next endpoint gets.
    pub(crate) next_ordinal: u32,
    /// The endpoints that are known.
    pub(crate) endpoints: Vec<SnapshotEndpoint>,
    /// The counts of those that were dropped.
    pub(crate) dropped: EndpointStats,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct SnapshotEndpoint {
    pub(crate) ordinal: Ordinal,
    pub(crate) uid: String,
    pub(crate) memo: Bytes,
    pub(crate) stats: EndpointStats,
}

impl Snapshot {
    pub(super) fn put(&self, out: &mut Vec<u8>) {
        put_u64(out, self.next_seq);
        put_u32(out, self.next_ordinal);
        put_length(out, self.endpoints.len());
        for endpoint in &self.endpoints {
            put_u32(out, endpoint.ordinal.0);
            put_bytes(out, endpoint.uid.as_bytes());
            put_bytes(out, &endpoint.memo);
            put_stats(out, &endpoint.stats);
        }
        put_stats(out, &self.dropped);
    }

    pub(super) fn read(input: &mut Input<'_>) -> Result<Self, Malformed> {
        let (next_seq, Ordinal(next_ordinal)) = (input.seq()?, input.ordinal()?);
        let count = input.count()?;
        let endpoints = (0..count)
            .map(|_| {
                Ok(SnapshotEndpoint {
                    ordinal: input.ordinal()?,
                    uid: input.text()?,
                    memo: Bytes::copy_from_slice(input.bytes()?),
                    stats: read_stats(input)?,
                })
            })
            .collect::<Result<_, Malformed>>()?;
        // A snapshot that was written before they were counted ends here.
        let dropped = if input.is_empty() { EndpointStats::default() } else { read_stats(input)? };
        Ok(Self { next_seq, next_ordinal, endpoints, dropped })
    }
}

fn put_stats(out: &mut Vec<u8>, stats: &EndpointStats) {
    let EndpointStats {
        delivered,
        failed,
        retried,
        dead_lettered,
        dropped,
        consecutive_failures,
        last_status,
        last_attempt_ms,
        last_success_ms,
        last_failure,
    } = stats;
    for count in [delivered, failed, retried, dead_lettered, dropped, consecutive_failures] {
        put_u64(out, *count);
    }
    put_status(out, *last_status);
    put_time(out, *last_attempt_ms);
    put_time(out, *last_success_ms);
    put_time(out, last_failure.as_ref().map(|last| last.at_ms));
    if let Some(last) = last_failure {
        put_failure(out, &last.failure);
    }
}

fn read_stats(input: &mut Input<'_>) -> Result<EndpointStats, Malformed> {
    Ok(EndpointStats {
        delivered: input.u64()?,
        failed: input.u64()?,
        retried: input.u64()?,
        dead_lettered: input.u64()?,
        dropped: input.u64()?,
        consecutive_failures: input.u64()?,
        last_status: read_status(input)?,
        last_attempt_ms: read_time(input)?,
        last_success_ms: read_time(input)?,
        last_failure: match read_time(input)? {
            Some(at_ms) => Some(LastFailure { at_ms, failure: read_failure(input)? }),
            None => None,
        },
    })
}

fn put_time(out: &mut Vec<u8>, time: Option<i64>) {
    out.push(u8::from(time.is_some()));
    if let Some(time) = time {
        put_i64(out, time);
    }
}

fn read_time(input: &mut Input<'_>) -> Result<Option<i64>, Malformed> {
    match input.u8()? {
        0 => Ok(None),
        1 => input.i64().map(Some),
        _ => Err(Malformed("a time is neither there nor absent")),
    }
}
