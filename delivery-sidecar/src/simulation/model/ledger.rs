//! Every event that was posted and every delivery that was owed, by what producers were told and what must be synced.
//!
//! Outcomes are not synced at once: `base` is what a crash must leave at least, and `unsynced` what may be there besides, as
//! far as it goes: what comes back after a crash is `base` and a beginning of `unsynced`.

mod matching;
pub mod replays;
mod space;

use std::collections::{BTreeMap, BTreeSet};

use posthaste_journal::{Committed, EndpointRecord, Journal, Ordinal, Outcome, OutcomeKind, Pending, Seq, Space};

use replays::{Asked, Running};

use super::state::{Seen, Standing, State};
use crate::{
    event::Event,
    ingest::{AcceptError, Kept},
    simulation::{
        configuration::{Number, number},
        rules::{Checked, Rule},
        summary::Summary,
    },
};

/// See the module.
pub struct Ledger {
    /// What is posted, by number of the post.
    events: Vec<Event>,
    /// By number of the post: the endpoints that it may be kept for, which depends on the moment at which it is matched.
    /// Empty before it is posted.
    possible: Vec<Vec<BTreeSet<Number>>>,
    /// Posts without an answer.
    waiting: BTreeSet<usize>,
    ids: BTreeMap<String, Id>,
    /// The ids of events that are kept, by number.
    by_seq: BTreeMap<Seq, String>,
    /// What must be in the journal.
    pub base: State,
    unsynced: Vec<(i64, Number, Outcome)>,
    /// Endpoints whose deletion was asked for.
    deleting: BTreeSet<Number>,
    /// The endpoints that have had a number, by it.
    pub ordinals: BTreeMap<Ordinal, Number>,
    /// What new events are matched by.
    rules: BTreeMap<Number, posthaste_delivery_config::Endpoint>,
    last_seq: Seq,
    counted: Summary,
    /// What the journal may use.
    space: Space,
    /// The disk has failed, or had less room than it should.
    pub troubled: bool,
    /// Events that were kept for dead letters alone when they were last looked at, and since.
    dead_letters: BTreeSet<Seq>,
    /// Replays that go on.
    replays: BTreeMap<u64, Running>,
    /// Those that went on when the last process died.
    cut_off: Vec<(Asked, Vec<posthaste_delivery_config::Endpoint>)>,
}

/// An event's id.
#[derive(Default)]
struct Id {
    kept: Option<KeptEvent>,
    /// An answer to it was an error, or never came: it may have been kept.
    may_be_kept: bool,
    /// Somebody was told that it is new.
    told: bool,
}

struct KeptEvent {
    event: Event,
    accepted_ms: i64,
}

impl Ledger {
    /// Nothing is posted yet.
    pub fn new(events: Vec<Event>, space: Space) -> Self {
        Self {
            possible: vec![Vec::new(); events.len()],
            events,
            waiting: BTreeSet::new(),
            ids: BTreeMap::new(),
            by_seq: BTreeMap::new(),
            base: State::default(),
            unsynced: Vec::new(),
            deleting: BTreeSet::new(),
            ordinals: BTreeMap::new(),
            rules: BTreeMap::new(),
            last_seq: 0,
            counted: Summary::default(),
            space,
            troubled: false,
            dead_letters: BTreeSet::new(),
            replays: BTreeMap::new(),
            cut_off: Vec::new(),
        }
    }

    /// A producer has posted.
    pub fn posted(&mut self, post: usize) {
        let matched = self.matched(post);
        self.possible[post].push(matched);
        self.waiting.insert(post);
        self.ids.entry(self.events[post].id.clone()).or_default();
    }

    /// The journal says that an event is synced: so is every outcome before it.
    pub fn committed(&mut self, committed: &Committed) -> Checked {
        self.synced();
        Rule::Recovery.holds(committed.seq > self.last_seq, || format!("event {} came twice", committed.seq))?;
        let event =
            Event::decode(committed.payload.clone()).map_err(|error| Rule::Content.broken(error.to_string()))?;
        let endpoints = self.endpoints(&committed.deliveries)?;
        self.keep(committed.seq, event, committed.accepted_ms, &endpoints)
    }

