//! Any bytes as the files of a journal.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
pub(crate) use posthaste_journal::testing::NOW;
use posthaste_journal::testing::{self, Crash, DIRECTORY, FakeDisk, repair_checksums};
use posthaste_journal::{Accepted, Error, Journal, NewEvent, Options, Outcome, OutcomeKind, Recovered};

use crate::{Choices, wait};

/// With finished events that are kept for a while, and nothing that waits.
fn options() -> Options {
    let mut options = testing::options();
    options.space.history_retention_ms = 30_000;
    options.outcome_delay = Duration::ZERO;
    options
}

pub(crate) fn open(disk: &FakeDisk) -> Result<(Journal, Recovered), Error> {
    Journal::open(Arc::new(disk.clone()), options(), NOW, |_| {})
}

/// An input is a byte of flags (1: two files instead of one, 2: with checksums that are made right, so that what is behind
/// them is reached), the length of the first file if there are two, and what the files hold. Each file has the name that
/// its header asks for.
pub fn journal_open(input: &[u8]) {
    let mut choices = Choices(input);
    let flags = choices.byte();
    let first = if flags & 1 == 0 { choices.0.len() } else { choices.below(choices.0.len().saturating_sub(1)) };
    let (first, second) = choices.0.split_at(first.min(choices.0.len()));
    let disk = FakeDisk::new(1);
    for content in [first, second].into_iter().filter(|content| !content.is_empty()) {
        let mut content = content.to_vec();
        if flags & 2 != 0 {
            repair_checksums(&mut content);
        }
        let number = content.get(16..24).and_then(|bytes| bytes.try_into().ok()).map_or(1, u64::from_le_bytes);
        disk.set_file(&Path::new(DIRECTORY).join(format!("{number:020}.seg")), content);
    }
    let before = disk.files();
    match open(&disk) {
        Ok((journal, recovered)) => use_it(&disk, journal, &recovered, input.len()),
        Err(Error::Damaged { .. } | Error::Version { .. }) => {
            let after = disk.files();
            let untouched = before.iter().all(|(path, content)| after.get(path) == Some(content));
            assert!(untouched, "what cannot be opened is left as it is");
        }
        Err(error) => panic!("it is neither read nor refused: {error}"),
    }
}

/// What was opened works, and is the same when it is opened again.
fn use_it(disk: &FakeDisk, journal: Journal, recovered: &Recovered, input: usize) {
    let all = journal.pending_after(0, usize::MAX);
    assert_eq!(recovered.pending, all.len() as u64);
    assert!(all.len() <= input && recovered.endpoints.len() <= input, "more than there was");
    for pending in all.iter().take(8) {
        let _ = journal.read(pending.seq);
        let _ = journal.oldest_pending_ms(pending.endpoint);
    }
    for endpoint in recovered.endpoints.iter().take(8) {
        let _ = journal.dead_letters(endpoint.ordinal, 8);
        assert_eq!(journal.stats(endpoint.ordinal).as_ref(), Some(&endpoint.stats));
    }
    wait(async {
        let endpoint = journal.ordinal("new").await.expect("there is room");
        let event = NewEvent {
            payload: Bytes::from_static(b"{}"),
            accepted_ms: NOW,
            idempotency: None,
            deliveries: vec![endpoint],
            group: 0,
        };
        let accepted = journal.accept(vec![event]).await.expect("there is room");
        let [Accepted::New { seq }] = accepted[..] else { panic!("it has no key: {accepted:?}") };
        assert!(all.iter().all(|pending| pending.seq < seq), "a number is given twice");
        let kind = OutcomeKind::Succeeded { status: 204 };
        journal.record(Outcome { seq, endpoint, at_ms: NOW, attempts: 1, kind }).await;
        journal.tidy(NOW).await;
        journal.close().await.expect("outcomes are synced");
    });
    disk.crash(Crash::Kill);
    disk.restart();
    let (journal, again) = open(disk).expect("what was opened once can be opened again");
    assert_eq!(journal.pending_after(0, usize::MAX), all);
    assert_eq!(again.cut, None);
}
