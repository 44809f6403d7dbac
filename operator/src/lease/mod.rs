//! Leader election by a Lease: one replica works, the others stand by.
//!
//! Guarantee: a replica that cannot renew stops before the Lease expires for the others, because it counts from the
//! last renewal that succeeded. Losing the Lease ends the process; a restart is the one way back that surely carries
//! no state over.

pub mod decide;

use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::{
    api::coordination::v1::{Lease, LeaseSpec},
    apimachinery::pkg::apis::meta::v1::MicroTime,
};
use kube::{
    Api, Client,
    api::{ObjectMeta, PostParams},
};
use tokio::time::{Instant, sleep, timeout};

use self::decide::{Action, Observed, Record, decide, must_stop};

/// For how long a renewal is good.
const LEASE_DURATION: Duration = Duration::from_secs(15);
/// How often it is renewed, and how often the others look.
const PERIOD: Duration = Duration::from_secs(5);
/// Without a renewal for so long, the leader stops.
const RENEW_DEADLINE: Duration = Duration::from_secs(10);

/// One replica's part in the election.
pub struct Election {
    api: Api<Lease>,
    name: String,
    identity: String,
    started: Instant,
    /// The Lease as last read or written.
    lease: Option<Lease>,
    observed: Option<Observed>,
    /// Whether the last step held it, so that the next can write without reading.
    held: bool,
}

impl Election {
    /// Takes part in the election for the Lease `name` as `identity`, which must be unlike that of any other replica.
    pub fn new(client: Client, namespace: &str, name: &str, identity: &str) -> Self {
        Self {
            api: Api::namespaced(client, namespace),
            name: name.to_owned(),
            identity: identity.to_owned(),
            started: Instant::now(),
            lease: None,
            observed: None,
            held: false,
        }
    }

    /// Returns once this replica holds the Lease. Errors are logged and tried again.
    pub async fn acquire(&mut self) {
        loop {
            match self.bounded_step().await {
                Ok(true) => return,
                Ok(false) => {}
                Err(error) => tracing::warn!(%error, lease = self.name, "cannot read or write the Lease; trying again"),
            }
            sleep(PERIOD).await;
        }
    }

    /// Renews until the Lease is lost; returns why.
    pub async fn hold(&mut self) -> String {
        let mut renewed = self.started.elapsed();
        loop {
            sleep(PERIOD).await;
            let mut step = self.bounded_step().await;
            if matches!(step, Ok(false)) {
                // A write that lost a race says nothing yet; what is read then does.
                step = self.bounded_step().await;
            }
            match step {
                Ok(true) => renewed = self.started.elapsed(),
                Ok(false) => return format!("the Lease {} is held by another replica", self.name),
                Err(error) => tracing::warn!(%error, lease = self.name, "cannot renew the Lease"),
            }
            if must_stop(renewed, self.started.elapsed(), RENEW_DEADLINE) {
                return format!("the Lease {} could not be renewed for {} s", self.name, RENEW_DEADLINE.as_secs());
            }
        }
    }

    /// Gives the Lease up, so that another replica need not wait until it expires.
    pub async fn release(&self) {
        match timeout(PERIOD, self.try_release()).await {
            Ok(Ok(true)) => tracing::info!(lease = self.name, "released the Lease"),
            Ok(Ok(false)) => {}
            Ok(Err(error)) => tracing::warn!(%error, lease = self.name, "could not release the Lease"),
            Err(_) => tracing::warn!(lease = self.name, "could not release the Lease in time"),
        }
    }

    /// Reads first: a renewal that was cut short may have been written.
    async fn try_release(&self) -> Result<bool, kube::Error> {
        let Some(mut lease) = self.api.get_opt(&self.name).await? else { return Ok(false) };
        let holder = lease.spec.as_mut().map(|spec| &mut spec.holder_identity);
        match holder {
            Some(holder) if holder.as_deref() == Some(&self.identity) => *holder = None,
            _ => return Ok(false),
        }
        self.api.replace(&self.name, &PostParams::default(), &lease).await.map(|_| true)
    }

    async fn bounded_step(&mut self) -> Result<bool, String> {
        match timeout(PERIOD, self.step(Timestamp::now())).await {
            Ok(result) => result.map_err(|error| error.to_string()),
            Err(_) => Err("the API server did not answer in time".to_owned()),
        }
    }

