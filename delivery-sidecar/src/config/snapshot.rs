//! A configuration together with the journal's numbers for its endpoints: what one moment's routing, scheduling and
//! sending are decided by. Pure; never changed, only replaced.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use posthaste_delivery_config::WebhookConfig;
use posthaste_journal::Ordinal;

use super::{
    Loaded, LoadedEndpoint,
    load::{Keeps, ParkedEndpoint},
};
use crate::{
    endpoint::Endpoint,
    route::Router,
    schedule::{LaneSettings, Settings},
};

/// See the module.
#[derive(Debug)]
pub struct Snapshot {
    /// The Webhook's settings.
    pub webhook: Arc<WebhookConfig>,
    /// The configuration's revision.
    pub revision: Arc<str>,
    /// Which endpoints an event is for.
    pub router: Router,
    /// Endpoints that were deleted and that the journal still knows, with their UIDs.
    pub dropped: Vec<(String, Ordinal)>,
    entries: BTreeMap<Arc<str>, Arc<Entry>>,
    by_ordinal: HashMap<Ordinal, Arc<Entry>>,
}

/// An endpoint of a snapshot.
#[derive(Debug)]
pub struct Entry {
    /// Its number.
    pub ordinal: Ordinal,
    /// What the configuration says of it. Of a parked endpoint, what the last one did that had it.
    pub loaded: Arc<LoadedEndpoint>,
    /// What deliveries are made with: it, or while it cannot be used, its last good form.
    pub running: Option<Arc<Endpoint>>,
    /// It exists and is not to run now: its deliveries wait.
    pub parked: bool,
}

impl Entry {
    /// Why what the configuration says of it cannot be used, if it cannot.
    pub fn config_error(&self) -> Option<&str> {
        self.loaded.compiled.as_ref().err().map(String::as_str)
    }
}

impl Snapshot {
    /// Puts a configuration together. `ordinal` knows all endpoints of `loaded`, and the deleted ones that the journal
    /// has met.
    ///
    /// For an endpoint that the operator parks, events are kept as the configuration says: what it wants while something
    /// that it refers to is missing, nothing when it is not accepted. A configuration that does not say leaves it at the
    /// rules of `previous`; after a restart there are none. What waits for it is kept in any case.
    pub fn new(loaded: &Loaded, previous: Option<&Snapshot>, ordinal: impl Fn(&str) -> Option<Ordinal>) -> Self {
        let mut entries = BTreeMap::new();
        let before = |uid: &str| previous.and_then(|previous| previous.entries.get(uid));
        for endpoint in &loaded.endpoints {
            let Some(ordinal) = ordinal(&endpoint.uid) else { continue };
            let running = match &endpoint.compiled {
                Ok(compiled) => Some(Arc::clone(compiled)),
                Err(_) => before(&endpoint.uid).and_then(|entry| entry.running.clone()),
            };
            let entry = Entry { ordinal, loaded: Arc::clone(endpoint), running, parked: false };
            entries.insert(Arc::clone(&endpoint.uid), Arc::new(entry));
        }
        let parked: Vec<_> = loaded.parked.iter().filter(|parked| !entries.contains_key(&parked.uid)).collect();
        for ParkedEndpoint { uid, .. } in &parked {
            if let Some(entry) = before(uid) {
                let running = entry.running.clone();
                let parked = Entry { ordinal: entry.ordinal, loaded: Arc::clone(&entry.loaded), running, parked: true };
                entries.insert(Arc::clone(uid), Arc::new(parked));
            }
        }
        let dropped = loaded.tombstones.iter().filter(|tombstone| !entries.contains_key(tombstone.uid.as_str()));
        let dropped = dropped.filter_map(|tombstone| Some((tombstone.uid.clone(), ordinal(&tombstone.uid)?))).collect();
        let running = entries.values().filter(|entry| !entry.parked && entry.loaded.enabled);
        let running = running.map(|entry| (entry.ordinal, &entry.loaded.interest));
        let waiting = parked.iter().filter_map(|ParkedEndpoint { uid, keeps }| match keeps {
            Keeps::Nothing => None,
            Keeps::Wanted(interest) => Some((ordinal(uid)?, &**interest)),
            Keeps::AsBefore => {
                let entry = entries.get(uid).filter(|entry| entry.loaded.enabled)?;
                Some((entry.ordinal, &entry.loaded.interest))
            }
        });
        let router = Router::new(running.chain(waiting), previous.map(|previous| &previous.router));
        Self {
            webhook: Arc::clone(&loaded.webhook),
            revision: Arc::clone(&loaded.revision),
            router,
            dropped,
            by_ordinal: entries.values().map(|entry| (entry.ordinal, Arc::clone(entry))).collect(),
            entries,
        }
    }

