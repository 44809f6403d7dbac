//! Events for what a user has to act on, told once when it begins.

use k8s_openapi::{api::core::v1::ObjectReference, apimachinery::pkg::apis::meta::v1::Condition};
use kube::{
    Client,
    runtime::events::{Event, EventType, Recorder, Reporter},
};

use crate::{apply::is_terminating, conditions};

/// Publishes Events in the operator's name.
pub struct Events(Recorder);

/// An Event to publish.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning {
    /// Reason of the condition.
    pub reason: String,
    /// Message of the condition.
    pub note: String,
}

/// What to tell of conditions that became false, or false for another reason.
pub fn warnings(before: Option<&[Condition]>, after: &[Condition], types: &[&str]) -> Vec<Warning> {
    let bad = |condition: &&Condition| condition.status == "False" && types.contains(&condition.type_.as_str());
    let told = |condition: &Condition| {
        conditions::find(before, &condition.type_)
            .is_some_and(|before| before.status == condition.status && before.reason == condition.reason)
    };
    let new = after.iter().filter(bad).filter(|condition| !told(condition));
    new.map(|condition| Warning { reason: condition.reason.clone(), note: shorten(&condition.message) }).collect()
}

/// An Event's note may have 1 kB.
fn shorten(message: &str) -> String {
    const MOST: usize = 1000;
    let end = (0..=MOST.min(message.len())).rev().find(|end| message.is_char_boundary(*end)).unwrap_or(0);
    message[..end].to_owned()
}

impl Events {
    /// Publishes as the replica `instance`.
    pub fn new(client: Client, instance: &str) -> Self {
        let reporter = Reporter { controller: "posthaste-operator".to_owned(), instance: Some(instance.to_owned()) };
        Self(Recorder::new(client, reporter))
    }

    /// Publishes. An Event that is lost is no reason to fail: the condition says the same.
    pub async fn publish(&self, about: &ObjectReference, warnings: Vec<Warning>) {
        for Warning { reason, note } in warnings {
            let event = Event {
                type_: EventType::Warning,
                reason,
                note: Some(note),
                action: "Reconcile".to_owned(),
                secondary: None,
            };
            match self.0.publish(&event, about).await {
                Ok(()) => {}
                Err(kube::Error::Api(status)) if is_terminating(&status) => {
                    tracing::debug!(object = about.name, "no Event: the namespace is being terminated");
                    return;
                }
                Err(error) => tracing::warn!(%error, object = about.name, "could not publish an Event"),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use posthaste_delivery_config::resolve::{Outcome, Refusal};

    use super::*;

    fn accepted(outcome: &Outcome) -> Condition {
        conditions::condition("Accepted", outcome, 1, None, Timestamp::UNIX_EPOCH)
    }

    fn refused(reason: &'static str) -> Condition {
        accepted(&Refusal::new(reason, "what would be right").into())
    }

    #[test]
    fn warns_when_it_begins_and_when_the_reason_is_another_one() {
        let good = accepted(&Outcome::holds("Accepted", ""));
        let count = |before: Option<&Condition>, after: &Condition| {
            warnings(before.map(std::slice::from_ref), std::slice::from_ref(after), &["Accepted"]).len()
        };
        assert_eq!(count(Some(&good), &refused("Invalid")), 1);
        assert_eq!(count(None, &refused("Invalid")), 1);
        assert_eq!(count(Some(&refused("Invalid")), &refused("Invalid")), 0);
        assert_eq!(count(Some(&refused("Invalid")), &refused("NameConflict")), 1);
        assert_eq!(count(Some(&refused("Invalid")), &good), 0);
    }

    #[test]
    fn a_note_fits_an_event() {
        let long = accepted(&Refusal::new("Invalid", "é".repeat(2000)).into());
        assert_eq!(warnings(None, &[long], &["Accepted"])[0].note.len(), 1000);
    }
}
