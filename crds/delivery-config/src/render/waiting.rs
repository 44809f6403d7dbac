//! What endpoints want that wait for something that they refer to, so that events are kept for them meanwhile.
//!
//! Endpoints that want the same are listed together: ten thousand that lost one common Secret take a few bytes each.

use std::{cmp::Reverse, collections::BTreeMap};

use super::{Input, json, uid};
use crate::{Interest, Waiting, resolve::Verdict};

/// Most bytes of a position and what separates it from the next.
const POSITION_BYTES: usize = 6;
/// Most bytes of a group without its interest and positions.
const GROUP_BYTES: usize = 32;

/// Bytes that have to be left for the positions of so many endpoints.
pub(super) fn reserve(parked: usize) -> usize {
    parked * POSITION_BYTES + GROUP_BYTES
}

/// Those of `parked`, which is in order, that are accepted, enabled, and lack something that they refer to. Interests take
/// at most `room` bytes together, those that most endpoints share first; of the others only the positions are listed.
pub(super) fn waiting(input: &Input, verdicts: &[Verdict], parked: &[String], mut room: usize) -> Vec<Waiting> {
    let mut groups: BTreeMap<Interest, Vec<u32>> = BTreeMap::new();
    for (endpoint, verdict) in input.endpoints.iter().zip(verdicts) {
        let settings = &endpoint.spec.settings;
        let waits = verdict.accepted.is_true() && verdict.endpoint.is_none() && settings.enabled.unwrap_or(true);
        let position = parked.binary_search_by(|parked| parked.as_str().cmp(uid(endpoint)));
        if let (true, Ok(position)) = (waits, position) {
            let interest = Interest {
                tenant: settings.tenant.clone(),
                event_types: settings.event_types.clone(),
                filter: settings.filter.clone(),
            };
            groups.entry(interest).or_default().push(u32::try_from(position).unwrap_or(u32::MAX));
        }
    }
    let mut groups: Vec<_> = groups.into_iter().collect();
    groups.sort_by_key(|(_, parked)| Reverse(parked.len()));
    let (mut waiting, mut rest) = (Vec::new(), Vec::new());
    for (interest, mut parked) in groups {
        let bytes = json(&interest).len() + GROUP_BYTES;
        if let Some(left) = room.checked_sub(bytes) {
            room = left;
            parked.sort_unstable();
            waiting.push(Waiting { interest: Some(interest), parked });
        } else {
            rest.append(&mut parked);
        }
    }
    if !rest.is_empty() {
        rest.sort_unstable();
        waiting.push(Waiting { interest: None, parked: rest });
    }
    waiting
}
