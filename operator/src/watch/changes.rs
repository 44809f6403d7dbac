//! Which objects really changed, from a watch's events. Pure.
//!
//! kube's predicates drop deletions whose last state was seen before, and say nothing of objects that vanished while a
//! watch was away. Both matter here: a deleted endpoint's deliveries are dropped, a deleted Webhook's endpoints say so.

use std::{
    collections::HashMap,
    hash::{DefaultHasher, Hash, Hasher},
};

use kube::{Resource, runtime::watcher::Event};

use crate::key::Key;

/// A change that counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change<T> {
    /// The object.
    pub key: Key,
    /// It is gone.
    pub gone: bool,
    /// What else was noted about it, now or, when it is gone, before.
    pub note: T,
}

/// What was seen of each object of a kind: a fingerprint of all that counts, and a note.
#[derive(Debug)]
pub struct Changes<T> {
    known: HashMap<Key, (u64, T)>,
    listing: HashMap<Key, (u64, T)>,
}

impl<T> Default for Changes<T> {
    fn default() -> Self {
        Self { known: HashMap::new(), listing: HashMap::new() }
    }
}

impl<T: Clone> Changes<T> {
    /// Takes in an event. Changes of a list are told when it is complete.
    pub fn observe<K: Resource>(&mut self, event: &Event<K>, look: impl Fn(&K) -> (u64, T)) -> Vec<Change<T>> {
        match event {
            Event::Init => {
                self.listing.clear();
                Vec::new()
            }
            Event::InitApply(object) => {
                self.listing.insert(Key::of(object), look(object));
                Vec::new()
            }
            Event::InitDone => {
                let mut before = std::mem::replace(&mut self.known, std::mem::take(&mut self.listing));
                let mut changes = Vec::new();
                for (key, (fingerprint, note)) in &self.known {
                    if before.remove(key).is_none_or(|(before, _)| before != *fingerprint) {
                        changes.push(Change { key: key.clone(), gone: false, note: note.clone() });
                    }
                }
                changes.extend(before.into_iter().map(|(key, (_, note))| Change { key, gone: true, note }));
                changes
            }
            Event::Apply(object) => {
                let (key, (fingerprint, note)) = (Key::of(object), look(object));
                let before = self.known.insert(key.clone(), (fingerprint, note.clone()));
                let changed = before.is_none_or(|(before, _)| before != fingerprint);
                changed.then_some(Change { key, gone: false, note }).into_iter().collect()
            }
            Event::Delete(object) => {
                let key = Key::of(object);
                let (_, note) = self.known.remove(&key).unwrap_or_else(|| look(object));
                vec![Change { key, gone: true, note }]
            }
        }
    }
}

/// A number that is another one when the value is.
pub fn fingerprint(value: impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::core::v1::ConfigMap;
    use kube::api::ObjectMeta;

    use super::*;

    fn object(name: &str, generation: i64) -> ConfigMap {
        ConfigMap {
            metadata: ObjectMeta {
                name: Some(name.into()),
                namespace: Some("mail".into()),
                generation: Some(generation),
                ..ObjectMeta::default()
            },
            ..ConfigMap::default()
        }
    }

    fn observe(changes: &mut Changes<i64>, event: &Event<ConfigMap>) -> Vec<(String, bool)> {
        let generation = |object: &ConfigMap| object.metadata.generation.unwrap();
        let look = |object: &ConfigMap| (fingerprint(generation(object)), generation(object));
        let mut seen: Vec<_> =
            changes.observe(event, look).into_iter().map(|change| (change.key.name, change.gone)).collect();
        seen.sort_unstable();
        seen
    }

    #[test]
    fn tells_only_what_counts() {
        let mut changes = Changes::default();
        assert_eq!(observe(&mut changes, &Event::Apply(object("a", 1))), [("a".into(), false)]);
        assert!(observe(&mut changes, &Event::Apply(object("a", 1))).is_empty());
        assert_eq!(observe(&mut changes, &Event::Apply(object("a", 2))), [("a".into(), false)]);
    }

    #[test]
    fn a_deletion_counts_although_the_last_state_was_seen_before() {
        let mut changes = Changes::default();
        observe(&mut changes, &Event::Apply(object("a", 1)));
        assert_eq!(observe(&mut changes, &Event::Delete(object("a", 1))), [("a".into(), true)]);
        assert_eq!(observe(&mut changes, &Event::Apply(object("a", 1))), [("a".into(), false)]);
    }

    #[test]
    fn a_list_tells_what_is_new_what_is_other_and_what_is_gone() {
        let mut changes = Changes::default();
        for name in ["a", "b", "c"] {
            observe(&mut changes, &Event::Apply(object(name, 1)));
        }
        observe(&mut changes, &Event::Init);
        for (name, generation) in [("b", 1), ("c", 2), ("d", 1)] {
            assert!(observe(&mut changes, &Event::InitApply(object(name, generation))).is_empty());
        }
        let seen = observe(&mut changes, &Event::InitDone);
        assert_eq!(seen, [("a".into(), true), ("c".into(), false), ("d".into(), false)]);
    }
}
