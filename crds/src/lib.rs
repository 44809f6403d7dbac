//! The resources of Posthaste: types only, no client and no I/O.
//!
//! `v1alpha1` is what users write; [`conditions`], [`labels`] and [`names`] are the words that operator, delivery
//! sidecar and tests must spell alike.

pub mod conditions;
pub mod crd;
pub mod duration;
pub mod labels;
pub mod names;
#[cfg(feature = "offline")]
pub mod offline;
pub mod quantity;
pub mod v1alpha1;

pub use crd::crds;
pub use duration::Duration;

/// The API group of both kinds.
pub const GROUP: &str = "posthaste.dev";
/// Field manager of everything that the operator applies.
pub const OPERATOR_MANAGER: &str = "posthaste-operator";
/// Field manager of everything that a delivery sidecar applies. Constant, never a pod's name: a pod's successor must own the same fields.
pub const DELIVERY_MANAGER: &str = "posthaste-delivery";
/// Audience of the ServiceAccount tokens that producers send.
pub const TOKEN_AUDIENCE: &str = "posthaste.dev";
