//! One endpoint's deliveries: those that wait for their first attempt, those that wait for another, those in flight.
//!
//! A lane decides what it could start next and when. Whether it may, besides all others, is the engine's decision.

use posthaste_delivery_config::{CircuitBreaker, DeliveryOrdering, DeliveryRate, OnExhausted, RetryPolicy, defaults};
use posthaste_journal::{Pending, Seq};

use super::{
    breaker::{Breaker, Sign},
    exhausted::Exhausted,
    identity::Identity,
    memo::Memo,
    queue::{OUTSIDE, Queue, Waiting, in_seconds},
    rate::Rate,
    standing::Standing,
    throttle::Throttle,
};

/// What the engine needs to know of an endpoint's configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LaneSettings {
    /// Its generation.
    pub generation: i64,
    /// Hash of its URL.
    pub url_fingerprint: u64,
    /// Deliveries wait.
    pub suspend: bool,
    /// Longest time that a `Retry-After` is heard as.
    pub retry_after_max_ms: u64,
    /// Most attempts in flight; at least 1.
    pub concurrency: u32,
    /// When attempts pause because all fail; `None` for never.
    pub circuit_breaker: Option<CircuitBreaker>,
    /// How many attempts there may be per time; `None` for no limit.
    pub rate_limit: Option<DeliveryRate>,
    /// Which deliveries wait for others.
    pub ordering: DeliveryOrdering,
    /// When failed deliveries are attempted again.
    pub retry: RetryPolicy,
    /// What becomes of it when a delivery is given up.
    pub on_exhausted: OnExhausted,
}

/// A delivery in flight.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Running {
    /// The event.
    pub seq: Seq,
    /// Number of this attempt, from 1.
    pub attempt: u32,
    /// The endpoint as it was when the attempt started: a 410 says something of that one only.
    pub of: Identity,
    /// The group of its subject.
    pub group: u16,
    /// When the event was accepted, in whole seconds rounded up.
    pub accepted_s: u32,
    /// When it started.
    pub started_ms: i64,
    /// It is to show whether the receiver is back.
    pub probe: bool,
}

/// When a lane can start its next attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Readiness {
    /// Now.
    Now,
    /// At this time, unless something changes before.
    At(i64),
    /// Only after something has changed.
    Blocked,
}

/// See the module.
#[derive(Debug, Default)]
pub struct Lane {
    /// `None` until the endpoint has been in a configuration.
    pub settings: Option<LaneSettings>,
    /// Not in the current configuration: starts nothing.
    pub parked: bool,
    /// It answered 410: starts nothing.
    pub gone: Option<Identity>,
    /// A delivery to it was given up. It may start nothing for that.
    pub exhausted: Option<Exhausted>,
    /// The endpoint was deleted: nothing waits any more, and what is in flight is not recorded.
    pub dropped: bool,
    /// By its latest attempts.
    pub standing: Standing,
    /// Its pause, if it is overloaded.
    pub throttle: Throttle,
    /// Its circuit.
    pub breaker: Breaker,
    /// Its rate limit.
    pub rate: Rate,
    queue: Queue,
    in_flight: Vec<Running>,
}

impl LaneSettings {
    /// The endpoint that an attempt is made to.
    pub fn identity(&self) -> Identity {
        Identity { generation: self.generation, url_fingerprint: self.url_fingerprint }
    }
}

impl Lane {
    /// A lane of an endpoint that has not been in a configuration yet.
    pub fn parked() -> Self {
        Self { parked: true, ..Self::default() }
    }

    /// The endpoint as it is now; `None` until it has been in a configuration.
    pub fn identity(&self) -> Option<Identity> {
        self.settings.as_ref().map(LaneSettings::identity)
    }

    /// Takes new settings. An endpoint that was stopped, because it is gone or exhausted, comes back when they are of
    /// another generation or URL, or toggle `suspend`; true if what is remembered of it changes. A pause does not outlive
    /// such a change either, and the circuit closes: they come from the receiver of before, and a person waits for what
    /// the change brings.
    pub fn configure(&mut self, settings: LaneSettings) -> bool {
        let toggled = self.settings.as_ref().is_some_and(|old| old.suspend != settings.suspend);
        let before = self.memory();
        let identity = settings.identity();
        self.gone = self.gone.filter(|gone| !toggled && *gone == identity);
        self.exhausted =
            self.exhausted.and_then(|exhausted| exhausted.configured(settings.on_exhausted, identity, toggled));
        if self.settings.as_ref().is_some_and(|old| old.identity() != settings.identity()) {
            self.throttle = Throttle::default();
            self.breaker = Breaker::default();
        }
        if self.settings.as_ref().is_some_and(|old| old.url_fingerprint != settings.url_fingerprint) {
            self.standing = Standing::Untested;
        }
        self.queue.configure(settings.ordering, self.in_flight.iter().map(|running| running.group));
        self.rate.configure(settings.rate_limit);
        self.breaker.configure(settings.circuit_breaker.as_ref(), settings.concurrency);
        self.parked = false;
        self.settings = Some(settings);
        self.memory() != before
    }

