//! What the planner learns from the board.

use std::{collections::hash_map::Entry as MapEntry, sync::Arc, time::Duration};

use super::{
    Planner, WEBHOOK,
    entry::{Entry, Known},
    lanes::Id,
};
use crate::report::{
    digest::Digest,
    health::judge,
    shown,
    totals::Totals,
    view::{EndpointView, WebhookView},
};

impl Planner {
    /// Takes note of an endpoint. Costs no allocation when it is known. Call [`Planner::settle`] after a round.
    pub fn observe_endpoint(&mut self, view: &EndpointView, now: Duration) {
        let health = judge(view);
        let digest = shown::endpoint(view, health);
        let id = match self.by_uid.get(&view.uid) {
            Some(id) => *id,
            None => self.admit(view, digest, now),
        };
        let Some(entry) = self.entries.get_mut(&id) else { return };
        let share = Totals::share(view, health);
        self.totals.replace(&entry.share, &share);
        entry.share = share;
        entry.oldest_pending_ms = view.oldest_pending_ms;
        entry.last_attempt_ms = view.stats.last_attempt_ms;
        self.update(id, digest, now);
    }

    /// Takes note of the Webhook. Call [`Planner::settle`] after a round.
    pub fn observe_webhook(&mut self, view: &WebhookView) {
        self.webhook = Some(view.clone());
    }

    /// Ends a round of observations: compares what the Webhook displays with the sums over its endpoints.
    pub fn settle(&mut self, now: Duration) {
        let Some(view) = &self.webhook else { return };
        let digest = shown::webhook(view, &self.totals());
        if let MapEntry::Vacant(vacant) = self.entries.entry(WEBHOOK) {
            vacant.insert(Entry::new("".into(), "".into(), digest));
            self.place(WEBHOOK, now);
        } else {
            self.update(WEBHOOK, digest, now);
        }
    }

    /// Forgets an endpoint.
    pub fn remove_endpoint(&mut self, uid: &str, now: Duration) {
        let Some(id) = self.by_uid.remove(uid) else { return };
        let Some(entry) = self.entries.remove(&id) else { return };
        self.lanes.put(id, entry.place, None, now, false);
        self.totals.replace(&entry.share, &Totals::default());
        if self.by_name.get(&entry.name) == Some(&id) {
            self.by_name.remove(&entry.name);
        }
    }

    fn admit(&mut self, view: &EndpointView, digest: Digest, now: Duration) -> Id {
        let id = Id(self.next_id);
        self.next_id += 1;
        self.by_uid.insert(Arc::clone(&view.uid), id);
        self.entries.insert(id, Entry::new(Arc::clone(&view.uid), Arc::clone(&view.name), digest));
        self.place(id, now);
        // Names are what is written to, so of two objects with one name the older must not be written any more.
        if let Some(older) = self.by_name.insert(Arc::clone(&view.name), id) {
            if let Some(entry) = self.entries.get_mut(&older) {
                entry.gone();
            }
            self.place(older, now);
        }
        id
    }

    fn update(&mut self, id: Id, digest: Digest, now: Duration) {
        let Some(entry) = self.entries.get_mut(&id).filter(|entry| entry.current != digest) else { return };
        let waited = entry.place.is_some() && !matches!(entry.known, Known::Unseen);
        entry.update(digest);
        self.place(id, now);
        if waited {
            match self.entries.get(&id).and_then(|entry| entry.place) {
                Some(_) => self.savings.coalesced += 1,
                None => self.savings.skipped += 1,
            }
        }
    }
}
