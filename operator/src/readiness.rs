//! Whether this replica does, or stands by to do, what it is there for.

use std::{
    sync::atomic::{AtomicU8, Ordering},
    time::Duration,
};

use kube::Client;
use tokio::{
    sync::watch,
    time::{sleep, timeout},
};

use crate::metrics::Metrics;

const GROUP_VERSION: &str = "posthaste.dev/v1alpha1";
const PLURALS: [&str; 2] = ["webhooks", "webhookendpoints"];

/// How far the replica is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Stage {
    /// Nothing is known yet.
    Starting = 0,
    /// Another replica works; this one would take over.
    StandingBy = 1,
    /// It works, but the caches are not complete yet.
    Filling = 2,
    /// It works.
    Working = 3,
    /// It was told to stop.
    Stopping = 4,
}

/// What /readyz answers from.
#[derive(Debug, Default)]
pub struct Readiness {
    stage: AtomicU8,
    served: watch::Sender<bool>,
}

impl Readiness {
    /// Says how far the replica is.
    pub fn set_stage(&self, stage: Stage) {
        self.stage.store(stage as u8, Ordering::Relaxed);
    }

    /// Says whether the API server serves both kinds.
    pub fn set_served(&self, served: bool) {
        self.served.send_replace(served);
    }

    /// Whether the replica is ready.
    ///
    /// # Errors
    /// Why not, for people.
    pub fn check(&self) -> Result<(), &'static str> {
        if !*self.served.borrow() {
            return Err("the kinds Webhook and WebhookEndpoint are not served: install the chart posthaste-crds");
        }
        let stage = self.stage.load(Ordering::Relaxed);
        if stage == Stage::StandingBy as u8 || stage == Stage::Working as u8 {
            return Ok(());
        }
        Err(if stage == Stage::Filling as u8 {
            "the caches are being filled"
        } else if stage == Stage::Stopping as u8 {
            "stopping"
        } else {
            "starting"
        })
    }
}

/// Whether both kinds are among the resources of the group. Discovery is open to every authenticated client.
async fn are_served(client: &Client) -> Result<bool, kube::Error> {
    match client.list_api_group_resources(GROUP_VERSION).await {
        Ok(list) => Ok(PLURALS.iter().all(|plural| list.resources.iter().any(|resource| resource.name == *plural))),
        Err(kube::Error::Api(status)) if status.is_not_found() => Ok(false),
        Err(error) => Err(error),
    }
}

/// Looks, for as long as the process runs, whether both kinds are served.
pub async fn keep_looking(client: Client, readiness: &Readiness, metrics: &Metrics) {
    const AGAIN_WHEN_SERVED: Duration = Duration::from_secs(30);
    const AGAIN_WHEN_NOT: Duration = Duration::from_secs(2);
    let mut before = None;
    loop {
        match timeout(AGAIN_WHEN_SERVED, are_served(&client)).await {
            Ok(Ok(served)) => {
                readiness.set_served(served);
                metrics.set_crds_served(served);
                if before.replace(served) != Some(served) && !served {
                    tracing::error!(
                        "the kinds Webhook and WebhookEndpoint are not served: install the chart posthaste-crds"
                    );
                }
            }
            // What was seen last stands: an API server that does not answer says nothing about the kinds.
            Ok(Err(error)) => tracing::warn!(%error, "cannot look which kinds the API server serves"),
            Err(_) => tracing::warn!("the API server does not say in time which kinds it serves"),
        }
        sleep(if before == Some(true) { AGAIN_WHEN_SERVED } else { AGAIN_WHEN_NOT }).await;
    }
}

/// Returns once both kinds are served.
pub async fn served(readiness: &Readiness) {
    // The sender is borrowed for as long as this waits, so it cannot be gone.
    let _ = readiness.served.subscribe().wait_for(|served| *served).await;
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::testing::{Answer, api_server};

    #[test]
    fn standing_by_and_working_are_ready_and_only_with_the_kinds_served() {
        let readiness = Readiness::default();
        for (stage, ready) in [
            (Stage::Starting, false),
            (Stage::StandingBy, true),
            (Stage::Filling, false),
            (Stage::Working, true),
            (Stage::Stopping, false),
        ] {
            readiness.set_stage(stage);
            readiness.set_served(true);
            assert_eq!(readiness.check().is_ok(), ready, "{stage:?}");
            readiness.set_served(false);
            assert!(readiness.check().unwrap_err().contains("posthaste-crds"), "{stage:?}");
        }
    }

    #[tokio::test]
    async fn both_kinds_have_to_be_served() {
        let list = |plurals: &[&str]| {
            let resources: Vec<_> = plurals
                .iter()
                .map(
                    |name| json!({"name": name, "singularName": "", "kind": "X", "namespaced": true, "verbs": ["get"]}),
                )
                .collect();
            Answer::json(200, json!({"kind": "APIResourceList", "groupVersion": GROUP_VERSION, "resources": resources}))
        };
        let answers =
            [list(&["webhooks", "webhookendpoints", "webhooks/status"]), list(&["webhooks"]), Answer::not_found()];
        let (client, _server) = api_server(answers);
        let mut seen = Vec::new();
        for _ in 0..3 {
            seen.push(are_served(&client).await.unwrap());
        }
        assert_eq!(seen, [true, false, false]);
    }
}
