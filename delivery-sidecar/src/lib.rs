//! The delivery sidecar: takes events, journals them, delivers them and reports what came of it.
//!
//! An event's way: [`ingest`] -> journal -> [`route`] -> [`schedule`] -> [`render`] -> sign -> [`send`] -> [`record`] ->
//! [`report`]. Each arrow is one call forward; nothing reaches back. What happens on the way is noted in the [`history`], which
//! people look at through the [`api`].

pub mod admin;
pub mod api;
pub mod args;
pub mod config;
pub mod endpoint;
pub mod event;
pub mod history;
pub mod ingest;
pub mod record;
pub mod render;
pub mod report;
pub mod route;
pub mod run;
pub mod schedule;
pub mod send;
pub mod serve;
pub mod shutdown;
#[cfg(test)]
mod simulation;
pub mod standalone;
pub mod telemetry;