    /// What of it is to be remembered at once when it changes.
    pub fn memory(&self) -> (Option<Identity>, Option<Exhausted>) {
        (self.gone, self.exhausted)
    }

    /// A delivery of this endpoint has used up its retries, or its time.
    pub fn exhaust(&mut self, of: Identity) {
        if let Some(settings) = self.settings.as_ref().filter(|settings| settings.identity() == of) {
            self.exhausted = Exhausted::by(settings.on_exhausted, of);
        }
    }

    /// Adds a delivery that has had no attempt. Must be called in order of acceptance.
    pub fn push_fresh(&mut self, seq: Seq, accepted_ms: i64, group: u16) {
        let accepted_s = in_seconds(accepted_ms);
        self.queue.push(Waiting { due_ms: accepted_ms, seq, accepted_s, attempts: 0, group });
    }

    /// Adds a delivery that has had attempts before this process began.
    pub fn push_tried(&mut self, pending: &Pending) {
        let Pending { seq, attempts, accepted_ms, due_ms, group, .. } = *pending;
        let (accepted_s, attempts) = (in_seconds(accepted_ms), counted(attempts));
        self.queue.push(Waiting { due_ms, seq, accepted_s, attempts, group });
    }

    /// Takes a delivery back whose attempt failed.
    pub fn take_back(&mut self, running: Running, due_ms: i64) {
        let Running { seq, attempt, group, accepted_s, .. } = running;
        self.queue.push(Waiting { due_ms, seq, accepted_s, attempts: counted(attempt), group });
    }

    /// Adds a delivery that was asked for again, outside of any ordering. Its age counts from now on, not from when the
    /// event was accepted, which may be long ago.
    pub fn push_again(&mut self, seq: Seq, attempts: u32, due_ms: i64) {
        let (accepted_s, attempts) = (in_seconds(due_ms), counted(attempts));
        self.queue.push(Waiting { due_ms, seq, accepted_s, attempts, group: OUTSIDE });
    }

    /// Takes out those that wait among the given events, which must be in ascending order.
    pub fn take(&mut self, seqs: &[Seq]) -> Vec<Waiting> {
        self.queue.take(seqs)
    }

    /// Forgets all that waits.
    pub fn clear(&mut self) {
        self.queue.clear();
    }

    /// Neither suspended nor parked, stopped or dropped.
    pub fn may_deliver(&self) -> bool {
        let suspended = self.settings.as_ref().is_none_or(|settings| settings.suspend);
        let stopped = self.gone.is_some() || matches!(self.exhausted, Some(Exhausted::Stopped(_)));
        !suspended && !self.parked && !stopped && !self.dropped
    }

    /// How long after it was accepted a delivery is given up. Of an endpoint that has not been in a configuration since
    /// the process began, its own setting is not known.
    pub fn max_age_ms(&self) -> u64 {
        self.settings.as_ref().map_or(defaults::MAX_AGE_MS, |settings| settings.retry.max_age_ms)
    }

    /// From when on a delivery that was accepted in that second is given up.
    pub fn expires_ms(&self, accepted_s: u32) -> i64 {
        let max_age_ms = i64::try_from(self.max_age_ms()).unwrap_or(i64::MAX);
        (i64::from(accepted_s) * 1_000).saturating_add(max_age_ms)
    }

    /// When [`Self::give_up`] is wanted; `None` when nothing waits.
    pub fn looks_for_old_at_ms(&self) -> Option<i64> {
        self.queue.oldest_s().map(|oldest_s| self.expires_ms(oldest_s))
    }

    /// Takes out up to `most` of the deliveries that have waited for too long, oldest first. What is in flight may end.
    pub fn give_up(&mut self, now_ms: i64, most: usize) -> Vec<Waiting> {
        let max_age_ms = i64::try_from(self.max_age_ms()).unwrap_or(i64::MAX);
        let until_s = now_ms.saturating_sub(max_age_ms).div_euclid(1_000).max(0);
        self.queue.take_expired(u32::try_from(until_s).unwrap_or(u32::MAX), most)
    }

    /// When the next attempt could start. Nothing starts before what is too old has been looked for.
    pub fn readiness(&self, now_ms: i64) -> Readiness {
        let concurrency = self.settings.as_ref().map_or(0, |settings| settings.concurrency as usize);
        let concurrency = concurrency.min(self.standing.most_at_once());
        if !self.may_deliver() || self.in_flight.len() >= concurrency || !self.breaker.permits(self.in_flight.len()) {
            return Readiness::Blocked;
        }
        if self.looks_for_old_at_ms().is_some_and(|at_ms| at_ms <= now_ms) {
            return Readiness::Blocked;
        }
        let Some(due_ms) = self.next_due_ms() else { return Readiness::Blocked };
        if due_ms <= now_ms { Readiness::Now } else { Readiness::At(due_ms) }
    }

