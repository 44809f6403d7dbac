//! A real Kubernetes cluster, as the tests see it.
//!
//! `KUBECONFIG` says which; `kubectl` and `helm` must be on the PATH. Each test has a namespace of its own, which goes
//! when the test ends and is described first when it fails.

mod chart;
mod eventually;
mod kubectl;
pub mod manifests;
mod metrics;
mod namespace;
mod prometheus;
mod receiver;

pub use chart::{Chart, OPERATOR_NAMESPACE};
pub use eventually::{eventually, eventually_for};
pub use kubectl::{Output, helm, kubectl};
pub use metrics::{Requests, requests};
pub use namespace::{Namespace, in_namespace};
pub use prometheus::Prometheus;
pub use receiver::ReceiverPod;
