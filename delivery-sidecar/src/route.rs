//! Says which endpoints an event is for, by tenant, type and filter. Pure, and decided once: when the event is accepted.
//!
//! - An endpoint with a tenant gets only that tenant's events; one without gets all.
//! - A type pattern is a type, `*`, or a type's beginning that ends with `.`, `:` or `/` followed by `*`, which stands
//!   for any rest.
//! - Of what these leave, an endpoint with a filter gets the events for which it is true. One for which it has no value
//!   does not match, and is counted.
//! - A disabled endpoint gets nothing new. Suspended endpoints do, and those that wait for something that they refer to:
//!   their deliveries are kept and wait.

mod filters;

use std::collections::{HashMap, HashSet};

pub use posthaste_delivery_config::Interest;
use posthaste_expressions::EvalError;
use posthaste_journal::Ordinal;

use crate::event::Event;
use filters::{Filters, Number, Parts};

const SEPARATORS: [char; 3] = ['.', ':', '/'];

/// An index over the interests of all endpoints.
#[derive(Debug, Default)]
pub struct Router {
    every_tenant: ByType,
    by_tenant: HashMap<String, ByType>,
    filters: Filters,
}

/// The endpoints of an event.
#[derive(Debug, Default)]
pub struct Routed {
    /// In order and each once.
    pub endpoints: Vec<Ordinal>,
    /// Endpoints that do not get it because their filter has no value for it, and why.
    pub errors: Vec<(Ordinal, EvalError)>,
}

/// An endpoint that gets an event if its filter says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Candidate {
    ordinal: Ordinal,
    filter: Option<Number>,
}

#[derive(Debug, Default)]
struct ByType {
    all: Vec<Candidate>,
    exact: HashMap<String, Vec<Candidate>>,
    /// By the part before `*`, separator included.
    prefix: HashMap<String, Vec<Candidate>>,
}

impl Router {
    /// Builds the index. An endpoint is given once. Filters that `previous` has are not compiled again.
    pub fn new<'a>(interests: impl IntoIterator<Item = (Ordinal, &'a Interest)>, previous: Option<&Self>) -> Self {
        let previous = previous.map(|previous| &previous.filters);
        let mut router = Self::default();
        for (ordinal, interest) in interests {
            let filter = interest.filter.as_deref().map(|text| router.filters.add(text, previous));
            let index = match &interest.tenant {
                None => &mut router.every_tenant,
                Some(tenant) => router.by_tenant.entry(tenant.clone()).or_default(),
            };
            index.add(Candidate { ordinal, filter }, interest.event_types.as_deref());
        }
        router
    }

    /// How many different filters there are: an event costs at most one evaluation of each.
    pub fn filters(&self) -> usize {
        self.filters.len()
    }

    /// The endpoints that an event is for.
    pub fn route(&self, event: &Event) -> Routed {
        let candidates = self.candidates(event.tenant.as_deref(), &event.event_type);
        if candidates.iter().all(|candidate| candidate.filter.is_none()) {
            let endpoints = candidates.iter().map(|candidate| candidate.ordinal).collect();
            return Routed { endpoints, errors: Vec::new() };
        }
        self.filtered(&candidates, event)
    }

    /// Whether an event is for this endpoint.
    pub fn wants(&self, endpoint: Ordinal, event: &Event) -> bool {
        let candidates = self.candidates(event.tenant.as_deref(), &event.event_type);
        let Ok(index) = candidates.binary_search_by_key(&endpoint, |candidate| candidate.ordinal) else { return false };
        !self.filtered(&candidates[index..=index], event).endpoints.is_empty()
    }

    fn filtered(&self, candidates: &[Candidate], event: &Event) -> Routed {
        let parts = Parts::new(event);
        let mut matching = self.filters.matching(&parts);
        let mut routed = Routed::default();
        for Candidate { ordinal, filter } in candidates {
            match filter.map_or(&Ok(true), |number| matching.says(number)) {
                Ok(true) => routed.endpoints.push(*ordinal),
                Ok(false) => {}
                Err(error) => routed.errors.push((*ordinal, error.clone())),
            }
        }
        routed
    }

    /// The endpoints that want events of this tenant and type, in order and each once.
    fn candidates(&self, tenant: Option<&str>, event_type: &str) -> Vec<Candidate> {
        let mut found = Vec::new();
        self.every_tenant.find(event_type, &mut found);
        if let Some(index) = tenant.and_then(|tenant| self.by_tenant.get(tenant)) {
            index.find(event_type, &mut found);
        }
        found.sort_unstable_by_key(|candidate| candidate.ordinal);
        found.dedup();
        found
    }
}

