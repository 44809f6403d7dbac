//! The metrics and their names. Changed only by the structs in [`super::events`] and the gauges' setters here.

use std::{
    fmt,
    ops::Deref,
    sync::{Arc, atomic::AtomicU64},
};

use posthaste_crds::conditions::healthy;
use posthaste_expressions::ErrorKind;
use posthaste_journal::{Removed, Usage};
use prometheus_client::{
    encoding::text,
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram, info::Info},
    registry::{Registry, Unit},
};

use super::labels::{
    Action, ByAction, ByKind, ByProblem, ByReason, ByResult, ByState, ByStatus, EventResult, FinalState, LoadResult,
    OTHER, RemovalReason, ReviewResult, SUCCEEDED, StatusClass,
};
use crate::ingest::problem::Kind;

type Histograms<L> = Family<L, Histogram, fn() -> Histogram>;

/// Upper bounds of the durations at ingest, in seconds: a sync of the journal is a fraction of a millisecond, and a
/// request may wait for memory for seconds.
const INGEST_SECONDS: [f64; 13] = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0];
/// Upper bounds of an attempt's duration, in seconds.
const ATTEMPT_SECONDS: [f64; 12] = [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 15.0, 30.0];

/// All metrics of the process. Cheap to clone, as each attempt and each request does; clones share their values.
#[derive(Clone)]
pub struct Metrics(Arc<Series>);

/// What [`Metrics`] share.
pub struct Series {
    registry: Registry,
    pub(super) events: Family<ByResult<EventResult>, Counter>,
    pub(super) deliveries_created: Counter,
    pub(super) filter_errors: Family<ByKind, Counter>,
    pub(super) problems: Family<ByProblem, Counter>,
    pub(super) request_seconds: Histograms<ByStatus>,
    body_bytes: Gauge,
    pub(super) reviews: Family<ByResult<ReviewResult>, Counter>,
    pub(super) review_cache_hits: Counter,
    pub(super) attempts: Family<ByResult<&'static str>, Counter>,
    pub(super) attempt_seconds: Histogram,
    in_flight: Gauge,
    pub(super) deliveries: Family<ByState, Counter>,
    pub(super) overflowed: Counter,
    pending: Gauge,
    endpoints: Gauge,
    pub(super) journal_errors: Counter,
    pub(super) journal_cut_bytes: Counter,
    journal_used: Gauge<u64, AtomicU64>,
    journal_live: Gauge<u64, AtomicU64>,
    journal_max: Gauge<u64, AtomicU64>,
    journal_refusing: Gauge,
    dead_letter_bytes: Gauge<u64, AtomicU64>,
    history_bytes: Gauge<u64, AtomicU64>,
    dead_letters_removed: Family<ByReason, Counter>,
    history_left_out: Counter,
    api_requests: Family<ByAction, Counter>,
    pub(super) loads: Family<ByResult<LoadResult>, Counter>,
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metrics").finish_non_exhaustive()
    }
}

impl Deref for Metrics {
    type Target = Series;

