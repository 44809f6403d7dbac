//! Events about the configuration that is read.

use tracing::{info, warn};

use crate::telemetry::{
    Metrics,
    labels::{ByResult, LoadResult},
};

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

/// A configuration cannot be used; the one before, if there is one, still runs.
#[derive(Debug)]
pub struct ConfigurationRefused<'a> {
    /// Why.
    pub error: &'a str,
    /// There is one before.
    pub runs: bool,
}

impl ConfigurationRefused<'_> {
    /// Logs and counts it.
    pub fn emit(&self, metrics: &Metrics) {
        metrics.loads.get_or_create(&ByResult { result: LoadResult::Refused }).inc();
        if self.runs {
            warn!(error = self.error, "configuration cannot be used; the one before still runs");
        } else {
            warn!(error = self.error, "configuration cannot be used; nothing is taken in before there is one that can");
        }
    }
}
