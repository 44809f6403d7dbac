//! How many endpoints of a Webhook may receive events. Of too many the earliest created do, so that a newcomer never
//! takes an older endpoint's place, and the next in line follows as soon as one goes.

use std::collections::BTreeMap;

use posthaste_crds::{
    conditions::accepted,
    v1alpha1::{Webhook, WebhookEndpoint},
};

use super::uid;
use crate::{
    defaults,
    resolve::{Refusal, Verdict},
};

/// Positions of endpoints from the earliest created to the latest. Those of one second, as those of one file are, are in
/// order of their names.
pub(super) fn by_age(endpoints: &[&WebhookEndpoint]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..endpoints.len()).collect();
    let age = |endpoint: &WebhookEndpoint| endpoint.metadata.creation_timestamp.as_ref().map(|time| time.0);
    order.sort_by(|a, b| {
        let (a, b) = (endpoints[*a], endpoints[*b]);
        age(a).cmp(&age(b)).then_with(|| a.metadata.name.cmp(&b.metadata.name)).then_with(|| uid(a).cmp(uid(b)))
    });
    order
}

/// Turns down, of the accepted endpoints, those over `limits.endpoints` and `limits.endpointsPerTenant`. An endpoint
/// that is turned down for its tenant takes no place among all.
pub(super) fn apply(webhook: &Webhook, endpoints: &[&WebhookEndpoint], order: &[usize], verdicts: &mut [Verdict]) {
    let limits = webhook.spec.limits.as_ref();
    let limit = limits.and_then(|limits| limits.endpoints).unwrap_or(defaults::ENDPOINTS);
    let per_tenant = limits.and_then(|limits| limits.endpoints_per_tenant);
    let mut all = 0;
    let mut of_tenant: BTreeMap<&str, u32> = BTreeMap::new();
    for &position in order {
        let verdict = &mut verdicts[position];
        if !verdict.accepted.is_true() {
            continue;
        }
        let tenant = endpoints[position].spec.settings.tenant.as_deref();
        let taken = tenant.map_or(0, |tenant| of_tenant.get(tenant).copied().unwrap_or(0));
        let over = if all >= limit {
            Some(format!("the Webhook has {limit} endpoints already, as many as its limits.endpoints allows"))
        } else {
            per_tenant.filter(|most| taken >= *most).map(|most| {
                format!("the endpoint's tenant has {most} endpoints already, as many as the Webhook's limits.endpointsPerTenant allows")
            })
        };
        if let Some(message) = over {
            verdict.accepted = Refusal::new(accepted::LIMIT_EXCEEDED, message).into();
            verdict.endpoint = None;
        } else {
            all += 1;
            if let Some(tenant) = tenant {
                of_tenant.insert(tenant, taken + 1);
            }
        }
    }
}
