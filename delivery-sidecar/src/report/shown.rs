//! The facts that a status displays, times left out, and their digests.
//!
//! They are made either from a view (cheap, for every outcome) or from a status that was found in the cluster. The two
//! agree for a status that [`super::status`] built from that view: otherwise a restart would write everything again.

use std::{
    borrow::Cow,
    hash::{DefaultHasher, Hash, Hasher},
};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use posthaste_crds::{
    conditions::{ACCEPTING_EVENTS, ENDPOINTS_HEALTHY, HEALTHY, PROGRAMMED, endpoints_healthy, programmed},
    v1alpha1::{WebhookEndpointStatus, WebhookStatus},
};

use super::{
    digest::{Digest, HealthDigest},
    health::{self, ConditionStatus, Health},
    totals::Totals,
    view::{EndpointView, WebhookView},
};
use crate::schedule::Circuit;

/// What comes from the configuration.
#[derive(Hash)]
pub(super) struct Programmed<'a> {
    pub status: ConditionStatus,
    pub reason: &'a str,
    pub message: Cow<'a, str>,
    pub generation: i64,
    pub revision: &'a str,
    pub keys: &'a [String],
}

impl<'a> Programmed<'a> {
    pub fn endpoint(view: &'a EndpointView) -> Self {
        Self::new(view.config_error.as_deref(), view.generation, &view.revision, &view.active_key_ids)
    }

    pub fn webhook(view: &'a WebhookView) -> Self {
        Self::new(view.config_error.as_deref(), view.generation, &view.revision, &[])
    }

    fn new(error: Option<&'a str>, generation: i64, revision: &'a str, keys: &'a [String]) -> Self {
        let (status, reason, message) = match error {
            None => (ConditionStatus::True, programmed::PROGRAMMED, Cow::Borrowed("The configuration runs.")),
            Some(error) => (ConditionStatus::False, programmed::INVALID_CONFIGURATION, health::displayed(error)),
        };
        Self { status, reason, message, generation, revision, keys }
    }

    /// As a status shows it; `None` when it shows nothing of ours, or not all of it.
    fn found(conditions: &'a [Condition], revision: Option<&'a str>, keys: &'a [String]) -> Option<Self> {
        let condition = find(conditions, PROGRAMMED)?;
        Some(Self {
            status: ConditionStatus::parse(&condition.status),
            reason: &condition.reason,
            message: Cow::Borrowed(&condition.message),
            generation: condition.observed_generation?,
            revision: revision?,
            keys,
        })
    }
}

/// What an endpoint shows of its deliveries, times left out.
#[derive(Hash)]
pub(super) struct Counts<'a> {
    pub circuit: &'a str,
    pub delivered: i64,
    pub failed: i64,
    pub retried: i64,
    pub dead_lettered: i64,
    pub pending: i64,
    pub consecutive_failures: i64,
    pub last_failure: Option<(Option<i32>, &'a str, Cow<'a, str>)>,
}

impl<'a> Counts<'a> {
    pub fn of(view: &'a EndpointView) -> Self {
        let stats = &view.stats;
        Self {
            circuit: circuit(view.circuit),
            delivered: count(stats.delivered),
            failed: count(stats.failed),
            retried: count(stats.retried),
            dead_lettered: count(stats.dead_lettered),
            pending: count(view.pending),
            consecutive_failures: count(stats.consecutive_failures),
            last_failure: stats.last_failure.as_ref().map(|last| {
                let failure = &last.failure;
                (failure.status.map(i32::from), health::reason(failure), health::displayed(&failure.message))
            }),
        }
    }

    fn found(status: &'a WebhookEndpointStatus) -> Option<Self> {
        let delivery = status.delivery.as_ref()?;
        Some(Self {
            circuit: delivery.circuit.as_deref()?,
            delivered: delivery.delivered?,
            failed: delivery.failed?,
            retried: delivery.retried?,
            dead_lettered: delivery.dead_lettered?,
            pending: delivery.pending?,
            consecutive_failures: delivery.consecutive_failures?,
            last_failure: delivery.last_failure.as_ref().map(|last| {
                let text = |text: &'a Option<String>| text.as_deref().unwrap_or_default();
                (last.status_code, text(&last.reason), Cow::Borrowed(text(&last.message)))
            }),
        })
    }
}

