//! Looks at the end of a segment that does not go on as it should: was a commit torn, or something damaged that was synced?

use std::io;
use std::sync::Arc;

use super::reader::SegmentReader;
use super::window::Window;
use crate::filesystem::SegmentFile;
use crate::format::frame::{HEADER, MAGIC};
use crate::format::record::Record;

const STEP: u64 = 128 << 10;

/// Looks for an intact commit behind `from` whose number is more than `number`. A commit is written only after the one
/// before was synced, so if there is one, the bytes at `from` were synced and are damaged.
pub(crate) fn later_commit(
    file: &Arc<dyn SegmentFile>,
    length: u64,
    salt: u32,
    from: u64,
    number: u64,
) -> io::Result<Option<u64>> {
    let mut window = Window::new(Arc::clone(file), length);
    let mut start = from + 1;
    while start + (HEADER as u64) <= length {
        // Pieces overlap by less than a commit's beginning, so that none is missed between two.
        let wanted = (STEP + MAGIC.len() as u64 - 1).min(length - start);
        let Some(piece) = window.bytes(start, wanted)? else { break };
        let found: Vec<u64> = beginnings(piece).map(|at| start + at as u64).collect();
        for offset in found {
            if number_at(&mut window, offset)?.is_some_and(|found| found > number)
                && is_commit(file, length, salt, offset, &mut window)?
            {
                return Ok(Some(offset));
            }
        }
        start += STEP;
    }
    Ok(None)
}

fn beginnings(piece: &[u8]) -> impl Iterator<Item = usize> {
    piece.windows(MAGIC.len()).enumerate().filter(|(_, bytes)| *bytes == MAGIC).map(|(at, _)| at)
}

fn number_at(window: &mut Window, offset: u64) -> io::Result<Option<u64>> {
    let bytes = window.bytes(offset + MAGIC.len() as u64, 8)?;
    Ok(bytes.and_then(|bytes| bytes.try_into().ok()).map(u64::from_le_bytes))
}

fn is_commit(
    file: &Arc<dyn SegmentFile>,
    length: u64,
    salt: u32,
    offset: u64,
    window: &mut Window,
) -> io::Result<bool> {
    let Some(number) = number_at(window, offset)? else { return Ok(false) };
    let mut reader = SegmentReader::new(Arc::clone(file), length, salt, number, true)?;
    reader.go_back((offset, number));
    match reader.next() {
        Ok(_) => Ok(true),
        Err(super::ReadError::Bad { .. }) => Ok(false),
        Err(super::ReadError::Io(error)) => Err(error),
    }
}

/// How many whole records are in a torn commit at `offset`: those of a commit that lacks blobs only.
pub(crate) fn whole_records(
    file: &Arc<dyn SegmentFile>,
    length: u64,
    salt: u32,
    offset: u64,
    number: u64,
) -> io::Result<u64> {
    let mut window = Window::new(Arc::clone(file), length);
    let Some(header) = window.bytes(offset, HEADER as u64)?.and_then(crate::format::frame::FrameHeader::decode) else {
        return Ok(0);
    };
    let records = window.bytes(offset + HEADER as u64, header.records.into())?;
    let intact = records.filter(|records| header.number == number && header.is_intact(salt, records));
    Ok(intact.and_then(|records| Record::all(records).ok()).map_or(0, |records| records.len() as u64))
}
