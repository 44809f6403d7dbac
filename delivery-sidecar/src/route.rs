//! Says which endpoints an event is for, by tenant and type. Pure, and decided once: when the event is accepted.
//!
//! - An endpoint with a tenant gets only that tenant's events; one without gets all.
//! - A type pattern is a type, `*`, or a type's beginning that ends with `.`, `:` or `/` followed by `*`, which stands
//!   for any rest.
//! - A disabled endpoint gets nothing new. Suspended endpoints do, and those that wait for something that they refer to:
//!   their deliveries are kept and wait.

use std::collections::{HashMap, HashSet};

pub use posthaste_delivery_config::Interest;
use posthaste_journal::Ordinal;

const SEPARATORS: [char; 3] = ['.', ':', '/'];

/// An index over the interests of all endpoints.
#[derive(Debug, Default)]
pub struct Router {
    every_tenant: ByType,
    by_tenant: HashMap<String, ByType>,
}

#[derive(Debug, Default)]
struct ByType {
    all: Vec<Ordinal>,
    exact: HashMap<String, Vec<Ordinal>>,
    /// By the part before `*`, separator included.
    prefix: HashMap<String, Vec<Ordinal>>,
}

impl Router {
    /// Builds the index. An endpoint is given once.
    pub fn new<'a>(interests: impl IntoIterator<Item = (Ordinal, &'a Interest)>) -> Self {
        let mut router = Self::default();
        for (ordinal, interest) in interests {
            let index = match &interest.tenant {
                None => &mut router.every_tenant,
                Some(tenant) => router.by_tenant.entry(tenant.clone()).or_default(),
            };
            index.add(ordinal, interest.event_types.as_deref());
        }
        router
    }

    /// The endpoints that an event is for, in order and each once.
    pub fn route(&self, tenant: Option<&str>, event_type: &str) -> Vec<Ordinal> {
        let mut found = Vec::new();
        self.every_tenant.find(event_type, &mut found);
        if let Some(index) = tenant.and_then(|tenant| self.by_tenant.get(tenant)) {
            index.find(event_type, &mut found);
        }
        found.sort_unstable();
        found.dedup();
        found
    }
}

impl ByType {
    fn add(&mut self, ordinal: Ordinal, patterns: Option<&[String]>) {
        let Some(patterns) = patterns else { return self.all.push(ordinal) };
        // A pattern that is written twice must not make an endpoint's list longer.
        let patterns: HashSet<&String> = patterns.iter().collect();
        for pattern in patterns {
            let list = match pattern.strip_suffix('*') {
                None => self.exact.entry(pattern.clone()).or_default(),
                Some("") => &mut self.all,
                Some(prefix) => self.prefix.entry(prefix.to_owned()).or_default(),
            };
            list.push(ordinal);
        }
    }

    fn find(&self, event_type: &str, found: &mut Vec<Ordinal>) {
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
    use proptest::{collection::vec, option, prelude::*};

    use super::*;

    fn interest(tenant: Option<&str>, event_types: Option<&[&str]>) -> Interest {
        Interest {
            tenant: tenant.map(str::to_owned),
            event_types: event_types.map(|types| types.iter().map(|&text| text.to_owned()).collect()),
        }
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
        let router = Router::new([(Ordinal(0), &interest)]);
        for event_type in ["invoice.paid", "invoice.paid.late", "invoice.", "a:b/c", "order.created"] {
            assert_eq!(router.route(None, event_type), [Ordinal(0)], "{event_type}");
        }
        for event_type in ["invoice", "invoices.paid", "a:b", "a:bc/d", "order.created.again", "order"] {
            assert!(router.route(None, event_type).is_empty(), "{event_type}");
        }
    }

    #[test]
    fn a_tenant_gets_its_own_events_and_an_endpoint_without_one_gets_all() {
        let interests = [interest(Some("acme"), None), interest(Some("other"), None), interest(None, None)];
        let router = Router::new((0..).map(Ordinal).zip(&interests));
        assert_eq!(router.route(Some("acme"), "x"), [Ordinal(0), Ordinal(2)]);
        assert_eq!(router.route(None, "x"), [Ordinal(2)]);
    }

    #[test]
    fn an_endpoint_that_several_patterns_match_is_there_once() {
        let interest = interest(None, Some(&["*", "a.*", "a.b", "a.b"]));
        assert_eq!(Router::new([(Ordinal(3), &interest)]).route(None, "a.b"), [Ordinal(3)]);
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
                interests.into_iter().map(|(tenant, event_types)| Interest { tenant, event_types }).collect();
            let router = Router::new((0..).map(Ordinal).zip(&interests));
            let naive: Vec<Ordinal> = (0..)
                .map(Ordinal)
                .zip(&interests)
                .filter(|(_, interest)| wants(interest, tenant.as_deref(), &event_type))
                .map(|(ordinal, _)| ordinal)
                .collect();
            prop_assert_eq!(router.route(tenant.as_deref(), &event_type), naive);
        }
    }
}
