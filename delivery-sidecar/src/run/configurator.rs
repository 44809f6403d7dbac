//! Puts configurations in force: asks the journal for the endpoints' numbers, and tells routing, ingest, the engine and
//! the reporter.

use std::{sync::Arc, time::Duration};

use arc_swap::ArcSwap;
use posthaste_delivery_config::{AddressPolicy, IngestTls, StatusBudget, WebhookConfig};
use posthaste_journal::{self as journal, EndpointRecord, Journal};
use tokio::{
    sync::{mpsc, watch},
    time::sleep,
};

use super::{engine_task::Message, numbers::Numbers, open};
use crate::{
    config::{Loaded, Snapshot, State},
    ingest,
    send::{Sender, SetupError},
    serve::Encryption,
    telemetry::{
        Metrics,
        events::{ConfigurationLoaded, DeliveryFinished},
        labels::FinalState,
    },
};

/// A journal that cannot be written is asked again after this time.
const AGAIN: Duration = Duration::from_secs(1);

/// Why a configuration cannot be put in force.
#[derive(Debug, thiserror::Error)]
pub enum ApplyError {
    /// Numbers for new endpoints, or a deletion, could not be written.
    #[error(transparent)]
    Journal(#[from] journal::Error),
    /// Nothing can be sent.
    #[error(transparent)]
    Sender(#[from] SetupError),
}

/// What changes when a configuration is put in force. Shared with those who read it.
pub struct InForce {
    /// What events are matched by.
    pub snapshot: Arc<ArcSwap<Snapshot>>,
    /// What ingest checks by.
    pub ingest: Arc<ArcSwap<ingest::Settings>>,
    /// What connections to ingest speak.
    pub encryption: Arc<ArcSwap<Encryption>>,
    /// What the reporter may write.
    pub budget: watch::Sender<StatusBudget>,
}

/// See the module.
pub struct Configurator {
    journal: Journal,
    numbers: Numbers,
    metrics: Metrics,
    sender: Option<(AddressPolicy, Arc<Sender>)>,
    /// What [`InForce::encryption`] was made from last.
    tls: Option<IngestTls>,
}

impl Configurator {
    /// Knows the endpoints that the journal does.
    pub fn new(journal: Journal, metrics: Metrics, recovered: &[EndpointRecord]) -> Self {
        Self { numbers: Numbers::new(journal.clone(), recovered), journal, metrics, sender: None, tls: None }
    }

    /// Makes a configuration ready: the endpoints that events are kept for have numbers, and there is a sender for its
    /// address policy.
    pub async fn prepare(
        &mut self,
        loaded: &Loaded,
        previous: Option<&Snapshot>,
    ) -> Result<(Arc<Snapshot>, Arc<Sender>), ApplyError> {
        let snapshot = self.numbers.snapshot(loaded, previous).await?;
        let sender = self.sender(&loaded.webhook.address_policy)?;
        Ok((Arc::new(snapshot), sender))
    }

    /// A sender lives as long as the rules that its connections were opened under.
    fn sender(&mut self, policy: &AddressPolicy) -> Result<Arc<Sender>, SetupError> {
        if let Some((known, sender)) = &self.sender
            && known == policy
        {
            return Ok(Arc::clone(sender));
        }
        let sender = Arc::new(Sender::new(policy)?);
        self.sender = Some((policy.clone(), Arc::clone(&sender)));
        Ok(sender)
    }

    /// What connections to ingest speak to begin with.
    pub fn encryption(&mut self, webhook: &WebhookConfig) -> Arc<ArcSwap<Encryption>> {
        let encryption: Arc<ArcSwap<Encryption>> = Arc::default();
        encrypt(webhook, &mut self.tls, &encryption);
        encryption
    }

    /// Forgets what waits for deleted endpoints. To be called when no event is matched to them any more.
    pub async fn drop_deleted(&mut self, snapshot: &Snapshot) -> Result<(), ApplyError> {
        let metrics = &self.metrics;
        let tell = |endpoint: &str, deliveries| {
            if deliveries > 0 {
                DeliveryFinished { endpoint, event_id: None, deliveries, state: FinalState::Dropped }.emit(metrics);
            }
        };
        Ok(self.numbers.drop_deleted(snapshot, tell).await?)
    }

    /// Puts every configuration of `state` in force, until its writer is gone.
    pub async fn follow(
        mut self,
        mut state: watch::Receiver<State>,
        in_force: InForce,
        engine: mpsc::UnboundedSender<Message>,
    ) {
        let mut current: Option<Arc<Loaded>> = None;
        while state.changed().await.is_ok() {
            let State { loaded, error } = state.borrow_and_update().clone();
            if let Some(loaded) =
                loaded.filter(|loaded| current.as_ref().is_none_or(|known| !Arc::ptr_eq(known, loaded)))
            {
                self.apply(&loaded, &in_force, &engine).await;
                current = Some(loaded);
            }
            if let Some(error) = error {
                // The same way as configurations, so that one that comes before cannot be shown after it.
                let _ = engine.send(Message::ConfigurationRefused(error));
            }
        }
    }

    /// Puts a configuration in force, however often the journal has to be asked.
    async fn apply(&mut self, loaded: &Loaded, in_force: &InForce, engine: &mpsc::UnboundedSender<Message>) {
        let (snapshot, sender) = loop {
            match self.prepare(loaded, Some(&in_force.snapshot.load())).await {
                Ok(prepared) => break prepared,
                Err(error) => wait_after(&error).await,
            }
        };
        self.journal.set_space(open::space(&loaded.webhook)).await;
        in_force.snapshot.store(Arc::clone(&snapshot));
        in_force.ingest.store(Arc::new(ingest::Settings::new(&loaded.webhook, &loaded.schemas)));
        encrypt(&loaded.webhook, &mut self.tls, &in_force.encryption);
        in_force.budget.send_if_modified(|budget| {
            let changed = *budget != loaded.webhook.status;
            budget.clone_from(&loaded.webhook.status);
            changed
        });
        while let Err(error) = self.drop_deleted(&snapshot).await {
            wait_after(&error).await;
        }
        tell_loaded(&snapshot, &self.metrics);
        // Nobody listens any more only when the process is about to end.
        let _ = engine.send(Message::Configure(snapshot, sender));
    }
}

/// Puts in force what connections to ingest speak. A pair that cannot be used keeps what was in force, if that was HTTPS.
fn encrypt(webhook: &WebhookConfig, known: &mut Option<IngestTls>, encryption: &ArcSwap<Encryption>) {
    if *known == webhook.tls {
        // Another configuration of the same certificate would only make clients do whole handshakes again.
        return;
    }
    match Encryption::new(webhook.tls.as_ref()) {
        Ok(new) => {
            tracing::info!(tls = webhook.tls.is_some(), "new connections speak what the configuration says");
            encryption.store(Arc::new(new));
            known.clone_from(&webhook.tls);
        }
        Err(error) => {
            tracing::error!(%error, "the certificate cannot be used; the one before, if there is one, stays in use");
            if matches!(**encryption.load(), Encryption::Plain) {
                encryption.store(Arc::new(Encryption::Unavailable));
                *known = Some(IngestTls { pair: None });
            }
        }
    }
}

async fn wait_after(error: &ApplyError) {
    tracing::warn!(%error, "the configuration is not in force yet; trying again");
    sleep(AGAIN).await;
}

/// Tells that a configuration is in force.
pub fn tell_loaded(snapshot: &Snapshot, metrics: &Metrics) {
    let endpoints = snapshot.entries().filter(|entry| !entry.parked).count();
    ConfigurationLoaded { revision: &snapshot.revision, generation: snapshot.webhook.generation, endpoints }
        .emit(metrics);
}

#[cfg(test)]
mod tests {
    use posthaste_delivery_config::{Redacted, TlsPair};

    use super::*;
    use crate::config::testing::webhook;

    fn with(pair: Option<TlsPair>) -> WebhookConfig {
        WebhookConfig { tls: Some(IngestTls { pair }), ..webhook(1) }
    }

    fn good() -> TlsPair {
        let made = rcgen::generate_simple_self_signed(["orders-ingest.shop.svc".to_owned()]).unwrap();
        TlsPair { certificates: made.cert.pem(), private_key: Redacted::new(made.signing_key.serialize_pem()) }
    }

    fn bad() -> TlsPair {
        TlsPair { private_key: good().private_key, ..good() }
    }

    #[test]
    fn a_pair_that_cannot_be_used_keeps_the_last_good_one_and_never_opens_plain_http() {
        let (mut known, encryption) = (None, ArcSwap::from_pointee(Encryption::Plain));
        encrypt(&with(Some(bad())), &mut known, &encryption);
        assert!(matches!(**encryption.load(), Encryption::Unavailable));
        encrypt(&webhook(1), &mut known, &encryption);
        assert!(matches!(**encryption.load(), Encryption::Plain), "nobody asks for HTTPS any more");
        encrypt(&with(Some(bad())), &mut known, &encryption);
        encrypt(&with(Some(good())), &mut known, &encryption);
        let last_good = encryption.load_full();
        assert!(matches!(*last_good, Encryption::Tls(_)));
        encrypt(&with(Some(bad())), &mut known, &encryption);
        assert!(Arc::ptr_eq(&last_good, &encryption.load_full()));
        encrypt(&with(None), &mut known, &encryption);
        assert!(matches!(**encryption.load(), Encryption::Unavailable));
        encrypt(&webhook(1), &mut known, &encryption);
        assert!(matches!(**encryption.load(), Encryption::Plain));
    }

    #[test]
    fn the_same_pair_again_changes_nothing() {
        let (mut known, encryption) = (None, ArcSwap::from_pointee(Encryption::Plain));
        let webhook = with(Some(good()));
        encrypt(&webhook, &mut known, &encryption);
        let first = encryption.load_full();
        encrypt(&webhook, &mut known, &encryption);
        assert!(Arc::ptr_eq(&first, &encryption.load_full()));
    }
}
