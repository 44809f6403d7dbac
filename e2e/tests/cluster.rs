//! What users rely on, each in a namespace of its own, all at once on one cluster.

#[path = "cluster/configuration.rs"]
mod configuration;
#[path = "cluster/deletion.rs"]
mod deletion;
#[path = "cluster/deliveries.rs"]
mod deliveries;
#[path = "cluster/explain.rs"]
mod explain;
#[path = "cluster/failing.rs"]
mod failing;
#[path = "cluster/fan_out.rs"]
mod fan_out;
#[path = "cluster/filter.rs"]
mod filter;
#[path = "cluster/ingest.rs"]
mod ingest;
#[path = "cluster/ingest_tls.rs"]
mod ingest_tls;
#[path = "cluster/keys.rs"]
mod keys;
#[path = "cluster/limits.rs"]
mod limits;
#[path = "cluster/manifests.rs"]
mod manifests;
#[path = "cluster/monitoring.rs"]
mod monitoring;
#[path = "cluster/ownership.rs"]
mod ownership;
#[path = "cluster/payload.rs"]
mod payload;
#[path = "cluster/quickstart.rs"]
mod quickstart;
#[path = "cluster/rights.rs"]
mod rights;
#[path = "cluster/space.rs"]
mod space;
