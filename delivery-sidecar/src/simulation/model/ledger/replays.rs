//! What may be sent again, and what must be.

use std::collections::BTreeSet;

use posthaste_delivery_config::Endpoint;
use posthaste_journal::{Journal, Ordinal, Seq};

use super::Ledger;
use crate::simulation::{
    configuration::{Number, wants},
    model::state::{Delivery, Standing, State},
    rules::{Checked, Rule},
};

/// Which events of an endpoint somebody asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which {
    /// Its dead letters.
    Failed,
    /// All that it was given.
    All,
    /// Those that it never was given and matches.
    Missing,
    /// This one.
    One(Seq),
}

/// What somebody asks for.
#[derive(Clone, Debug)]
pub struct Asked {
    /// The endpoint.
    pub number: Number,
    /// Which of its events.
    pub which: Which,
    /// Accepted at this time or later.
    pub since_ms: Option<i64>,
    /// Accepted before.
    pub until_ms: Option<i64>,
    /// Of this type.
    pub event_type: Option<String>,
}

/// A replay that goes on.
pub(super) struct Running {
    asked: Asked,
    /// What has to be sent again, if it is kept until its turn.
    wanted: BTreeSet<Seq>,
    /// What was made pending for the endpoint since it began, by whomever.
    again: BTreeSet<Seq>,
    /// What was pending for it when it began.
    pending: BTreeSet<Seq>,
    /// The last event of then.
    last_seq: Seq,
    /// How much of it by this one.
    scheduled: u64,
    /// What the endpoint has asked for since it began.
    pub(super) rules: Vec<Endpoint>,
}

impl Running {
    /// Whether it is about this endpoint.
    pub(super) fn is_for(&self, number: Number) -> bool {
        self.asked.number == number
    }

    /// What it is about, when nobody can say any more what it has done.
    pub(super) fn left(self) -> (Asked, Vec<Endpoint>) {
        (self.asked, self.rules)
    }
}

impl Ledger {
    /// Somebody asks for events to be sent again.
    pub fn replay_begins(&mut self, id: u64, asked: Asked) {
        // What has ended by now is synced before anything is looked for.
        let mut state = self.base.clone();
        for (_, number, outcome) in &self.unsynced {
            state.ended(*number, outcome);
        }
        let rules: Vec<Endpoint> = self.rules.get(&asked.number).cloned().into_iter().collect();
        let seqs = state.bytes.keys().copied();
        let wanted = seqs.filter(|seq| self.is_asked_for(&state, &asked, &rules, *seq)).collect();
        let pending = self.base.pending().into_keys().filter(|(_, number)| *number == asked.number);
        let pending = pending.map(|(seq, _)| seq).collect();
        let last_seq = self.last_seq;
        let running = Running { asked, wanted, again: BTreeSet::new(), pending, last_seq, scheduled: 0, rules };
        self.replays.insert(id, running);
    }

    fn is_asked_for(&self, state: &State, asked: &Asked, rules: &[Endpoint], seq: Seq) -> bool {
        let Some((event, accepted_ms)) = self.accepted(seq) else { return false };
        let is_in_time = asked.since_ms.is_none_or(|since_ms| since_ms <= accepted_ms)
            && asked.until_ms.is_none_or(|until_ms| accepted_ms < until_ms);
        let is_of_type = asked.event_type.as_ref().is_none_or(|wanted| *wanted == event.event_type);
        let standing = state.deliveries.get(&(seq, asked.number));
        let is_finished = matches!(standing, Some(Standing::Dead { .. } | Standing::Delivered | Standing::Removed));
        is_in_time
            && is_of_type
            && match asked.which {
                Which::Failed => matches!(standing, Some(Standing::Dead { .. })),
                Which::All => is_finished,
                Which::Missing => standing.is_none() && rules.iter().any(|endpoint| wants(endpoint, event)),
                Which::One(one) => seq == one && (is_finished || standing.is_none()),
            }
    }

    /// A delivery is pending again. Its last outcome was synced before.
    fn is_again(&mut self, delivery: Delivery) {
        let its_own =
            |(_, number, outcome): &(i64, Number, posthaste_journal::Outcome)| (outcome.seq, *number) == delivery;
        if let Some(last) = self.unsynced.iter().rposition(its_own) {
            for (_, number, outcome) in self.unsynced.drain(..=last) {
                self.base.ended(number, &outcome);
            }
        }
    }

