//! What a journal should be: maps and nothing else.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;

use crate::delivery::{Delivery, Standing};
use crate::state::stats;
use crate::store::Store;
use crate::{
    Accepted, EndpointStats, IdempotencyKey, Kept, NewEvent, Options, Ordinal, Outcome, OutcomeKind, Seq, Stored,
};

#[derive(Clone, Debug, PartialEq)]
pub(super) struct ModelEvent {
    pub(super) payload: Bytes,
    pub(super) accepted_ms: i64,
    pub(super) group: u16,
    pub(super) all: Vec<Ordinal>,
    pub(super) deliveries: BTreeMap<Ordinal, (u32, Standing)>,
    /// Deliveries that were asked for again and are pending.
    pub(super) again: BTreeSet<Ordinal>,
}

/// What the journal should be.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Model {
    pub(super) endpoints: BTreeMap<Ordinal, (String, EndpointStats, Bytes)>,
    pub(super) events: BTreeMap<Seq, ModelEvent>,
    pub(super) keys: BTreeMap<u128, (IdempotencyKey, u32)>,
    pub(super) next_seq: Seq,
    pub(super) next_ordinal: u32,
}

impl Model {
    pub(super) fn pick_endpoint(&self, pick: usize) -> Option<Ordinal> {
        self.endpoints.keys().nth(pick % self.endpoints.len().max(1)).copied()
    }

    pub(super) fn pick_delivery(&self, pick: usize) -> Option<(Seq, Ordinal)> {
        let all: Vec<_> = self
            .events
            .iter()
            .flat_map(|(seq, event)| event.deliveries.keys().map(|ordinal| (*seq, *ordinal)))
            .collect();
        all.get(pick % all.len().max(1)).copied()
    }

    pub(super) fn accept(&mut self, event: &NewEvent) -> Accepted {
        if let Some(key) = event.idempotency
            && let Some((known, deliveries)) =
                self.keys.get(&key.key).filter(|(known, _)| known.expires_ms > event.accepted_ms)
        {
            return if known.content == key.content {
                Accepted::Duplicate { deliveries: *deliveries }
            } else {
                Accepted::Conflict
            };
        }
        let mut all = event.deliveries.clone();
        all.sort_unstable();
        all.dedup();
        all.retain(|ordinal| self.endpoints.contains_key(ordinal));
        let seq = self.next_seq;
        self.next_seq += 1;
        if let Some(key) = event.idempotency {
            self.keys.insert(key.key, (key, u32::try_from(all.len()).unwrap()));
        }
        let deliveries: BTreeMap<_, _> =
            all.iter().map(|ordinal| (*ordinal, (0, Standing::Pending { due_ms: 0 }))).collect();
        if !all.is_empty() {
            let (payload, accepted_ms, group) = (event.payload.clone(), event.accepted_ms, event.group);
            self.events
                .insert(seq, ModelEvent { payload, accepted_ms, group, all, deliveries, again: BTreeSet::new() });
        }
        Accepted::New { seq }
    }

    pub(super) fn remove(&mut self, seq: Seq, ordinal: Ordinal) -> bool {
        let Some(event) = self.events.get_mut(&seq) else { return false };
        let removed = event.deliveries.remove(&ordinal).is_some();
        event.again.remove(&ordinal);
        if event.deliveries.is_empty() {
            self.events.remove(&seq);
        }
        removed
    }

    pub(super) fn outcome(&mut self, outcome: &Outcome) -> bool {
        let Some(event) = self.events.get_mut(&outcome.seq) else { return false };
        let Some((attempts, standing)) = event.deliveries.get_mut(&outcome.endpoint) else { return false };
        if matches!(standing, Standing::Dead { .. }) {
            return false;
        }
        let attempted = matches!(outcome.kind, OutcomeKind::Succeeded { .. }) || outcome.attempts > *attempts;
        *attempts = outcome.attempts;
        match outcome.kind {
            OutcomeKind::Succeeded { .. } => {}
            OutcomeKind::Retry { due_ms, .. } => *standing = Standing::Pending { due_ms },
            OutcomeKind::DeadLettered { .. } => {
                *standing = Standing::Dead { at_ms: outcome.at_ms };
                event.again.remove(&outcome.endpoint);
            }
        }
        if matches!(outcome.kind, OutcomeKind::Succeeded { .. }) {
            self.remove(outcome.seq, outcome.endpoint);
        }
        stats::count(&mut self.endpoints.get_mut(&outcome.endpoint).unwrap().1, outcome, attempted);
        true
    }