    fn deref(&self) -> &Series {
        &self.0
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl Metrics {
    /// Every metric at zero, with all its labels, so that a rate can be taken from the first event on.
    pub fn new() -> Self {
        Self::with(|_| {})
    }

    /// The same, together with metrics that a part of the process keeps by itself. `register` gets the registry in
    /// which every name begins with `posthaste_`.
    pub fn with(register: impl FnOnce(&mut Registry)) -> Self {
        let mut registry = Registry::with_prefix("posthaste");
        registry.register(
            "build",
            "The version of this process",
            Info::new(vec![("version", env!("CARGO_PKG_VERSION"))]),
        );
        let mut series = Series {
            registry: Registry::default(),
            events: Family::default(),
            deliveries_created: Counter::default(),
            filter_errors: Family::default(),
            problems: Family::default(),
            request_seconds: Family::new_with_constructor(|| Histogram::new(INGEST_SECONDS)),
            body_bytes: Gauge::default(),
            reviews: Family::default(),
            review_cache_hits: Counter::default(),
            attempts: Family::default(),
            attempt_seconds: Histogram::new(ATTEMPT_SECONDS),
            in_flight: Gauge::default(),
            deliveries: Family::default(),
            overflowed: Counter::default(),
            pending: Gauge::default(),
            endpoints: Gauge::default(),
            journal_errors: Counter::default(),
            journal_cut_bytes: Counter::default(),
            journal_used: Gauge::default(),
            journal_live: Gauge::default(),
            journal_max: Gauge::default(),
            journal_refusing: Gauge::default(),
            dead_letter_bytes: Gauge::default(),
            history_bytes: Gauge::default(),
            dead_letters_removed: Family::default(),
            history_left_out: Counter::default(),
            api_requests: Family::default(),
            loads: Family::default(),
        };
        series.register_ingest(&mut registry);
        series.register_delivery(&mut registry);
        series.register_journal(&mut registry);
        series.register_history(&mut registry);
        series.register_configuration(&mut registry);
        register(&mut registry);
        series.registry = registry;
        series.create_all();
        Self(Arc::new(series))
    }
}

impl Series {
    fn register_ingest(&self, to: &mut Registry) {
        to.register("ingest_events", "Events that clients sent, by what became of them", self.events.clone());
        to.register(
            "ingest_deliveries",
            "Deliveries that accepted events were routed to",
            self.deliveries_created.clone(),
        );
        to.register(
            "filter_errors",
            "Endpoints that did not get an event because their filter has no value for it, by kind of mistake",
            self.filter_errors.clone(),
        );
        to.register("ingest_problems", "Requests that were refused as a whole, by problem", self.problems.clone());
        to.register_with_unit(
            "ingest_request_duration",
            "From a request's headers to its answer",
            Unit::Seconds,
            self.request_seconds.clone(),
        );
        to.register_with_unit(
            "ingest_bodies",
            "Memory reserved for requests in progress",
            Unit::Bytes,
            self.body_bytes.clone(),
        );
        to.register("auth_reviews", "Tokens reviewed by the API server, by result", self.reviews.clone());
        to.register(
            "auth_cache_hits",
            "Requests whose token needed no review, because an answer was still remembered",
            self.review_cache_hits.clone(),
        );
    }

    fn register_delivery(&self, to: &mut Registry) {
        to.register("attempts", "Delivery attempts that ended, by result", self.attempts.clone());
        to.register_with_unit(
            "attempt_duration",
            "Time of one attempt, the response's body included",
            Unit::Seconds,
            self.attempt_seconds.clone(),
        );
        to.register("attempts_in_flight", "Delivery attempts in progress", self.in_flight.clone());
        to.register("deliveries", "Deliveries that ended, by final state", self.deliveries.clone());
        to.register(
            "deliveries_overflowed",
            "Dead letters of endpoints that had more pending than they may",
            self.overflowed.clone(),
        );
        to.register("deliveries_pending", "Deliveries that have not ended", self.pending.clone());
        to.register("endpoints", "Endpoints in the configuration that runs", self.endpoints.clone());
    }

    fn register_journal(&self, to: &mut Registry) {
        to.register(
            "journal_errors",
            "Batches that were not acknowledged because the journal could not be written or synced",
            self.journal_errors.clone(),
        );
        to.register_with_unit(
            "journal_cut",
            "Torn ends of files that were cut off when the journal was opened; never anything that was synced",
            Unit::Bytes,
            self.journal_cut_bytes.clone(),
        );
        to.register_with_unit("journal_used", "Size of the journal's files", Unit::Bytes, self.journal_used.clone());
        to.register_with_unit(
            "journal_live",
            "Of the journal's files, what is still needed",
            Unit::Bytes,
            self.journal_live.clone(),
        );
        to.register_with_unit("journal_max", "Most that the journal may use", Unit::Bytes, self.journal_max.clone());
        to.register(
            "journal_refusing",
            "1 while events are refused because the journal is full or its disk fails",
            self.journal_refusing.clone(),
        );
        to.register_with_unit(
            "journal_dead_letter",
            "Contents of events that are kept for dead letters alone",
            Unit::Bytes,
            self.dead_letter_bytes.clone(),
        );
        to.register_with_unit(
            "journal_history",
            "Of the journal's files, what is finished and kept",
            Unit::Bytes,
            self.history_bytes.clone(),
        );
        to.register(
            "dead_letters_removed",
            "Dead letters that were removed because their time or space was over",
            self.dead_letters_removed.clone(),
        );
    }

    fn register_history(&self, to: &mut Registry) {
        to.register(
            "history_left_out",
            "Attempts and deliveries that the history lacks because too much waited to be written",
            self.history_left_out.clone(),
        );
        to.register(
            "api_requests",
            "Requests to the deliveries API, by what they do and their answer",
            self.api_requests.clone(),
        );
    }

    fn register_configuration(&self, to: &mut Registry) {
        to.register("configuration_loads", "Configurations that were read, by result", self.loads.clone());
    }

    fn create_all(&self) {
        fn all<T: Copy>(of: &[T], create: impl Fn(T)) {
            of.iter().copied().for_each(create);
        }
        all(EventResult::ALL, |result| drop(self.events.get_or_create(&ByResult { result })));
        all(Kind::ALL, |problem| drop(self.problems.get_or_create(&ByProblem { problem })));
        all(&ErrorKind::ALL, |kind| drop(self.filter_errors.get_or_create(&ByKind { kind: kind.as_str() })));
        all(StatusClass::ALL, |status| drop(self.request_seconds.get_or_create(&ByStatus { status })));
        all(ReviewResult::ALL, |result| drop(self.reviews.get_or_create(&ByResult { result })));
        all(FinalState::ALL, |state| drop(self.deliveries.get_or_create(&ByState { state })));
        all(RemovalReason::ALL, |reason| drop(self.dead_letters_removed.get_or_create(&ByReason { reason })));
        for action in Action::ALL.iter().copied() {
            all(StatusClass::ALL, |status| drop(self.api_requests.get_or_create(&ByAction { action, status })));
        }
        all(LoadResult::ALL, |result| drop(self.loads.get_or_create(&ByResult { result })));
        all(&[SUCCEEDED, OTHER], |result| drop(self.attempts.get_or_create(&ByResult { result })));
        all(&healthy::FAILURES, |result| drop(self.attempts.get_or_create(&ByResult { result })));
    }
}

impl Metrics {
    /// A request to the deliveries API was answered.
    pub fn api_request(&self, changes: bool, status: http::StatusCode) {
        let action = if changes { Action::Operate } else { Action::Read };
        self.api_requests.get_or_create(&ByAction { action, status: status.into() }).inc();
    }

    /// How much the history had to leave out since the process began.
    pub fn set_history_left_out(&self, total: u64) {
        let known = self.history_left_out.get();
        self.history_left_out.inc_by(total.saturating_sub(known));
    }

    /// All metrics as OpenMetrics text.
    pub fn render(&self) -> String {
        let mut text = String::new();
        // Writing to a string does not fail, and neither do the encoders of our own labels.
        text::encode(&mut text, &self.registry).expect("metrics encode into memory");
        text
    }

    /// Counts an attempt as in flight until what is returned is dropped.
    #[must_use = "the attempt counts as in flight for as long as this is kept"]
    pub fn attempt_started(&self) -> InFlight {
        InFlight::new(&self.in_flight, 1)
    }

    /// Counts bytes as reserved for request bodies until what is returned is dropped.
    pub(crate) fn body_reserved(&self, bytes: usize) -> InFlight {
        InFlight::new(&self.body_bytes, saturating(bytes as u64))
    }

    /// Sets the number of deliveries that have not ended.
    pub fn set_pending(&self, deliveries: u64) {
        self.pending.set(saturating(deliveries));
    }

    /// Sets the number of endpoints in the configuration that runs.
    pub fn set_endpoints(&self, endpoints: usize) {
        self.endpoints.set(saturating(endpoints as u64));
    }

    /// Sets what the journal uses and has removed.
    pub fn set_journal_usage(&self, usage: &Usage) {
        self.journal_used.set(usage.used);
        self.journal_live.set(usage.live);
        self.journal_max.set(usage.max);
        self.journal_refusing.set(usage.refusing.into());
        self.dead_letter_bytes.set(usage.dead_letters);
        self.history_bytes.set(usage.history);
        let Removed { too_old, too_many } = usage.removed;
        for (reason, count) in [(RemovalReason::Retention, too_old), (RemovalReason::MaxBytes, too_many)] {
            let counter = self.dead_letters_removed.get_or_create(&ByReason { reason });
            counter.inc_by(count.saturating_sub(counter.get()));
        }
    }
}

fn saturating(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

/// Something that counts in a gauge for as long as this lives.
#[derive(Debug)]
pub struct InFlight {
    gauge: Gauge,
    amount: i64,
}

impl InFlight {
    fn new(gauge: &Gauge, amount: i64) -> Self {
        gauge.inc_by(amount);
        Self { gauge: gauge.clone(), amount }
    }

    /// Takes over what another of the same gauge counts.
    pub(crate) fn merge(&mut self, mut other: Self) {
        self.amount += std::mem::take(&mut other.amount);
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.gauge.dec_by(self.amount);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_series_is_there_from_the_start() {
        let text = Metrics::new().render();
        for line in [
            r#"posthaste_ingest_events_total{result="accepted"} 0"#,
            r#"posthaste_filter_errors_total{kind="missing"} 0"#,
            r#"posthaste_ingest_problems_total{problem="rate-limited"} 0"#,
            r#"posthaste_ingest_request_duration_seconds_count{status="5xx"} 0"#,
            r#"posthaste_auth_reviews_total{result="forbidden"} 0"#,
            r#"posthaste_attempts_total{result="Succeeded"} 0"#,
            r#"posthaste_attempts_total{result="DNSError"} 0"#,
            r#"posthaste_deliveries_total{state="deadLettered"} 0"#,
            r#"posthaste_configuration_loads_total{result="refused"} 0"#,
            "posthaste_journal_used_bytes 0",
            "posthaste_journal_cut_bytes_total 0",
            "# EOF",
        ] {
            assert!(text.lines().any(|l| l == line), "{line} is missing in\n{text}");
        }
    }

    #[test]
    fn parts_of_the_process_can_add_their_own() {
        let metrics = Metrics::with(|registry| registry.register("own", "One more", Gauge::<i64>::default()));
        assert!(metrics.render().contains("posthaste_own 0\n"));
    }

    #[test]
    fn an_attempt_is_in_flight_until_its_guard_is_dropped() {
        let metrics = Metrics::new();
        let guards = [metrics.attempt_started(), metrics.attempt_started()];
        assert!(metrics.render().contains("posthaste_attempts_in_flight 2\n"));
        drop(guards);
        assert!(metrics.render().contains("posthaste_attempts_in_flight 0\n"));
    }

    #[test]
    fn the_journals_usage_is_shown() {
        let metrics = Metrics::new();
        for too_many in [3, 5] {
            let removed = Removed { too_old: 2, too_many };
            metrics.set_journal_usage(&Usage {
                used: 3,
                live: 2,
                max: 9,
                dead_letters: 1,
                history: 4,
                removed,
                refusing: true,
                failing: false,
            });
        }
        let text = metrics.render();
        for line in [
            "posthaste_journal_live_bytes 2\n",
            "posthaste_journal_max_bytes 9\n",
            "posthaste_journal_refusing 1\n",
            "posthaste_journal_dead_letter_bytes 1\n",
            "posthaste_journal_history_bytes 4\n",
            "posthaste_dead_letters_removed_total{reason=\"retention\"} 2\n",
            "posthaste_dead_letters_removed_total{reason=\"maxBytes\"} 5\n",
        ] {
            assert!(text.contains(line), "{line}");
        }
    }
}
