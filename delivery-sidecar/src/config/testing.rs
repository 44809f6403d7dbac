//! A configuration in memory, written as the operator writes it.

use std::{
    collections::BTreeMap,
    fmt::Write,
    sync::{Mutex, PoisonError},
};

use futures::future::BoxFuture;
use posthaste_delivery_config::{
    AddressPolicy, Authentication, CONTRACT_VERSION, Chunk, ChunkRef, DeadLetter, DeliveryOrdering, DeliveryPolicy,
    Endpoint, Index, Limits, OnExhausted, Redacted, RetryPolicy, SigningKey, StatusBudget, Target, TargetKind,
    WebhookConfig,
};

use sha2::{Digest, Sha256};

use super::Source;

/// A key of 32 bytes in base64.
pub(crate) const KEY: &str = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=";

/// An endpoint whose UID is `uid-<name>`.
pub(crate) fn endpoint(name: &str) -> Endpoint {
    Endpoint {
        uid: format!("uid-{name}"),
        name: name.to_owned(),
        generation: 1,
        display_name: None,
        parameters: BTreeMap::new(),
        tenant: None,
        event_types: None,
        filter: None,
        target: Target {
            url: Redacted::new(format!("https://{name}.example/hook")),
            display_url: Some(format!("https://{name}.example")),
            kind: TargetKind::Url,
        },
        headers: Vec::new(),
        signing_keys: vec![SigningKey { id: "k1".to_owned(), key: Redacted::new(KEY), not_after: None }],
        delivery: DeliveryPolicy {
            timeout_ms: 5_000,
            retry: RetryPolicy { schedule_ms: vec![1_000, 10_000], jitter_percent: 0, max_age_ms: 360_000_000 },
            retry_after_max_ms: 86_400_000,
            concurrency: 8,
            circuit_breaker: None,
            rate_limit: None,
            ordering: DeliveryOrdering::None,
            on_exhausted: OnExhausted::Continue,
        },
        enabled: true,
        suspend: false,
    }
}

/// A Webhook of that generation.
pub(crate) fn webhook(generation: i64) -> WebhookConfig {
    WebhookConfig {
        name: "orders".to_owned(),
        namespace: "shop".to_owned(),
        uid: "uid-webhook".to_owned(),
        generation,
        event_types: None,
        event_schemas: BTreeMap::new(),
        authentication: Authentication::None,
        bearer_keys: Vec::new(),
        tls: None,
        max_payload_bytes: 262_144,
        idempotency_window_ms: 86_400_000,
        limits: Limits { event_rate: None, in_flight: 64 },
        journal_max_bytes: 64 << 20,
        journal_max_bytes_per_endpoint: 8 << 20,
        dead_letter: DeadLetter { retention_ms: 3_600_000, max_bytes: 8 << 20 },
        history_retention_ms: 0,
        suspend: false,
        address_policy: AddressPolicy::default(),
        status: StatusBudget::default(),
    }
}

/// Documents by number; `None` is the index.
#[derive(Default)]
pub(crate) struct Written {
    documents: Mutex<BTreeMap<Option<u8>, Vec<u8>>>,
    reads: Mutex<Vec<u8>>,
}

/// An index of that generation without chunks.
pub(crate) fn index(generation: i64) -> Index {
    Index {
        contract_version: CONTRACT_VERSION,
        revision: format!("r{generation}"),
        salt: Redacted::new("salt"),
        webhook: webhook(generation),
        chunks: Vec::new(),
        parked: Vec::new(),
        waiting: None,
        tombstones: Vec::new(),
    }
}

impl Written {
    /// Writes a configuration of that generation.
    pub(crate) fn write(&self, generation: i64, chunks: &[(u8, Vec<Endpoint>)]) {
        let mut refs = Vec::new();
        for (number, endpoints) in chunks {
            let text = serde_json::to_vec(&Chunk { endpoints: endpoints.clone() }).unwrap();
            refs.push(ChunkRef {
                number: *number,
                hash: hex_sha256(&text),
                endpoints: endpoints.iter().map(|endpoint| endpoint.uid.clone()).collect(),
            });
            self.set(Some(*number), text);
        }
        self.write_index(&Index { chunks: refs, ..index(generation) });
    }

    /// Writes only an index.
    pub(crate) fn write_index(&self, index: &Index) {
        self.set(None, serde_json::to_vec(index).unwrap());
    }

    /// Writes a chunk whose hash is right and whose content is not.
    pub(crate) fn break_chunk(&self, number: u8, text: &[u8]) {
        let mut index: Index = serde_json::from_slice(&self.current_index()).unwrap();
        for chunk in index.chunks.iter_mut().filter(|chunk| chunk.number == number) {
            chunk.hash = hex_sha256(text);
        }
        self.set(Some(number), text.to_vec());
        self.write_index(&index);
    }

    pub(crate) fn remove_chunk(&self, number: u8) {
        self.documents.lock().unwrap_or_else(PoisonError::into_inner).remove(&Some(number));
    }

    pub(crate) fn current_index(&self) -> Vec<u8> {
        self.get(None).unwrap()
    }

    /// Numbers of the chunks that were read since the last time.
    pub(crate) fn take_reads(&self) -> Vec<u8> {
        std::mem::take(&mut self.reads.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn set(&self, number: Option<u8>, text: Vec<u8>) {
        self.documents.lock().unwrap_or_else(PoisonError::into_inner).insert(number, text);
    }

    fn get(&self, number: Option<u8>) -> Option<Vec<u8>> {
        self.documents.lock().unwrap_or_else(PoisonError::into_inner).get(&number).cloned()
    }
}

impl Source for Written {
    fn index(&self) -> BoxFuture<'_, Result<Option<Vec<u8>>, String>> {
        Box::pin(async { Ok(self.get(None)) })
    }

    fn chunk(&self, number: u8) -> BoxFuture<'_, Result<Option<Vec<u8>>, String>> {
        self.reads.lock().unwrap_or_else(PoisonError::into_inner).push(number);
        Box::pin(async move { Ok(self.get(Some(number))) })
    }
}

fn hex_sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").expect("a String takes all");
        text
    })
}