    fn endpoints(&self, ordinals: &[Ordinal]) -> Checked<BTreeSet<Number>> {
        let number = |ordinal| self.ordinals.get(ordinal).copied();
        let found =
            ordinals.iter().map(|ordinal| number(ordinal).ok_or_else(|| Rule::Matching.broken("unknown endpoint")));
        found.collect()
    }

    /// Takes an event that is in the journal.
    fn keep(&mut self, seq: Seq, event: Event, accepted_ms: i64, endpoints: &BTreeSet<Number>) -> Checked {
        let posts = (0..self.events.len()).filter(|post| self.events[*post] == event);
        let possible: Vec<&BTreeSet<Number>> = posts.flat_map(|post| &self.possible[post]).collect();
        Rule::Content.holds(!possible.is_empty(), || format!("event {seq} was not posted"))?;
        let without_deleted =
            |numbers: &BTreeSet<Number>| -> BTreeSet<Number> { numbers.difference(&self.deleting).copied().collect() };
        let fits =
            |matched: &&BTreeSet<Number>| endpoints.is_subset(matched) && without_deleted(matched).is_subset(endpoints);
        Rule::Matching.holds(possible.iter().any(fits), || {
            format!("event {seq} ({}) is kept for {endpoints:?}, and was for {possible:?}", event.id)
        })?;
        let id = self.ids.entry(event.id.clone()).or_default();
        Rule::Answers.holds(id.kept.is_none(), || format!("{} is kept twice", event.id))?;
        let bytes = event.encode().len() as u64;
        self.by_seq.insert(seq, event.id.clone());
        id.kept = Some(KeptEvent { event, accepted_ms });
        self.last_seq = self.last_seq.max(seq);
        self.base.accepted(seq, bytes, endpoints.iter().copied());
        Ok(())
    }

    /// A producer has its answers.
    pub fn answered(&mut self, posts: &[usize], answer: &Result<Vec<Kept>, AcceptError>) -> Checked {
        if let Err(AcceptError::Full) = answer {
            self.refused_as_full(posts)?;
        }
        for (at, post) in posts.iter().enumerate() {
            self.waiting.remove(post);
            let event = &self.events[*post];
            let possible = &self.possible[*post];
            let id = self.ids.entry(event.id.clone()).or_default();
            let is_kept = |same: bool| id.kept.as_ref().is_some_and(|kept| (kept.event == *event) == same);
            let id_text = &event.id;
            match answer.as_ref().map(|kept| kept[at]) {
                Ok(Kept::New { deliveries }) => {
                    Rule::Answers.holds(is_kept(true), || format!("{id_text} is acknowledged and not synced"))?;
                    Rule::Answers.holds(!id.told, || format!("{id_text} is new twice"))?;
                    let known = possible.iter().any(|matched| matched.len() == deliveries as usize);
                    Rule::Answers.holds(known, || format!("{id_text} is said to have {deliveries} deliveries"))?;
                    id.told = true;
                }
                Ok(kept @ (Kept::Duplicate { .. } | Kept::Conflict)) => {
                    let same = kept != Kept::Conflict;
                    let fits = is_kept(same) || id.kept.is_none() && id.may_be_kept;
                    Rule::Answers.holds(fits, || format!("{id_text} is called {kept:?}"))?;
                    id.told |= same;
                    self.counted.repeated += 1;
                }
                Err(_) => {
                    id.may_be_kept = true;
                    self.counted.refused += 1;
                }
            }
        }
        Ok(())
    }

    /// The engine has handed an outcome to the journal.
    pub fn recorded(&mut self, now_ms: i64, number: Number, outcome: Outcome) {
        if let OutcomeKind::DeadLettered { failure } = &outcome.kind {
            self.counted.withheld += u64::from(["Overflow", "Exhausted"].contains(&&*failure.reason));
        }
        self.unsynced.push((now_ms, number, outcome));
    }

    /// All outcomes are synced.
    pub fn synced(&mut self) {
        for (_, number, outcome) in self.unsynced.drain(..) {
            self.base.ended(number, &outcome);
        }
    }

