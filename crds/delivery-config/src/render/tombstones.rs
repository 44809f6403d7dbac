//! Endpoints that are not in any chunk: those that wait, and those that were deleted.
//!
//! A sidecar keeps the deliveries of an endpoint that it no longer finds; only a tombstone drops them. So a deletion
//! must not be forgotten before the sidecar has loaded an index with its tombstone, and the previous index is how the
//! operator, which keeps no state of its own, knows which endpoints there were.

use std::collections::BTreeSet;

use jiff::{Timestamp, Unit};

use super::{Input, uid};
use crate::{Tombstone, resolve::Verdict};

/// Most endpoints in an index, those in chunks and those that wait. Of more, those that wait are listed that the previous
/// index knew: an endpoint that never was in a configuration has no deliveries that could be dropped. It is more than a
/// Webhook may have, so that all of them may wait at once.
pub const MAX_LISTED: usize = 12_288;

/// UIDs of endpoints that exist without being in a chunk, and tombstones of those that are gone.
pub(super) fn absent(input: &Input, verdicts: &[Verdict]) -> (Vec<String>, Vec<Tombstone>) {
    // An index of a deleted Webhook of the same name says nothing about this one's endpoints.
    let previous = input.previous.filter(|index| Some(&index.webhook.uid) == input.webhook.metadata.uid.as_ref());
    let known: BTreeSet<&str> = previous
        .iter()
        .flat_map(|index| index.chunks.iter().flat_map(|chunk| &chunk.endpoints).chain(&index.parked))
        .map(String::as_str)
        .collect();
    let existing: BTreeSet<&str> = input.endpoints.iter().map(|endpoint| uid(endpoint)).collect();

    let waiting = input.endpoints.iter().zip(verdicts).filter(|(_, verdict)| verdict.endpoint.is_none());
    let mut parked: Vec<&str> = waiting.map(|(endpoint, _)| uid(endpoint)).collect();
    parked.sort_unstable_by_key(|uid| (!known.contains(uid), *uid));
    let in_chunks = verdicts.iter().filter(|verdict| verdict.endpoint.is_some()).count();
    parked.truncate(MAX_LISTED.saturating_sub(in_chunks));
    parked.sort_unstable();

    let acknowledged = previous.is_some_and(|index| input.acknowledged == Some(index.revision.as_str()));
    let kept = previous.filter(|_| !acknowledged).into_iter().flat_map(|index| &index.tombstones);
    let mut tombstones: Vec<Tombstone> =
        kept.filter(|tombstone| !existing.contains(tombstone.uid.as_str())).cloned().collect();
    let time = whole_second(input.now);
    tombstones.extend(known.difference(&existing).map(|uid| Tombstone { uid: (*uid).to_owned(), time }));
    tombstones.sort_unstable_by(|a, b| b.time.cmp(&a.time).then_with(|| a.uid.cmp(&b.uid)));
    (parked.into_iter().map(str::to_owned).collect(), tombstones)
}

/// The first of them that take at most `room` bytes, which become less: the latest deletions.
pub(super) fn fitting(mut tombstones: Vec<Tombstone>, room: &mut usize) -> Vec<Tombstone> {
    let fits = |tombstone: &Tombstone| {
        let left = room.checked_sub(super::json(tombstone).len() + 1);
        *room = left.unwrap_or(*room);
        left.is_some()
    };
    let count = tombstones.iter().map(fits).take_while(|fits| *fits).count();
    tombstones.truncate(count);
    tombstones
}

/// Rounding fails only at the ends of the calendar.
fn whole_second(time: Timestamp) -> Timestamp {
    time.round(Unit::Second).unwrap_or(time)
}
