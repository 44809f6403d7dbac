//! NetworkPolicy `<webhook>-delivery`: who may connect to the delivery pod.

use k8s_openapi::{
    api::networking::v1::{
        NetworkPolicy, NetworkPolicyEgressRule, NetworkPolicyIngressRule, NetworkPolicyPeer, NetworkPolicyPort,
        NetworkPolicySpec,
    },
    apimachinery::pkg::{apis::meta::v1::LabelSelector, util::intstr::IntOrString},
};
use posthaste_crds::names;

use super::{ADMIN_PORT, INGEST_PORT, Parent};

/// Builds it. Events come from pods of this cluster (who may post them is decided by the caller's token); probes and
/// metrics also from elsewhere, such as the node or a monitoring network. Egress is open: receivers are anywhere, and
/// the sidecar checks every address that it connects to against its own address policy.
pub fn build(parent: &Parent) -> NetworkPolicy {
    let from_cluster =
        NetworkPolicyPeer { namespace_selector: Some(LabelSelector::default()), ..NetworkPolicyPeer::default() };
    NetworkPolicy {
        metadata: parent.meta(names::delivery(parent.name)),
        spec: Some(NetworkPolicySpec {
            pod_selector: Some(LabelSelector { match_labels: Some(parent.pod_selector()), ..LabelSelector::default() }),
            policy_types: Some(vec!["Ingress".to_owned(), "Egress".to_owned()]),
            ingress: Some(vec![ingress(INGEST_PORT, Some(vec![from_cluster])), ingress(ADMIN_PORT, None)]),
            egress: Some(vec![NetworkPolicyEgressRule::default()]),
        }),
    }
}

fn ingress(port: i32, from: Option<Vec<NetworkPolicyPeer>>) -> NetworkPolicyIngressRule {
    let port = NetworkPolicyPort {
        port: Some(IntOrString::Int(port)),
        protocol: Some("TCP".to_owned()),
        ..NetworkPolicyPort::default()
    };
    NetworkPolicyIngressRule { from, ports: Some(vec![port]) }
}
