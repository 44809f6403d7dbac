//! The whole way from manifests to configuration Secrets and back.

mod contract;
mod fixtures;
mod ingest;
mod render;
mod schema;
mod verdict;
