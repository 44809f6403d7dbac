//! What one process has been told and has in hand, and what it may start.

mod given_up;
mod permits;

use std::collections::{BTreeMap, BTreeSet};

pub use given_up::is_overflow;

use bytes::Bytes;
use posthaste_journal::{Outcome, OutcomeKind, Seq};

use super::{
    exhausted::Exhausted,
    lane::{Identity, Lane},
    memory::Memory,
    rate::Start,
    state::{Delivery, Standing, State},
};
use crate::{
    event::Event,
    schedule::LaneView,
    send::{FailureClass, Verdict},
    simulation::{
        configuration::{Configuration, Number, Presence},
        rules::{Checked, Rule},
    },
};

/// See the module.
#[derive(Default)]
pub struct Life {
    /// The endpoints. They are older than the process where something of them must outlive it.
    pub lanes: BTreeMap<Number, Lane>,
    /// Deliveries that the engine has and that have not ended.
    pub taken: BTreeMap<Delivery, Taken>,
    /// Nothing starts any more.
    pub draining: bool,
    suspended: bool,
    limit: usize,
    /// What is to be recorded of an attempt that has ended.
    expected: Option<(Delivery, Expected)>,
    /// What may be given up now because its endpoint has too much pending, and what has been.
    overflow: Option<(Number, BTreeSet<Seq>)>,
    overflowed: Vec<Seq>,
}

/// A delivery that the engine has.
#[derive(Clone, Debug, Default)]
pub struct Taken {
    /// Attempts that have ended.
    pub attempts: u32,
    /// When the engine has said that the next one is due.
    pub due_ms: i64,
    /// No attempt may start before.
    not_before_ms: i64,
    /// When its age began.
    since_ms: i64,
    /// It was asked for again, and waits for no other.
    again: bool,
    /// What it is about, by its subject.
    subject: Option<String>,
    running: Option<Running>,
}

#[derive(Clone, Debug)]
struct Running {
    started_ms: i64,
    of: Identity,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Expected {
    Succeeded,
    Retry { earliest_ms: i64, latest_ms: i64 },
    DeadLettered,
}

impl Taken {
    /// Its time is over. The age counts from the next whole second.
    fn is_too_old(&self, lane: &Lane, now_ms: i64) -> bool {
        let since_ms = self.since_ms.div_euclid(1_000) * 1_000 + i64::from(self.since_ms.rem_euclid(1_000) > 0) * 1_000;
        now_ms >= since_ms + lane.max_age_ms()
    }
}

impl Life {
    /// A process begins with what a journal holds. `in_order` tells whether the one before was stopped in order, and so
    /// has written what its limits have used.
    pub fn begin<'a>(
        &mut self,
        now_ms: i64,
        in_order: bool,
        state: &State,
        memos: &BTreeMap<Number, Bytes>,
        event: impl Fn(Seq) -> Option<(&'a Event, i64)>,
    ) -> Checked {
        for number in memos.keys() {
            self.lanes.entry(*number).or_default();
        }
        for (number, lane) in &mut self.lanes {
            let counts = state.counts.get(number).cloned().unwrap_or_default();
            let mut memory = memos.get(number).map_or(Ok(Memory::default()), |memo| lane.memos.recovered(memo))?;
            memory.is_last &= in_order;
            lane.restarted(now_ms, memory, &counts, |start: &Start| {
                match state.deliveries.get(&(start.seq, *number)) {
                    Some(Standing::Pending { attempts, .. }) => *attempts >= start.attempt,
                    _ => true,
                }
            });
        }
        let taken = state.pending().into_iter().map(|(delivery, (attempts, due_ms, again))| {
            let (subject, accepted_ms) =
                event(delivery.0).map(|(event, accepted_ms)| (event.subject.clone(), accepted_ms)).unwrap_or_default();
            // When somebody asked is not known any more.
            let since_ms = match (again, attempts) {
                (false, _) => accepted_ms,
                (true, 0) => now_ms,
                (true, _) => due_ms,
            };
            (delivery, Taken { attempts, due_ms, not_before_ms: due_ms, since_ms, again, subject, running: None })
        });
        self.taken = taken.collect();
        (self.draining, self.expected) = (false, None);
        (self.suspended, self.limit) = (false, 1);
        Ok(())
    }