/// Digest of an endpoint's view, in full.
pub fn endpoint(view: &EndpointView, health: Health) -> Digest {
    Digest {
        programmed: hash(Programmed::endpoint(view)),
        health: Some(HealthDigest { health, detail: 0, open: view.circuit != Circuit::Closed }),
        counters: Some(hash(Counts::of(view))),
    }
}

/// Digest of what an endpoint in the cluster shows of ours, if it shows anything.
pub fn endpoint_found(status: &WebhookEndpointStatus) -> Option<Digest> {
    let conditions = status.conditions.as_deref().unwrap_or_default();
    let revision = status.configuration.as_ref().and_then(|configuration| configuration.revision.as_deref());
    let keys = status.signing.as_ref().and_then(|signing| signing.active_key_ids.as_deref()).unwrap_or_default();
    let circuit_shown = status.delivery.as_ref().and_then(|delivery| delivery.circuit.as_deref());
    let open = circuit_shown.is_some_and(|shown| shown != circuit(Circuit::Closed));
    Some(Digest {
        programmed: hash(Programmed::found(conditions, revision, keys)?),
        health: found_health(conditions, HEALTHY, health::known_reason).map(|health| HealthDigest {
            health,
            detail: 0,
            open,
        }),
        counters: Counts::found(status).map(hash),
    })
}

/// Digest of a Webhook's view and the sums over its endpoints, in full.
pub fn webhook(view: &WebhookView, totals: &Totals) -> Digest {
    Digest {
        programmed: hash((Programmed::webhook(view), view.intake.reason())),
        health: Some(HealthDigest { health: totals.health(), detail: groups(totals), open: false }),
        counters: Some(sums(totals)),
    }
}

/// Digest of what a Webhook in the cluster shows of ours, if it shows anything.
pub fn webhook_found(status: &WebhookStatus) -> Option<Digest> {
    let conditions = status.conditions.as_deref().unwrap_or_default();
    let revision = status.configuration.as_ref().and_then(|configuration| configuration.revision.as_deref());
    let totals = found_totals(status);
    let known = |text: &str| {
        let all = [
            endpoints_healthy::ALL_HEALTHY,
            endpoints_healthy::SOME_FAILING,
            endpoints_healthy::ALL_FAILING,
            endpoints_healthy::NO_ENDPOINTS,
        ];
        all.into_iter().find(|known| *known == text)
    };
    let health = found_health(conditions, ENDPOINTS_HEALTHY, known);
    let intake = find(conditions, ACCEPTING_EVENTS)?;
    Some(Digest {
        programmed: hash((Programmed::found(conditions, revision, &[])?, intake.reason.as_str())),
        health: health.map(|health| HealthDigest { health, detail: totals.as_ref().map_or(0, groups), open: false }),
        counters: totals.as_ref().map(sums),
    })
}

/// A circuit as the API has it.
fn circuit(circuit: Circuit) -> &'static str {
    match circuit {
        Circuit::Closed => "Closed",
        Circuit::Open => "Open",
        Circuit::HalfOpen => "HalfOpen",
    }
}

/// A count as the API has it.
pub(super) fn count(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// The condition of a type.
pub(super) fn find<'a>(conditions: &'a [Condition], type_: &str) -> Option<&'a Condition> {
    conditions.iter().find(|condition| condition.type_ == type_)
}

fn found_health(conditions: &[Condition], type_: &str, known: impl Fn(&str) -> Option<&'static str>) -> Option<Health> {
    let condition = find(conditions, type_)?;
    Some(Health { status: ConditionStatus::parse(&condition.status), reason: known(&condition.reason).unwrap_or("") })
}

fn found_totals(status: &WebhookStatus) -> Option<Totals> {
    let (endpoints, delivery) = (status.endpoints.as_ref()?, status.delivery.as_ref()?);
    let count = |count: Option<i64>| u64::try_from(count?).ok();
    Some(Totals {
        healthy: count(endpoints.healthy)?,
        failing: count(endpoints.failing)?,
        suspended: count(endpoints.suspended)?,
        delivered: count(delivery.delivered)?,
        failed: count(delivery.failed)?,
        retried: count(delivery.retried)?,
        dead_lettered: count(delivery.dead_lettered)?,
        pending: count(delivery.pending)?,
    })
}

fn groups(totals: &Totals) -> u64 {
    hash((totals.healthy, totals.failing, totals.suspended))
}

fn sums(totals: &Totals) -> u64 {
    hash((totals.delivered, totals.failed, totals.retried, totals.dead_lettered, totals.pending))
}

/// Not for persisting: it only needs to be the same within one process.
fn hash(value: impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}
