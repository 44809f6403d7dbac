//! Events about the configuration that is read and the status that is written.

use tracing::{debug, info, warn};

use crate::telemetry::{
    Metrics,
    labels::{ByKindAndResult, ByResult, LoadResult, PatchResult, StatusKind},
};

/// A write to an object's status ended.
#[derive(Debug)]
pub struct StatusPatched<'a> {
    /// Kind of the object.
    pub kind: StatusKind,
    /// Its name.
    pub name: &'a str,
    /// How it ended.
    pub result: PatchResult,
    /// What the API server said, when it did not apply it.
    pub error: Option<&'a str>,
}

impl StatusPatched<'_> {
    /// Logs and counts it.
    pub fn emit(&self, metrics: &Metrics) {
        let Self { kind, name, result, error } = *self;
        metrics.patches.get_or_create(&ByKindAndResult { kind, result }).inc();
        let (kind, text) = (kind.as_str(), result.as_str());
        match result {
            PatchResult::Applied | PatchResult::NotFound => debug!(kind, name, result = text, "status written"),
            PatchResult::Throttled | PatchResult::Refused | PatchResult::Failed => {
                warn!(kind, name, result = text, error, "status could not be written");
            }
        }
    }
}

/// A configuration was loaded and runs.
#[derive(Debug)]
pub struct ConfigurationLoaded<'a> {
    /// Its revision.
    pub revision: &'a str,
    /// The Webhook's generation.
    pub generation: i64,
    /// Endpoints in it.
    pub endpoints: usize,
}

impl ConfigurationLoaded<'_> {
    /// Logs and counts it.
    pub fn emit(&self, metrics: &Metrics) {
        let Self { revision, generation, endpoints } = *self;
        metrics.loads.get_or_create(&ByResult { result: LoadResult::Loaded }).inc();
        metrics.set_endpoints(endpoints);
        info!(revision, generation, endpoints, "configuration loaded");
    }
}

/// A configuration cannot be used; the one before still runs.
#[derive(Debug)]
pub struct ConfigurationRefused<'a> {
    /// Why.
    pub error: &'a str,
}

impl ConfigurationRefused<'_> {
    /// Logs and counts it.
    pub fn emit(&self, metrics: &Metrics) {
        metrics.loads.get_or_create(&ByResult { result: LoadResult::Refused }).inc();
        warn!(error = self.error, "configuration cannot be used; the one before still runs");
    }
}
