//! Every event that was posted and every delivery that was owed, by what producers were told and what must be synced.
//!
//! Outcomes are not synced at once: `base` is what a crash must leave at least, and `unsynced` what may be there besides, as
//! far as it goes: what comes back after a crash is `base` and a beginning of `unsynced`.

use std::collections::{BTreeMap, BTreeSet};

use posthaste_journal::{Committed, EndpointRecord, Journal, Ordinal, Outcome, Pending, Seq};

use super::state::{Seen, Standing, State};
use crate::{
    event::Event,
    ingest::{AcceptError, Kept},
    simulation::{
        configuration::{Configuration, Number, Presence, number, wants},
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
    seq: Seq,
    event: Event,
}

impl Ledger {
    /// Nothing is posted yet.
    pub fn new(events: Vec<Event>) -> Self {
        Self {
            possible: vec![Vec::new(); events.len()],
            events,
            waiting: BTreeSet::new(),
            ids: BTreeMap::new(),
            base: State::default(),
            unsynced: Vec::new(),
            deleting: BTreeSet::new(),
            ordinals: BTreeMap::new(),
            rules: BTreeMap::new(),
            last_seq: 0,
            counted: Summary::default(),
        }
    }

    /// New events are matched by another configuration. A parked endpoint keeps the rules that it had in this process.
    pub fn matched_by(&mut self, configuration: &Configuration, first_of_process: bool) {
        if first_of_process {
            self.rules.clear();
        }
        for (number, wanted) in &configuration.endpoints {
            match wanted.presence {
                Presence::Present => drop(self.rules.insert(*number, wanted.endpoint.clone())),
                Presence::Deleted => drop(self.rules.remove(number)),
                Presence::Parked => {}
            }
        }
        for post in self.waiting.clone() {
            let matched = self.matched(post);
            self.possible[post].push(matched);
        }
    }

    fn matched(&self, post: usize) -> BTreeSet<Number> {
        let wanted = self.rules.iter().filter(|(_, endpoint)| wants(endpoint, &self.events[post]));
        wanted.map(|(number, _)| *number).collect()
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
        self.keep(committed.seq, event, &endpoints)
    }

    fn endpoints(&self, ordinals: &[Ordinal]) -> Checked<BTreeSet<Number>> {
        let number = |ordinal| self.ordinals.get(ordinal).copied();
        let found =
            ordinals.iter().map(|ordinal| number(ordinal).ok_or_else(|| Rule::Matching.broken("unknown endpoint")));
        found.collect()
    }

    /// Takes an event that is in the journal.
    fn keep(&mut self, seq: Seq, event: Event, endpoints: &BTreeSet<Number>) -> Checked {
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
        id.kept = Some(KeptEvent { seq, event });
        self.last_seq = self.last_seq.max(seq);
        self.base.accepted(seq, endpoints.iter().copied());
        Ok(())
    }

    /// A producer has its answers.
    pub fn answered(&mut self, posts: &[usize], answer: &Result<Vec<Kept>, AcceptError>) -> Checked {
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

    /// The process has died: who waits for an answer gets none.
    pub fn died(&mut self) {
        for post in std::mem::take(&mut self.waiting) {
            self.ids.entry(self.events[post].id.clone()).or_default().may_be_kept = true;
        }
    }

    /// The event of that number, as it was posted.
    pub fn event(&self, seq: Seq) -> Option<&Event> {
        let kept = self.ids.values().filter_map(|id| id.kept.as_ref()).find(|kept| kept.seq == seq);
        kept.map(|kept| &kept.event)
    }

    /// What has come of all.
    pub fn summary(&self) -> Summary {
        let mut summary = self.counted;
        for standing in self.base.deliveries.values() {
            match standing {
                Standing::Pending { .. } => {}
                Standing::Delivered => summary.delivered += 1,
                Standing::Dead => summary.dead_lettered += 1,
                Standing::Dropped => summary.dropped += 1,
            }
        }
        summary
    }

    /// A journal was opened: it has what it must have.
    pub fn recovered(&mut self, endpoints: &[EndpointRecord], pending: &[Pending], journal: &Journal) -> Checked {
        for endpoint in endpoints {
            self.numbered(endpoint.ordinal, &endpoint.uid)?;
        }
        let known: BTreeSet<Number> = endpoints.iter().filter_map(|endpoint| number(&endpoint.uid)).collect();
        for number in self.deleting.clone() {
            if !known.contains(&number) {
                self.base.deleted(number);
            }
        }
        let unknown = pending.iter().filter(|pending| pending.seq > self.last_seq);
        for seq in unknown.map(|pending| pending.seq).collect::<BTreeSet<Seq>>() {
            self.survived(seq, journal)?;
        }
        let ordinals: Vec<Ordinal> = endpoints.iter().map(|endpoint| endpoint.ordinal).collect();
        let mut seen = self.seen(journal, &ordinals);
        for pending in pending {
            let Some(number) = self.ordinals.get(&pending.endpoint) else {
                return Err(Rule::Recovery.broken(format!("a delivery to nobody: {pending:?}")));
            };
            seen.pending.insert((pending.seq, *number), (pending.attempts, pending.due_ms));
        }
        let Some(difference) = self.base.difference(&seen) else {
            self.unsynced.clear();
            return Ok(());
        };
        for (_, number, outcome) in std::mem::take(&mut self.unsynced) {
            self.base.ended(number, &outcome);
            if self.base.difference(&seen).is_none() {
                return Ok(());
            }
        }
        Err(Rule::Recovery.broken(difference))
    }

    /// An event is there that nobody was told of: it must be one whose answer was lost.
    fn survived(&mut self, seq: Seq, journal: &Journal) -> Checked {
        let stored = journal.read(seq).map_err(|error| Rule::Recovery.broken(error.to_string()))?;
        let stored = stored.ok_or_else(|| Rule::Recovery.broken(format!("event {seq} is pending and not there")))?;
        let event = Event::decode(stored.payload).map_err(|error| Rule::Content.broken(error.to_string()))?;
        let may_be_kept = self.ids.get(&event.id).is_some_and(|id| id.may_be_kept);
        Rule::Recovery.holds(may_be_kept, || format!("{} is there and was answered otherwise", event.id))?;
        self.counted.survived += 1;
        let endpoints = self.endpoints(&stored.deliveries)?;
        self.keep(seq, event, &endpoints)?;
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
            seen.dead.extend(journal.dead_letters(*ordinal, usize::MAX).iter().map(|letter| (letter.seq, *number)));
        }
        seen
    }

    /// All outcomes are synced: the journal must say so.
    pub fn flushed(&mut self, journal: &Journal) -> Checked {
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
        self.base.difference(&seen).map_or(Ok(()), |difference| Err(Rule::Counts.broken(difference)))
    }
}