    /// All endpoints in order of UID.
    pub fn entries(&self) -> impl Iterator<Item = &Arc<Entry>> {
        self.entries.values()
    }

    /// The endpoint of that number.
    pub fn by_ordinal(&self, ordinal: Ordinal) -> Option<&Arc<Entry>> {
        self.by_ordinal.get(&ordinal)
    }

    /// What the engine needs to know.
    pub fn settings(&self) -> Settings {
        let lane = |entry: &Arc<Entry>| {
            let endpoint = entry.running.as_ref().filter(|_| !entry.parked)?;
            let settings = LaneSettings {
                generation: endpoint.generation,
                url_fingerprint: endpoint.url_fingerprint,
                suspend: entry.loaded.suspend,
                retry_after_max_ms: endpoint.delivery.retry_after_max_ms,
                concurrency: endpoint.delivery.concurrency.max(1),
                circuit_breaker: endpoint.delivery.circuit_breaker,
                rate_limit: endpoint.delivery.rate_limit,
                ordering: endpoint.delivery.ordering,
                retry: endpoint.delivery.retry.clone(),
                on_exhausted: endpoint.delivery.on_exhausted,
            };
            Some((entry.ordinal, settings))
        };
        Settings {
            in_flight: self.webhook.limits.in_flight,
            suspend: self.webhook.suspend,
            lanes: self.entries.values().filter_map(lane).collect(),
            dropped: self.dropped.iter().map(|(_, ordinal)| *ordinal).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use posthaste_delivery_config::{Endpoint as Written, Interest, Redacted, Tombstone};

    use super::*;
    use crate::{
        config::{
            load::loaded_endpoint,
            testing::{endpoint, index, webhook},
        },
        event::Event,
        render::fixture,
    };

    fn loaded(endpoints: &[Written]) -> Loaded {
        let index = index(1);
        Loaded {
            webhook: Arc::new(webhook(1)),
            schemas: Arc::default(),
            revision: Arc::from("r1"),
            endpoints: endpoints.iter().map(|endpoint| Arc::new(loaded_endpoint(&index, endpoint))).collect(),
            parked: Vec::new(),
            tombstones: Vec::new(),
        }
    }

    fn ordinal(uid: &str) -> Option<Ordinal> {
        let number = uid.strip_prefix("uid-")?.bytes().next()?;
        Some(Ordinal(u32::from(number - b'a')))
    }

    fn routed(snapshot: &Snapshot, event_type: &str) -> Vec<Ordinal> {
        let event = Event { event_type: event_type.to_owned(), ..fixture::event() };
        snapshot.router.route(&event).endpoints
    }

    const A: Ordinal = Ordinal(0);
    const B: Ordinal = Ordinal(1);

    #[test]
    fn disabled_endpoints_are_not_matched_and_suspended_ones_are() {
        let disabled = Written { enabled: false, ..endpoint("a") };
        let suspended = Written { suspend: true, ..endpoint("b") };
        let snapshot = Snapshot::new(&loaded(&[disabled, suspended]), None, ordinal);
        assert_eq!(routed(&snapshot, "x"), [B]);
        let settings = snapshot.settings();
        assert_eq!(
            settings.lanes.iter().map(|(ordinal, lane)| (*ordinal, lane.suspend)).collect::<Vec<_>>(),
            [(A, false), (B, true)]
        );
    }

    /// `a` runs and `b` is parked.
    fn b_parked(keeps: Keeps) -> Loaded {
        Loaded { parked: vec![ParkedEndpoint { uid: "uid-b".into(), keeps }], ..loaded(&[endpoint("a")]) }
    }

    #[test]
    fn a_parked_endpoint_keeps_what_it_kept_before_if_nothing_else_is_said() {
        let first = Snapshot::new(&loaded(&[endpoint("a"), endpoint("b")]), None, ordinal);
        let parked = b_parked(Keeps::AsBefore);
        let second = Snapshot::new(&parked, Some(&first), ordinal);
        assert_eq!(routed(&second, "x"), [A, B]);
        assert_eq!(second.settings().lanes.len(), 1);
        let third = Snapshot::new(&parked, Some(&second), ordinal);
        assert_eq!(routed(&third, "x"), [A, B]);
        let after_restart = Snapshot::new(&parked, None, ordinal);
        assert_eq!(routed(&after_restart, "x"), [A]);
    }

    #[test]
    fn a_waiting_endpoint_gets_what_it_wants_now_known_before_or_not() {
        let first = Snapshot::new(&loaded(&[endpoint("a"), endpoint("b")]), None, ordinal);
        let interest = Interest { tenant: None, event_types: Some(vec!["y".to_owned()]), filter: None };
        let waiting = b_parked(Keeps::Wanted(Arc::new(interest)));
        for previous in [Some(&first), None] {
            let snapshot = Snapshot::new(&waiting, previous, ordinal);
            assert_eq!((routed(&snapshot, "x"), routed(&snapshot, "y")), (vec![A], vec![A, B]));
            assert_eq!(snapshot.settings().lanes.len(), 1, "it does not run");
        }
    }

    #[test]
    fn an_endpoint_that_is_not_accepted_any_more_gets_nothing_new_at_once() {
        let first = Snapshot::new(&loaded(&[endpoint("a"), endpoint("b")]), None, ordinal);
        let second = Snapshot::new(&b_parked(Keeps::Nothing), Some(&first), ordinal);
        assert_eq!(routed(&second, "x"), [A]);
        assert!(second.dropped.is_empty());
    }

    #[test]
    fn an_endpoint_that_becomes_unusable_runs_on_as_it_was() {
        let first = Snapshot::new(&loaded(&[endpoint("a")]), None, ordinal);
        let mut bad = Written { generation: 2, ..endpoint("a") };
        bad.target.url = Redacted::new("ftp://a.example");
        let second = Snapshot::new(&loaded(std::slice::from_ref(&bad)), Some(&first), ordinal);
        let entry = second.by_ordinal(A).unwrap();
        assert_eq!(entry.running.as_ref().unwrap().generation, 1);
        assert!(entry.config_error().is_some());
        let fresh = Snapshot::new(&loaded(&[bad]), None, ordinal);
        assert!(fresh.settings().lanes.is_empty());
        assert_eq!(routed(&fresh, "x"), [A]);
    }

    #[test]
    fn deleted_endpoints_are_dropped_unless_they_are_there() {
        let tombstone = |uid: &str| Tombstone { uid: uid.to_owned(), time: jiff::Timestamp::UNIX_EPOCH };
        let tombstones = vec![tombstone("uid-a"), tombstone("uid-b"), tombstone("unknown")];
        let snapshot = Snapshot::new(&Loaded { tombstones, ..loaded(&[endpoint("a")]) }, None, ordinal);
        assert_eq!(snapshot.dropped, [("uid-b".to_owned(), B)]);
    }
}
