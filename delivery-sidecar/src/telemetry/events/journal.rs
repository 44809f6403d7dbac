//! Events about the journal.

use posthaste_journal::Recovered;
use tracing::{error, info, warn};

use crate::telemetry::Metrics;

/// The journal was opened.
#[derive(Debug)]
pub struct JournalOpened<'a> {
    /// What was found in it.
    pub recovered: &'a Recovered,
}

impl JournalOpened<'_> {
    /// Logs and counts it.
    pub fn emit(&self, metrics: &Metrics) {
        let Recovered { endpoints, pending, cut } = self.recovered;
        info!(endpoints = endpoints.len(), pending, "journal opened");
        if let Some(cut) = cut {
            metrics.journal_cut_bytes.inc_by(cut.bytes);
            warn!(
                file = %cut.file.display(),
                bytes = cut.bytes,
                records = cut.records,
                "a torn end was cut off; nothing that was acknowledged is lost"
            );
        }
    }
}

/// The journal could not be written or synced: what waited for it is not acknowledged.
#[derive(Debug)]
pub struct JournalFailed<'a> {
    /// What the disk said.
    pub error: &'a str,
}

impl JournalFailed<'_> {
    /// Logs and counts it.
    pub fn emit(&self, metrics: &Metrics) {
        metrics.journal_errors.inc();
        error!(error = self.error, "the journal could not be written");
    }
}