    /// When the next delivery is due, pauses included; 0 when one waits only for its turn.
    pub fn next_due_ms(&self) -> Option<i64> {
        let due_ms = self.queue.next_due_ms()?;
        Some(due_ms.max(self.throttle.until_ms()).max(self.breaker.until_ms()).max(self.rate.until_ms()))
    }

    /// Takes the delivery that is to be attempted now.
    pub fn start(&mut self, now_ms: i64) -> Option<Running> {
        let of = self.settings.as_ref()?.identity();
        let Waiting { seq, accepted_s, attempts, group, .. } = self.queue.pop(now_ms)?;
        let probe = self.breaker.started();
        let attempt = u32::from(attempts) + 1;
        let running = Running { seq, attempt, of, group, accepted_s, started_ms: now_ms, probe };
        self.rate.started(now_ms);
        self.in_flight.push(running);
        Some(running)
    }

    /// An attempt has ended. `None` when it was not in flight.
    pub fn finish(&mut self, seq: Seq) -> Option<Running> {
        let index = self.in_flight.iter().position(|running| running.seq == seq)?;
        let running = self.in_flight.swap_remove(index);
        self.queue.ended(running.group);
        Some(running)
    }

    /// What an attempt that has ended says about the receiver. One that began before an edit says nothing about the
    /// receiver of now.
    pub fn learn(&mut self, running: Running, sign: Sign, now_ms: i64) {
        let Some(settings) = self.settings.as_ref().filter(|settings| settings.identity() == running.of) else {
            return;
        };
        let breaker = settings.circuit_breaker.as_ref();
        self.breaker.finished(breaker, settings.concurrency, running.probe, sign, now_ms);
    }

    /// What is to be kept of it.
    pub fn memo(&self, now_ms: i64) -> Memo {
        Memo { gone: self.gone, exhausted: self.exhausted, used: self.rate.used(now_ms), used_until_ms: now_ms }
    }

    /// Attempts in flight.
    pub fn in_flight(&self) -> usize {
        self.in_flight.len()
    }

    /// Deliveries that wait.
    pub fn waiting(&self) -> usize {
        self.queue.len()
    }

    /// Whether the attempt that started then is in flight.
    pub fn is_in_flight(&self, seq: Seq, started_ms: i64) -> bool {
        self.in_flight.iter().any(|running| running.seq == seq && running.started_ms == started_ms)
    }

    /// Deliveries that are not finished, those in flight included.
    pub fn pending(&self) -> usize {
        self.queue.len() + self.in_flight.len()
    }
}

/// Attempts as they are kept: a schedule has at most a hundred.
fn counted(attempts: u32) -> u16 {
    u16::try_from(attempts).unwrap_or(u16::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schedule::testing::settings;

    fn lane() -> Lane {
        let mut lane = Lane::parked();
        lane.configure(settings());
        lane
    }

    #[test]
    fn nothing_starts_while_suspended_parked_gone_or_paused_and_nothing_is_lost() {
        let blocks: [fn(&mut Lane); 3] = [
            |lane| assert!(!lane.configure(LaneSettings { suspend: true, ..settings() })),
            |lane| lane.parked = true,
            |lane| lane.gone = Some(Identity { generation: 1, url_fingerprint: 1 }),
        ];
        for block in blocks {
            let mut lane = lane();
            lane.push_fresh(1, 0, 0);
            block(&mut lane);
            assert_eq!(lane.readiness(i64::MAX), Readiness::Blocked);
            assert_eq!(lane.pending(), 1);
        }
        let mut lane = lane();
        lane.push_fresh(1, 0, 0);
        lane.throttle.overloaded(0, 0);
        assert_eq!(lane.readiness(999), Readiness::At(1_000));
        assert_eq!(lane.readiness(1_000), Readiness::Now);
    }

    #[test]
    fn a_gone_endpoint_returns_with_a_new_generation_or_url_or_when_suspend_is_toggled() {
        let gone = Identity { generation: 1, url_fingerprint: 1 };
        let cases = [
            (settings(), false),
            (LaneSettings { generation: 2, ..settings() }, true),
            (LaneSettings { url_fingerprint: 2, ..settings() }, true),
            (LaneSettings { suspend: true, ..settings() }, true),
            (LaneSettings { concurrency: 2, ..settings() }, false),
        ];
        for (new, returns) in cases {
            let mut lane = lane();
            lane.gone = Some(gone);
            assert_eq!(lane.configure(new.clone()), returns, "{new:?}");
            assert_eq!(lane.gone.is_none(), returns);
        }
    }

    #[test]
    fn a_pause_ends_with_an_edit() {
        let mut lane = lane();
        lane.push_fresh(1, 0, 0);
        lane.throttle.overloaded(0, 18_000_000);
        lane.configure(settings());
        assert!(matches!(lane.readiness(1), Readiness::At(_)));
        lane.configure(LaneSettings { generation: 2, ..settings() });
        assert_eq!(lane.readiness(1), Readiness::Now);
    }
}