    /// Outcomes that were recorded at or before this time are synced.
    pub fn synced_until(&mut self, until_ms: i64) {
        let count = self.unsynced.iter().take_while(|(at_ms, ..)| *at_ms <= until_ms).count();
        for (_, number, outcome) in self.unsynced.drain(..count) {
            self.base.ended(number, &outcome);
        }
    }

    /// A deletion is asked for.
    pub fn deleting(&mut self, number: Number) {
        self.deleting.insert(number);
    }

    /// Whether a deletion was asked for.
    pub fn is_deleting(&self, number: Number) -> bool {
        self.deleting.contains(&number)
    }

    /// A deletion is synced.
    pub fn deleted(&mut self, number: Number) {
        self.synced();
        self.base.deleted(number);
    }

    /// Whether somebody was told that a post is in the journal.
    pub fn is_acknowledged(&self, post: usize) -> bool {
        self.ids.get(&self.events[post].id).is_some_and(|id| id.told)
    }

    /// The process has died: who waits for an answer gets none.
    pub fn died(&mut self) {
        self.cut_off.extend(std::mem::take(&mut self.replays).into_values().map(Running::left));
        for post in std::mem::take(&mut self.waiting) {
            self.ids.entry(self.events[post].id.clone()).or_default().may_be_kept = true;
        }
    }

    /// The event of that number, as it was posted.
    pub fn event(&self, seq: Seq) -> Option<&Event> {
        self.accepted(seq).map(|(event, _)| event)
    }

    /// The same, and when it was accepted.
    pub fn accepted(&self, seq: Seq) -> Option<(&Event, i64)> {
        let kept = self.ids.get(self.by_seq.get(&seq)?)?.kept.as_ref()?;
        Some((&kept.event, kept.accepted_ms))
    }

    /// What has come of all.
    pub fn summary(&self) -> Summary {
        let mut summary = self.counted;
        for standing in self.base.deliveries.values() {
            match standing {
                Standing::Pending { .. } => {}
                Standing::Delivered => summary.delivered += 1,
                Standing::Dead { .. } | Standing::Removed => summary.dead_lettered += 1,
                Standing::Dropped => summary.dropped += 1,
            }
        }
        summary
    }

    /// A journal was opened: it has what it must have.
    pub fn recovered(
        &mut self,
        now_ms: i64,
        endpoints: &[EndpointRecord],
        pending: &[Pending],
        journal: &Journal,
    ) -> Checked {
        for endpoint in endpoints {
            self.numbered(endpoint.ordinal, &endpoint.uid)?;
        }
        let known: BTreeSet<Number> = endpoints.iter().filter_map(|endpoint| number(&endpoint.uid)).collect();
        for number in self.deleting.clone() {
            if !known.contains(&number) {
                self.base.deleted(number);
            }
        }
        let mut unknown: BTreeMap<Seq, BTreeSet<Number>> = BTreeMap::new();
        for pending in pending.iter().filter(|pending| self.accepted(pending.seq).is_none()) {
            let again = self.ordinals.get(&pending.endpoint).filter(|_| pending.redelivered);
            unknown.entry(pending.seq).or_default().extend(again);
        }
        for (seq, again) in unknown {
            self.survived(seq, journal, &again)?;
        }
        let ordinals: Vec<Ordinal> = endpoints.iter().map(|endpoint| endpoint.ordinal).collect();
        let mut seen = self.seen(journal, &ordinals);
        for pending in pending {
            let Some(number) = self.ordinals.get(&pending.endpoint) else {
                return Err(Rule::Recovery.broken(format!("a delivery to nobody: {pending:?}")));
            };
            let is_same = self.accepted(pending.seq).is_some_and(|(_, accepted_ms)| accepted_ms == pending.accepted_ms);
            Rule::Recovery.holds(is_same, || format!("{pending:?} was accepted at another time"))?;
            let delivery = (pending.seq, *number);
            seen.pending.insert(delivery, (pending.attempts, pending.due_ms, pending.redelivered));
        }
        self.recovered_again(&seen)?;
        let mut difference = self.base.difference(&seen);
        for (_, number, outcome) in std::mem::take(&mut self.unsynced) {
            if difference.is_none() {
                break;
            }
            self.base.ended(number, &outcome);
            if self.base.difference(&seen).is_none() {
                difference = None;
            }
        }
        match difference {
            None => self.letters_removed(now_ms, &seen),
            Some(difference) => Err(Rule::Recovery.broken(difference)),
        }
    }

