//! Deployment `<webhook>-delivery`: the delivery pod.
//!
//! Nothing here depends on the configuration or on a Secret: the sidecar swaps its configuration in place, and only a
//! change of the pod itself restarts it.

use std::collections::BTreeMap;

use k8s_openapi::{
    api::{
        apps::v1::{Deployment, DeploymentSpec, DeploymentStrategy},
        core::v1::{
            Capabilities, Container, ContainerPort, EmptyDirVolumeSource, EnvVar, EnvVarSource, HTTPGetAction,
            ObjectFieldSelector, PersistentVolumeClaimVolumeSource, PodSecurityContext, PodSpec, PodTemplateSpec,
            Probe, ResourceRequirements, SeccompProfile, SecurityContext, Volume, VolumeMount,
        },
    },
    apimachinery::pkg::{api::resource::Quantity, apis::meta::v1::LabelSelector, util::intstr::IntOrString},
};
use kube::api::ObjectMeta;
use posthaste_crds::{
    names,
    v1alpha1::{JournalStorage, PodTemplate},
};
use posthaste_delivery_config::defaults::EMPTY_DIR_BYTES;

use super::{ADMIN_PORT, INGEST_PORT, Parent, child_labels};
use crate::args::Settings;

/// The user and group of the delivery image's process, which own the journal's volume.
const USER: i64 = 65532;
/// Name of the journal's volume.
const VOLUME: &str = "journal";
/// Where it is mounted.
const DATA_DIRECTORY: &str = "/data";

/// Builds it.
pub fn build(parent: &Parent, settings: &Settings) -> Deployment {
    let name = names::delivery(parent.name);
    let PodTemplate { resources, node_selector, tolerations, affinity, annotations, image_pull_secrets } =
        parent.webhook.spec.template.clone().unwrap_or_default();
    Deployment {
        metadata: parent.meta(name.clone()),
        spec: Some(DeploymentSpec {
            replicas: Some(parent.webhook.spec.replicas),
            // The journal has one writer: the old pod goes before the new one comes.
            strategy: Some(DeploymentStrategy { type_: Some("Recreate".to_owned()), rolling_update: None }),
            revision_history_limit: Some(2),
            selector: LabelSelector { match_labels: Some(parent.pod_selector()), ..LabelSelector::default() },
            template: PodTemplateSpec {
                metadata: Some(ObjectMeta {
                    labels: Some(child_labels(parent.name)),
                    annotations,
                    ..ObjectMeta::default()
                }),
                spec: Some(PodSpec {
                    service_account_name: Some(name),
                    automount_service_account_token: Some(true),
                    enable_service_links: Some(false),
                    // Attempts in flight are finished within this time.
                    termination_grace_period_seconds: Some(45),
                    security_context: Some(pod_security()),
                    containers: vec![container(parent, settings, resources)],
                    volumes: Some(vec![volume(parent)]),
                    node_selector,
                    tolerations,
                    affinity,
                    image_pull_secrets,
                    ..PodSpec::default()
                }),
            },
            ..DeploymentSpec::default()
        }),
        ..Deployment::default()
    }
}

fn container(parent: &Parent, settings: &Settings, resources: Option<ResourceRequirements>) -> Container {
    let arguments = [
        "run",
        "--webhook",
        parent.name,
        "--namespace",
        parent.namespace,
        "--data-directory",
        DATA_DIRECTORY,
        "--listen",
        &format!("0.0.0.0:{INGEST_PORT}"),
        "--admin",
        &format!("0.0.0.0:{ADMIN_PORT}"),
    ];
    let port = |name: &str, number| ContainerPort {
        name: Some(name.to_owned()),
        container_port: number,
        protocol: Some("TCP".to_owned()),
        ..ContainerPort::default()
    };
    Container {
        name: "delivery".to_owned(),
        image: Some(settings.image.clone()),
        image_pull_policy: settings.pull_policy.map(|policy| policy.as_str().to_owned()),
        command: Some(vec!["/delivery-sidecar".to_owned()]),
        args: Some(arguments.map(ToOwned::to_owned).to_vec()),
        env: Some(vec![
            field("POD_NAME", "metadata.name"),
            field("POD_NAMESPACE", "metadata.namespace"),
            value("POSTHASTE_LOG", &settings.log),
            value("POSTHASTE_LOG_FORMAT", settings.log_format.as_str()),
        ]),
        ports: Some(vec![port("ingest", INGEST_PORT), port("admin", ADMIN_PORT)]),
        volume_mounts: Some(vec![VolumeMount {
            name: VOLUME.to_owned(),
            mount_path: DATA_DIRECTORY.to_owned(),
            ..VolumeMount::default()
        }]),
        resources: Some(resources.unwrap_or_else(default_resources)),
        security_context: Some(container_security()),
        // No startup probe: the process answers /healthz before it reads its journal, however long that is, and is ready
        // after it.
        liveness_probe: Some(probe("/healthz", 10, 6)),
        readiness_probe: Some(probe("/readyz", 2, 2)),
        ..Container::default()
    }
}

