//! One endpoint as the rules see it: what is asked for, and what its receiver has said lately.

use std::time::Duration;

use posthaste_delivery_config::Endpoint;
use posthaste_journal::Seq;

use super::{circuit::Circuit, rate::Rate, state::Counts};
use crate::{
    send::{FailureClass, Verdict},
    simulation::configuration::Presence,
};

/// An attempt that takes longer makes its endpoint doubtful, while it is in flight and when it has ended.
const SLOW_MS: i64 = 1_000;
/// Pauses of an overloaded endpoint.
const FIRST_PAUSE_MS: i64 = 1_000;
const LONGEST_PAUSE_MS: i64 = 60_000;

/// The endpoint that an answer was about: after an edit it is another.
pub type Identity = (i64, String);

/// What is known of an endpoint by its last attempt.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Known {
    /// Nothing yet.
    #[default]
    Untested,
    /// Nothing yet, and its first attempt takes long.
    Silent,
    /// It succeeded, and soon.
    Good,
    /// It succeeded and took long, or one in flight does.
    Slow,
    /// It failed.
    Failing,
}

/// See the module.
#[derive(Clone, Debug, Default)]
pub struct Lane {
    /// What is asked for; of one that is parked, what was.
    pub endpoint: Option<Endpoint>,
    /// Whether it is in the configuration.
    pub presence: Presence,
    /// By its last attempt.
    pub known: Known,
    /// It answered 410.
    pub gone: Option<Identity>,
    /// What the journal remembers of that.
    pub gone_kept: Option<Identity>,
    /// Whether it does is not known, because writing it failed.
    pub gone_unsure: bool,
    /// The engine may think that it is gone.
    pub may_be_gone: bool,
    /// Its circuit.
    pub circuit: Circuit,
    /// Its rate limit.
    pub rate: Rate,
    /// Attempts in flight, and when they started.
    pub in_flight: Vec<(Seq, i64)>,
    /// Which of them take long was looked at then.
    looked_ms: i64,
    /// It is left alone until then.
    pub pause_until_ms: i64,
    pauses: u32,
}

impl Lane {
    /// It is in the configuration.
    pub fn runs(&self) -> bool {
        self.presence == Presence::Present
    }

    /// It was deleted.
    pub fn is_dropped(&self) -> bool {
        self.presence == Presence::Deleted
    }

    /// It is not in the configuration any more, or not yet.
    pub fn park(&mut self) {
        if !self.is_dropped() {
            self.presence = Presence::Parked;
        }
    }

    /// It failed, or took long.
    pub fn is_doubtful(&self) -> bool {
        matches!(self.known, Known::Silent | Known::Slow | Known::Failing)
    }

    /// It has had no attempt, or only one that has not taken long yet.
    pub fn is_untried(&self) -> bool {
        self.known == Known::Untested
    }

    /// Time has passed, before anything else happens at this time.
    pub fn time_passed(&mut self, now_ms: i64) {
        let since_ms = std::mem::replace(&mut self.looked_ms, now_ms);
        let is_late = |started_ms: &i64| (since_ms..now_ms).contains(&(started_ms + SLOW_MS - 1));
        if self.in_flight.iter().any(|(_, started_ms)| is_late(started_ms)) {
            self.known = match self.known {
                Known::Untested => Known::Silent,
                Known::Good => Known::Slow,
                known => known,
            };
        }
    }

    /// Most attempts at once.
    pub fn concurrency(&self) -> usize {
        let asked = self.endpoint.as_ref().map_or(0, |endpoint| endpoint.delivery.concurrency as usize);
        if matches!(self.known, Known::Untested | Known::Silent | Known::Failing) { asked.min(1) } else { asked }
    }

    /// The endpoint of now.
    pub fn identity(&self) -> Option<Identity> {
        self.endpoint.as_ref().map(|endpoint| (endpoint.generation, endpoint.target.url.expose().to_owned()))
    }