    /// Deliveries that are pending again and were not when the last process died.
    fn recovered_again(&mut self, seen: &Seen) -> Checked {
        for (delivery, (.., again)) in &seen.pending {
            let is_known = matches!(self.base.deliveries.get(delivery), Some(Standing::Pending { again: true, .. }));
            if *again && !is_known {
                self.again_untold(*delivery)?;
            }
        }
        self.cut_off.clear();
        Ok(())
    }

    /// An event is there that nobody was told of: it must be one whose answer was lost. `again` are endpoints that it was
    /// sent to later, because somebody asked for it.
    fn survived(&mut self, seq: Seq, journal: &Journal, again: &BTreeSet<Number>) -> Checked {
        let stored = journal.read(seq).map_err(|error| Rule::Recovery.broken(error.to_string()))?;
        let stored = stored.ok_or_else(|| Rule::Recovery.broken(format!("event {seq} is pending and not there")))?;
        let event = Event::decode(stored.payload).map_err(|error| Rule::Content.broken(error.to_string()))?;
        let may_be_kept = self.ids.get(&event.id).is_some_and(|id| id.may_be_kept);
        Rule::Recovery.holds(may_be_kept, || format!("{} is there and was answered otherwise", event.id))?;
        self.counted.survived += 1;
        let endpoints: BTreeSet<Number> = self.endpoints(&stored.deliveries)?.difference(again).copied().collect();
        self.keep(seq, event, stored.accepted_ms, &endpoints)?;
        for number in endpoints {
            if !self.ordinals.values().any(|known| *known == number) {
                self.base.deleted(number);
            }
        }
        Ok(())
    }

    /// An endpoint has a number, which no other has had.
    pub fn numbered(&mut self, ordinal: Ordinal, uid: &str) -> Checked {
        let Some(number) = number(uid) else { return Err(Rule::Recovery.broken(format!("unknown endpoint {uid}"))) };
        let before = self.ordinals.insert(ordinal, number);
        Rule::Recovery.holds(before.is_none_or(|before| before == number), || {
            format!("{ordinal:?} was endpoint {before:?} and is {number}")
        })
    }

    /// What can be seen of a journal without opening it again.
    fn seen(&self, journal: &Journal, ordinals: &[Ordinal]) -> Seen {
        let mut seen = Seen::default();
        for ordinal in ordinals {
            let (Some(number), Some(stats)) = (self.ordinals.get(ordinal), journal.stats(*ordinal)) else { continue };
            seen.counts.insert(*number, (&stats).into());
            let letters = journal.dead_letters(*ordinal, usize::MAX);
            seen.dead.extend(letters.iter().map(|letter| ((letter.seq, *number), (letter.at_ms, letter.attempts))));
        }
        seen
    }

    /// All outcomes are synced: the journal must say so.
    pub fn flushed(&mut self, now_ms: i64, journal: &Journal) -> Checked {
        self.synced();
        let ordinals: Vec<Ordinal> = self.ordinals.keys().copied().collect();
        let mut seen = self.seen(journal, &ordinals);
        let pending = self.base.pending();
        for (ordinal, number) in &self.ordinals {
            let count = pending.keys().filter(|(_, endpoint)| endpoint == number).count() as u64;
            let counted = journal.pending(*ordinal);
            let known = seen.counts.contains_key(number);
            Rule::Counts.holds(!known || count == counted, || {
                format!("endpoint {number} should have {count} pending and has {counted}")
            })?;
        }
        seen.pending = pending;
        self.base.difference(&seen).map_or(Ok(()), |difference| Err(Rule::Counts.broken(difference)))?;
        self.letters_removed(now_ms, &seen)?;
        self.letters_fit(journal)
    }
}
