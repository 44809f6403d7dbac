//! What is known of the children: as watched, and as last applied.
//!
//! Both together answer the question that keeps an idle installation from writing: is this child still as it was after
//! the last apply, and is what would be applied still the same? No I/O.

mod observed;

use std::collections::HashMap;

use kube::{Resource, runtime::watcher::Event};

pub use observed::{Controller, Observed, Rollout, version};

use crate::{child_kind::ChildKind, key::Key};

/// What an apply left behind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Applied {
    /// Hash of what was applied.
    pub hash: [u8; 32],
    /// Version of the object afterwards.
    pub version: u64,
    /// Resource version afterwards.
    pub resource_version: Option<String>,
    /// The Webhook that it was applied for.
    pub webhook: String,
}

/// The children of one scope. Holds what exists with our label or controller reference, and nothing else.
#[derive(Debug, Default)]
pub struct Children {
    observed: HashMap<ChildKind, Shelf>,
    applied: HashMap<(ChildKind, Key), Applied>,
}

#[derive(Debug, Default)]
struct Shelf {
    objects: HashMap<Key, Observed>,
    listing: HashMap<Key, Observed>,
}

impl Children {
    /// Takes in an event of the watch of a kind. `look` says what to keep of an object; `None` for those of others.
    /// Returns the Webhooks to reconcile: none for the echo of an apply of ours.
    pub fn observe<K: Resource>(
        &mut self,
        kind: ChildKind,
        event: &Event<K>,
        look: impl Fn(&K) -> Option<Observed>,
    ) -> Vec<Key> {
        let shelf = self.observed.entry(kind).or_default();
        let mut changes = Vec::new();
        match event {
            Event::Init => shelf.listing.clear(),
            Event::InitApply(object) => {
                if let Some(now) = look(object) {
                    shelf.listing.insert(Key::of(object), now);
                }
            }
            Event::InitDone => {
                let mut before = std::mem::replace(&mut shelf.objects, std::mem::take(&mut shelf.listing));
                let seen = shelf.objects.iter();
                changes.extend(seen.map(|(key, now)| (key.clone(), before.remove(key), Some(now.clone()))));
                changes.extend(before.into_iter().map(|(key, gone)| (key, Some(gone), None)));
            }
            Event::Apply(object) => {
                let (key, now) = (Key::of(object), look(object));
                let before = match &now {
                    Some(now) => shelf.objects.insert(key.clone(), now.clone()),
                    None => shelf.objects.remove(&key),
                };
                changes.push((key, before, now));
            }
            Event::Delete(object) => {
                let key = Key::of(object);
                let before = shelf.objects.remove(&key).or_else(|| look(object));
                changes.push((key, before, None));
            }
        }
        let mut concerned: Vec<_> = changes
            .into_iter()
            .filter(|(key, before, now)| before != now && !self.is_echo(kind, key, before.as_ref(), now.as_ref()))
            .flat_map(|(key, before, now)| {
                let webhooks = [before, now].into_iter().flatten();
                webhooks.filter_map(move |object| Some(Key::new(&key.namespace, object.concerns()?)))
            })
            .collect();
        concerned.sort_unstable();
        concerned.dedup();
        concerned
    }

    /// Whether the only news is the version that our own apply left.
    fn is_echo(&self, kind: ChildKind, key: &Key, before: Option<&Observed>, now: Option<&Observed>) -> bool {
        let (Some(now), Some(applied)) = (now, self.applied.get(&(kind, key.clone()))) else { return false };
        let rollout_before = before.and_then(|before| before.rollout.as_ref());
        applied.version == now.version
            && !now.deleting
            && (now.rollout.is_none() || now.rollout.as_ref() == rollout_before)
    }

    /// A child as last watched.
    pub fn get(&self, kind: ChildKind, key: &Key) -> Option<&Observed> {
        self.observed.get(&kind)?.objects.get(key)
    }

    /// What the last apply of a child left behind.
    pub fn applied(&self, kind: ChildKind, key: &Key) -> Option<&Applied> {
        self.applied.get(&(kind, key.clone()))
    }

    /// Records an apply.
    pub fn record(&mut self, kind: ChildKind, key: Key, applied: Applied) {
        self.applied.insert((kind, key), applied);
    }

    /// Forgets what was applied for a Webhook that is gone.
    pub fn forget(&mut self, webhook: &Key) {
        self.applied.retain(|(_, key), applied| key.namespace != webhook.namespace || applied.webhook != webhook.name);
    }

    /// Forgets what was applied to one child.
    pub fn forget_child(&mut self, kind: ChildKind, key: &Key) {
        self.applied.remove(&(kind, key.clone()));
    }

    /// Children of a namespace that the owner with this UID controls and that are not being deleted already.
    pub fn controlled_by(&self, namespace: &str, uid: &str) -> Vec<(ChildKind, Key, String)> {
        let shelves = self.observed.iter();
        let objects = shelves.flat_map(|(kind, shelf)| shelf.objects.iter().map(|(key, object)| (*kind, key, object)));
        let mut found: Vec<_> = objects
            .filter(|(_, key, object)| {
                key.namespace == namespace
                    && !object.deleting
                    && object.controller.as_ref().is_some_and(|controller| controller.uid == uid)
            })
            .map(|(kind, key, object)| (kind, key.clone(), object.uid.clone()))
            .collect();
        found.sort_unstable();
        found
    }
}

#[cfg(test)]
mod tests;
