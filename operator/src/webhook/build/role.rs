//! Role `<webhook>-delivery`: what the delivery pod may do.

use k8s_openapi::api::rbac::v1::{PolicyRule, Role};
use posthaste_crds::{GROUP, names, names::CONFIG_CHUNKS};

use super::Parent;

/// Builds it. All chunks are named from the start, so that a growing configuration needs no change here. Rules that
/// names cannot narrow further (status of endpoints) are narrowed by the chart's admission policy.
pub fn build(parent: &Parent) -> Role {
    let chunks = (0..CONFIG_CHUNKS).map(|chunk| names::config_chunk(parent.name, chunk));
    let configuration = std::iter::once(names::delivery(parent.name)).chain(chunks).collect();
    Role {
        metadata: parent.meta(names::delivery(parent.name)),
        rules: Some(vec![
            // Its configuration, and no other Secret.
            rule("", "secrets", Some(configuration), &["get", "list", "watch"]),
            // What it reports.
            rule(GROUP, "webhooks/status", Some(vec![parent.name.to_owned()]), &["patch"]),
            rule(GROUP, "webhookendpoints/status", None, &["patch"]),
            // Whether a caller may publish here.
            rule("authorization.k8s.io", "localsubjectaccessreviews", None, &["create"]),
        ]),
    }
}

pub(super) fn rule(group: &str, resource: &str, names: Option<Vec<String>>, verbs: &[&str]) -> PolicyRule {
    PolicyRule {
        api_groups: Some(vec![group.to_owned()]),
        resources: Some(vec![resource.to_owned()]),
        resource_names: names,
        verbs: verbs.iter().map(|verb| (*verb).to_owned()).collect(),
        ..PolicyRule::default()
    }
}
