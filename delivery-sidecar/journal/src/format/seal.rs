//! The end of a full segment: an index of its records, so that opening a journal need not read what events contain.
//!
//! The index is a commit like others, with one record, and a footer behind it says where it begins. It repeats the records
//! of all commits but the first (the snapshot) and itself, each with the place of the commit's blobs. A segment whose index
//! would be large beside its content has none: reading such a segment costs little more than reading the index would.

use super::bytes::{Input, Malformed, put_bytes, put_u32};
use super::frame::Frame;
use super::record::{INDEX, Record};

/// Bytes of a footer.
pub(crate) const FOOTER: usize = 16;

const MAGIC: [u8; 4] = *b"PHSL";

/// The records of the segment that is being written.
#[derive(Debug)]
pub(crate) struct IndexBuilder {
    /// `None` once it has grown past `most`.
    entries: Option<Vec<u8>>,
    most: u64,
}

impl IndexBuilder {
    pub(crate) fn new(most: u64) -> Self {
        Self { entries: Some(Vec::new()), most }
    }

    /// Adds a commit: where its blobs begin, and its records.
    pub(crate) fn push(&mut self, data_offset: u32, records: &[u8]) {
        let Some(entries) = &mut self.entries else { return };
        if (entries.len() + records.len()) as u64 > self.most {
            self.entries = None;
            return;
        }
        put_u32(entries, data_offset);
        put_bytes(entries, records);
    }

    /// Bytes that it takes at the end of the segment.
    pub(crate) fn length(&self) -> u64 {
        self.entries.as_ref().map_or(0, |entries| entries.len() as u64)
    }

    /// The commit to be written, unless the segment is to have no index.
    pub(crate) fn frame(&self) -> Option<Frame> {
        let mut frame = Frame::new();
        frame.push_encoded(INDEX, self.entries.as_ref()?);
        Some(frame)
    }
}

/// The footer of an index that begins at `offset`.
pub(crate) fn footer(offset: u64, salt: u32) -> [u8; FOOTER] {
    let mut out = [0; FOOTER];
    out[..4].copy_from_slice(&MAGIC);
    out[4..12].copy_from_slice(&offset.to_le_bytes());
    let checksum = crc32c::crc32c_append(salt, &out[..12]);
    out[12..].copy_from_slice(&checksum.to_le_bytes());
    out
}

/// Where the index begins, if these bytes are a footer.
pub(crate) fn read_footer(bytes: [u8; FOOTER], salt: u32) -> Option<u64> {
    let offset = u64::from_le_bytes(bytes[4..12].try_into().ok()?);
    (footer(offset, salt) == bytes).then_some(offset)
}

/// Whether a commit's records are an index.
pub(crate) fn is_index(records: &[u8]) -> bool {
    records.first() == Some(&INDEX)
}

/// The entries of an index, as [`next_entry`] takes them.
pub(crate) fn entries(records: &[u8]) -> Result<&[u8], Malformed> {
    let mut input = Input(records);
    if input.u8()? != INDEX {
        return Err(Malformed("this is not an index"));
    }
    input.bytes()
}

/// Takes the next commit off the entries: where its blobs begin, and its records.
pub(crate) fn next_entry(entries: &mut Input<'_>) -> Result<(u32, Vec<Record>), Malformed> {
    Ok((entries.u32()?, Record::all(entries.bytes()?)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Ordinal;

    #[test]
    fn an_index_gives_back_the_records_and_where_their_blobs_are() {
        let record = |ordinal| Record::Dropped { ordinal: Ordinal(ordinal) };
        let mut builder = IndexBuilder::new(1 << 20);
        for ordinal in [3, 4] {
            let (mut out, mut scratch) = (Vec::new(), Vec::new());
            record(ordinal).put(&mut out, &mut scratch);
            builder.push(ordinal * 1000, &out);
        }
        let (bytes, data) = builder.frame().unwrap().finish(1, 2);
        let records = &bytes[super::super::frame::HEADER..data as usize];
        assert!(is_index(records));
        let mut entries = Input(entries(records).unwrap());
        assert_eq!(next_entry(&mut entries), Ok((3000, vec![record(3)])));
        assert_eq!(next_entry(&mut entries), Ok((4000, vec![record(4)])));
        assert!(entries.is_empty());
    }

    #[test]
    fn an_index_that_grows_too_large_is_given_up() {
        let mut builder = IndexBuilder::new(10);
        builder.push(1, &[0; 20]);
        assert_eq!(builder.length(), 0);
        assert!(builder.frame().is_none());
    }

    #[test]
    fn a_footer_is_of_one_segment() {
        let bytes = footer(77, 5);
        assert_eq!(read_footer(bytes, 5), Some(77));
        assert_eq!(read_footer(bytes, 6), None);
    }
}
