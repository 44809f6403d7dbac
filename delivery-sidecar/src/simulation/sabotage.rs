//! Defects that are built in on purpose, each at a seam between parts of the simulation, to show that the checks see them.
//! The engine and the journal themselves are never changed.

use bytes::Bytes;
use posthaste_delivery_config::{DeliveryOrdering, OnExhausted};
use posthaste_journal::{EndpointRecord, Pending, Seq, Space};

use crate::{
    ingest::{AcceptError, Kept},
    run::{Mode, Replay},
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
    /// `retry.maxAge` is not respected.
    MaxAgeIgnored,
    /// Deliveries are given up at half of their `retry.maxAge`.
    MaxAgeHalved,
    /// `onExhausted` is not respected.
    OnExhaustedIgnored,
    /// `onExhausted: Disable` only marks.
    DisableMarks,
    /// After a restart the engine is not told what it remembered.
    RecoveredMemosForgotten,
    /// Of several memos that wait, the first is written instead of the latest.
    FirstMemoWritten,
    /// The journal takes more than `journal.maxBytes`.
    MaxBytesIgnored,
    /// The journal takes less than `journal.maxBytes`.
    SpaceWithheld,
    /// What was full stays so.
    FullForGood,
    /// `journal.maxBytesPerEndpoint` is not respected.
    OverflowIgnored,
    /// Deliveries are given up at half of `journal.maxBytesPerEndpoint`.
    OverflowTooEarly,
    /// Others than the oldest are given up.
    OldestKept,
    /// `deadLetter.maxBytes` is not respected.
    DeadLettersNotCounted,
    /// `deadLetter.retention` is not respected.
    DeadLettersKept,
    /// Dead letters are removed at half of `deadLetter.maxBytes`.
    DeadLettersCrowdedOut,
    /// Dead letters are removed at half of `deadLetter.retention`.
    DeadLettersForgotten,
    /// The engine is not told of the last delivery of each step of a replay.
    RedeliveryLost,
    /// A replay sends all that is kept, whatever was asked for.
    ReplayOfAll,
    /// A replay leaves out what is older than two seconds.
    ReplayCut,
    /// After a restart the engine does not know that a delivery was asked for again.
    RecoveredRedeliveryInOrder,
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
                Self::MaxAgeIgnored => lane.retry.max_age_ms = 360_000_000,
                Self::MaxAgeHalved => lane.retry.max_age_ms /= 2,
                Self::OnExhaustedIgnored => lane.on_exhausted = OnExhausted::Continue,
                Self::DisableMarks if lane.on_exhausted == OnExhausted::Disable => {
                    lane.on_exhausted = OnExhausted::MarkFailing;
                }
                _ => {}
            }
        }
    }

    /// What the journal may use.
    pub fn space(self, space: &mut Space) {
        match self {
            Self::MaxBytesIgnored => space.max_bytes *= 2,
            Self::SpaceWithheld => space.max_bytes /= 16,
            Self::OverflowIgnored => space.max_bytes_per_endpoint = u64::MAX,
            Self::OverflowTooEarly => space.max_bytes_per_endpoint /= 2,
            Self::DeadLettersNotCounted => space.dead_letter_max_bytes = u64::MAX,
            Self::DeadLettersKept => space.dead_letter_retention_ms = i64::MAX,
            Self::DeadLettersCrowdedOut => space.dead_letter_max_bytes /= 2,
            Self::DeadLettersForgotten => space.dead_letter_retention_ms /= 2,
            _ => {}
        }
    }

    /// What the engine is told to give up because there is too much of it.
    pub fn overflow(self, oldest: &mut Vec<Seq>) {
        if self == Self::OldestKept {
            oldest.remove(0);
        }
    }

    /// What is asked for again.
    pub fn replay(self, replay: &mut Replay, now_ms: i64) {
        match self {
            Self::ReplayOfAll => replay.mode = Mode::All,
            Self::ReplayCut => replay.since_ms = Some(now_ms - 2_000),
            _ => {}
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
    pub fn recovered(self, endpoints: &mut [EndpointRecord], pending: &mut Vec<Pending>) {
        match self {
            Self::RecoveredDeliverySkipped => drop(pending.pop()),
            Self::RecoveredAttemptsForgotten => {
                for pending in pending {
                    (pending.attempts, pending.due_ms) = (0, 0);
                }
            }
            Self::RecoveredMemosForgotten => {
                for endpoint in endpoints {
                    endpoint.memo = Bytes::new();
                }
            }
            Self::RecoveredRedeliveryInOrder => {
                for pending in pending {
                    pending.redelivered = false;
                }
            }
            _ => {}
        }
    }

    /// What the producer is told. `was_full` tells whether one was refused for want of space before.
    pub fn answer(
        self,
        answer: Result<Vec<Kept>, AcceptError>,
        events: usize,
        was_full: bool,
    ) -> Result<Vec<Kept>, AcceptError> {
        match answer {
            _ if self == Self::FullForGood && was_full => Err(AcceptError::Full),
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
