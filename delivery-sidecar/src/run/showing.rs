//! Hands views of endpoints to the reporter: not after each outcome, but some time after the first one, and not before
//! the outcomes that they are to show are synced, because counts come from the journal.

use std::{
    collections::{BTreeSet, HashMap, HashSet},
    sync::Arc,
    time::Duration,
};

use posthaste_journal::{Error, Journal, Ordinal};
use tokio::time::Instant;

use super::{clock::now_ms, views::endpoint_view};
use crate::{
    config::Snapshot,
    report::{Board, IntakeState, WebhookView, totals::Totals},
    schedule::Engine,
};

/// From a change to its view.
const DELAY: Duration = Duration::from_millis(100);
/// Outcomes that could not be synced are tried again after this time.
const AGAIN: Duration = Duration::from_secs(1);
/// Most views that are handed over at once, which takes a fraction of a millisecond, so that deliveries do not wait behind
/// ten thousand of them;
const AT_ONCE: usize = 64;
/// and from there to the next.
const PAUSE: Duration = Duration::from_millis(5);

/// See the module.
pub struct Showing {
    board: Arc<Board>,
    journal: Journal,
    /// Endpoints whose view has changed.
    changed: HashSet<Ordinal>,
    /// Those of them whose views are to be handed over next.
    next: HashSet<Ordinal>,
    /// Whether the outcomes behind `next` are synced.
    synced: bool,
    /// When to go on.
    at: Option<Instant>,
    /// UIDs of the endpoints that are on the board.
    shown: HashSet<Arc<str>>,
    /// Whether events are taken in.
    intake: IntakeState,
    /// Why a newer configuration cannot be used.
    config_error: Option<String>,
    /// Endpoints that the journal knows and that are not on the board.
    hidden: HashMap<Ordinal, Hidden>,
}

/// What is known of an endpoint that is not on the board.
#[derive(Clone, Copy, PartialEq)]
struct Hidden {
    counts: Totals,
    oldest_pending_ms: Option<i64>,
}

impl Showing {
    /// Nothing shown yet.
    pub fn new(board: Arc<Board>, journal: Journal) -> Self {
        Self {
            board,
            journal,
            changed: HashSet::new(),
            next: HashSet::new(),
            synced: true,
            at: None,
            shown: HashSet::new(),
            intake: IntakeState::Accepting,
            config_error: None,
            hidden: HashMap::new(),
        }
    }

    /// An endpoint's view has changed.
    pub fn changed(&mut self, ordinal: Ordinal) {
        self.changed.insert(ordinal);
        self.at.get_or_insert_with(|| Instant::now() + DELAY);
    }

    /// Another configuration is in force: all views change, and those of endpoints that it does not run go.
    pub fn configured(&mut self, snapshot: &Snapshot) {
        self.config_error = None;
        let running = snapshot.entries().filter(|entry| !entry.parked);
        let running: HashSet<Arc<str>> = running.map(|entry| Arc::clone(&entry.loaded.uid)).collect();
        for uid in self.shown.difference(&running) {
            self.board.remove_endpoint(uid);
        }
        self.shown = running;
        let hidden = self.journal.endpoints().into_iter().filter(|ordinal| !is_shown(snapshot, *ordinal));
        self.hidden = hidden.filter_map(|ordinal| Some((ordinal, Hidden::of(&self.journal, ordinal)?))).collect();
        self.webhook(snapshot);
        self.all_changed(snapshot);
    }

    /// A newer configuration than `snapshot` cannot be used.
    pub fn refused(&mut self, snapshot: &Snapshot, error: String) {
        self.config_error = Some(error);
        self.webhook(snapshot);
    }

    /// Events are taken in, or not.
    pub fn intake(&mut self, snapshot: &Snapshot, intake: IntakeState) {
        if std::mem::replace(&mut self.intake, intake) != intake {
            self.webhook(snapshot);
        }
    }

    fn webhook(&self, snapshot: &Snapshot) {
        self.board.webhook(WebhookView {
            generation: snapshot.webhook.generation,
            revision: Arc::clone(&snapshot.revision),
            config_error: self.config_error.clone(),
            intake: self.intake,
            others: self.others(),
            others_oldest_pending_ms: self.hidden.values().filter_map(|hidden| hidden.oldest_pending_ms).min(),
        });
    }

    /// The counts of all that is not on the board.
    fn others(&self) -> Totals {
        let deleted = Totals::counts(&self.journal.stats_of_dropped(), 0);
        self.hidden.values().fold(deleted, |sum, hidden| sum.plus(&hidden.counts))
    }

    /// All views have changed.
    pub fn all_changed(&mut self, snapshot: &Snapshot) {
        for entry in snapshot.entries() {
            self.changed(entry.ordinal);
        }
    }

    /// When [`Self::go_on`] is wanted.
    pub fn at(&self) -> Option<Instant> {
        self.at
    }

    /// Hands over what is synced. True when the journal is to be flushed next, and [`Self::flushed`] to be told.
    pub fn go_on(&mut self, engine: &mut Engine, snapshot: &Snapshot) -> bool {
        self.at = None;
        if !self.synced {
            return false;
        }
        self.hand_over(AT_ONCE, engine, snapshot);
        if !self.next.is_empty() {
            self.at = Some(Instant::now() + PAUSE);
            return false;
        }
        self.next = std::mem::take(&mut self.changed);
        self.synced = self.next.is_empty();
        !self.synced
    }

    /// The journal was flushed, or could not be.
    pub fn flushed(&mut self, result: &Result<(), Error>) {
        self.synced = true;
        let delay = if result.is_ok() {
            Duration::ZERO
        } else {
            self.changed.extend(self.next.drain());
            AGAIN
        };
        self.at = Some(Instant::now() + delay);
    }

    /// Hands over everything. To be called only when all outcomes are synced.
    pub fn finish(&mut self, engine: &mut Engine, snapshot: &Snapshot) {
        self.next.extend(self.changed.drain());
        self.hand_over(usize::MAX, engine, snapshot);
        self.at = None;
    }

    fn hand_over(&mut self, most: usize, engine: &mut Engine, snapshot: &Snapshot) {
        let some: BTreeSet<Ordinal> = self.next.iter().copied().take(most).collect();
        let mut others_changed = false;
        for ordinal in some {
            self.next.remove(&ordinal);
            let lane = engine.view(ordinal, now_ms());
            let Some(entry) = snapshot.by_ordinal(ordinal).filter(|entry| !entry.parked) else {
                if let Some(hidden) = Hidden::of(&self.journal, ordinal) {
                    others_changed |= self.hidden.insert(ordinal, hidden) != Some(hidden);
                }
                continue;
            };
            let stats = self.journal.stats(ordinal).unwrap_or_default();
            let oldest = self.journal.oldest_pending_ms(ordinal);
            self.board.endpoint(endpoint_view(snapshot, entry, lane, stats, oldest, now_ms()));
        }
        if others_changed {
            self.webhook(snapshot);
        }
    }
}

fn is_shown(snapshot: &Snapshot, ordinal: Ordinal) -> bool {
    snapshot.by_ordinal(ordinal).is_some_and(|entry| !entry.parked)
}

impl Hidden {
    /// `None` when the journal does not know the endpoint.
    fn of(journal: &Journal, ordinal: Ordinal) -> Option<Self> {
        let counts = Totals::counts(&journal.stats(ordinal)?, journal.pending(ordinal));
        Some(Self { counts, oldest_pending_ms: journal.oldest_pending_ms(ordinal) })
    }
}
