//! What is shown of an endpoint: its configuration, what the engine knows, and the journal's counts. Pure.

use std::sync::Arc;

use posthaste_journal::EndpointStats;

use crate::{
    config::{Entry, Snapshot},
    report::EndpointView,
    schedule::LaneView,
};

/// Puts a view together. `lane` is `None` for an endpoint that has never had a lane.
pub fn endpoint_view(
    snapshot: &Snapshot,
    entry: &Entry,
    lane: Option<LaneView>,
    stats: EndpointStats,
    oldest_pending_ms: Option<i64>,
    now_ms: i64,
) -> EndpointView {
    let loaded = &entry.loaded;
    let keys = entry.running.iter().flat_map(|endpoint| endpoint.active_keys(now_ms));
    EndpointView {
        uid: Arc::clone(&loaded.uid),
        name: Arc::clone(&loaded.name),
        generation: loaded.generation,
        revision: Arc::clone(&loaded.revision),
        config_error: entry.config_error().map(str::to_owned),
        display_url: loaded.display_url.clone(),
        enabled: loaded.enabled,
        suspended: loaded.suspend || snapshot.webhook.suspend,
        gone: lane.is_some_and(|lane| lane.gone),
        exhausted: lane.and_then(|lane| lane.exhausted),
        circuit: lane.map(|lane| lane.circuit).unwrap_or_default(),
        active_key_ids: keys.map(|key| key.id.clone()).collect(),
        stats,
        pending: lane.map_or(0, |lane| lane.pending),
        oldest_pending_ms,
        next_attempt_ms: lane.and_then(|lane| lane.next_attempt_ms),
    }
}

/// When a key of the snapshot stops signing next: the views are to be shown anew then.
pub fn next_key_expiry_ms(snapshot: &Snapshot, now_ms: i64) -> Option<i64> {
    let keys = snapshot.entries().flat_map(|entry| &entry.running).flat_map(|endpoint| &endpoint.keys);
    keys.filter_map(|key| key.not_after_ms).filter(|end| *end > now_ms).min()
}
