//! Labels and annotations on the objects that the operator makes.

/// Name of the Webhook that an object belongs to; with [`MANAGED_BY`], how orphans are found.
pub const WEBHOOK: &str = "posthaste.dev/webhook";
/// Name of the endpoint that an object belongs to.
pub const ENDPOINT: &str = "posthaste.dev/endpoint";
/// Kubernetes' recommended label for the managing program.
pub const MANAGED_BY: &str = "app.kubernetes.io/managed-by";
/// Its value on all that the operator makes.
pub const MANAGED_BY_VALUE: &str = "posthaste";
/// Kubernetes' recommended label for the application.
pub const APP_NAME: &str = "app.kubernetes.io/name";
/// Its value on the delivery pods.
pub const APP_NAME_DELIVERY: &str = "posthaste-delivery";
/// Kubernetes' recommended label for the instance: the Webhook's name.
pub const APP_INSTANCE: &str = "app.kubernetes.io/instance";
/// Value of [`APP_NAME`] on what belongs to the whole of Posthaste, such as the CustomResourceDefinitions.
pub const APP_NAME_VALUE: &str = "posthaste";