    /// Why nothing may start, whatever waits.
    pub fn withheld(&self) -> Option<&'static str> {
        let suspended = self.endpoint.as_ref().is_none_or(|endpoint| endpoint.suspend);
        [
            (self.is_dropped(), "deleted"),
            (!self.runs(), "parked"),
            (suspended, "suspended"),
            (self.gone.is_some(), "gone"),
        ]
        .into_iter()
        .find_map(|(holds, why)| holds.then_some(why))
    }

    /// A process has begun.
    pub fn restarted(
        &mut self,
        now_ms: i64,
        in_order: bool,
        counts: &Counts,
        known: impl Fn(&super::rate::Start) -> bool,
    ) {
        self.park();
        self.endpoint = None;
        self.in_flight.clear();
        (self.pause_until_ms, self.pauses) = (0, 0);
        self.circuit = Circuit::recovered(counts.consecutive_failures);
        self.known = match counts {
            Counts { consecutive_failures: 1.., .. } => Known::Failing,
            Counts { last_success_ms: Some(_), .. } => Known::Good,
            _ => Known::Untested,
        };
        self.may_be_gone = self.gone_unsure;
        self.gone = self.gone_kept.clone().filter(|_| !self.gone_unsure);
        self.rate.restarted(now_ms, in_order, known);
    }

    /// It is in the configuration that is in force.
    pub fn configured(&mut self, endpoint: &Endpoint, now_ms: i64) {
        let before = self.identity();
        let toggled = self.endpoint.as_ref().is_some_and(|before| before.suspend != endpoint.suspend);
        let other_url = self.endpoint.as_ref().is_some_and(|before| before.target.url != endpoint.target.url);
        self.endpoint = Some(endpoint.clone());
        self.presence = Presence::Present;
        let now = self.identity();
        if self.gone.is_some() && (toggled || self.gone != now) {
            self.gone = None;
        }
        self.may_be_gone &= before.is_none() || before == now && !toggled;
        if before.is_some() && before != now {
            (self.pause_until_ms, self.pauses) = (0, 0);
            self.circuit = Circuit::default();
        }
        if other_url {
            self.known = Known::Untested;
        }
        let policy = &endpoint.delivery;
        self.rate.configured(policy.rate_limit, now_ms);
        self.circuit.configured(policy.circuit_breaker.as_ref(), policy.concurrency);
    }

    /// A `Retry-After` as far as it is honoured.
    pub fn heard_ms(&self, asked: Option<Duration>) -> i64 {
        let most = self.endpoint.as_ref().map_or(0, |endpoint| endpoint.delivery.retry_after_max_ms);
        let asked = asked.map_or(0, |asked| asked.as_millis()).min(most.into());
        i64::try_from(asked).unwrap_or(i64::MAX)
    }

    /// An attempt has ended that took so long, and was made to `of`.
    pub fn ended(&mut self, seq: Seq, of: &Identity, elapsed_ms: i64, verdict: &Verdict, now_ms: i64) {
        self.in_flight.retain(|(other, _)| *other != seq);
        if self.is_dropped() {
            return;
        }
        let is_current = self.identity().as_ref() == Some(of);
        let succeeded = matches!(verdict, Verdict::Succeeded { .. });
        self.known = match (succeeded, elapsed_ms < SLOW_MS) {
            (false, _) => Known::Failing,
            (true, true) => Known::Good,
            (true, false) => Known::Slow,
        };
        let policy = self.endpoint.as_ref().map(|endpoint| &endpoint.delivery);
        if let Some(policy) = policy.filter(|_| is_current)
            && let Some(breaker) = &policy.circuit_breaker
        {
            if let Verdict::Failed { class: FailureClass::Permanent, .. } = verdict {
                self.circuit.not_sent(seq, now_ms);
            } else {
                self.circuit.ended(breaker, policy.concurrency, seq, succeeded, now_ms);
            }
        }
        match verdict {
            Verdict::Succeeded { .. } => self.pauses = 0,
            // What was asked before an edit does not count after it.
            Verdict::Failed { class: FailureClass::Throttle, retry_after, .. } if is_current => {
                let mut pause_ms = self.heard_ms(*retry_after);
                if now_ms >= self.pause_until_ms {
                    pause_ms = pause_ms.max((FIRST_PAUSE_MS << self.pauses.min(6)).min(LONGEST_PAUSE_MS));
                    self.pauses += 1;
                }
                self.pause_until_ms = self.pause_until_ms.max(now_ms + pause_ms);
            }
            Verdict::Failed { class: FailureClass::Gone, .. } if is_current => self.gone = Some(of.clone()),
            Verdict::Failed { .. } => {}
        }
    }
}
