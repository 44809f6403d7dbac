use proptest::prelude::*;

use super::*;
use crate::delivery::Standing;
use crate::{EndpointStats, Failure, LastFailure, OutcomeKind};

fn failure() -> Failure {
    Failure { status: Some(503), reason: "ServerError".into(), message: "busy".into() }
}

fn one_of_each() -> Vec<Record> {
    let key = IdempotencyKey { key: u128::MAX - 3, content: 99, expires_ms: 1_800_000_000_000 };
    let outcome = |kind| Outcome { seq: 300, endpoint: Ordinal(2), at_ms: 1_700_000_000_000, attempts: 4, kind };
    let stats = EndpointStats {
        delivered: 1,
        failed: 2,
        retried: 3,
        dead_lettered: 4,
        dropped: 5,
        consecutive_failures: 6,
        last_status: Some(0),
        last_attempt_ms: Some(-1),
        last_success_ms: None,
        last_failure: Some(LastFailure { at_ms: 8, failure: failure() }),
    };
    let dropped = EndpointStats { dropped: 7, ..EndpointStats::default() };
    let endpoint = SnapshotEndpoint { ordinal: Ordinal(9), uid: "uid-9".into(), memo: Bytes::from_static(b"m"), stats };
    vec![
        Record::Snapshot(Snapshot { next_seq: 1 << 40, next_ordinal: 10, endpoints: vec![endpoint], dropped }),
        Record::Event {
            seq: 5,
            accepted_ms: 7,
            key: None,
            deliveries: vec![Ordinal(0), Ordinal(70_000)],
            blob: 80,
            group: 65_535,
        },
        Record::Event { seq: 6, accepted_ms: -7, key: Some(key), deliveries: vec![], blob: 9, group: 0 },
        Record::Moved {
            seq: 5,
            accepted_ms: 7,
            deliveries: vec![
                Delivery::fresh(Ordinal(0)),
                Delivery::new(Ordinal(1), 3, Standing::Pending { due_ms: 55 }),
                Delivery::new(Ordinal(70_000), 9, Standing::Dead { at_ms: 1_800_000_000_000 }),
            ],
            blob: 0,
            group: 1_024,
        },
        Record::Outcome { outcome: outcome(OutcomeKind::Succeeded { status: 204 }), attempted: true },
        Record::Outcome { outcome: outcome(OutcomeKind::Retry { due_ms: 12, failure: failure() }), attempted: true },
        Record::Outcome { outcome: outcome(OutcomeKind::DeadLettered { failure: failure() }), attempted: false },
        Record::Assigned { ordinal: Ordinal(3), uid: "uid-3".into() },
        Record::Dropped { ordinal: Ordinal(3) },
        Record::Memo { ordinal: Ordinal(3), memo: Bytes::from_static(b"memo") },
        Record::Key { key, deliveries: 12 },
        Record::Removed { dead_letters: vec![(4, Ordinal(1)), (2, Ordinal(70_000))] },
        Record::Redelivered { deliveries: vec![(4, Ordinal(1)), (2, Ordinal(70_000))] },
        Record::Moved {
            seq: 6,
            accepted_ms: 1,
            deliveries: vec![Delivery::fresh(Ordinal(1)).redelivered()],
            blob: 0,
            group: 0,
        },
    ]
}

fn encoded(records: &[Record]) -> Vec<u8> {
    let (mut out, mut scratch) = (Vec::new(), Vec::new());
    for record in records {
        record.put(&mut out, &mut scratch);
    }
    out
}

#[test]
fn every_record_comes_back_as_it_was() {
    let records = one_of_each();
    assert_eq!(Record::all(&encoded(&records)), Ok(records));
}

#[test]
fn a_snapshot_from_before_dropped_endpoints_were_counted_is_read() {
    let Record::Snapshot(mut snapshot) = one_of_each().remove(0) else { panic!("a snapshot comes first") };
    snapshot.dropped = EndpointStats::default();
    let mut body = Vec::new();
    snapshot.put(&mut body);
    // Counts, status and times of nothing are a zero each.
    let before = body.len() - 10;
    assert_eq!(body.split_off(before), [0; 10]);
    assert_eq!(Snapshot::read(&mut Input(&body)), Ok(snapshot));
}

#[test]
fn records_that_are_cut_anywhere_are_refused_or_fewer() {
    let records = one_of_each();
    let all = encoded(&records);
    for length in 0..all.len() {
        if let Ok(fewer) = Record::all(&all[..length]) {
            assert!(fewer.len() < records.len());
            assert_eq!(fewer, records[..fewer.len()]);
        }
    }
}

proptest! {
    #[test]
    fn any_bytes_are_read_without_panic(bytes: Vec<u8>) {
        let _ = Record::all(&bytes);
    }

    #[test]
    fn changed_bytes_are_read_without_panic(at: prop::sample::Index, to: u8) {
        let mut bytes = encoded(&one_of_each());
        let at = at.index(bytes.len());
        bytes[at] = to;
        let _ = Record::all(&bytes);
    }
}
