//! Endpoints in chunks, each chunk within what a Secret can hold.

use std::collections::BTreeMap;

use posthaste_crds::{conditions::accepted, names::CONFIG_CHUNKS};

use crate::{
    ChunkRef, Redacted,
    contract::{MAX_CHUNK_BYTES, MAX_ENDPOINT_BYTES},
    hash,
    resolve::{Refusal, Verdict},
};

/// A chunk as it is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RenderedChunk {
    /// Its JSON, as it is written under [`crate::contract::CHUNK_KEY`].
    pub json: Redacted,
    /// Hex SHA-256 of the JSON. A Secret whose content has this hash needs no write.
    pub hash: String,
    /// UIDs of the endpoints in it, in order.
    pub endpoints: Vec<String>,
}

impl RenderedChunk {
    /// The index's entry for it.
    pub(super) fn reference(&self, number: u8) -> ChunkRef {
        ChunkRef { number, hash: self.hash.clone(), endpoints: self.endpoints.clone() }
    }
}

/// The chunk that an endpoint belongs in: always the same, so that a change of one endpoint changes one chunk.
pub fn chunk_number(uid: &str) -> u8 {
    hash::bucket(uid, CONFIG_CHUNKS)
}

/// An empty chunk around which endpoints are joined by commas: [`crate::Chunk`] as JSON.
const BEFORE: &str = r#"{"endpoints":["#;
const AFTER: &str = "]}";

/// Puts every endpoint that has a configuration into its chunk, in `order`, which decides who has the space when there
/// is too little. Who has not is turned down.
pub(super) fn fill(order: &[usize], verdicts: &mut [Verdict]) -> BTreeMap<u8, RenderedChunk> {
    let mut filled: BTreeMap<u8, BTreeMap<String, String>> = BTreeMap::new();
    let mut sizes: BTreeMap<u8, usize> = BTreeMap::new();
    for &position in order {
        let verdict = &mut verdicts[position];
        let Some(endpoint) = &verdict.endpoint else { continue };
        let json = super::json(endpoint);
        let uid = endpoint.uid.clone();
        let number = chunk_number(&uid);
        let size = sizes.entry(number).or_insert(BEFORE.len() + AFTER.len());
        // A comma for each, the first included: at worst a chunk is declared full a byte early.
        let grown = *size + json.len() + 1;
        let too_large = if json.len() > MAX_ENDPOINT_BYTES {
            Some(format!(
                "with its headers, parameters and keys the endpoint takes {} bytes of configuration; at most {MAX_ENDPOINT_BYTES} fit",
                json.len()
            ))
        } else if grown > MAX_CHUNK_BYTES {
            Some(format!(
                "the Webhook's endpoints take too much configuration together: there is no room for {} more bytes; make headers and parameters shorter, or use a second Webhook",
                json.len()
            ))
        } else {
            None
        };
        if let Some(message) = too_large {
            verdict.accepted = Refusal::new(accepted::TOO_LARGE, message).into();
            verdict.endpoint = None;
            continue;
        }
        *size = grown;
        filled.entry(number).or_default().insert(uid, json);
    }
    filled.into_iter().map(|(number, endpoints)| (number, chunk(endpoints))).collect()
}

/// Joins endpoints in order of UID.
fn chunk(endpoints: BTreeMap<String, String>) -> RenderedChunk {
    let (endpoints, texts): (Vec<String>, Vec<String>) = endpoints.into_iter().unzip();
    let json = [BEFORE, &texts.join(","), AFTER].concat();
    RenderedChunk { hash: hash::sha256_hex(json.as_bytes()), json: Redacted::new(json), endpoints }
}
