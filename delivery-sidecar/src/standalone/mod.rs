//! The whole delivery from manifests, without a cluster.

mod columns;
mod configuration;
mod documents;
mod keys;
mod manifests;