    /// The engine is told of an event.
    pub fn took(
        &mut self,
        seq: Seq,
        accepted_ms: i64,
        endpoints: impl IntoIterator<Item = Number>,
        subject: Option<&String>,
    ) {
        for number in endpoints {
            if !self.lanes.entry(number).or_default().is_dropped() {
                let taken = Taken { subject: subject.cloned(), since_ms: accepted_ms, ..Taken::default() };
                self.taken.insert((seq, number), taken);
            }
        }
    }

    /// The engine is told of deliveries that are pending again.
    pub fn again(&mut self, now_ms: i64, number: Number, events: &[Seq]) -> Checked {
        if self.lanes.entry(number).or_default().is_dropped() {
            return Ok(());
        }
        for seq in events {
            let taken = Taken { due_ms: now_ms, since_ms: now_ms, again: true, ..Taken::default() };
            let before = self.taken.insert((*seq, number), taken);
            Rule::Replay.holds(before.is_none(), || format!("{before:?} of endpoint {number} is sent again"))?;
        }
        Ok(())
    }

    /// The engine is told of a configuration.
    pub fn configured(&mut self, now_ms: i64, configuration: &Configuration) {
        self.time_passed(now_ms);
        self.limit = configuration.in_flight.max(1) as usize;
        self.suspended = configuration.suspend;
        self.lanes.values_mut().for_each(Lane::park);
        for (number, wanted) in &configuration.endpoints {
            let lane = self.lanes.entry(*number).or_default();
            match wanted.presence {
                Presence::Present => lane.configured(&wanted.endpoint, now_ms),
                Presence::Parked => {}
                Presence::Deleted => {
                    lane.presence = Presence::Deleted;
                    self.taken.retain(|(_, endpoint), _| endpoint != number);
                }
            }
        }
    }

    /// An attempt starts.
    pub fn started(&mut self, delivery: Delivery, attempt: u32, now_ms: i64) -> Checked {
        self.time_passed(now_ms);
        let (seq, number) = delivery;
        let Some(taken) = self.taken.get(&delivery) else {
            let rule =
                if self.lanes.get(&number).is_some_and(Lane::is_dropped) { Rule::Withheld } else { Rule::Attempts };
            return Err(rule.broken(format!("{delivery:?} starts, which has ended or never was")));
        };
        if let Some((rule, why)) = self.held_back(delivery, now_ms) {
            return Err(rule.broken(format!("{delivery:?} starts: {why}")));
        }
        Rule::Attempts.holds(attempt == taken.attempts + 1, || {
            format!("attempt {attempt} of {delivery:?} follows {}", taken.attempts)
        })?;
        let lane = self.lanes.entry(number).or_default();
        let of = lane.identity().unwrap_or_default();
        lane.in_flight.push((seq, now_ms));
        lane.circuit.started(seq);
        lane.rate.started(Start { at_ms: now_ms, seq, attempt });
        if let Some(taken) = self.taken.get_mut(&delivery) {
            taken.running = Some(Running { started_ms: now_ms, of });
        }
        Ok(())
    }

