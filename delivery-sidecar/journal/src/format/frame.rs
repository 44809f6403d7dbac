//! A commit on disk: what one sync makes durable, all of it or nothing.

use super::bytes::Input;
use super::record::Record;

/// Bytes of a frame's header.
pub(crate) const HEADER: usize = 24;
/// How a frame begins.
pub(crate) const MAGIC: [u8; 4] = *b"PHCM";

/// The fixed part of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FrameHeader {
    /// Counts commits over all segments, without gaps.
    pub(crate) number: u64,
    /// Bytes of records.
    pub(crate) records: u32,
    /// Bytes of blobs behind the records.
    pub(crate) data: u32,
    /// Over the header's other fields and the records, starting from the segment's salt. Blobs check themselves.
    pub(crate) checksum: u32,
}

impl FrameHeader {
    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let mut input = Input(bytes);
        if input.array().ok()? != MAGIC {
            return None;
        }
        let number = u64::from_le_bytes(input.array().ok()?);
        let records = u32::from_le_bytes(input.array().ok()?);
        let data = u32::from_le_bytes(input.array().ok()?);
        let checksum = u32::from_le_bytes(input.array().ok()?);
        Some(Self { number, records, data, checksum })
    }

    /// Bytes of the whole frame.
    pub(crate) fn length(&self) -> u64 {
        HEADER as u64 + u64::from(self.records) + u64::from(self.data)
    }

    pub(crate) fn checksum(&self, salt: u32, records: &[u8]) -> u32 {
        let sum = crc32c::crc32c_append(salt, &self.number.to_le_bytes());
        let sum = crc32c::crc32c_append(sum, &self.records.to_le_bytes());
        let sum = crc32c::crc32c_append(sum, &self.data.to_le_bytes());
        crc32c::crc32c_append(sum, records)
    }

    pub(crate) fn is_intact(&self, salt: u32, records: &[u8]) -> bool {
        self.checksum == self.checksum(salt, records)
    }
}

/// A commit that is being put together.
#[derive(Debug)]
pub(crate) struct Frame {
    /// Room for the header, then records.
    bytes: Vec<u8>,
    data: Vec<u8>,
    scratch: Vec<u8>,
}

impl Frame {
    pub(crate) fn new() -> Self {
        Self { bytes: vec![0; HEADER], data: Vec::new(), scratch: Vec::new() }
    }

    /// Bytes that it will take.
    pub(crate) fn length(&self) -> u64 {
        (self.bytes.len() + self.data.len()) as u64
    }

    /// Appends a record. If it has a blob, the blob is what was last written to [`Frame::data`].
    pub(crate) fn push(&mut self, record: &Record) {
        record.put(&mut self.bytes, &mut self.scratch);
    }

    /// Appends a record that has its encoding already.
    pub(crate) fn push_encoded(&mut self, kind: u8, body: &[u8]) {
        self.bytes.push(kind);
        super::bytes::put_bytes(&mut self.bytes, body);
    }

    pub(crate) fn data(&mut self) -> &mut Vec<u8> {
        &mut self.data
    }

    /// The finished bytes, and how many of them come before the blobs.
    pub(crate) fn finish(mut self, number: u64, salt: u32) -> (Vec<u8>, u32) {
        let length = |bytes: usize| u32::try_from(bytes).expect("a commit is bounded far below 4 GiB");
        let mut header = FrameHeader {
            number,
            records: length(self.bytes.len() - HEADER),
            data: length(self.data.len()),
            checksum: 0,
        };
        header.checksum = header.checksum(salt, &self.bytes[HEADER..]);
        self.bytes[..4].copy_from_slice(&MAGIC);
        self.bytes[4..12].copy_from_slice(&header.number.to_le_bytes());
        self.bytes[12..16].copy_from_slice(&header.records.to_le_bytes());
        self.bytes[16..20].copy_from_slice(&header.data.to_le_bytes());
        self.bytes[20..24].copy_from_slice(&header.checksum.to_le_bytes());
        let before_data = length(self.bytes.len());
        self.bytes.append(&mut self.data);
        (self.bytes, before_data)
    }
}
