//! Which attempts may start.

use posthaste_delivery_config::DeliveryOrdering;
use posthaste_journal::Seq;

use super::{Life, Taken};
use crate::simulation::{
    model::{lane::Lane, state::Delivery},
    rules::Rule,
};

impl Life {
    pub(super) fn in_flight(&self) -> usize {
        self.lanes.values().map(|lane| lane.in_flight.len()).sum()
    }

    fn in_flight_of(&self, kind: fn(&Lane) -> bool) -> usize {
        self.lanes.values().filter(|lane| kind(lane)).map(|lane| lane.in_flight.len()).sum()
    }

    pub(super) fn time_passed(&mut self, now_ms: i64) {
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
    pub(super) fn held_back(&self, (seq, number): Delivery, now_ms: i64) -> Option<(Rule, String)> {
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
        if taken.is_too_old(lane, now_ms) {
            return Some((Rule::Age, format!("it is as old as {} ms", now_ms - taken.since_ms)));
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
        let is_again = self.taken.get(&(seq, number))?.again;
        let same_group = |other: &Taken| match ordering {
            _ if is_again || other.again => false,
            DeliveryOrdering::None => false,
            DeliveryOrdering::PerEndpoint => true,
            DeliveryOrdering::PerSubject => subject.is_some() && other.subject.as_ref() == subject,
        };
        let mut others = self.taken.iter().filter(|((_, endpoint), other)| *endpoint == number && same_group(other));
        others
            .find(|((other, _), taken)| *other < seq || *other > seq && taken.running.is_some())
            .map(|((other, _), _)| *other)
    }
}