    /// An attempt has ended.
    pub fn ended(&mut self, delivery: Delivery, verdict: &Verdict, now_ms: i64) -> Checked {
        self.time_passed(now_ms);
        let (seq, number) = delivery;
        let lane = self.lanes.entry(number).or_default();
        let running = self.taken.get_mut(&delivery).and_then(|taken| Some((taken.running.take()?, taken)));
        let Some((running, taken)) = running else {
            lane.ended(seq, &Identity::default(), 0, verdict, now_ms);
            return Rule::Attempts.holds(lane.is_dropped(), || format!("{delivery:?} ends and was not in flight"));
        };
        lane.ended(seq, &running.of, now_ms - running.started_ms, verdict, now_ms);
        taken.attempts += 1;
        let retry = &lane.endpoint.as_ref().ok_or_else(|| Rule::Withheld.broken("no settings"))?.delivery.retry;
        let delay_ms = retry.schedule_ms.get(taken.attempts as usize - 1);
        let is_too_old = taken.is_too_old(lane, now_ms);
        let expected = match (verdict, delay_ms) {
            (Verdict::Succeeded { .. }, _) => Expected::Succeeded,
            (Verdict::Failed { class: FailureClass::Permanent, .. }, _) => Expected::DeadLettered,
            (Verdict::Failed { .. }, _) if is_too_old => Expected::DeadLettered,
            (Verdict::Failed { retry_after, .. }, Some(delay_ms)) => {
                let asked_ms = lane.heard_ms(*retry_after);
                let earliest_ms = now_ms + delay_ms.cast_signed().max(asked_ms);
                let longest_ms = (delay_ms + delay_ms * u64::from(retry.jitter_percent) / 100).cast_signed();
                Expected::Retry { earliest_ms, latest_ms: now_ms + longest_ms.max(asked_ms) }
            }
            (Verdict::Failed { class: FailureClass::Gone, .. }, None) => {
                Expected::Retry { earliest_ms: now_ms, latest_ms: now_ms }
            }
            (Verdict::Failed { .. }, None) => Expected::DeadLettered,
        };
        if let Expected::Retry { earliest_ms, .. } = expected {
            taken.not_before_ms = earliest_ms;
        }
        let is_current = lane.identity().as_ref() == Some(&running.of);
        if let Verdict::Failed { class: FailureClass::Retry | FailureClass::Throttle, .. } = verdict
            && expected == Expected::DeadLettered
            && is_current
        {
            lane.exhaust();
        }
        self.expected = Some((delivery, expected));
        Ok(())
    }

    /// Whether an attempt of it has ended and is to be recorded.
    pub fn has_just_ended(&self, delivery: Delivery) -> bool {
        self.expected.as_ref().is_some_and(|(expected, _)| *expected == delivery)
    }

    /// An outcome is recorded.
    pub fn recorded(&mut self, now_ms: i64, number: Number, outcome: &Outcome) -> Checked {
        let delivery = (outcome.seq, number);
        let expected = self.expected.take_if(|(expected, _)| *expected == delivery);
        let Some((_, expected)) = expected else { return self.given_up(now_ms, delivery, outcome) };
        let fits = match (&outcome.kind, &expected) {
            (OutcomeKind::Succeeded { .. }, Expected::Succeeded)
            | (OutcomeKind::DeadLettered { .. }, Expected::DeadLettered) => true,
            (OutcomeKind::Retry { due_ms, .. }, Expected::Retry { earliest_ms, latest_ms }) => {
                (earliest_ms..=latest_ms).contains(&due_ms)
            }
            _ => false,
        };
        let attempts = self.taken.get(&delivery).map(|taken| taken.attempts);
        let rule = match (&outcome.kind, &expected) {
            (OutcomeKind::Retry { due_ms, .. }, Expected::Retry { earliest_ms, .. }) if due_ms < earliest_ms => {
                Rule::Schedule
            }
            (OutcomeKind::Retry { .. }, Expected::DeadLettered) => Rule::Attempts,
            _ => Rule::Outcome,
        };
        rule.holds(fits && attempts == Some(outcome.attempts), || {
            format!("{outcome:?} should be {expected:?} after {attempts:?} attempts")
        })?;
        match (&outcome.kind, self.taken.get_mut(&delivery)) {
            (OutcomeKind::Retry { due_ms, .. }, Some(taken)) => taken.due_ms = *due_ms,
            _ => drop(self.taken.remove(&delivery)),
        }
        Ok(())
    }

