//! What goes into the engine and what comes out.

use std::sync::Arc;

use bytes::Bytes;
use posthaste_journal::{Ordinal, Outcome, Seq};

use super::{breaker::Circuit, exhausted::Exhausted, lane::LaneSettings};
use crate::{event::Event, send::Verdict};

/// What does not change while the engine runs.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Most bytes of events that are kept in memory for their first attempts.
    pub cache_bytes: usize,
    /// Seed of the jitter.
    pub seed: u64,
}

/// What the engine needs to know of a configuration.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// Most attempts in flight over all endpoints; 0 counts as 1.
    pub in_flight: u32,
    /// Deliveries of all endpoints wait.
    pub suspend: bool,
    /// The endpoints that run. Those that are missing keep their deliveries and wait.
    pub lanes: Vec<(Ordinal, LaneSettings)>,
    /// Endpoints that were deleted: their deliveries are forgotten.
    pub dropped: Vec<Ordinal>,
}

/// What happens to the engine.
#[derive(Clone, Debug)]
pub enum Input {
    /// An event was synced. Events come in order of `seq`.
    Committed {
        /// Its number.
        seq: Seq,
        /// When it was accepted.
        accepted_ms: i64,
        /// The endpoints that it is for.
        deliveries: Vec<Ordinal>,
        /// The group of its subject; 0 without one.
        group: u16,
        /// It, if it is at hand.
        event: Option<Arc<Event>>,
    },
    /// An attempt ended.
    Finished {
        /// The endpoint.
        ordinal: Ordinal,
        /// The event.
        seq: Seq,
        /// When it ended.
        ended_ms: i64,
        /// What came of it.
        verdict: Verdict,
    },
    /// Finished deliveries of an endpoint are pending again: they are attempted now, outside of its ordering.
    Redelivered {
        /// The endpoint.
        ordinal: Ordinal,
        /// The events.
        events: Vec<Seq>,
    },
    /// An endpoint has more pending than the journal keeps for one: these, in order of acceptance, are given up, except
    /// those in flight.
    Overflow {
        /// The endpoint.
        ordinal: Ordinal,
        /// The events.
        oldest: Vec<Seq>,
    },
    /// A configuration was loaded.
    Configure(Settings),
    /// Time has passed.
    Tick,
    /// No attempt is to start any more.
    Drain,
}

/// What is to be done.
#[derive(Clone, Debug)]
pub enum Effect {
    /// Make an attempt and hand back [`Input::Finished`].
    Start(Start),
    /// Write an outcome to the journal.
    Record(Outcome),
    /// Write an endpoint's memo to the journal; empty when there is nothing to remember.
    Remember {
        /// The endpoint.
        ordinal: Ordinal,
        /// The memo.
        memo: Bytes,
    },
    /// What [`Engine::view`](super::Engine::view) says of an endpoint has changed. Said once until the view is taken.
    Changed(Ordinal),
}

/// An attempt to make.
#[derive(Clone, Debug)]
pub struct Start {
    /// The endpoint.
    pub ordinal: Ordinal,
    /// The event.
    pub seq: Seq,
    /// Number of the attempt, from 1.
    pub attempt: u32,
    /// The event, if it is at hand; otherwise it is in the journal.
    pub event: Option<Arc<Event>>,
}

/// What the engine knows of an endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LaneView {
    /// It answered 410 and has not changed since.
    pub gone: bool,
    /// A delivery to it was given up, and its settings say that this matters.
    pub exhausted: Option<Exhausted>,
    /// Whether attempts are made.
    pub circuit: Circuit,
    /// It is in the current configuration.
    pub configured: bool,
    /// Deliveries that are not finished.
    pub pending: u64,
    /// When the next attempt may start, pauses and limits included; `None` when none waits for a time.
    pub next_attempt_ms: Option<i64>,
}
