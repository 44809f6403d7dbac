//! An event as it was accepted, and its form in the journal.

mod codec;
mod values;

pub use codec::DecodeError;
pub use values::Texts;

use bytes::Bytes;
use sha2::{Digest, Sha256};

/// An accepted event. In spirit a CloudEvent; see docs/design for the meaning of the fields.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Unique per (tenant, source); also the `webhook-id`. At most 256 visible ASCII characters.
    pub id: String,
    /// Its type, such as `order.created`.
    pub event_type: String,
    /// Who produced it.
    pub source: Option<String>,
    /// What it is about.
    pub subject: Option<String>,
    /// Whose it is.
    pub tenant: Option<String>,
    /// The producer's time, verbatim, or ours: RFC 3339 with milliseconds and `Z`.
    pub time: String,
    /// The JSON text of `data`, byte for byte as it came.
    pub data: Bytes,
    /// The JSON text of `metadata`, if there was any.
    pub metadata: Option<Bytes>,
}

/// Groups of subjects. Two subjects may share one: they are then delivered in order among each other, too.
const SUBJECT_GROUPS: u64 = 1_024;

impl Event {
    /// Bytes of its texts: what it takes in memory, but for what is the same for all events.
    pub fn bytes(&self) -> usize {
        let optional = [&self.source, &self.subject, &self.tenant].into_iter().flatten().map(String::len);
        let texts =
            [&self.id, &self.event_type, &self.time].map(String::len).into_iter().chain(optional).sum::<usize>();
        texts + self.data.len() + self.metadata.as_ref().map_or(0, Bytes::len)
    }

    /// The group of the subject, 1 to 1,024, or 0 without one. The journal keeps it, so it is the same in every build.
    pub fn group(&self) -> u16 {
        let Some(subject) = &self.subject else { return 0 };
        let hash = Sha256::digest(subject);
        let hash = u64::from_be_bytes(hash[..8].try_into().expect("SHA-256 has more than 8 bytes"));
        1 + u16::try_from(hash % SUBJECT_GROUPS).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use crate::{event::Event, schedule::testing::event};

    fn group(subject: Option<&str>) -> u16 {
        let event = Arc::unwrap_or_clone(event("a"));
        Event { subject: subject.map(str::to_owned), ..event }.group()
    }

    #[test]
    fn a_subject_has_the_same_group_in_every_build() {
        assert_eq!(group(None), 0);
        // The last 10 bits of the first 8 bytes of SHA-256, plus 1.
        assert_eq!(group(Some("order-4711")), 404);
        assert!((0..5_000).all(|number| (1..=1_024).contains(&group(Some(&number.to_string())))));
    }
}
