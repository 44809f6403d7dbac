//! Records of outcomes, and failures inside them and inside counts.

use super::Record;
use crate::format::bytes::{Input, Malformed, put_bytes, put_i64, put_u32, put_u64};
use crate::{Failure, Outcome, OutcomeKind};

/// Most bytes of a failure's message that are kept.
pub(crate) const MESSAGE_BYTES: usize = 256;
/// Most bytes of a failure's reason that are kept.
pub(crate) const REASON_BYTES: usize = 64;

const SUCCEEDED: u8 = 0;
const RETRY: u8 = 1;
const DEAD_LETTERED: u8 = 2;
const ATTEMPTED: u8 = 0x80;

pub(super) fn put(out: &mut Vec<u8>, outcome: &Outcome, attempted: bool) {
    let kind = match outcome.kind {
        OutcomeKind::Succeeded { .. } => SUCCEEDED,
        OutcomeKind::Retry { .. } => RETRY,
        OutcomeKind::DeadLettered { .. } => DEAD_LETTERED,
    };
    out.push(if attempted { kind | ATTEMPTED } else { kind });
    put_u64(out, outcome.seq);
    put_u32(out, outcome.endpoint.0);
    put_i64(out, outcome.at_ms);
    put_u32(out, outcome.attempts);
    match &outcome.kind {
        OutcomeKind::Succeeded { status } => put_u32(out, u32::from(*status)),
        OutcomeKind::Retry { due_ms, failure } => {
            put_i64(out, *due_ms);
            put_failure(out, failure);
        }
        OutcomeKind::DeadLettered { failure } => put_failure(out, failure),
    }
}

pub(super) fn read(input: &mut Input<'_>) -> Result<Record, Malformed> {
    let flags = input.u8()?;
    let (seq, endpoint, at_ms, attempts) = (input.seq()?, input.ordinal()?, input.i64()?, input.u32()?);
    let kind = match flags & !ATTEMPTED {
        SUCCEEDED => OutcomeKind::Succeeded { status: status(input.u32()?)? },
        RETRY => OutcomeKind::Retry { due_ms: input.i64()?, failure: read_failure(input)? },
        DEAD_LETTERED => OutcomeKind::DeadLettered { failure: read_failure(input)? },
        _ => return Err(Malformed("an outcome is of an unknown kind")),
    };
    let outcome = Outcome { seq, endpoint, at_ms, attempts, kind };
    Ok(Record::Outcome { outcome, attempted: flags & ATTEMPTED != 0 })
}

pub(super) fn put_status(out: &mut Vec<u8>, status: Option<u16>) {
    put_u32(out, status.map_or(0, |status| u32::from(status) + 1));
}

pub(super) fn read_status(input: &mut Input<'_>) -> Result<Option<u16>, Malformed> {
    input.u32()?.checked_sub(1).map(status).transpose()
}

fn status(value: u32) -> Result<u16, Malformed> {
    u16::try_from(value).map_err(|_| Malformed("a status is too large"))
}

pub(super) fn put_failure(out: &mut Vec<u8>, failure: &Failure) {
    put_status(out, failure.status);
    put_bytes(out, failure.reason.as_bytes());
    put_bytes(out, failure.message.as_bytes());
}

pub(super) fn read_failure(input: &mut Input<'_>) -> Result<Failure, Malformed> {
    Ok(Failure { status: read_status(input)?, reason: input.text()?, message: input.text()? })
}