    /// Reads (unless this replica held the Lease after the last step), decides and acts. Whether it is held now.
    async fn step(&mut self, wall: Timestamp) -> Result<bool, kube::Error> {
        if !std::mem::take(&mut self.held) {
            self.lease = self.api.get_opt(&self.name).await?;
        }
        let now = self.started.elapsed();
        self.observed = self.lease.as_ref().map(|lease| Observed::update(self.observed.take(), record(lease), now));
        let written = match decide(&self.identity, self.observed.as_ref(), now) {
            Action::Wait => return Ok(false),
            Action::Create => self.api.create(&PostParams::default(), &self.claim(None, wall)).await,
            Action::Renew | Action::TakeOver => {
                let claim = self.claim(self.lease.as_ref(), wall);
                self.api.replace(&self.name, &PostParams::default(), &claim).await
            }
        };
        match written {
            Ok(lease) => {
                self.lease = Some(lease);
                self.held = true;
                Ok(true)
            }
            // Another replica was faster.
            Err(kube::Error::Api(status)) if status.is_conflict() || status.is_already_exists() => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// The Lease as this replica would hold it. Carries the resource version, so that a change in between is noticed.
    fn claim(&self, current: Option<&Lease>, wall: Timestamp) -> Lease {
        let spec = current.and_then(|lease| lease.spec.clone()).unwrap_or_default();
        let renewal = spec.holder_identity.as_deref() == Some(&self.identity);
        let transitions = spec.lease_transitions.unwrap_or(0);
        Lease {
            metadata: current.map_or_else(
                || ObjectMeta { name: Some(self.name.clone()), ..ObjectMeta::default() },
                |lease| lease.metadata.clone(),
            ),
            spec: Some(LeaseSpec {
                holder_identity: Some(self.identity.clone()),
                lease_duration_seconds: i32::try_from(LEASE_DURATION.as_secs()).ok(),
                acquire_time: if renewal { spec.acquire_time } else { Some(MicroTime(wall)) },
                renew_time: Some(MicroTime(wall)),
                lease_transitions: Some(if renewal || current.is_none() { transitions } else { transitions + 1 }),
                ..LeaseSpec::default()
            }),
        }
    }
}

fn record(lease: &Lease) -> Record {
    let spec = lease.spec.as_ref();
    let seconds = spec.and_then(|spec| spec.lease_duration_seconds).and_then(|seconds| u64::try_from(seconds).ok());
    Record {
        holder: spec.and_then(|spec| spec.holder_identity.clone()),
        duration: seconds.map_or(LEASE_DURATION, Duration::from_secs),
        version: lease.metadata.resource_version.clone().unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::testing::{Answer, api_server};

    fn lease(holder: &str) -> Value {
        json!({
            "apiVersion": "coordination.k8s.io/v1", "kind": "Lease",
            "metadata": {"name": "sorter", "namespace": "mail", "resourceVersion": "41"},
            "spec": {"holderIdentity": holder, "leaseDurationSeconds": 15, "leaseTransitions": 3},
        })
    }

    #[tokio::test]
    async fn creates_a_missing_lease_and_renews_it_without_reading() {
        let (client, server) =
            api_server([Answer::not_found(), Answer::json(201, lease("pod-a")), Answer::json(200, lease("pod-a"))]);
        let mut election = Election::new(client, "mail", "sorter", "pod-a");
        assert!(election.step(Timestamp::UNIX_EPOCH).await.unwrap());
        assert!(election.step(Timestamp::UNIX_EPOCH).await.unwrap());
        let requests = server.requests().await;
        let lines: Vec<_> = requests.iter().map(|request| request.line.as_str()).collect();
        let path = "/apis/coordination.k8s.io/v1/namespaces/mail/leases";
        assert_eq!(lines, [format!("GET {path}/sorter"), format!("POST {path}"), format!("PUT {path}/sorter")]);
        assert_eq!(requests[1].body["spec"]["holderIdentity"], "pod-a");
        assert_eq!(requests[2].body["metadata"]["resourceVersion"], "41");
        assert_eq!(requests[2].body["spec"]["leaseTransitions"], 3);
    }

    #[tokio::test]
    async fn leaves_a_lease_that_another_replica_holds() {
        let (client, server) = api_server([Answer::json(200, lease("pod-b"))]);
        let mut election = Election::new(client, "mail", "sorter", "pod-a");
        assert!(!election.step(Timestamp::UNIX_EPOCH).await.unwrap());
        assert_eq!(server.requests().await.len(), 1);
    }

    #[tokio::test]
    async fn takes_a_released_lease_and_counts_the_transition() {
        let (client, server) = api_server([Answer::json(200, lease("")), Answer::json(200, lease("pod-a"))]);
        let mut election = Election::new(client, "mail", "sorter", "pod-a");
        assert!(election.step(Timestamp::UNIX_EPOCH).await.unwrap());
        assert_eq!(server.requests().await[1].body["spec"]["leaseTransitions"], 4);
    }

    #[tokio::test]
    async fn releases_only_its_own_lease() {
        let (client, server) = api_server([
            Answer::json(200, lease("pod-b")),
            Answer::json(200, lease("pod-a")),
            Answer::json(200, lease("")),
        ]);
        let election = Election::new(client, "mail", "sorter", "pod-a");
        assert!(!election.try_release().await.unwrap());
        assert!(election.try_release().await.unwrap());
        let requests = server.requests().await;
        assert_eq!(requests.len(), 3);
        assert_eq!(requests[2].body["spec"].get("holderIdentity"), None);
    }

    #[tokio::test]
    async fn a_lost_race_is_not_leadership() {
        let (client, server) = api_server([Answer::not_found(), Answer::error(409, "AlreadyExists")]);
        let mut election = Election::new(client, "mail", "sorter", "pod-a");
        assert!(!election.step(Timestamp::UNIX_EPOCH).await.unwrap());
        assert_eq!(server.requests().await.len(), 2);
    }
}