    /// A replay says that it has made deliveries pending.
    pub fn again(&mut self, id: u64, number: Number, events: &[Seq], journal: &Journal) -> Checked {
        for seq in events {
            if self.accepted(*seq).is_none() {
                self.survived(*seq, journal, &BTreeSet::from([number]))?;
            }
            let delivery = (*seq, number);
            self.is_again(delivery);
            let is_dropped = self.base.deliveries.get(&delivery) == Some(&Standing::Dropped);
            let running = self.replays.get(&id);
            let is_asked_for = running.is_some_and(|running| {
                running.asked.number == number && self.is_asked_for(&self.base, &running.asked, &running.rules, *seq)
            });
            Rule::Replay.holds(is_asked_for || is_dropped, || {
                let (asked, standing) = (running.map(|running| &running.asked), self.base.deliveries.get(&delivery));
                format!("{delivery:?}, which is {standing:?}, is sent again, and asked for was {asked:?}")
            })?;
            if !is_dropped {
                self.base.again(delivery);
                self.counted.again += 1;
            }
            self.dead_letters.remove(seq);
            for running in self.replays.values_mut().filter(|running| running.asked.number == number) {
                running.again.insert(*seq);
            }
        }
        if let Some(running) = self.replays.get_mut(&id) {
            running.scheduled += events.len() as u64;
        }
        Ok(())
    }

    /// A journal has a delivery that is pending again, and nobody was told of it: a replay that was cut off has done that.
    pub(super) fn again_untold(&mut self, delivery: Delivery) -> Checked {
        self.is_again(delivery);
        let (seq, number) = delivery;
        let is_asked_for = |(asked, rules): &(Asked, Vec<Endpoint>)| {
            asked.number == number && self.is_asked_for(&self.base, asked, rules, seq)
        };
        let is_fine = self.cut_off.iter().any(is_asked_for);
        Rule::Replay.holds(is_fine, || format!("{delivery:?} is pending again, and nobody asked for it"))?;
        self.base.again(delivery);
        self.dead_letters.remove(&seq);
        self.counted.again += 1;
        Ok(())
    }

    /// A replay has ended: what was there all the time and asked for is pending again, or was meanwhile.
    pub fn replay_ended(
        &mut self,
        id: u64,
        now_ms: i64,
        scheduled: u64,
        error: Option<&str>,
        journal: &Journal,
    ) -> Checked {
        let Some(running) = self.replays.remove(&id) else {
            return Err(Rule::Replay.broken("a replay has ended that never began"));
        };
        let is_filled = self.was_filled(&running);
        let Running { asked, wanted, again, scheduled: told, rules, .. } = running;
        Rule::Replay.holds(scheduled == told, || format!("{asked:?} has sent {told} again and says {scheduled}"))?;
        if let Some(error) = error {
            let is_true = if error.contains("journal.maxBytesPerEndpoint") {
                is_filled
            } else {
                error.contains("is dead") || self.troubled || !self.is_roomy(journal)
            };
            // What it asked for last may have been done all the same.
            self.cut_off.push((asked.clone(), rules));
            return Rule::Replay.holds(is_true, || format!("{asked:?} ends with {error}"));
        }
        let letters = |ordinal: &Ordinal| journal.dead_letters(*ordinal, usize::MAX);
        let ordinal = self.ordinals.iter().find(|(_, number)| **number == asked.number).map(|(ordinal, _)| ordinal);
        let letters: BTreeSet<Seq> = ordinal.map(letters).unwrap_or_default().iter().map(|letter| letter.seq).collect();
        let since_ms = now_ms.saturating_sub(self.space.history_retention_ms);
        let is_kept =
            |seq: Seq| self.is_roomy(journal) && self.accepted(seq).is_some_and(|(_, at_ms)| at_ms > since_ms);
        let is_missed = |seq: &&Seq| {
            let is_there = letters.contains(*seq) || asked.which != Which::Failed && is_kept(**seq);
            let standing = self.base.deliveries.get(&(**seq, asked.number));
            let is_finished = !matches!(standing, Some(Standing::Pending { .. } | Standing::Dropped))
                && !self.deleting.contains(&asked.number);
            let is_matched = asked.which != Which::Missing || rules.len() == 1;
            is_there && is_finished && is_matched && !again.contains(*seq)
        };
        let missed = wanted.iter().find(is_missed);
        Rule::Replay.holds(missed.is_none(), || format!("{asked:?} has ended and left out {missed:?} of {wanted:?}"))
    }

    /// One more event may have been too much for the endpoint at some time since it began.
    fn was_filled(&self, running: &Running) -> bool {
        let number = running.asked.number;
        let since = self.base.deliveries.range((running.last_seq + 1, 0)..).filter(|((_, other), _)| *other == number);
        let mut pending: BTreeSet<Seq> = since.map(|((seq, _), _)| *seq).collect();
        pending.extend(running.pending.iter().chain(&running.again));
        self.is_filled_by(&pending)
    }

    /// Finished events have never had to give way.
    fn is_roomy(&self, journal: &Journal) -> bool {
        !self.troubled && self.space.max_bytes >= 1 << 20 && journal.usage().used < self.space.max_bytes / 2
    }
}