    pub(super) fn redeliver(&mut self, seq: Seq, ordinal: Ordinal) -> bool {
        let Some(event) = self.events.get_mut(&seq) else { return false };
        if matches!(event.deliveries.get(&ordinal), Some((_, Standing::Pending { .. }))) {
            return false;
        }
        event.deliveries.insert(ordinal, (0, Standing::Pending { due_ms: 0 }));
        event.again.insert(ordinal)
    }

    pub(super) fn restore(&mut self, kept: &Kept, ordinal: Ordinal) -> bool {
        let Stored { accepted_ms, deliveries: all, payload } = kept.stored.clone();
        let event = self.events.entry(kept.seq).or_insert_with(|| ModelEvent {
            payload,
            accepted_ms,
            group: kept.group,
            all: all.clone(),
            deliveries: BTreeMap::new(),
            again: BTreeSet::new(),
        });
        assert_eq!(event.all, all);
        if matches!(event.deliveries.get(&ordinal), Some((_, Standing::Pending { .. }))) {
            return false;
        }
        if let Err(at) = event.all.binary_search(&ordinal) {
            event.all.insert(at, ordinal);
        }
        event.deliveries.insert(ordinal, (0, Standing::Pending { due_ms: 0 }));
        event.again.insert(ordinal)
    }

    pub(super) fn assign(&mut self, uid: &str) -> Ordinal {
        if let Some((ordinal, _)) = self.endpoints.iter().find(|(_, (known, ..))| known == uid) {
            return *ordinal;
        }
        let ordinal = Ordinal(self.next_ordinal);
        self.next_ordinal += 1;
        self.endpoints.insert(ordinal, (uid.to_owned(), EndpointStats::default(), Bytes::new()));
        ordinal
    }

    pub(super) fn drop_endpoint(&mut self, ordinal: Ordinal) -> u64 {
        self.endpoints.remove(&ordinal);
        let seqs: Vec<Seq> = self.events.keys().copied().collect();
        seqs.into_iter().map(|seq| u64::from(self.remove(seq, ordinal))).sum()
    }

    pub(super) fn tidy(&mut self, now_ms: i64, options: &Options) {
        let old = now_ms - options.space.dead_letter_retention_ms;
        for event in self.events.values_mut() {
            event.deliveries.retain(|_, (_, standing)| !matches!(standing, Standing::Dead { at_ms } if *at_ms <= old));
        }
        self.events.retain(|_, event| !event.deliveries.is_empty());
    }

    /// What a journal is, as far as it can be seen.
    pub(super) fn of(store: &Store) -> Self {
        let state = store.look();
        let mut model = Self { next_seq: state.next_seq, next_ordinal: state.next_ordinal, ..Self::default() };
        for endpoint in state.all_endpoints() {
            model.endpoints.insert(endpoint.ordinal, (endpoint.uid, endpoint.stats, endpoint.memo));
        }
        for (seq, event) in state.events.iter() {
            let stored = crate::journal::read(store.state(), seq).expect("it can be read").expect("it is there");
            assert_eq!(stored.accepted_ms, event.accepted_ms);
            let again = event.deliveries.iter().filter(|delivery| delivery.is_redelivered());
            model.events.insert(
                seq,
                ModelEvent {
                    payload: stored.payload,
                    accepted_ms: event.accepted_ms,
                    group: event.group,
                    all: stored.deliveries,
                    again: again.map(Delivery::endpoint).collect(),
                    deliveries: event
                        .deliveries
                        .iter()
                        .map(|delivery| (delivery.endpoint(), (delivery.attempts(), delivery.standing())))
                        .collect(),
                },
            );
        }
        for key in 0..12 {
            if let Some(known) = state.keys.get(key) {
                let content = (0..9).find(|content| known.has_content(*content)).expect("tests use small ones");
                let of = IdempotencyKey { key, content, expires_ms: known.expires_ms };
                model.keys.insert(key, (of, known.deliveries));
            }
        }
        model
    }

    /// Without keys that have expired: whether they are forgotten yet makes no difference.
    pub(super) fn at(mut self, now_ms: i64) -> Self {
        self.keys.retain(|_, (key, _)| key.expires_ms > now_ms);
        self
    }
}
