//! Reads a configuration whole or not at all.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use posthaste_delivery_config::{
    ChunkRef, Index, Tombstone, Waiting, WebhookConfig,
    contract::{self, ContractError},
    schema::EventSchemas,
};

use super::Source;
use crate::{endpoint::Endpoint, route::Interest};

/// A complete configuration.
#[derive(Debug)]
pub struct Loaded {
    /// The Webhook's settings.
    pub webhook: Arc<WebhookConfig>,
    /// The schemas of its event types, compiled.
    pub schemas: Arc<EventSchemas>,
    /// The configuration's revision.
    pub revision: Arc<str>,
    /// The endpoints, in order of UID.
    pub endpoints: Vec<Arc<LoadedEndpoint>>,
    /// Endpoints that exist and cannot run now.
    pub parked: Vec<ParkedEndpoint>,
    /// Endpoints that were deleted.
    pub tombstones: Vec<Tombstone>,
}

/// An endpoint of a configuration. One that cannot be used says why and hinders no other.
#[derive(Debug)]
pub struct LoadedEndpoint {
    /// Its identity.
    pub uid: Arc<str>,
    /// Its name.
    pub name: Arc<str>,
    /// The generation that it was made from.
    pub generation: i64,
    /// Changes when anything of its configuration does.
    pub revision: Arc<str>,
    /// What may be shown of its URL.
    pub display_url: Option<String>,
    /// New events are matched.
    pub enabled: bool,
    /// Its deliveries wait.
    pub suspend: bool,
    /// The events that it wants.
    pub interest: Interest,
    /// It, ready for delivering to; or why it cannot be used.
    pub compiled: Result<Arc<Endpoint>, String>,
}

/// An endpoint that exists and cannot run now. What waits for it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParkedEndpoint {
    /// Its identity.
    pub uid: Arc<str>,
    /// Which new events are kept for it.
    pub keeps: Keeps,
}

/// Which new events are kept for an endpoint that cannot run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Keeps {
    /// None: it is not accepted, or disabled.
    Nothing,
    /// What it wants: it waits for something that it refers to.
    Wanted(Arc<Interest>),
    /// The configuration does not say: what it wanted when it was last known.
    AsBefore,
}

/// Why a configuration was not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LoadError {
    /// What the index says and what the chunks hold differ: they are being written. Worth reading again soon.
    #[error("chunk {0} is not yet the one that the index names")]
    Mismatch(u8),
    /// It could not be read. Worth reading again.
    #[error("{0}")]
    Read(String),
    /// It will not be better when it is read again.
    #[error("{0}")]
    Invalid(String),
}

impl LoadError {
    /// Whether reading the same again may help.
    pub fn is_transient(&self) -> bool {
        !matches!(self, Self::Invalid(_))
    }
}

/// Reads configurations; remembers the chunks and the schemas of the last good one, so that only changed ones are read
/// and compiled.
#[derive(Debug, Default)]
pub struct Loader {
    chunks: BTreeMap<u8, KnownChunk>,
    schemas: Arc<EventSchemas>,
}

#[derive(Clone, Debug)]
struct KnownChunk {
    hash: String,
    endpoints: Vec<Arc<LoadedEndpoint>>,
}

impl Loader {
    /// Reads what an index names. On an error nothing is remembered of it.
    pub async fn load(&mut self, index: &[u8], source: &dyn Source) -> Result<Loaded, LoadError> {
        let index = contract::read_index(index).map_err(|error| LoadError::Invalid(error.to_string()))?;
        let mut chunks = BTreeMap::new();
        for chunk in &index.chunks {
            let known = match self.chunks.get(&chunk.number).filter(|known| known.hash == chunk.hash) {
                Some(known) => known.clone(),
                None => read_chunk(&index, chunk, source).await?,
            };
            chunks.insert(chunk.number, known);
        }
        let mut endpoints: Vec<_> = chunks.values().flat_map(|chunk| &chunk.endpoints).cloned().collect();
        endpoints.sort_unstable_by(|a, b| a.uid.cmp(&b.uid));
        let mut seen = BTreeSet::new();
        if let Some(twice) = endpoints.iter().find(|endpoint| !seen.insert(&endpoint.uid)) {
            return Err(LoadError::Invalid(format!("endpoint {} is in the configuration twice", twice.name)));
        }
        let schemas = self.compile(&index.webhook)?;
        self.chunks = chunks;
        self.schemas = Arc::clone(&schemas);
        Ok(Loaded {
            webhook: Arc::new(index.webhook),
            schemas,
            revision: Arc::from(index.revision),
            endpoints,
            parked: parked(index.parked, index.waiting),
            tombstones: index.tombstones,
        })
    }