impl ByType {
    fn add(&mut self, candidate: Candidate, patterns: Option<&[String]>) {
        let Some(patterns) = patterns else { return self.all.push(candidate) };
        // A pattern that is written twice must not make an endpoint's list longer.
        let patterns: HashSet<&String> = patterns.iter().collect();
        for pattern in patterns {
            let list = match pattern.strip_suffix('*') {
                None => self.exact.entry(pattern.clone()).or_default(),
                Some("") => &mut self.all,
                Some(prefix) => self.prefix.entry(prefix.to_owned()).or_default(),
            };
            list.push(candidate);
        }
    }

    fn find(&self, event_type: &str, found: &mut Vec<Candidate>) {
        found.extend(&self.all);
        found.extend(self.exact.get(event_type).into_iter().flatten());
        if !self.prefix.is_empty() {
            for (at, separator) in event_type.match_indices(SEPARATORS) {
                let prefix = &event_type[..at + separator.len()];
                found.extend(self.prefix.get(prefix).into_iter().flatten());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use posthaste_expressions::ErrorKind;
    use proptest::{collection::vec, option, prelude::*};

    use super::*;
    use crate::render::fixture;

    fn interest(tenant: Option<&str>, event_types: Option<&[&str]>) -> Interest {
        Interest {
            tenant: tenant.map(str::to_owned),
            event_types: event_types.map(|types| types.iter().map(|&text| text.to_owned()).collect()),
            filter: None,
        }
    }

    fn filtered(filter: &str) -> Interest {
        Interest { filter: Some(filter.to_owned()), ..interest(None, None) }
    }

    fn event(tenant: Option<&str>, event_type: &str, data: &str) -> Event {
        Event {
            tenant: tenant.map(str::to_owned),
            event_type: event_type.to_owned(),
            data: data.to_owned().into(),
            ..fixture::event()
        }
    }

    fn route(router: &Router, tenant: Option<&str>, event_type: &str) -> Vec<Ordinal> {
        router.route(&event(tenant, event_type, "null")).endpoints
    }

    /// What the module says, read literally.
    fn wants(interest: &Interest, tenant: Option<&str>, event_type: &str) -> bool {
        let tenant_fits = interest.tenant.is_none() || interest.tenant.as_deref() == tenant;
        let fits = |pattern: &String| match pattern.strip_suffix('*') {
            Some(beginning) => event_type.starts_with(beginning),
            None => event_type == pattern,
        };
        tenant_fits && interest.event_types.as_ref().is_none_or(|patterns| patterns.iter().any(fits))
    }

    #[test]
    fn patterns_span_the_rest_after_a_separator() {
        let interest = interest(None, Some(&["invoice.*", "a:b/*", "order.created"]));
        let router = Router::new([(Ordinal(0), &interest)], None);
        for event_type in ["invoice.paid", "invoice.paid.late", "invoice.", "a:b/c", "order.created"] {
            assert_eq!(route(&router, None, event_type), [Ordinal(0)], "{event_type}");
        }
        for event_type in ["invoice", "invoices.paid", "a:b", "a:bc/d", "order.created.again", "order"] {
            assert!(route(&router, None, event_type).is_empty(), "{event_type}");
        }
    }

    #[test]
    fn a_tenant_gets_its_own_events_and_an_endpoint_without_one_gets_all() {
        let interests = [interest(Some("acme"), None), interest(Some("other"), None), interest(None, None)];
        let router = Router::new((0..).map(Ordinal).zip(&interests), None);
        assert_eq!(route(&router, Some("acme"), "x"), [Ordinal(0), Ordinal(2)]);
        assert_eq!(route(&router, None, "x"), [Ordinal(2)]);
    }

    #[test]
    fn an_endpoint_that_several_patterns_match_is_there_once() {
        let interest = interest(None, Some(&["*", "a.*", "a.b", "a.b"]));
        assert_eq!(route(&Router::new([(Ordinal(3), &interest)], None), None, "a.b"), [Ordinal(3)]);
    }

    #[test]
    fn a_filter_decides_among_what_tenant_and_type_leave() {
        let interests = [
            filtered("event.data.total > 100"),
            interest(None, None),
            Interest { filter: Some("true".to_owned()), ..interest(Some("acme"), None) },
            Interest { filter: Some("true".to_owned()), ..interest(None, Some(&["other"])) },
            filtered("event.tenant == 'acme' && event.id.startsWith('evt') && !has(event.metadata)"),
        ];
        let router = Router::new((0..).map(Ordinal).zip(&interests), None);
        let routed = |tenant, data| router.route(&event(tenant, "order.created", data)).endpoints;
        assert_eq!(routed(None, r#"{"total": 100.5}"#), [Ordinal(0), Ordinal(1)]);
        assert_eq!(routed(Some("acme"), r#"{"total": 100}"#), [1, 2, 4].map(Ordinal));
        let acme = event(Some("acme"), "order.created", r#"{"total": 1}"#);
        let wanted: Vec<u32> = (0..6).filter(|number| router.wants(Ordinal(*number), &acme)).collect();
        assert_eq!(wanted, [1, 2, 4]);
    }

    #[test]
    fn an_event_on_which_a_filter_errs_does_not_match_and_is_told() {
        let interests = [filtered("event.data.total > 100"), filtered("event.data.total > 100"), interest(None, None)];
        let router = Router::new((0..).map(Ordinal).zip(&interests), None);
        let routed = router.route(&event(None, "x", r#"{"count": 1}"#));
        assert_eq!(routed.endpoints, [Ordinal(2)]);
        let errors: Vec<_> = routed.errors.iter().map(|(ordinal, error)| (ordinal.0, error.kind)).collect();
        assert_eq!(errors, [(0, ErrorKind::Missing), (1, ErrorKind::Missing)]);
    }

    #[test]
    fn equal_filters_are_one_and_stay_over_a_change_of_the_configuration() {
        let interests = [filtered("event.data.a"), filtered("event.data.b"), filtered("event.data.a")];
        let router = Router::new((0..).map(Ordinal).zip(&interests), None);
        assert_eq!(router.filters(), 2);
        let changed = Router::new([(Ordinal(7), &interests[1])], Some(&router));
        assert_eq!(changed.filters(), 1);
        assert_eq!(changed.route(&event(None, "x", r#"{"b": true}"#)).endpoints, [Ordinal(7)]);
    }

    #[test]
    fn a_filter_that_does_not_compile_matches_nothing() {
        let interests = [filtered("event.data.a >")];
        let router = Router::new([(Ordinal(0), &interests[0])], None);
        let routed = router.route(&event(None, "x", r#"{"a": 1}"#));
        assert!(routed.endpoints.is_empty() && routed.errors.is_empty());
    }

    proptest! {
        #[test]
        fn the_index_agrees_with_matching_each_endpoint(
            interests in vec(
                (option::of("[ab]"), option::of(vec("(\\*|[ab.:/]{1,4}|[ab.:/]{0,3}[.:/]\\*)", 1..4))),
                0..8,
            ),
            tenant in option::of("[ab]"),
            event_type in "[ab.:/]{1,6}",
        ) {
            let interests: Vec<Interest> =
                interests.into_iter().map(|(tenant, event_types)| Interest { tenant, event_types, filter: None }).collect();
            let router = Router::new((0..).map(Ordinal).zip(&interests), None);
            let naive: Vec<Ordinal> = (0..)
                .map(Ordinal)
                .zip(&interests)
                .filter(|(_, interest)| wants(interest, tenant.as_deref(), &event_type))
                .map(|(ordinal, _)| ordinal)
                .collect();
            prop_assert_eq!(route(&router, tenant.as_deref(), &event_type), naive);
        }
    }
}
