//! Secrets `<webhook>-delivery` and `<webhook>-delivery-<number>`: the configuration, as the sidecar reads it.

use k8s_openapi::{ByteString, api::core::v1::Secret};
use posthaste_crds::names;
use posthaste_delivery_config::{
    contract::{CHUNK_KEY, INDEX_KEY},
    render::{Configuration, RenderedChunk},
};

use super::Parent;

/// Builds a chunk.
pub fn chunk(parent: &Parent, number: u8, chunk: &RenderedChunk) -> Secret {
    secret(parent, names::config_chunk(parent.name, number), CHUNK_KEY, chunk.json.expose().as_bytes().to_vec())
}

/// Builds the index.
pub fn index(parent: &Parent, configuration: &Configuration) -> Secret {
    secret(parent, names::delivery(parent.name), INDEX_KEY, configuration.index_json().into_bytes())
}

fn secret(parent: &Parent, name: String, key: &str, content: Vec<u8>) -> Secret {
    Secret {
        metadata: parent.meta(name),
        type_: Some("Opaque".to_owned()),
        data: Some([(key.to_owned(), ByteString(content))].into()),
        ..Secret::default()
    }
}
