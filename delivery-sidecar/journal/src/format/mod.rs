//! # The format
//!
//! A journal is a directory with a file `lock` and segments `<number>.seg`, where the number is that of the segment's first
//! commit, in 20 decimal digits. `next.tmp` is a segment that is being made; it is never read.
//!
//! ```text
//! segment:  header | snapshot commit | commit* | [index commit | footer]
//! header:   "POSTHJNL" | version u32 | salt u32 | number of the first commit u64 | created_ms i64 | crc32c u32
//! commit:   "PHCM" | number u64 | bytes of records u32 | bytes of blobs u32 | crc32c u32 | records | blobs
//! record:   type u8 | length varint | body
//! blob:     crc32c u32 | count varint | ordinals as differences varint | payload
//! footer:   "PHSL" | where the index commit begins u64 | crc32c u32
//! ```
//!
//! Fixed numbers are little endian; varints are LEB128, signed ones with the sign in the lowest bit. A commit's checksum
//! starts from the segment's salt and covers its header and records; its blobs check themselves, starting from their event's
//! number, because they are read alone. Blobs follow in the order of the records that have one. The salt is random, so that
//! a payload that imitates a commit is not taken for one when the end of a torn file is looked at.
//!
//! | type | record | body |
//! | --- | --- | --- |
//! | 1 | snapshot | next seq, next ordinal, endpoints with UID, memo and counts, counts of those that were dropped |
//! | 2 | event | seq, accepted_ms, blob length, group, ordinals, then the idempotency key if there is one |
//! | 3 | event moved | seq, accepted_ms, blob length, group, ordinals each with attempts and due or dead time |
//! | 4 | outcome | kind and whether anything was sent, seq, ordinal, at_ms, attempts, then status or failure |
//! | 5 | endpoint assigned | ordinal, UID |
//! | 6 | endpoint dropped | ordinal |
//! | 7 | memo | ordinal, bytes |
//! | 8 | key moved | key, content, expires_ms, deliveries |
//! | 9 | dead letters removed | pairs of seq and ordinal |
//! | 11 | deliveries that were finished are pending again | pairs of seq and ordinal |
//! | 10 | index | for each commit: where its blobs begin, its records |
//!
//! A change of anything here is a new version; magic and version stay where they are. Version 3 added record 11 and the
//! flag of such deliveries in record 3; version 2 is read, and nothing is appended to it. A build that knows only an older
//! version refuses a newer one by its number.

pub(crate) mod blob;
pub(crate) mod bytes;
pub(crate) mod frame;
pub(crate) mod header;
pub(crate) mod record;
pub(crate) mod seal;
