//! Secrets and Services that endpoints refer to: what they hold, and which Webhooks to reconcile when they change.
//!
//! Contents are read once and kept until a metadata watch says that the object has changed, so that a reconcile of a
//! Webhook with thousands of endpoints does not read thousands of Secrets. Holds only what some Webhook refers to.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use k8s_openapi::api::core::v1::{Secret, Service};
use kube::{Resource, api::ObjectMeta, runtime::watcher::Event};

use crate::key::Key;

/// A kind that can be referred to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ReferenceKind {
    /// Keys, header values, URLs.
    Secret,
    /// Receivers in the cluster.
    Service,
}

/// Names an object that is referred to.
pub type Reference = (ReferenceKind, Key);

/// What an object holds.
#[derive(Clone)]
pub enum Content {
    /// There is no such object.
    Absent,
    /// A Secret.
    Secret(Arc<Secret>),
    /// A Service.
    Service(Arc<Service>),
}

/// Objects that were looked up, with what they hold.
pub type Contents = HashMap<Reference, Content>;

impl Content {
    fn resource_version(&self) -> Option<&str> {
        let meta: &ObjectMeta = match self {
            Self::Absent => return None,
            Self::Secret(secret) => secret.meta(),
            Self::Service(service) => service.meta(),
        };
        meta.resource_version.as_deref()
    }

    /// A Secret without what is not needed of it.
    pub fn secret(mut secret: Secret) -> Self {
        secret.metadata.managed_fields = None;
        secret.metadata.annotations = None;
        Self::Secret(Arc::new(secret))
    }

    /// A Service without what is not needed of it.
    pub fn service(mut service: Service) -> Self {
        service.metadata.managed_fields = None;
        service.metadata.annotations = None;
        service.status = None;
        Self::Service(Arc::new(service))
    }
}

/// Allows to store what a read found, unless the object changed while it was being read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ticket(u64);

/// The answer to a look-up.
pub enum Lookup {
    /// It is known.
    Known(Content),
    /// It has to be read, and stored with this ticket.
    Read(Ticket),
}

enum State {
    Known(Content),
    Reading(Ticket),
}

#[derive(Default)]
struct Entry {
    state: Option<State>,
    users: BTreeSet<Key>,
}

/// The references of one scope.
#[derive(Default)]
pub struct References {
    entries: HashMap<Reference, Entry>,
    by_webhook: HashMap<Key, HashSet<Reference>>,
    listing: HashMap<ReferenceKind, HashSet<Key>>,
    tickets: u64,
}

impl References {
    /// Sets what a Webhook refers to. What nobody refers to any more is forgotten.
    pub fn set(&mut self, webhook: &Key, references: HashSet<Reference>) {
        for reference in &references {
            self.entries.entry(reference.clone()).or_default().users.insert(webhook.clone());
        }
        let before = if references.is_empty() {
            self.by_webhook.remove(webhook)
        } else {
            self.by_webhook.insert(webhook.clone(), references)
        };
        let still = self.by_webhook.get(webhook);
        for reference in before.into_iter().flatten().filter(|old| still.is_none_or(|still| !still.contains(old))) {
            if let Some(entry) = self.entries.get_mut(&reference) {
                entry.users.remove(webhook);
                if entry.users.is_empty() {
                    self.entries.remove(&reference);
                }
            }
        }
    }

    /// What an object holds, or a ticket for reading it.
    pub fn look_up(&mut self, reference: &Reference) -> Lookup {
        let entry = self.entries.entry(reference.clone()).or_default();
        if let Some(State::Known(content)) = &entry.state {
            return Lookup::Known(content.clone());
        }
        self.tickets += 1;
        let ticket = Ticket(self.tickets);
        entry.state = Some(State::Reading(ticket));
        Lookup::Read(ticket)
    }

    /// Keeps what was read, if nothing happened to the object since the ticket was given.
    pub fn store(&mut self, reference: &Reference, ticket: Ticket, content: Content) {
        if let Some(entry) = self.entries.get_mut(reference)
            && matches!(&entry.state, Some(State::Reading(reading)) if *reading == ticket)
        {
            entry.state = Some(State::Known(content));
        }
    }

    /// Keeps what a write of our own returned.
    pub fn written(&mut self, reference: &Reference, content: Content) {
        if let Some(entry) = self.entries.get_mut(reference) {
            entry.state = Some(State::Known(content));
        }
    }

