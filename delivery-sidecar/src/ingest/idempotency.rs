//! How a repetition of an event is recognised: by a hash of (tenant, source, id), and a hash of everything else that
//! tells it from another event under the same id.

use posthaste_journal::IdempotencyKey;
use sha2::{Digest, Sha256};

use crate::event::Event;

/// The key of an event whose id the client gave.
///
/// `client_time` says whether the event's time is the client's; ours differs with each repetition and does not count.
pub(crate) fn key(event: &Event, client_time: bool, expires_ms: i64) -> IdempotencyKey {
    let key =
        hash([event.tenant.as_deref(), event.source.as_deref(), Some(&event.id)].map(|part| part.map(str::as_bytes)));
    let content = hash([
        Some(event.event_type.as_bytes()),
        event.subject.as_deref().map(str::as_bytes),
        client_time.then_some(event.time.as_bytes()),
        Some(&event.data),
        event.metadata.as_deref(),
    ]);
    IdempotencyKey { key: u128::from_be_bytes(first(&key)), content: u64::from_be_bytes(first(&content)), expires_ms }
}

/// Hashes parts so that no two lists of parts look alike: each is marked as there or not and preceded by its length.
fn hash<const N: usize>(parts: [Option<&[u8]>; N]) -> [u8; 32] {
    let mut hasher = Sha256::new();
    for part in parts {
        match part {
            None => hasher.update([0]),
            Some(bytes) => {
                hasher.update([1]);
                hasher.update((bytes.len() as u64).to_be_bytes());
                hasher.update(bytes);
            }
        }
    }
    hasher.finalize().into()
}

fn first<const N: usize>(hash: &[u8; 32]) -> [u8; N] {
    *hash.first_chunk().expect("a hash has 32 bytes")
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn event() -> Event {
        Event {
            id: "1".into(),
            event_type: "a".into(),
            source: None,
            subject: None,
            tenant: None,
            time: "2026-01-01T00:00:00Z".into(),
            data: Bytes::from_static(b"{}"),
            metadata: None,
        }
    }

    #[test]
    fn tenant_source_and_id_make_the_key_and_do_not_run_into_each_other() {
        let keys = [
            event(),
            Event { id: "2".into(), ..event() },
            Event { tenant: Some(String::new()), ..event() },
            Event { tenant: Some("ab".into()), source: Some("c".into()), ..event() },
            Event { tenant: Some("a".into()), source: Some("bc".into()), ..event() },
            Event { source: Some("abc".into()), ..event() },
        ]
        .map(|event| key(&event, true, 0).key);
        let distinct: std::collections::HashSet<_> = keys.iter().collect();
        assert_eq!(distinct.len(), keys.len());
    }

    #[test]
    fn everything_else_makes_the_content() {
        let base = key(&event(), true, 7);
        for other in [
            Event { event_type: "b".into(), ..event() },
            Event { subject: Some("s".into()), ..event() },
            Event { time: "2026-01-01T00:00:01Z".into(), ..event() },
            Event { data: Bytes::from_static(b"{ }"), ..event() },
            Event { metadata: Some(Bytes::from_static(b"{}")), ..event() },
        ] {
            let other = key(&other, true, 7);
            assert_eq!(other.key, base.key);
            assert_ne!(other.content, base.content);
        }
    }

    #[test]
    fn a_time_that_is_ours_does_not_count() {
        let later = Event { time: "2026-01-01T00:00:01Z".into(), ..event() };
        assert_eq!(key(&event(), false, 0), key(&later, false, 0));
        assert_ne!(key(&event(), false, 0), key(&event(), true, 0));
    }
}
