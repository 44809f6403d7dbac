//! What may be refused, given up or removed for want of space, and what must be.

use std::collections::BTreeSet;

use posthaste_journal::{Journal, Ordinal, Seq};

use super::Ledger;
use crate::simulation::{
    configuration::Number,
    model::state::{Delivery, Seen, Standing},
    rules::{Checked, Rule},
};

/// Files have headers, snapshots and indices, and the oldest is only worth cleaning when there is something to gain.
const FILES_BYTES: u64 = 24 << 10;
/// What a pending event counts besides its content, at least and at most.
const WEIGHT_BYTES: std::ops::RangeInclusive<u64> = 32..=80;

impl Ledger {
    fn weight_at_least(&self, seq: Seq) -> u64 {
        WEIGHT_BYTES.start() + self.base.bytes.get(&seq).copied().unwrap_or(0)
    }

    fn weight_at_most(&self, seq: Seq) -> u64 {
        WEIGHT_BYTES.end() + self.base.bytes.get(&seq).copied().unwrap_or(0)
    }

    fn most_per_endpoint(&self) -> u64 {
        self.space.max_bytes_per_endpoint.min(self.space.max_bytes)
    }

    fn most_of_dead_letters(&self) -> u64 {
        self.space.dead_letter_max_bytes.min(self.space.max_bytes / 2)
    }

    /// Bytes of what is pending for an endpoint by what is synced, at most.
    fn pending_at_most(&self, number: Number) -> u64 {
        let pending =
            self.base.deliveries.iter().filter(|((_, endpoint), standing)| {
                *endpoint == number && matches!(standing, Standing::Pending { .. })
            });
        pending.map(|((seq, _), _)| self.weight_at_most(*seq)).sum()
    }

    /// With one more event, these may be more than an endpoint may have pending.
    pub(super) fn is_filled_by(&self, pending: &BTreeSet<Seq>) -> bool {
        let largest = self.base.bytes.keys().map(|seq| self.weight_at_most(*seq)).max().unwrap_or(0);
        let bytes: u64 = pending.iter().map(|seq| self.weight_at_most(*seq)).sum();
        bytes + largest > self.most_per_endpoint()
    }

    /// Events were refused because the journal is full: what is needed of it and what was posted must be much.
    pub(super) fn refused_as_full(&self, posts: &[usize]) -> Checked {
        let is_needed = |standing: &Standing| matches!(standing, Standing::Pending { .. } | Standing::Dead { .. });
        let needed = self.base.deliveries.iter().filter(|(_, standing)| is_needed(standing));
        let needed: BTreeSet<Seq> = needed.map(|((seq, _), _)| *seq).collect();
        let needed: u64 = needed.into_iter().map(|seq| 100 + self.weight_at_most(seq)).sum();
        let keys = 60 * self.base.bytes.len() as u64;
        let posted: u64 = posts.iter().map(|post| 200 + self.events[*post].encode().len() as u64).sum();
        let may_be = 2 * (needed + keys) + posted + FILES_BYTES > self.space.max_bytes;
        Rule::Space.holds(may_be || self.troubled, || {
            format!("{posted} bytes are refused beside {needed} that are needed of {}", self.space.max_bytes)
        })
    }

    /// These were given up because their endpoint has too much pending: it had, they are no more than needed, and none
    /// that waits is older.
    pub fn overflowed(&self, number: Number, given_up: &[Seq], waits: impl Fn(Seq) -> bool) -> Checked {
        let Some(last) = given_up.iter().max() else { return Ok(()) };
        let pending =
            self.base.deliveries.iter().filter(|((_, endpoint), standing)| {
                *endpoint == number && matches!(standing, Standing::Pending { .. })
            });
        let pending: BTreeSet<Seq> = pending.map(|((seq, _), _)| *seq).collect();
        let most = self.most_per_endpoint();
        let before: u64 = pending.range(..last).map(|seq| self.weight_at_least(*seq)).sum();
        let without_last = self.pending_at_most(number).saturating_sub(before);
        Rule::Space.holds(without_last > most - most / 16, || {
            format!("{given_up:?} of endpoint {number} are given up, and the last for only {without_last} of {most}")
        })?;
        let older = pending.range(..last).find(|seq| waits(**seq) && !given_up.contains(seq));
        Rule::Space.holds(older.is_none(), || {
            format!("{given_up:?} of endpoint {number} are given up, and {older:?} is older and waits")
        })
    }

