//! Makes checksums right, so that what is behind them can be tested with bytes that nobody wrote.

use crate::format::bytes::Input;
use crate::format::frame::{self, FrameHeader};
use crate::format::header;
use crate::format::record::Record;
use crate::format::{blob, seal};

/// Makes the checksums of a segment's header, commits, blobs and footer what they would have to be for its content. What has
/// no place for a checksum stays as it is.
pub fn repair_checksums(segment: &mut [u8]) {
    if segment.len() < header::LENGTH {
        return;
    }
    let checksum = crc32c::crc32c(&segment[..header::LENGTH - 4]);
    segment[header::LENGTH - 4..header::LENGTH].copy_from_slice(&checksum.to_le_bytes());
    let salt = Input(&segment[12..]).array().map_or(0, u32::from_le_bytes);
    let mut at = header::LENGTH;
    while let Some(length) = repair_commit(&mut segment[at..], salt) {
        at += length;
    }
    if segment.len() >= at + seal::FOOTER {
        let footer = segment.len() - seal::FOOTER;
        if let Ok(offset) = Input(&segment[footer + 4..]).array() {
            segment[footer..].copy_from_slice(&seal::footer(u64::from_le_bytes(offset), salt));
        }
    }
}

/// Repairs the commit at the beginning and gives its length; `None` when there is none.
fn repair_commit(bytes: &mut [u8], salt: u32) -> Option<usize> {
    let header = FrameHeader::decode(bytes)?;
    let length = usize::try_from(header.length()).ok().filter(|length| *length <= bytes.len())?;
    let (records, blobs) = bytes[frame::HEADER..length].split_at_mut(header.records as usize);
    let checksum = header.checksum(salt, records);
    if let Ok(records) = Record::all(records) {
        let mut rest = blobs;
        for (seq, length) in records.iter().filter_map(Record::blob) {
            let Some((blob, behind)) = rest.split_at_mut_checked(length as usize) else { break };
            blob::repair_checksum(seq, blob);
            rest = behind;
        }
    }
    bytes[frame::HEADER - 4..frame::HEADER].copy_from_slice(&checksum.to_le_bytes());
    Some(length)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::FakeDisk;
    use crate::tests::support::{accept, assign, event, newest, open_store, store};

    #[test]
    fn a_changed_event_reads_well_after_its_checksums_are_repaired() {
        let disk = FakeDisk::new(1);
        let mut store = store(&disk);
        let endpoint = assign(&mut store, "a");
        accept(&mut store, event(30, &[endpoint]));
        drop(store);
        let (path, whole) = newest(&disk);
        let mut content = whole.clone();
        repair_checksums(&mut content);
        assert_eq!(content, whole, "they were right");
        *content.last_mut().unwrap() ^= 1;
        repair_checksums(&mut content);
        assert_ne!(content, whole);
        disk.set_file(&path, content);
        let (_, recovered) = open_store(&disk, crate::tests::support::options()).unwrap();
        assert_eq!((recovered.pending.len(), recovered.cut), (1, None));
    }
}
