//! What one process has been told and has in hand, and what it may start.

use std::collections::BTreeMap;

use posthaste_delivery_config::DeliveryOrdering;
use posthaste_journal::{Outcome, OutcomeKind, Seq};

use super::{
    lane::{Identity, Lane},
    rate::Start,
    state::{Delivery, Standing, State},
};
use crate::{
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

impl Life {
    /// A process begins with what a journal holds. `in_order` tells whether the one before was stopped in order, and so
    /// has written what its limits have used.
    pub fn begin(&mut self, now_ms: i64, in_order: bool, state: &State, subject: impl Fn(Seq) -> Option<String>) {
        for (number, lane) in &mut self.lanes {
            let counts = state.counts.get(number).cloned().unwrap_or_default();
            lane.restarted(now_ms, in_order, &counts, |start: &Start| {
                match state.deliveries.get(&(start.seq, *number)) {
                    Some(Standing::Pending { attempts, .. }) => *attempts >= start.attempt,
                    _ => true,
                }
            });
        }
        let taken = state.pending().into_iter().map(|(delivery, (attempts, due_ms))| {
            let subject = subject(delivery.0);
            (delivery, Taken { attempts, due_ms, not_before_ms: due_ms, subject, running: None })
        });
        self.taken = taken.collect();
        (self.draining, self.expected) = (false, None);
        (self.suspended, self.limit) = (false, 1);
    }

    /// The engine is told of an event.
    pub fn took(&mut self, seq: Seq, endpoints: impl IntoIterator<Item = Number>, subject: Option<&String>) {
        for number in endpoints {
            if !self.lanes.entry(number).or_default().is_dropped() {
                self.taken.insert((seq, number), Taken { subject: subject.cloned(), ..Taken::default() });
            }
        }
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

    fn in_flight(&self) -> usize {
        self.lanes.values().map(|lane| lane.in_flight.len()).sum()
    }

    fn in_flight_of(&self, kind: fn(&Lane) -> bool) -> usize {
        self.lanes.values().filter(|lane| kind(lane)).map(|lane| lane.in_flight.len()).sum()
    }

    fn time_passed(&mut self, now_ms: i64) {
        self.lanes.values_mut().for_each(|lane| lane.time_passed(now_ms));
    }

    /// Which share of the places an attempt of this endpoint would exceed.
    fn share_is_taken(&self, lane: &Lane) -> Option<String> {
        let (untried, doubtful) = (self.in_flight_of(Lane::is_untried), self.in_flight_of(Lane::is_doubtful));
        let part = |quarters: usize| (self.limit * quarters / 4).max(1);
        let is_taken = lane.is_untried() && untried >= part(1)
            || lane.is_doubtful() && doubtful >= part(2)
            || (lane.is_untried() || lane.is_doubtful()) && untried + doubtful >= part(3);
        is_taken.then(|| format!("{untried} are untried and {doubtful} doubtful of {}", self.limit))
    }

    /// Which rule an attempt of this delivery would break if it started now, and how; `None` for none.
    fn held_back(&self, (seq, number): Delivery, now_ms: i64) -> Option<(Rule, String)> {
        let lane = self.lanes.get(&number)?;
        let taken = self.taken.get(&(seq, number))?;
        if self.draining || self.suspended {
            return Some((Rule::Withheld, "the process stops, or all is suspended".to_owned()));
        }
        if let Some(why) = lane.withheld() {
            return Some((Rule::Withheld, format!("endpoint {number} is {why}")));
        }
        if let Some(running) = &taken.running {
            return Some((Rule::Attempts, format!("it is in flight since {}", running.started_ms)));
        }
        if now_ms < taken.not_before_ms {
            return Some((Rule::Schedule, format!("it is {} ms early", taken.not_before_ms - now_ms)));
        }
        if now_ms < lane.pause_until_ms {
            return Some((Rule::Throttle, format!("endpoint {number} rests for {} ms", lane.pause_until_ms - now_ms)));
        }
        if !lane.circuit.permits(now_ms, lane.in_flight.len()) {
            return Some((Rule::Circuit, format!("{:?}", lane.circuit)));
        }
        if !lane.rate.permits(now_ms) {
            return Some((Rule::Rate, format!("{:?}", lane.rate)));
        }
        if lane.in_flight.len() >= lane.concurrency() {
            return Some((Rule::Concurrency, format!("{} are in flight, {:?}", lane.in_flight.len(), lane.known)));
        }
        if self.in_flight() >= self.limit {
            return Some((Rule::InFlight, format!("{} are in flight", self.in_flight())));
        }
        if let Some(why) = self.share_is_taken(lane) {
            return Some((Rule::InFlight, why));
        }
        let before = self.before((seq, number));
        before.map(|before| (Rule::Ordering, format!("{before} of the same group has not ended")))
    }

    /// A delivery that has to end before this one may start.
    fn before(&self, (seq, number): Delivery) -> Option<Seq> {
        let ordering = self.lanes.get(&number)?.endpoint.as_ref()?.delivery.ordering;
        let subject = self.taken.get(&(seq, number))?.subject.as_ref();
        let same_group = |other: &Taken| match ordering {
            DeliveryOrdering::None => false,
            DeliveryOrdering::PerEndpoint => true,
            DeliveryOrdering::PerSubject => subject.is_some() && other.subject.as_ref() == subject,
        };
        let mut others = self.taken.iter().filter(|((_, endpoint), other)| *endpoint == number && same_group(other));
        others
            .find(|((other, _), taken)| *other < seq || *other > seq && taken.running.is_some())
            .map(|((other, _), _)| *other)
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
        let expected = match (verdict, delay_ms) {
            (Verdict::Succeeded { .. }, _) => Expected::Succeeded,
            (Verdict::Failed { class: FailureClass::Permanent, .. }, _) => Expected::DeadLettered,
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
        self.expected = Some((delivery, expected));
        Ok(())
    }

    /// An outcome is recorded.
    pub fn recorded(&mut self, number: Number, outcome: &Outcome) -> Checked {
        let delivery = (outcome.seq, number);
        let expected = self.expected.take_if(|(expected, _)| *expected == delivery);
        let Some((_, expected)) = expected else {
            return Err(Rule::Outcome.broken(format!("{outcome:?} is about nothing that has just ended")));
        };
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
        for (delivery, taken) in &self.taken {
            let Some(lane) = self.lanes.get(&delivery.1) else { continue };
            let engine_knows_more = lane.may_be_gone || !lane.rate.certainly_permits(now_ms);
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

    /// What the engine remembers of an endpoint was written, or could not be.
    pub fn remembered(&mut self, number: Number, kept: bool) {
        let Some(lane) = self.lanes.get_mut(&number) else { return };
        lane.gone_unsure = !kept;
        if kept {
            lane.gone_kept.clone_from(&lane.gone);
        }
        lane.rate.kept = kept && self.draining;
    }

    /// What the engine shows of an endpoint is so.
    pub fn shown(&self, number: Number, view: Option<&LaneView>) -> Checked {
        let Some(lane) = self.lanes.get(&number).filter(|lane| !lane.is_dropped()) else { return Ok(()) };
        let pending = self.taken.keys().filter(|(_, endpoint)| *endpoint == number).count() as u64;
        let fits = |view: &LaneView| {
            view.pending == pending
                && view.configured == lane.runs()
                && (view.gone == lane.gone.is_some() || lane.may_be_gone)
        };
        Rule::Counts.holds(view.is_some_and(fits), || {
            format!("endpoint {number} has {pending} pending, runs: {}, and is shown as {view:?}", lane.runs())
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
