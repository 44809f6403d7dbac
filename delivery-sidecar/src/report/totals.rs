//! Sums over all endpoints, kept up to date one endpoint at a time.

use posthaste_crds::conditions::endpoints_healthy;
use posthaste_journal::EndpointStats;

use super::{
    health::{ConditionStatus, Group, Health},
    view::EndpointView,
};

/// What a Webhook shows of its endpoints together. One endpoint's share has the same shape.
///
/// Groups are those of the endpoints that run. Counts are also those of endpoints that do not run now or were deleted: see
/// [`WebhookView::others`](super::view::WebhookView).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Totals {
    /// Endpoints in [`Group::Healthy`].
    pub healthy: u64,
    /// Endpoints in [`Group::Failing`].
    pub failing: u64,
    /// Endpoints in [`Group::Suspended`].
    pub suspended: u64,
    /// Events delivered.
    pub delivered: u64,
    /// Attempts that failed.
    pub failed: u64,
    /// Attempts that were not the first of their delivery.
    pub retried: u64,
    /// Deliveries given up.
    pub dead_lettered: u64,
    /// Deliveries not finished.
    pub pending: u64,
}

impl Totals {
    /// The share of one endpoint.
    pub fn share(view: &EndpointView, health: Health) -> Self {
        let in_group = |group| u64::from(health.group() == group);
        Self {
            healthy: in_group(Group::Healthy),
            failing: in_group(Group::Failing),
            suspended: in_group(Group::Suspended),
            ..Self::counts(&view.stats, view.pending)
        }
    }

    /// The counts alone of an endpoint that is not shown itself.
    pub fn counts(stats: &EndpointStats, pending: u64) -> Self {
        Self {
            delivered: stats.delivered,
            failed: stats.failed,
            retried: stats.retried,
            dead_lettered: stats.dead_lettered,
            pending,
            ..Self::default()
        }
    }

    /// Both together.
    #[must_use]
    pub fn plus(mut self, other: &Self) -> Self {
        self.replace(&Self::default(), other);
        self
    }

    /// Replaces an endpoint's share by its newest.
    pub fn replace(&mut self, old: &Self, new: &Self) {
        let each = |total: &mut u64, old: u64, new: u64| *total = total.saturating_sub(old).saturating_add(new);
        let Self { healthy, failing, suspended, delivered, failed, retried, dead_lettered, pending } = self;
        each(healthy, old.healthy, new.healthy);
        each(failing, old.failing, new.failing);
        each(suspended, old.suspended, new.suspended);
        each(delivered, old.delivered, new.delivered);
        each(failed, old.failed, new.failed);
        each(retried, old.retried, new.retried);
        each(dead_lettered, old.dead_lettered, new.dead_lettered);
        each(pending, old.pending, new.pending);
    }

    /// How many endpoints there are.
    pub fn endpoints(&self) -> u64 {
        self.healthy + self.failing + self.suspended
    }

    /// The verdict on all of them: `EndpointsHealthy`. Those that are suspended have no say.
    pub fn health(&self) -> Health {
        let (status, reason) = match (self.endpoints(), self.failing, self.healthy) {
            (0, _, _) => (ConditionStatus::Unknown, endpoints_healthy::NO_ENDPOINTS),
            (_, 0, _) => (ConditionStatus::True, endpoints_healthy::ALL_HEALTHY),
            (_, _, 0) => (ConditionStatus::False, endpoints_healthy::ALL_FAILING),
            _ => (ConditionStatus::False, endpoints_healthy::SOME_FAILING),
        };
        Health { status, reason }
    }

    /// Explains [`Totals::health`].
    pub fn message(&self) -> String {
        match (self.endpoints(), self.failing) {
            (0, _) => "There are no endpoints.".into(),
            (_, 0) => "No endpoint fails.".into(),
            (1, _) => "The only endpoint fails.".into(),
            (all, 1) => format!("1 of {all} endpoints fails."),
            (all, failing) => format!("{failing} of {all} endpoints fail."),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{ConditionStatus::*, *};

    #[test]
    fn the_verdict_follows_the_groups() {
        for (healthy, failing, suspended, status, reason) in [
            (0, 0, 0, Unknown, "NoEndpoints"),
            (2, 0, 0, True, "AllHealthy"),
            (0, 0, 2, True, "AllHealthy"),
            (5, 1, 2, False, "SomeFailing"),
            (0, 1, 0, False, "AllFailing"),
            (0, 4, 2, False, "AllFailing"),
        ] {
            let totals = Totals { healthy, failing, suspended, ..Totals::default() };
            assert_eq!(totals.health(), Health { status, reason }, "{totals:?}");
            assert!(totals.message().ends_with('.'));
        }
    }

    #[test]
    fn replacing_every_share_by_nothing_leaves_nothing() {
        let share = Totals { healthy: 1, delivered: 7, pending: 3, ..Totals::default() };
        let mut totals = Totals::default();
        totals.replace(&Totals::default(), &share);
        totals.replace(&Totals::default(), &share);
        assert_eq!((totals.healthy, totals.delivered, totals.pending), (2, 14, 6));
        totals.replace(&share, &Totals::default());
        totals.replace(&share, &Totals::default());
        assert_eq!(totals, Totals::default());
    }
}
