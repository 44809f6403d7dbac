//! PersistentVolumeClaim `<webhook>-delivery`: the journal's volume.

use k8s_openapi::{
    api::core::v1::{PersistentVolumeClaim, PersistentVolumeClaimSpec, VolumeResourceRequirements},
    apimachinery::pkg::api::resource::Quantity,
};
use posthaste_crds::{
    names,
    v1alpha1::{JournalStorage, VolumeClaim},
};
use posthaste_delivery_config::defaults::VOLUME_BYTES;

use super::Parent;

/// Builds it; `None` when the journal is in an emptyDir.
pub fn build(parent: &Parent) -> Option<PersistentVolumeClaim> {
    let storage = parent.webhook.spec.journal.as_ref().and_then(|journal| journal.storage.as_ref());
    let VolumeClaim { size, class_name } = match storage {
        Some(JournalStorage { volume_claim: Some(claim), .. }) => claim.clone(),
        Some(JournalStorage { empty_dir: Some(_), .. }) => return None,
        Some(JournalStorage { volume_claim: None, empty_dir: None }) | None => {
            VolumeClaim { size: Quantity(format!("{}Gi", VOLUME_BYTES >> 30)), class_name: None }
        }
    };
    Some(PersistentVolumeClaim {
        metadata: parent.meta(names::delivery(parent.name)),
        spec: Some(PersistentVolumeClaimSpec {
            access_modes: Some(vec!["ReadWriteOnce".to_owned()]),
            resources: Some(VolumeResourceRequirements {
                requests: Some([("storage".to_owned(), size)].into()),
                ..VolumeResourceRequirements::default()
            }),
            storage_class_name: class_name,
            ..PersistentVolumeClaimSpec::default()
        }),
        ..PersistentVolumeClaim::default()
    })
}
