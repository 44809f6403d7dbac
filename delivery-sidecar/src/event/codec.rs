//! The form of an [`Event`] in the journal.
//!
//! ```text
//! version   1 byte, 1
//! presence  1 byte: bit 0 source, 1 subject, 2 tenant, 3 metadata; the other bits are 0
//! fields    id, type, time, then source, subject, tenant, metadata where present, then data
//! ```
//! A field is its length in bytes (LEB128, at most 5 bytes) and its bytes. Nothing follows the last one. The journal
//! has checksums of its own, so an error here means another version or a mistake, not a broken disk.

use bytes::{Buf, BufMut, Bytes, BytesMut};

use super::Event;

const VERSION: u8 = 1;
const SOURCE: u8 = 1 << 0;
const SUBJECT: u8 = 1 << 1;
const TENANT: u8 = 1 << 2;
const METADATA: u8 = 1 << 3;
const KNOWN: u8 = SOURCE | SUBJECT | TENANT | METADATA;
/// Version, presence, and room for the lengths of eight fields.
const OVERHEAD: usize = 2 + 8 * 5;

/// Why bytes are not an event.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// Written by another version of Posthaste.
    #[error("event format version {found} is not supported by this build (it knows {VERSION})")]
    Version {
        /// The version that was found.
        found: u8,
    },
    /// A presence bit that this version does not define is set.
    #[error("event has fields that this build does not know (presence bits {0:#010b})")]
    UnknownField(u8),
    /// The bytes end inside a field.
    #[error("event ends inside `{0}`")]
    Truncated(&'static str),
    /// A length is not a 32-bit number.
    #[error("length of event field `{0}` is out of range")]
    Length(&'static str),
    /// A text is not UTF-8.
    #[error("event field `{0}` is not UTF-8")]
    NotText(&'static str),
    /// Bytes follow the last field.
    #[error("{0} bytes follow the event")]
    Trailing(usize),
}

impl Event {
    /// Its form in the journal.
    ///
    /// # Panics
    /// When a field is longer than 4 GiB, which the limits at ingest exclude.
    pub fn encode(&self) -> Bytes {
        let optional = [(SOURCE, &self.source), (SUBJECT, &self.subject), (TENANT, &self.tenant)]
            .map(|(bit, v)| (bit, v.as_deref()));
        let texts = self.id.len() + self.event_type.len() + self.time.len();
        let optionals: usize = optional.iter().filter_map(|(_, v)| *v).map(str::len).sum();
        let json = self.data.len() + self.metadata.as_ref().map_or(0, Bytes::len);
        let mut out = BytesMut::with_capacity(OVERHEAD + texts + optionals + json);

        let mut presence = optional.iter().filter(|(_, v)| v.is_some()).fold(0, |bits, (bit, _)| bits | bit);
        if self.metadata.is_some() {
            presence |= METADATA;
        }
        out.put_u8(VERSION);
        out.put_u8(presence);
        for text in [&self.id, &self.event_type, &self.time] {
            put(&mut out, text.as_bytes());
        }
        for text in optional.iter().filter_map(|(_, v)| *v) {
            put(&mut out, text.as_bytes());
        }
        if let Some(metadata) = &self.metadata {
            put(&mut out, metadata);
        }
        put(&mut out, &self.data);
        out.freeze()
    }

    /// Reads what [`Event::encode`] wrote. `data` and `metadata` are slices of `bytes`, not copies.
    ///
    /// # Errors
    /// See [`DecodeError`].
    pub fn decode(mut bytes: Bytes) -> Result<Self, DecodeError> {
        if bytes.len() < 2 {
            return Err(DecodeError::Truncated("version"));
        }
        let version = bytes.get_u8();
        if version != VERSION {
            return Err(DecodeError::Version { found: version });
        }
        let presence = bytes.get_u8();
        if presence & !KNOWN != 0 {
            return Err(DecodeError::UnknownField(presence));
        }
        let has = |bit: u8| presence & bit != 0;

        let id = text(&mut bytes, "id")?;
        let event_type = text(&mut bytes, "type")?;
        let time = text(&mut bytes, "time")?;
        let source = has(SOURCE).then(|| text(&mut bytes, "source")).transpose()?;
        let subject = has(SUBJECT).then(|| text(&mut bytes, "subject")).transpose()?;
        let tenant = has(TENANT).then(|| text(&mut bytes, "tenant")).transpose()?;
        let metadata = has(METADATA).then(|| take(&mut bytes, "metadata")).transpose()?;
        let data = take(&mut bytes, "data")?;
        if !bytes.is_empty() {
            return Err(DecodeError::Trailing(bytes.len()));
        }
        Ok(Self { id, event_type, source, subject, tenant, time, data, metadata })
    }
}

fn put(out: &mut BytesMut, field: &[u8]) {
    let mut rest = u32::try_from(field.len()).expect("limits at ingest keep fields far below 4 GiB");
    loop {
        let [.., lowest] = rest.to_be_bytes();
        rest >>= 7;
        if rest == 0 {
            out.put_u8(lowest);
            break;
        }
        out.put_u8(lowest | 0x80);
    }
    out.put_slice(field);
}

fn take(bytes: &mut Bytes, field: &'static str) -> Result<Bytes, DecodeError> {
    let mut length: u64 = 0;
    for shift in [0, 7, 14, 21, 28] {
        let byte = bytes.try_get_u8().map_err(|_| DecodeError::Truncated(field))?;
        length |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            let length = u32::try_from(length).map_err(|_| DecodeError::Length(field))? as usize;
            return if length <= bytes.len() { Ok(bytes.split_to(length)) } else { Err(DecodeError::Truncated(field)) };
        }
    }
    Err(DecodeError::Length(field))
}

fn text(bytes: &mut Bytes, field: &'static str) -> Result<String, DecodeError> {
    let taken = take(bytes, field)?;
    std::str::from_utf8(&taken).map(str::to_owned).map_err(|_| DecodeError::NotText(field))
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, option, prelude::*};

    use super::*;

    fn events() -> impl Strategy<Value = Event> {
        let json = || vec(any::<u8>(), 0..300).prop_map(Bytes::from);
        (
            ("[!-~]{1,256}", ".{0,200}", ".{0,64}"),
            (option::of(".{0,256}"), option::of(".{0,256}"), option::of(".{0,128}")),
            (json(), option::of(json())),
        )
            .prop_map(|((id, event_type, time), (source, subject, tenant), (data, metadata))| Event {
                id,
                event_type,
                source,
                subject,
                tenant,
                time,
                data,
                metadata,
            })
    }

    fn small() -> Event {
        Event {
            id: "e1".into(),
            event_type: "a.b".into(),
            source: None,
            subject: None,
            tenant: Some("t".into()),
            time: "2026-01-01T00:00:00.000Z".into(),
            data: Bytes::from_static(b"{}"),
            metadata: None,
        }
    }

    proptest! {
        #[test]
        fn what_is_encoded_decodes_to_the_same(event in events()) {
            prop_assert_eq!(Event::decode(event.encode()), Ok(event));
        }

        #[test]
        fn any_bytes_are_an_event_or_an_error(bytes in vec(any::<u8>(), 0..200), known in any::<bool>()) {
            let mut bytes = bytes;
            if known && let Some(first) = bytes.first_mut() {
                *first = VERSION;
            }
            let _ = Event::decode(bytes.into());
        }

        #[test]
        fn every_strict_prefix_is_an_error(event in events(), cut in any::<prop::sample::Index>()) {
            let bytes = event.encode();
            let cut = cut.index(bytes.len());
            prop_assert!(Event::decode(bytes.slice(..cut)).is_err());
        }
    }

    #[test]
    fn data_and_metadata_are_slices_of_what_was_read() {
        let bytes = Event { metadata: Some(Bytes::from_static(b"{\"a\":1}")), ..small() }.encode();
        let within = |part: &Bytes| bytes.as_ptr_range().contains(&part.as_ptr());
        let event = Event::decode(bytes.clone()).unwrap();
        assert!(within(&event.data));
        assert!(within(event.metadata.as_ref().unwrap()));
    }

    #[test]
    fn the_form_is_what_the_journals_on_disks_have() {
        let expected = b"\x01\x04\x02e1\x03a.b\x182026-01-01T00:00:00.000Z\x01t\x02{}";
        assert_eq!(small().encode(), expected.as_slice());
    }

    #[test]
    fn other_versions_and_unknown_fields_are_named() {
        let with = |at: usize, byte: u8| {
            let mut bytes = small().encode().to_vec();
            bytes[at] = byte;
            Event::decode(bytes.into()).unwrap_err()
        };
        assert_eq!(with(0, 9), DecodeError::Version { found: 9 });
        assert_eq!(with(1, 0x84), DecodeError::UnknownField(0x84));
    }

    #[test]
    fn bytes_after_the_last_field_are_an_error() {
        let mut bytes = small().encode().to_vec();
        bytes.extend_from_slice(b"xx");
        assert_eq!(Event::decode(bytes.into()), Err(DecodeError::Trailing(2)));
    }

    #[test]
    fn a_length_beyond_32_bits_is_an_error() {
        let bytes = Bytes::from_static(b"\x01\x00\xff\xff\xff\xff\xff\x01");
        assert_eq!(Event::decode(bytes), Err(DecodeError::Length("id")));
    }
}
