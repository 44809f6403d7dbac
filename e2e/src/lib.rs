//! What the end-to-end tests share: a receiver that verifies with an independent library, and the cluster.

pub mod cluster;
pub mod demo;
pub mod receiver;
