//! Records of events and keys.

use super::Record;
use crate::delivery::{Delivery, Standing};
use crate::format::bytes::{Input, Malformed, put_i64, put_length, put_ordinals, put_u32, put_u64};
use crate::{IdempotencyKey, Ordinal, Seq};

pub(super) fn put_accepted(
    out: &mut Vec<u8>,
    seq: Seq,
    accepted_ms: i64,
    key: Option<&IdempotencyKey>,
    deliveries: &[Ordinal],
    blob: u32,
    group: u16,
) {
    put_u64(out, seq);
    put_i64(out, accepted_ms);
    put_u32(out, blob);
    put_u32(out, group.into());
    put_ordinals(out, deliveries);
    // No flag: a key is what is left of the record.
    if let Some(key) = key {
        put_key(out, key);
    }
}

pub(super) fn read_accepted(input: &mut Input<'_>) -> Result<Record, Malformed> {
    Ok(Record::Event {
        seq: input.seq()?,
        accepted_ms: input.i64()?,
        blob: input.u32()?,
        group: input.u16()?,
        deliveries: input.ordinals()?,
        key: if input.is_empty() { None } else { Some(read_key(input)?) },
    })
}

pub(super) fn put_key(out: &mut Vec<u8>, key: &IdempotencyKey) {
    out.extend_from_slice(&key.key.to_le_bytes());
    out.extend_from_slice(&key.content.to_le_bytes());
    put_i64(out, key.expires_ms);
}

pub(super) fn read_key(input: &mut Input<'_>) -> Result<IdempotencyKey, Malformed> {
    Ok(IdempotencyKey {
        key: u128::from_le_bytes(input.array()?),
        content: u64::from_le_bytes(input.array()?),
        expires_ms: input.i64()?,
    })
}

const FRESH: u8 = 0;
const TRIED: u8 = 1;
const DEAD: u8 = 2;
/// Set beside one of these since version 3.
const REDELIVERED: u8 = 0x80;

pub(super) fn put_moved(out: &mut Vec<u8>, seq: Seq, accepted_ms: i64, deliveries: &[Delivery], blob: u32, group: u16) {
    put_u64(out, seq);
    put_i64(out, accepted_ms);
    put_u32(out, blob);
    put_u32(out, group.into());
    put_length(out, deliveries.len());
    let mut before = 0;
    for delivery in deliveries {
        let Ordinal(ordinal) = delivery.endpoint();
        put_u32(out, ordinal - before);
        before = ordinal;
        if delivery.is_fresh() {
            out.push(FRESH);
            continue;
        }
        let (tag, time) = match delivery.standing() {
            Standing::Pending { due_ms } => (TRIED, due_ms),
            Standing::Dead { at_ms } => (DEAD, at_ms),
        };
        out.push(if delivery.is_redelivered() { tag | REDELIVERED } else { tag });
        put_u32(out, delivery.attempts());
        put_i64(out, time);
    }
}

pub(super) fn read_moved(input: &mut Input<'_>) -> Result<Record, Malformed> {
    let (seq, accepted_ms, blob, group) = (input.seq()?, input.i64()?, input.u32()?, input.u16()?);
    let count = input.count()?;
    let mut before = None;
    let deliveries = (0..count)
        .map(|_| {
            let endpoint = input.next_ordinal(&mut before)?;
            let tag = input.u8()?;
            let delivery = match tag & !REDELIVERED {
                FRESH => Delivery::fresh(endpoint),
                TRIED => Delivery::new(endpoint, input.u32()?, Standing::Pending { due_ms: input.i64()? }),
                DEAD => Delivery::new(endpoint, input.u32()?, Standing::Dead { at_ms: input.i64()? }),
                _ => return Err(Malformed("a delivery is of an unknown standing")),
            };
            Ok(if tag & REDELIVERED == 0 { delivery } else { delivery.redelivered() })
        })
        .collect::<Result<_, Malformed>>()?;
    Ok(Record::Moved { seq, accepted_ms, deliveries, blob, group })
}
