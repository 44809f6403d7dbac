//! What the engine knows and the reporter shows. Plain data: the engine overwrites an endpoint's view, the latest wins.

use std::sync::Arc;

use posthaste_crds::conditions::accepting_events;
use posthaste_journal::EndpointStats;

use super::totals::Totals;
use crate::schedule::{Circuit, Exhausted};

/// One endpoint as it is to be shown.
#[derive(Clone, Debug, PartialEq)]
pub struct EndpointView {
    /// Its identity; the key of the latest-wins map.
    pub uid: Arc<str>,
    /// Its name.
    pub name: Arc<str>,
    /// The generation that is loaded.
    pub generation: i64,
    /// Revision of this endpoint's own configuration that is loaded. It is displayed, so a revision that changes with
    /// other endpoints' configuration makes every change of one a write to all.
    pub revision: Arc<str>,
    /// Why the loaded configuration of this endpoint cannot run, if it cannot.
    pub config_error: Option<String>,
    /// What may be shown of its URL.
    pub display_url: Option<String>,
    /// New events are matched.
    pub enabled: bool,
    /// Deliveries wait (its own `suspend` or its Webhook's).
    pub suspended: bool,
    /// It answered 410 and its spec has not changed since.
    pub gone: bool,
    /// A delivery to it was given up, and its settings say that this matters.
    pub exhausted: Option<Exhausted>,
    /// Whether attempts are made.
    pub circuit: Circuit,
    /// Ids of the keys that sign now.
    pub active_key_ids: Vec<String>,
    /// Counts.
    pub stats: EndpointStats,
    /// Deliveries that are not finished.
    pub pending: u64,
    /// When the oldest of them was accepted, in milliseconds since the epoch.
    pub oldest_pending_ms: Option<i64>,
    /// When the next attempt is due, if one waits.
    pub next_attempt_ms: Option<i64>,
}

/// The Webhook as it is to be shown. Counts over endpoints are made by the reporter from the endpoints' views and `others`.
#[derive(Clone, Debug, PartialEq)]
pub struct WebhookView {
    /// The generation that is loaded.
    pub generation: i64,
    /// Revision of the configuration that is loaded.
    pub revision: Arc<str>,
    /// Why the newest configuration could not be loaded, if it could not; the one before still runs.
    pub config_error: Option<String>,
    /// Whether events are taken in.
    pub intake: IntakeState,
    /// The counts of endpoints that have no view: those that do not run now, and those that were deleted.
    pub others: Totals,
    /// When the oldest unfinished delivery of those was accepted, in milliseconds since the epoch.
    pub others_oldest_pending_ms: Option<i64>,
}

/// Whether events are taken in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum IntakeState {
    /// They are.
    #[default]
    Accepting,
    /// The journal has no space left.
    JournalFull,
    /// The journal's disk fails.
    JournalFailing,
}

impl IntakeState {
    /// The reason of condition `AcceptingEvents`.
    pub fn reason(self) -> &'static str {
        match self {
            Self::Accepting => accepting_events::ACCEPTING,
            Self::JournalFull => accepting_events::JOURNAL_FULL,
            Self::JournalFailing => accepting_events::JOURNAL_FAILING,
        }
    }

    /// What a person should know and can do. Without numbers, which would change all the time.
    pub fn message(self) -> &'static str {
        match self {
            Self::Accepting => "Events are taken in.",
            Self::JournalFull => {
                "Events are answered 503, because the journal or its volume is full. They are taken in again by \
                 themselves when receivers have caught up, or journal.maxBytes and the volume have been made larger."
            }
            Self::JournalFailing => {
                "Events are answered 503, because the journal cannot be written; the log of the delivery pod says why. \
                 It is tried again every second."
            }
        }
    }
}