    /// The operator has compiled the same schemas before it wrote them; only one of another release may see it otherwise.
    fn compile(&self, webhook: &WebhookConfig) -> Result<Arc<EventSchemas>, LoadError> {
        if self.schemas.source() == &webhook.event_schemas {
            return Ok(Arc::clone(&self.schemas));
        }
        let compiled = EventSchemas::compile(webhook.event_schemas.clone());
        compiled.map(Arc::new).map_err(|error| LoadError::Invalid(error.to_string()))
    }
}

fn parked(uids: Vec<String>, waiting: Option<Vec<Waiting>>) -> Vec<ParkedEndpoint> {
    let otherwise = if waiting.is_some() { Keeps::Nothing } else { Keeps::AsBefore };
    let endpoint = |uid: String| ParkedEndpoint { uid: Arc::from(uid), keeps: otherwise.clone() };
    let mut parked: Vec<_> = uids.into_iter().map(endpoint).collect();
    for Waiting { interest, parked: positions } in waiting.into_iter().flatten() {
        let keeps = interest.map_or(Keeps::AsBefore, |interest| Keeps::Wanted(Arc::new(interest)));
        for position in positions {
            if let Some(endpoint) = usize::try_from(position).ok().and_then(|position| parked.get_mut(position)) {
                endpoint.keeps = keeps.clone();
            }
        }
    }
    parked
}

async fn read_chunk(index: &Index, chunk: &ChunkRef, source: &dyn Source) -> Result<KnownChunk, LoadError> {
    let number = chunk.number;
    let text = source.chunk(number).await.map_err(LoadError::Read)?.ok_or(LoadError::Mismatch(number))?;
    let content = contract::read_chunk(&text, &chunk.hash).map_err(|error| match error {
        ContractError::Hash { .. } => LoadError::Mismatch(number),
        ContractError::Version { .. } | ContractError::Malformed { .. } => {
            LoadError::Invalid(format!("chunk {number}: {error}"))
        }
    })?;
    let endpoints = content.endpoints.iter().map(|endpoint| Arc::new(loaded_endpoint(index, endpoint))).collect();
    Ok(KnownChunk { hash: chunk.hash.clone(), endpoints })
}

