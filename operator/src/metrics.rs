//! What the operator counts. Label values come from closed sets: never a name, never an error's text.

use std::{fmt, time::Duration};

use prometheus_client::{
    encoding::{EncodeLabelSet, text::encode},
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::Registry,
};

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct ReconcileLabels {
    controller: &'static str,
    result: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct ControllerLabels {
    controller: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct PatchLabels {
    kind: &'static str,
    result: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct KindLabels {
    kind: &'static str,
}

/// All metrics of the process.
pub struct Metrics {
    registry: Registry,
    reconciles: Family<ReconcileLabels, Counter>,
    durations: Family<ControllerLabels, Histogram, fn() -> Histogram>,
    patches: Family<PatchLabels, Counter>,
    watch_errors: Family<KindLabels, Counter>,
    leading: Gauge,
    crds_served: Gauge,
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("posthaste_operator");
        let reconciles = Family::default();
        registry.register("reconciles", "Reconciles, by controller and result", reconciles.clone());
        let durations = Family::new_with_constructor(duration_buckets as fn() -> Histogram);
        registry.register("reconcile_duration_seconds", "How long reconciles took", durations.clone());
        let patches = Family::default();
        registry.register("patches", "Writes to the API server, by kind and result", patches.clone());
        let watch_errors = Family::default();
        registry.register(
            "watch_errors",
            "Watches that broke off or could not be opened, by kind",
            watch_errors.clone(),
        );
        let leading = Gauge::default();
        registry.register("leading", "1 while this replica holds the Lease", leading.clone());
        let crds_served = Gauge::default();
        registry.register("crds_served", "1 while the API server serves both kinds", crds_served.clone());
        Self { registry, reconciles, durations, patches, watch_errors, leading, crds_served }
    }
}

fn duration_buckets() -> Histogram {
    Histogram::new([0.001, 0.005, 0.025, 0.1, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0])
}

impl Metrics {
    /// Counts a reconcile.
    pub fn reconciled(&self, controller: &'static str, ok: bool, took: Duration) {
        self.reconciles.get_or_create(&ReconcileLabels { controller, result: result(ok) }).inc();
        self.durations.get_or_create(&ControllerLabels { controller }).observe(took.as_secs_f64());
    }

    /// Counts a write. `kind` is a kind, or a kind with `/status`.
    pub fn patched(&self, kind: &'static str, ok: bool) {
        self.patches.get_or_create(&PatchLabels { kind, result: result(ok) }).inc();
    }

    /// Counts a watch that failed.
    pub fn watch_failed(&self, kind: &'static str) {
        self.watch_errors.get_or_create(&KindLabels { kind }).inc();
    }

    /// Says whether this replica holds the Lease.
    pub fn set_leading(&self, leading: bool) {
        self.leading.set(leading.into());
    }

    /// Says whether both kinds are served.
    pub fn set_crds_served(&self, served: bool) {
        self.crds_served.set(served.into());
    }

    /// In the text format of OpenMetrics 1.0.
    ///
    /// # Errors
    /// Never for what is registered here.
    pub fn encode(&self) -> Result<String, fmt::Error> {
        let mut text = String::new();
        encode(&mut text, &self.registry)?;
        Ok(text)
    }
}

fn result(ok: bool) -> &'static str {
    if ok { "success" } else { "error" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shows_what_was_counted() {
        let metrics = Metrics::default();
        metrics.reconciled("webhook", true, Duration::from_millis(3));
        metrics.patched("Service", false);
        metrics.set_leading(true);
        let text = metrics.encode().unwrap();
        for line in [
            r#"posthaste_operator_reconciles_total{controller="webhook",result="success"} 1"#,
            r#"posthaste_operator_reconcile_duration_seconds_count{controller="webhook"} 1"#,
            r#"posthaste_operator_patches_total{kind="Service",result="error"} 1"#,
            "posthaste_operator_leading 1",
            "posthaste_operator_crds_served 0",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} in\n{text}");
        }
    }
}