    /// Takes in an event of the watch of a kind. Returns the Webhooks that refer to what changed.
    pub fn observe<K: Resource>(&mut self, kind: ReferenceKind, event: &Event<K>) -> Vec<Key> {
        match event {
            Event::Init => {
                self.listing.insert(kind, HashSet::new());
                Vec::new()
            }
            Event::InitApply(object) => {
                let reference = (kind, Key::of(object));
                if self.entries.contains_key(&reference) {
                    self.listing.entry(kind).or_default().insert(reference.1.clone());
                }
                self.changed(&reference, object.meta().resource_version.as_deref())
            }
            Event::InitDone => {
                let listed = self.listing.remove(&kind).unwrap_or_default();
                let gone: Vec<_> =
                    self.entries.keys().filter(|(of, key)| *of == kind && !listed.contains(key)).cloned().collect();
                gone.iter().flat_map(|reference| self.changed(reference, None)).collect()
            }
            Event::Apply(object) => self.changed(&(kind, Key::of(object)), object.meta().resource_version.as_deref()),
            Event::Delete(object) => self.changed(&(kind, Key::of(object)), None),
        }
    }

    /// The object now has this version (`None`: it is gone). Returns its users if that is not what is known.
    fn changed(&mut self, reference: &Reference, version: Option<&str>) -> Vec<Key> {
        let Some(entry) = self.entries.get_mut(reference) else { return Vec::new() };
        match &entry.state {
            Some(State::Known(content)) if content.resource_version() == version => return Vec::new(),
            _ => entry.state = None,
        }
        entry.users.iter().cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(version: &str) -> Secret {
        Secret {
            metadata: ObjectMeta {
                name: Some("stamps".into()),
                namespace: Some("mail".into()),
                resource_version: Some(version.into()),
                ..ObjectMeta::default()
            },
            ..Secret::default()
        }
    }

    fn stamps() -> Reference {
        (ReferenceKind::Secret, Key::new("mail", "stamps"))
    }

    fn letters() -> Key {
        Key::new("mail", "letters")
    }

    fn known() -> References {
        let mut references = References::default();
        references.set(&letters(), [stamps()].into());
        let Lookup::Read(ticket) = references.look_up(&stamps()) else { panic!("must be read first") };
        references.store(&stamps(), ticket, Content::secret(secret("1")));
        references
    }

    fn is_known(references: &mut References) -> bool {
        matches!(references.look_up(&stamps()), Lookup::Known(_))
    }

    #[test]
    fn reads_once_until_the_object_changes() {
        let mut references = known();
        assert!(references.observe(ReferenceKind::Secret, &Event::Apply(secret("1"))).is_empty());
        assert!(is_known(&mut references));
        assert_eq!(references.observe(ReferenceKind::Secret, &Event::Apply(secret("2"))), [letters()]);
        assert!(!is_known(&mut references));
    }

    #[test]
    fn an_absent_object_is_remembered_until_it_appears() {
        let mut references = References::default();
        references.set(&letters(), [stamps()].into());
        let Lookup::Read(ticket) = references.look_up(&stamps()) else { panic!("must be read first") };
        references.store(&stamps(), ticket, Content::Absent);
        assert!(is_known(&mut references));
        assert_eq!(references.observe(ReferenceKind::Secret, &Event::Apply(secret("1"))), [letters()]);
        assert!(!is_known(&mut references));
    }

    #[test]
    fn what_was_read_while_the_object_changed_is_not_kept() {
        let mut references = References::default();
        references.set(&letters(), [stamps()].into());
        let Lookup::Read(ticket) = references.look_up(&stamps()) else { panic!("must be read first") };
        assert_eq!(references.observe(ReferenceKind::Secret, &Event::Apply(secret("2"))), [letters()]);
        references.store(&stamps(), ticket, Content::Absent);
        assert!(!is_known(&mut references));
    }

    #[test]
    fn a_relist_tells_what_vanished_meanwhile_and_nothing_else() {
        let mut references = known();
        references.observe(ReferenceKind::Secret, &Event::<Secret>::Init);
        assert!(references.observe(ReferenceKind::Secret, &Event::InitApply(secret("1"))).is_empty());
        assert!(references.observe(ReferenceKind::Secret, &Event::<Secret>::InitDone).is_empty());
        references.observe(ReferenceKind::Secret, &Event::<Secret>::Init);
        assert_eq!(references.observe(ReferenceKind::Secret, &Event::<Secret>::InitDone), [letters()]);
    }

    #[test]
    fn what_nobody_refers_to_is_forgotten() {
        let mut references = known();
        references.set(&letters(), HashSet::new());
        assert!(references.entries.is_empty() && references.by_webhook.is_empty());
        assert!(references.observe(ReferenceKind::Secret, &Event::Apply(secret("2"))).is_empty());
    }
}