    /// The engine has done all that it can do now: nothing that could start waits, and all that has ended is recorded.
    pub fn rests(&mut self, now_ms: i64) -> Checked {
        self.time_passed(now_ms);
        Rule::Outcome.holds(self.expected.is_none(), || format!("{:?} is not recorded", self.expected))?;
        for (number, lane) in self.lanes.iter().filter(|(_, lane)| !lane.is_dropped()) {
            let kept = lane.memos.latest();
            let is_kept = kept.is_some_and(|kept| kept.gone == lane.gone && kept.exhausted == lane.exhausted);
            Rule::Memory.holds(is_kept, || format!("{lane:?} of endpoint {number} is not remembered, but {kept:?}"))?;
        }
        for (delivery, taken) in &self.taken {
            let Some(lane) = self.lanes.get(&delivery.1) else { continue };
            let stays = !taken.is_too_old(lane, now_ms) || taken.running.is_some() || self.draining;
            Rule::Age.holds(stays, || format!("{delivery:?} is too old and waits: {taken:?}"))?;
            let engine_knows_more = !lane.rate.certainly_permits(now_ms);
            let waits = taken.due_ms > now_ms || engine_knows_more || self.held_back(*delivery, now_ms).is_some();
            Rule::Progress.holds(waits, || format!("{delivery:?} could start and does not"))?;
        }
        Ok(())
    }

    /// Time limit of an attempt.
    pub fn timeout_ms(&self, number: Number) -> u64 {
        let endpoint = self.lanes.get(&number).and_then(|lane| lane.endpoint.as_ref());
        endpoint.map_or(1_000, |endpoint| endpoint.delivery.timeout_ms)
    }

    /// The engine wants this to be remembered of an endpoint.
    pub fn remembers(&mut self, number: Number, memo: Bytes) {
        let draining = self.draining;
        if let Some(lane) = self.lanes.get_mut(&number) {
            lane.memos.wanted(memo, lane.memory(draining));
        }
    }

    /// What is remembered of an endpoint was written, or could not be.
    pub fn remembered(&mut self, number: Number, memo: &Bytes, kept: bool) {
        if let Some(lane) = self.lanes.get_mut(&number) {
            lane.memos.written(memo, kept);
        }
    }

    /// No memo is on its way to the journal.
    pub fn memos_are_written(&self) -> Checked {
        let late = self.lanes.iter().find(|(_, lane)| !lane.is_dropped() && !lane.memos.all_written());
        late.map_or(Ok(()), |(number, lane)| {
            Err(Rule::Memory.broken(format!("not the latest of endpoint {number} was written: {:?}", lane.memos)))
        })
    }

    /// What the engine shows of an endpoint is so.
    pub fn shown(&self, number: Number, view: Option<&LaneView>) -> Checked {
        let Some(lane) = self.lanes.get(&number).filter(|lane| !lane.is_dropped()) else { return Ok(()) };
        let pending = self.taken.keys().filter(|(_, endpoint)| *endpoint == number).count() as u64;
        let fits = |view: &LaneView| {
            view.pending == pending
                && view.configured == lane.runs()
                && view.gone == lane.gone.is_some()
                && Exhausted::is_shown_as(lane.exhausted.as_ref(), view.exhausted)
        };
        Rule::Counts.holds(view.is_some_and(fits), || {
            let (runs, exhausted) = (lane.runs(), &lane.exhausted);
            format!("endpoint {number} has {pending} pending, runs: {runs}, {exhausted:?}, and is shown as {view:?}")
        })
    }

    /// What the engine counts is what it has.
    pub fn counted(&self, pending: u64, in_flight: usize) -> Checked {
        Rule::Counts.holds(pending == self.taken.len() as u64, || {
            format!("the engine counts {pending} pending of {}", self.taken.len())
        })?;
        Rule::Counts.holds(in_flight == self.in_flight(), || {
            format!("the engine counts {in_flight} in flight of {}", self.in_flight())
        })
    }
}
