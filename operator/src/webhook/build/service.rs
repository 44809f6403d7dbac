//! Service `<webhook>-ingest`: where events are posted.

use k8s_openapi::{
    api::core::v1::{Service, ServicePort, ServiceSpec},
    apimachinery::pkg::util::intstr::IntOrString,
};
use posthaste_crds::names;

use super::Parent;

/// Builds it. Its one port says by number, name and `appProtocol` whether it speaks HTTP or HTTPS, so that clients,
/// gateways and meshes that go by any of them agree.
pub fn build(parent: &Parent) -> Service {
    let tls = parent.webhook.spec.ingest.as_ref().is_some_and(|ingest| ingest.tls.is_some());
    let (protocol, port) = if tls { ("https", 443) } else { ("http", 80) };
    Service {
        metadata: parent.meta(names::ingest(parent.name)),
        spec: Some(ServiceSpec {
            type_: Some("ClusterIP".to_owned()),
            selector: Some(parent.pod_selector()),
            ports: Some(vec![ServicePort {
                name: Some(protocol.to_owned()),
                port,
                protocol: Some("TCP".to_owned()),
                target_port: Some(IntOrString::String("ingest".to_owned())),
                app_protocol: Some(protocol.to_owned()),
                ..ServicePort::default()
            }]),
            ..ServiceSpec::default()
        }),
        ..Service::default()
    }
}
