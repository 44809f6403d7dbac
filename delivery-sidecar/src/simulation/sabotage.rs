//! Defects that are built in on purpose, each at a seam between parts of the simulation, to show that the checks see them.
//! The engine and the journal themselves are never changed.

use posthaste_delivery_config::DeliveryOrdering;
use posthaste_journal::Pending;

use crate::{
    ingest::{AcceptError, Kept},
    schedule::{Effect, Settings},
    send::{FailureClass, Verdict},
};

/// A defect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sabotage {
    /// The disk says of some syncs that they worked, and has not made them.
    SyncDropped,
    /// The journal's recovery cuts off what was synced.
    RecoveryCutsTooMuch,
    /// After a restart the engine is not told of the last pending delivery.
    RecoveredDeliverySkipped,
    /// After a restart the engine is not told how often deliveries were attempted.
    RecoveredAttemptsForgotten,
    /// What could not be synced is acknowledged.
    FailureAcknowledged,
    /// Endpoints get all events, whatever they ask for.
    FilterIgnored,
    /// `concurrency` is not respected.
    ConcurrencyIgnored,
    /// `limits.inFlight` is not respected.
    InFlightIgnored,
    /// `rateLimit` is not respected.
    RateIgnored,
    /// `ordering` is not respected.
    OrderingIgnored,
    /// The circuit never opens.
    CircuitIgnored,
    /// `suspend` is not respected.
    SuspensionIgnored,
    /// Deliveries are attempted again after half of their delay.
    RetryTooEarly,
    /// There is one attempt more than the schedule has.
    AttemptTooMany,
    /// `Retry-After` is not respected.
    RetryAfterIgnored,
    /// 429 and 503 are failures like others.
    ThrottleIgnored,
    /// 410 is a failure like others.
    GoneIgnored,
    /// Some outcomes are not recorded.
    OutcomeLost,
    /// Some attempts are made twice.
    AttemptDoubled,
    /// Some attempts are never made.
    AttemptLost,
    /// Nobody tells the engine that time has passed.
    WakeUpLost,
    /// The engine is not told of some events that were accepted.
    EventLost,
    /// Deliveries of deleted endpoints go on.
    DeletionIgnored,
}

impl Sabotage {
    /// What the engine is told of a configuration.
    pub fn settings(self, settings: &mut Settings) {
        match self {
            Self::InFlightIgnored => settings.in_flight = 1_000,
            Self::DeletionIgnored => settings.dropped.clear(),
            _ => {}
        }
        for (_, lane) in &mut settings.lanes {
            match self {
                Self::ConcurrencyIgnored => lane.concurrency += 2,
                Self::RateIgnored => lane.rate_limit = None,
                Self::OrderingIgnored => lane.ordering = DeliveryOrdering::None,
                Self::CircuitIgnored => lane.circuit_breaker = None,
                Self::SuspensionIgnored => lane.suspend = false,
                Self::RetryTooEarly => lane.retry.schedule_ms.iter_mut().for_each(|delay| *delay /= 2),
                Self::AttemptTooMany => lane.retry.schedule_ms.push(60_000),
                _ => {}
            }
        }
    }

    /// What the engine is told of an attempt.
    pub fn verdict(self, verdict: &mut Verdict) {
        let Verdict::Failed { retry_after, class, .. } = verdict else { return };
        match self {
            Self::RetryAfterIgnored => *retry_after = None,
            Self::ThrottleIgnored if *class == FailureClass::Throttle => *class = FailureClass::Retry,
            Self::GoneIgnored if *class == FailureClass::Gone => *class = FailureClass::Retry,
            _ => {}
        }
    }

    /// What the engine is told of the journal.
    pub fn recovered(self, pending: &mut Vec<Pending>) {
        match self {
            Self::RecoveredDeliverySkipped => drop(pending.pop()),
            Self::RecoveredAttemptsForgotten => {
                for pending in pending {
                    (pending.attempts, pending.due_ms) = (0, 0);
                }
            }
            _ => {}
        }
    }

    /// What the producer is told.
    pub fn answer(self, answer: Result<Vec<Kept>, AcceptError>, events: usize) -> Result<Vec<Kept>, AcceptError> {
        match answer {
            Err(_) if self == Self::FailureAcknowledged => Ok(vec![Kept::New { deliveries: 0 }; events]),
            answer => answer,
        }
    }

    /// How often an effect happens. `count` is how many there were before.
    pub fn times(self, effect: &Effect, count: u64) -> usize {
        match (self, effect) {
            (Self::OutcomeLost, Effect::Record(_)) | (Self::AttemptLost, Effect::Start(_)) if count % 8 == 7 => 0,
            (Self::AttemptDoubled, Effect::Start(_)) if count % 8 == 7 => 2,
            _ => 1,
        }
    }
}
