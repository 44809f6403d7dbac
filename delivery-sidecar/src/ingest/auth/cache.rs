//! Remembers for a while what the API server said about tokens. Knows a token's SHA-256 only. No clock of its own.

use std::collections::HashMap;

use sha2::{Digest, Sha256};

use super::{Caller, Denied, Right};

/// What was found out about a token and a right.
pub(super) type Decision = Result<Caller, Denied>;

/// A token and a right, without the token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Key {
    token: [u8; 32],
    right: Right,
}

impl Key {
    pub(super) fn new(token: &str, right: Right) -> Self {
        Self { token: Sha256::digest(token.as_bytes()).into(), right }
    }
}

/// How long decisions are remembered, in milliseconds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Lifetimes {
    pub allowed: i64,
    pub denied: i64,
    pub unavailable: i64,
}

impl Lifetimes {
    /// A minute for the allowed, which is how long a withdrawn right lasts on; ten seconds for the denied, which is how
    /// long a new right may take; a second for no answer, so that an API server in trouble is left alone.
    pub(super) const STANDARD: Self = Self { allowed: 60_000, denied: 10_000, unavailable: 1_000 };

    fn of(self, decision: &Decision) -> i64 {
        match decision {
            Ok(_) => self.allowed,
            Err(Denied::Unauthenticated(_) | Denied::Forbidden(_)) => self.denied,
            Err(Denied::Unavailable(_)) => self.unavailable,
        }
    }
}

/// A bounded number of decisions.
#[derive(Debug)]
pub(super) struct Cache {
    lifetimes: Lifetimes,
    capacity: usize,
    entries: HashMap<Key, Entry>,
}

#[derive(Debug)]
struct Entry {
    decision: Decision,
    from_ms: i64,
    until_ms: i64,
}

impl Entry {
    /// A clock that was set back must not lengthen a decision's life.
    fn holds(&self, now_ms: i64) -> bool {
        (self.from_ms..self.until_ms).contains(&now_ms)
    }
}

impl Cache {
    pub(super) fn new(capacity: usize, lifetimes: Lifetimes) -> Self {
        Self { lifetimes, capacity, entries: HashMap::new() }
    }

    /// What is remembered.
    pub(super) fn get(&self, key: &Key, now_ms: i64) -> Option<&Decision> {
        self.entries.get(key).filter(|entry| entry.holds(now_ms)).map(|entry| &entry.decision)
    }

    /// Remembers a decision. A full cache forgets what has expired; without that, what expires first, refusals before
    /// the allowed, so that a flood of bad tokens does not push out good ones.
    pub(super) fn put(&mut self, key: Key, decision: Decision, now_ms: i64) {
        if self.entries.len() >= self.capacity && !self.entries.contains_key(&key) {
            self.entries.retain(|_, entry| entry.holds(now_ms));
            let rank = |(_, entry): &(&Key, &Entry)| (entry.decision.is_ok(), entry.until_ms);
            if self.entries.len() >= self.capacity
                && let Some((&victim, _)) = self.entries.iter().min_by_key(rank)
            {
                self.entries.remove(&victim);
            }
        }
        let until_ms = now_ms.saturating_add(self.lifetimes.of(&decision));
        self.entries.insert(key, Entry { decision, from_ms: now_ms, until_ms });
    }
}

#[cfg(test)]
mod tests {
    use super::{super::PUBLISH, *};

    fn decision(allowed: bool) -> Decision {
        if allowed { Ok(Caller { user: "u".into() }) } else { Err(Denied::Forbidden("no".into())) }
    }

    fn key(token: &str) -> Key {
        Key::new(token, PUBLISH)
    }

    fn cache(capacity: usize) -> Cache {
        Cache::new(capacity, Lifetimes::STANDARD)
    }

    #[test]
    fn each_kind_of_decision_has_its_lifetime() {
        let unavailable = || Err(Denied::Unavailable("later".into()));
        for (decision, lifetime) in [(decision(true), 60_000), (decision(false), 10_000), (unavailable(), 1_000)] {
            let mut cache = cache(8);
            cache.put(key("t"), decision.clone(), 5);
            assert_eq!(cache.get(&key("t"), 5 + lifetime - 1), Some(&decision));
            assert_eq!(cache.get(&key("t"), 5 + lifetime), None);
        }
    }

    #[test]
    fn a_clock_set_back_ends_a_decision() {
        let mut cache = cache(8);
        cache.put(key("t"), decision(true), 1_000_000);
        assert_eq!(cache.get(&key("t"), 999_999), None);
    }

    #[test]
    fn another_right_is_another_decision() {
        let mut cache = cache(8);
        cache.put(key("t"), decision(true), 0);
        assert_eq!(cache.get(&Key::new("t", Right { verb: "get", subresource: "deliveries" }), 0), None);
    }

    #[test]
    fn a_flood_of_bad_tokens_neither_grows_it_nor_pushes_out_good_ones() {
        let mut cache = cache(10);
        for i in 0..5 {
            cache.put(key(&format!("good{i}")), decision(true), i);
        }
        for i in 0..1000 {
            cache.put(key(&format!("bad{i}")), decision(false), 5);
        }
        assert_eq!(cache.entries.len(), 10);
        assert!((0..5).all(|i| cache.get(&key(&format!("good{i}")), 6) == Some(&decision(true))));
    }

    #[test]
    fn full_of_good_ones_it_forgets_what_expires_first() {
        let mut cache = cache(2);
        for (i, token) in ["a", "b", "c"].into_iter().enumerate() {
            cache.put(key(token), decision(true), i64::try_from(i).unwrap());
        }
        assert_eq!(cache.get(&key("a"), 3), None);
        assert_eq!(cache.get(&key("b"), 3), Some(&decision(true)));
    }

    #[test]
    fn what_has_expired_goes_first() {
        let mut cache = cache(2);
        cache.put(key("old"), decision(true), 0);
        cache.put(key("denied"), decision(false), 59_999);
        cache.put(key("new"), decision(true), 60_000);
        assert_eq!(cache.get(&key("denied"), 60_000), Some(&decision(false)));
    }

    #[test]
    fn tokens_are_not_in_it() {
        let mut cache = cache(2);
        cache.put(key("secret-token"), decision(true), 0);
        assert!(!format!("{cache:?}").contains("secret-token"));
    }
}