    /// Nothing more is to be given up: no endpoint has too much waiting.
    pub fn has_room(&self, waits: impl Fn(Delivery) -> bool) -> Checked {
        let most = self.most_per_endpoint();
        if self.base.bytes.keys().map(|seq| self.weight_at_least(*seq)).sum::<u64>() <= most {
            return Ok(());
        }
        for number in self.ordinals.values() {
            let waiting = self.base.deliveries.keys().filter(|delivery| delivery.1 == *number && waits(**delivery));
            let bytes: u64 = waiting.map(|(seq, _)| self.weight_at_least(*seq)).sum();
            Rule::Space.holds(bytes <= most, || format!("{bytes} bytes wait for endpoint {number}, of {most}"))?;
        }
        Ok(())
    }

    /// Events that are kept only for their dead letters.
    fn only_dead(&self) -> BTreeSet<Seq> {
        let with = |is: fn(&Standing) -> bool| -> BTreeSet<Seq> {
            self.base.deliveries.iter().filter(|(_, standing)| is(standing)).map(|((seq, _), _)| *seq).collect()
        };
        let pending = with(|standing| matches!(standing, Standing::Pending { .. }));
        let dead = with(|standing| matches!(standing, Standing::Dead { .. }));
        dead.difference(&pending).copied().collect()
    }

    /// Dead letters that are not there any more were too old, or the oldest of too many.
    pub(super) fn letters_removed(&mut self, now_ms: i64, seen: &Seen) -> Checked {
        let most = self.most_of_dead_letters();
        let dead = |(delivery, standing): (&Delivery, &Standing)| match standing {
            Standing::Dead { died_ms, .. } => Some((*delivery, *died_ms)),
            _ => None,
        };
        let letters: Vec<(Delivery, i64)> = self.base.deliveries.iter().filter_map(dead).collect();
        let (kept, removed): (Vec<_>, Vec<_>) =
            letters.into_iter().partition(|(delivery, _)| seen.dead.contains_key(delivery));
        let may_count =
            |standing: &Standing| matches!(standing, Standing::Dead { .. } | Standing::Pending { again: true, .. });
        let counted = self.base.deliveries.iter().filter(|(_, standing)| may_count(standing));
        let counted: BTreeSet<Seq> = counted.map(|((seq, _), _)| *seq).collect();
        let bytes: u64 = counted.into_iter().map(|seq| self.weight_at_most(seq)).sum();
        let mut latest_ms = None;
        for (delivery, died_ms) in &removed {
            if now_ms.saturating_sub(*died_ms) < self.space.dead_letter_retention_ms {
                Rule::Space.holds(bytes > most, || {
                    format!("{delivery:?} was removed, and all dead letters have {bytes} bytes of {most}")
                })?;
                latest_ms = latest_ms.max(Some(*died_ms));
            }
        }
        let older =
            kept.iter().find(|((seq, _), died_ms)| Some(*died_ms) < latest_ms && self.dead_letters.contains(seq));
        Rule::Space.holds(older.is_none(), || format!("{older:?} is kept, and of {removed:?} some are younger"))?;
        for (delivery, _) in removed {
            self.base.deliveries.insert(delivery, Standing::Removed);
            self.counted.removed += 1;
        }
        self.dead_letters = self.only_dead();
        Ok(())
    }

    /// All outcomes are synced: dead letters take no more space than they may.
    pub(super) fn letters_fit(&self, journal: &Journal) -> Checked {
        if journal.usage().refusing {
            return Ok(());
        }
        let most = self.most_of_dead_letters();
        let content = |seq: &Seq| self.base.bytes.get(seq).copied().unwrap_or(0);
        let bytes: u64 = self.only_dead().iter().map(content).sum();
        Rule::Space
            .holds(bytes <= most || self.troubled, || format!("dead letters have {bytes} bytes, and may have {most}"))
    }

    /// The journal was tidied: no dead letter is too old, and none went too early.
    pub fn tidied(&mut self, now_ms: i64, journal: &Journal) -> Checked {
        if journal.usage().refusing {
            return Ok(());
        }
        let ordinals: Vec<Ordinal> = self.ordinals.keys().copied().collect();
        let seen = self.seen(journal, &ordinals);
        let before_ms = now_ms.saturating_sub(self.space.dead_letter_retention_ms);
        let old = seen.dead.iter().find(|(_, (died_ms, _))| *died_ms <= before_ms);
        Rule::Space.holds(old.is_none() || self.troubled, || format!("{old:?} is older than it may become"))?;
        self.letters_removed(now_ms, &seen)
    }
}