pub(crate) fn loaded_endpoint(index: &Index, endpoint: &contract::Endpoint) -> LoadedEndpoint {
    LoadedEndpoint {
        uid: Arc::from(endpoint.uid.as_str()),
        name: Arc::from(endpoint.name.as_str()),
        generation: endpoint.generation,
        revision: Arc::from(index.endpoint_revision(endpoint)),
        display_url: endpoint.target.display_url.clone(),
        enabled: endpoint.enabled,
        suspend: endpoint.suspend,
        interest: Interest {
            tenant: endpoint.tenant.clone(),
            event_types: endpoint.event_types.clone(),
            filter: endpoint.filter.clone(),
        },
        compiled: Endpoint::compile(endpoint).map(Arc::new),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::testing::{Written, endpoint};

    fn names(loaded: &Loaded) -> Vec<&str> {
        loaded.endpoints.iter().map(|endpoint| &*endpoint.name).collect()
    }

    #[test]
    fn what_is_kept_for_parked_endpoints_is_what_the_index_says_or_what_was_before() {
        let keeps = |waiting| -> Vec<_> {
            let uids = ["a", "b", "c"].map(str::to_owned).to_vec();
            parked(uids, waiting).into_iter().map(|endpoint| endpoint.keeps).collect()
        };
        let interest = Interest { tenant: Some("acme".to_owned()), event_types: None, filter: None };
        let wanted = Keeps::Wanted(Arc::new(interest.clone()));
        let waiting = |interest, parked: &[u32]| Waiting { interest, parked: parked.to_vec() };
        assert_eq!(keeps(None), [Keeps::AsBefore, Keeps::AsBefore, Keeps::AsBefore]);
        assert_eq!(keeps(Some(Vec::new())), [Keeps::Nothing, Keeps::Nothing, Keeps::Nothing]);
        // A position that there is not is passed over.
        let some = vec![waiting(Some(interest), &[2, 7]), waiting(None, &[0])];
        assert_eq!(keeps(Some(some)), [Keeps::AsBefore, Keeps::Nothing, wanted]);
    }

    #[tokio::test]
    async fn only_changed_chunks_are_read_again() {
        let written = Written::default();
        written.write(1, &[(0, vec![endpoint("a")]), (7, vec![endpoint("b")])]);
        let mut reader = Loader::default();
        let loaded = reader.load(&written.current_index(), &written).await.unwrap();
        assert_eq!(names(&loaded), ["a", "b"]);
        assert_eq!(written.take_reads(), [0, 7]);
        written.write(2, &[(0, vec![endpoint("a")]), (7, vec![endpoint("b"), endpoint("c")])]);
        let loaded = reader.load(&written.current_index(), &written).await.unwrap();
        assert_eq!(names(&loaded), ["a", "b", "c"]);
        assert_eq!(written.take_reads(), [7]);
        assert_eq!(loaded.webhook.generation, 2);
    }

    #[tokio::test]
    async fn a_chunk_that_is_missing_or_another_than_named_is_a_mismatch_and_changes_nothing() {
        let written = Written::default();
        written.write(1, &[(0, vec![endpoint("a")])]);
        let first = written.current_index();
        let mut reader = Loader::default();
        reader.load(&first, &written).await.unwrap();
        written.write(2, &[(0, vec![endpoint("b")]), (1, vec![endpoint("c")])]);
        written.remove_chunk(1);
        let error = reader.load(&written.current_index(), &written).await.unwrap_err();
        assert_eq!(error, LoadError::Mismatch(1));
        assert!(error.is_transient());
        // What was good before still needs no reading.
        written.take_reads();
        assert_eq!(names(&reader.load(&first, &written).await.unwrap()), ["a"]);
        assert!(written.take_reads().is_empty());
    }

    #[tokio::test]
    async fn an_endpoint_that_cannot_be_used_says_why_and_hinders_no_other() {
        let written = Written::default();
        let mut bad = endpoint("bad");
        bad.target.url = posthaste_delivery_config::Redacted::new("ftp://secret.example");
        written.write(1, &[(0, vec![bad, endpoint("good")])]);
        let loaded = Loader::default().load(&written.current_index(), &written).await.unwrap();
        let error = loaded.endpoints[0].compiled.as_ref().unwrap_err();
        assert!(error.contains("url") && !error.contains("secret.example"), "{error}");
        assert!(loaded.endpoints[1].compiled.is_ok());
    }

    #[tokio::test]
    async fn schemas_are_compiled_again_only_when_they_change_and_bad_ones_change_nothing() {
        let written = Written::default();
        let write = |generation, schema: &str| {
            let mut index = crate::config::testing::index(generation);
            index.webhook.event_types = Some(vec!["a".to_owned()]);
            index.webhook.event_schemas = BTreeMap::from([("a".to_owned(), serde_json::from_str(schema).unwrap())]);
            written.write_index(&index);
            written.current_index()
        };
        let mut loader = Loader::default();
        let first = loader.load(&write(1, r#"{"type": "null"}"#), &written).await.unwrap();
        assert!(first.schemas.get("a").unwrap().check(b"1").is_err());
        let second = loader.load(&write(2, r#"{"type": "null"}"#), &written).await.unwrap();
        assert!(Arc::ptr_eq(&first.schemas, &second.schemas));
        let error = loader.load(&write(3, r#"{"type": "nil"}"#), &written).await.unwrap_err();
        assert!(!error.is_transient());
        assert!(error.to_string().starts_with("the schema of \"a\": at \"/type\""), "{error}");
        let fourth = loader.load(&write(4, r#"{"type": "number"}"#), &written).await.unwrap();
        assert!(fourth.schemas.get("a").unwrap().check(b"1").is_ok());
    }

    #[tokio::test]
    async fn an_unknown_version_is_refused_with_what_to_do() {
        let error = Loader::default().load(br#"{"contractVersion": 99}"#, &Written::default()).await.unwrap_err();
        assert!(!error.is_transient());
        assert!(error.to_string().contains("version 99") && error.to_string().contains("same release"), "{error}");
    }

    #[tokio::test]
    async fn a_broken_chunk_does_not_show_what_is_in_it() {
        let written = Written::default();
        written.write(1, &[(0, vec![endpoint("a")])]);
        written.break_chunk(0, br#"{"endpoints": "whsec_secret"}"#);
        let error = Loader::default().load(&written.current_index(), &written).await.unwrap_err();
        assert!(matches!(&error, LoadError::Invalid(text) if !text.contains("whsec")), "{error}");
    }
}
