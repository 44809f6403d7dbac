//! The whole delivery from manifests, without a cluster.

mod check;
mod columns;
mod configuration;
mod documents;
mod keys;
mod manifests;
mod tables;