fn volume(parent: &Parent) -> Volume {
    let storage = parent.webhook.spec.journal.as_ref().and_then(|journal| journal.storage.as_ref());
    let empty_dir = match storage {
        Some(JournalStorage { empty_dir: Some(directory), volume_claim: None }) => Some(directory),
        _ => None,
    };
    let default_limit = || Quantity(format!("{}Gi", EMPTY_DIR_BYTES >> 30));
    Volume {
        name: VOLUME.to_owned(),
        empty_dir: empty_dir.map(|directory| EmptyDirVolumeSource {
            size_limit: Some(directory.size_limit.clone().unwrap_or_else(default_limit)),
            ..EmptyDirVolumeSource::default()
        }),
        persistent_volume_claim: empty_dir.is_none().then(|| PersistentVolumeClaimVolumeSource {
            claim_name: names::delivery(parent.name),
            ..PersistentVolumeClaimVolumeSource::default()
        }),
        ..Volume::default()
    }
}

fn pod_security() -> PodSecurityContext {
    PodSecurityContext {
        run_as_non_root: Some(true),
        run_as_user: Some(USER),
        run_as_group: Some(USER),
        fs_group: Some(USER),
        // Changing the owner of every file of a large journal would delay each start.
        fs_group_change_policy: Some("OnRootMismatch".to_owned()),
        seccomp_profile: Some(SeccompProfile { type_: "RuntimeDefault".to_owned(), ..SeccompProfile::default() }),
        ..PodSecurityContext::default()
    }
}

fn container_security() -> SecurityContext {
    SecurityContext {
        allow_privilege_escalation: Some(false),
        read_only_root_filesystem: Some(true),
        capabilities: Some(Capabilities { drop: Some(vec!["ALL".to_owned()]), add: None }),
        ..SecurityContext::default()
    }
}

fn default_resources() -> ResourceRequirements {
    let quantities = |pairs: &[(&str, &str)]| -> BTreeMap<String, Quantity> {
        pairs.iter().map(|(name, amount)| ((*name).to_owned(), Quantity((*amount).to_owned()))).collect()
    };
    ResourceRequirements {
        requests: Some(quantities(&[("cpu", "10m"), ("memory", "32Mi")])),
        limits: Some(quantities(&[("memory", "256Mi")])),
        ..ResourceRequirements::default()
    }
}

fn probe(path: &str, period_seconds: i32, failure_threshold: i32) -> Probe {
    Probe {
        http_get: Some(HTTPGetAction {
            path: Some(path.to_owned()),
            port: IntOrString::String("admin".to_owned()),
            ..HTTPGetAction::default()
        }),
        period_seconds: Some(period_seconds),
        failure_threshold: Some(failure_threshold),
        timeout_seconds: Some(5),
        ..Probe::default()
    }
}

fn value(name: &str, value: &str) -> EnvVar {
    EnvVar { name: name.to_owned(), value: Some(value.to_owned()), value_from: None }
}

fn field(name: &str, path: &str) -> EnvVar {
    EnvVar {
        name: name.to_owned(),
        value: None,
        value_from: Some(EnvVarSource {
            field_ref: Some(ObjectFieldSelector { field_path: path.to_owned(), ..ObjectFieldSelector::default() }),
            ..EnvVarSource::default()
        }),
    }
}
