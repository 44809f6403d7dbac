//! Removal by age and size: idempotency keys that have expired, and dead letters that are too old or too many.

use std::collections::HashMap;

use super::{Store, change};
use crate::state::{Event, State};
use crate::{Error, Ordinal, Seq, Tidied};

/// Dead letters that are too many go down to this part below their limit.
const SLACK_PART: u64 = 16;
/// Most dead letters in one record.
const RECORD_LETTERS: usize = 4096;

impl Store {
    /// Forgets and removes what has had its time.
    pub(crate) fn tidy(&mut self, now_ms: i64) -> Result<Tidied, Error> {
        let keys = {
            let mut state = change(&self.state);
            state.now_ms = state.now_ms.max(now_ms);
            state.forget_expired_keys(now_ms)
        };
        let too_old: Vec<_> = {
            let state = self.look();
            let before = now_ms.saturating_sub(state.limits.dead_letter_retention_ms);
            let letters = state.dead_letters.iter();
            let dated = letters.filter_map(|(seq, ordinal)| Some((seq, ordinal, state.died_ms(seq, ordinal)?)));
            dated.take_while(|(.., died_ms)| *died_ms <= before).map(|(seq, ordinal, _)| (seq, ordinal)).collect()
        };
        let mut dead_letters = self.remove_dead_letters(&too_old, "older than their retention")?;
        change(&self.state).removed.too_old += dead_letters;
        dead_letters += self.remove_excess()?;
        Ok(Tidied { keys, dead_letters })
    }

    /// Whether events that are kept for dead letters alone take more than they may.
    pub(crate) fn has_excess(&self) -> bool {
        let state = self.look();
        state.dead_letters.bytes > state.limits.dead_letters
    }

    /// Removes the oldest dead letters until the rest takes clearly less than it may, so that a stream of new ones makes
    /// few sweeps.
    pub(crate) fn remove_excess(&mut self) -> Result<u64, Error> {
        if !self.has_excess() {
            return Ok(0);
        }
        let excess = excess(&self.look());
        let removed = self.remove_dead_letters(&excess, "over their limit in bytes")?;
        change(&self.state).removed.too_many += removed;
        Ok(removed)
    }

    fn remove_dead_letters(&mut self, letters: &[(Seq, Ordinal)], why: &str) -> Result<u64, Error> {
        if letters.is_empty() {
            return Ok(0);
        }
        let mut batch = self.begin();
        for some in letters.chunks(RECORD_LETTERS) {
            batch.remove_dead_letters(some.to_vec());
        }
        self.write(batch)?;
        tracing::warn!(count = letters.len(), why, "dead letters were removed");
        Ok(letters.len() as u64)
    }
}

/// The oldest dead letters that have to go. Those of events with pending deliveries stay: they take no space of their own.
fn excess(state: &State) -> Vec<(Seq, Ordinal)> {
    let most = state.limits.dead_letters;
    let (mut left, wanted) = (state.dead_letters.bytes, most - most / SLACK_PART);
    let mut removed: HashMap<Seq, usize> = HashMap::new();
    let mut letters = Vec::new();
    for (seq, ordinal) in state.dead_letters.iter() {
        if left <= wanted {
            break;
        }
        let Some(event) = state.events.get(seq).filter(Event::is_only_dead) else { continue };
        if event.deliveries.get(ordinal).is_none() {
            continue;
        }
        letters.push((seq, ordinal));
        let count = removed.entry(seq).or_default();
        *count += 1;
        if *count == event.deliveries.len() {
            left -= u64::from(event.length);
        }
    }
    letters
}
