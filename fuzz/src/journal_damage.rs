//! Any use of a journal, then one damage to its files: what was synced before the damage is there, or the journal is refused.

use std::collections::BTreeSet;
use std::path::PathBuf;

use bytes::Bytes;
use posthaste_journal::testing::{Crash, FakeDisk};
use posthaste_journal::{
    Accepted, Error, Failure, IdempotencyKey, Journal, NewEvent, Ordinal, Outcome, OutcomeKind, Seq,
};

use crate::journal_open::{NOW, open};
use crate::{Choices, wait};

const ENDPOINTS: usize = 3;
const MAX_STEPS: usize = 64;

/// What is pending: events and endpoints.
type Pending = BTreeSet<(Seq, Ordinal)>;

/// How things stood after a step was acknowledged.
struct Step {
    pending: Pending,
    newest: PathBuf,
    /// Bytes of the newest file.
    length: usize,
}

/// An input is a number of steps, two or three bytes for each, and then the damage: which file, where, what, how long.
pub fn journal_damage(input: &[u8]) {
    let mut choices = Choices(input);
    let disk = FakeDisk::new(1);
    let steps = wait(history(&disk, &mut choices));
    disk.crash(Crash::Kill);
    disk.restart();

    let files = segments(&disk);
    let newest = files.len() - 1;
    let damaged = newest.saturating_sub(choices.below(files.len()));
    let (path, content) = &files[damaged];
    let offset = choices.below(content.len() + 1);
    let changed = damage(content, offset, &mut choices);
    let harmless = changed == *content;
    disk.set_file(path, changed);

    let (journal, recovered) = match open(&disk) {
        Ok(opened) => opened,
        Err(Error::Damaged { .. } | Error::Version { .. }) if !harmless => return,
        Err(error) => panic!("it is neither read nor refused: {error}"),
    };
    let pending = journal.pending_after(0, usize::MAX);
    let pending: Pending = pending.iter().map(|pending| (pending.seq, pending.endpoint)).collect();
    let survives = |step: &&Step| step.newest < *path || (step.newest == *path && step.length <= offset);
    let last = steps.last().expect("opening is a step");
    if harmless || damaged < newest {
        assert_eq!(pending, last.pending, "an older file is read as it was or not at all");
        return;
    }
    // Every step whose commit ends before the damage; what comes after it is there as far as it goes, in order. When the last
    // commit is damaged it is cut off as if a crash had torn it, and with it what cleaning had copied there.
    let surviving = steps.iter().filter(survives).count().saturating_sub(1);
    let was_copied = |(seq, _): &&(Seq, Ordinal)| {
        let accepted = steps.iter().find(|step| step.pending.iter().any(|(accepted, _)| accepted == seq));
        recovered.cut.is_some() && accepted.is_some_and(|step| files.iter().all(|(path, _)| *path != step.newest))
    };
    let agrees =
        |step: &Step| pending.is_subset(&step.pending) && step.pending.difference(&pending).all(|it| was_copied(&it));
    assert!(
        steps[surviving..].iter().any(agrees),
        "{pending:?} was never the state after step {surviving} or a later one"
    );
}

/// Uses a new journal. Every step is a commit of its own.
async fn history(disk: &FakeDisk, choices: &mut Choices<'_>) -> Vec<Step> {
    let (journal, _) = open(disk).expect("an empty disk");
    let uids = (0..ENDPOINTS).map(|number| format!("endpoint-{number}")).collect();
    let endpoints = journal.ordinals(uids).await.expect("there is room");
    let mut pending = Pending::new();
    let mut steps = vec![step(disk, &pending)];
    for _ in 0..usize::from(choices.byte()) % MAX_STEPS {
        match choices.byte() % 4 {
            0 | 1 => accept(&journal, &endpoints, choices, &mut pending).await,
            kind => finish(&journal, choices, &mut pending, kind == 2).await,
        }
        steps.push(step(disk, &pending));
    }
    journal.close().await.expect("outcomes are synced");
    steps
}

async fn accept(journal: &Journal, endpoints: &[Ordinal], choices: &mut Choices<'_>, pending: &mut Pending) {
    let what = choices.byte();
    let deliveries: Vec<_> = endpoints.iter().copied().take(usize::from(what) % (ENDPOINTS + 1)).collect();
    let key = IdempotencyKey { key: u128::from(what), content: 0, expires_ms: NOW + 1 };
    let event = NewEvent {
        payload: Bytes::from(vec![what; usize::from(choices.byte()) * 8]),
        accepted_ms: NOW,
        idempotency: (what % 8 == 7).then_some(key),
        deliveries: deliveries.clone(),
        group: what.into(),
    };
    match journal.accept(vec![event]).await.as_deref() {
        Ok([Accepted::New { seq }]) => pending.extend(deliveries.into_iter().map(|endpoint| (*seq, endpoint))),
        Ok([Accepted::Duplicate { .. }]) | Err(Error::Full) => {}
        other => panic!("{other:?}"),
    }
}

/// Ends a delivery, or an attempt of it.
async fn finish(journal: &Journal, choices: &mut Choices<'_>, pending: &mut Pending, succeeded: bool) {
    let at = choices.below(pending.len());
    let Some(&(seq, endpoint)) = pending.iter().nth(at) else { return };
    let failure = Failure { status: Some(500), reason: "ServerError".into(), message: "x".repeat(at) };
    let (kind, ends) = match (succeeded, at % 2) {
        (true, _) => (OutcomeKind::Succeeded { status: 200 }, true),
        (false, 0) => (OutcomeKind::Retry { due_ms: NOW + 1, failure }, false),
        (false, _) => (OutcomeKind::DeadLettered { failure }, true),
    };
    journal.record(Outcome { seq, endpoint, at_ms: NOW, attempts: 1, kind }).await;
    journal.flush().await.expect("it is synced");
    if ends {
        pending.remove(&(seq, endpoint));
    }
}

fn step(disk: &FakeDisk, pending: &Pending) -> Step {
    let (newest, content) = segments(disk).pop().expect("there is a segment");
    Step { pending: pending.clone(), newest, length: content.len() }
}

/// Oldest first.
fn segments(disk: &FakeDisk) -> Vec<(PathBuf, Vec<u8>)> {
    disk.files().into_iter().filter(|(path, _)| path.extension().is_some_and(|end| end == "seg")).collect()
}

/// What is left of a file whose bytes before `offset` are as they were.
fn damage(content: &[u8], offset: usize, choices: &mut Choices<'_>) -> Vec<u8> {
    let mut changed = content.to_vec();
    let (kind, length) = (choices.byte(), usize::from(choices.byte()) + 1);
    let end = changed.len().min(offset + length);
    match kind % 4 {
        0 => changed[offset..end].iter_mut().for_each(|byte| *byte ^= kind | 1),
        1 => changed[offset..end].fill(0),
        2 => changed.truncate(offset),
        _ => changed.extend(choices.0.iter().take(1024)),
    }
    changed
}
