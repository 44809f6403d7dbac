//! The reading side: what a sidecar does with the bytes of a Secret.

use serde::Deserialize;

use super::{CONTRACT_VERSION, Chunk, Index};
use crate::hash::sha256_hex;

/// Why a part of the configuration cannot be used. Never shows what is in it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ContractError {
    /// It was written for another version of the sidecar.
    #[error("the configuration has contract version {found}; this sidecar reads {oldest} to {newest}: run a sidecar and an operator of the same release", oldest = OLDEST_READABLE, newest = CONTRACT_VERSION)]
    Version {
        /// Its version.
        found: u64,
    },
    /// It is not JSON of the right shape.
    #[error("the {what} is not readable at line {line}, column {column}")]
    Malformed {
        /// `index` or `chunk`.
        what: &'static str,
        /// Line from 1.
        line: usize,
        /// Column from 1.
        column: usize,
    },
    /// It is not the chunk that the index means: one of the two is older. Read both again.
    #[error("the chunk's hash is {found}, the index expects {expected}: one of them is older than the other")]
    Hash {
        /// Hash of what was read.
        found: String,
        /// Hash that the index lists.
        expected: String,
    },
}

/// The version before the current one, which a sidecar reads too, so that operator and sidecars can be upgraded in
/// either order.
const OLDEST_READABLE: u32 = if CONTRACT_VERSION > 1 { CONTRACT_VERSION - 1 } else { 1 };

/// Reads an index.
///
/// # Errors
/// A version that is neither the current one nor the one before; anything that is not an index.
pub fn read_index(bytes: &[u8]) -> Result<Index, ContractError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Version {
        contract_version: u64,
    }
    // Of another version nothing but the version can be relied on, so it is read alone first.
    let Version { contract_version: found } = parse("index", bytes)?;
    if !(u64::from(OLDEST_READABLE)..=u64::from(CONTRACT_VERSION)).contains(&found) {
        return Err(ContractError::Version { found });
    }
    parse("index", bytes)
}

/// Reads a chunk that an index lists with this hash.
///
/// # Errors
/// Another hash; anything that is not a chunk.
pub fn read_chunk(bytes: &[u8], expected_hash: &str) -> Result<Chunk, ContractError> {
    let found = sha256_hex(bytes);
    if found != expected_hash {
        return Err(ContractError::Hash { found, expected: expected_hash.to_owned() });
    }
    parse("chunk", bytes)
}

/// serde's own messages quote what they found, which may be secret; the position is enough to find it.
fn parse<'de, T: Deserialize<'de>>(what: &'static str, bytes: &'de [u8]) -> Result<T, ContractError> {
    serde_json::from_slice(bytes).map_err(|error| ContractError::Malformed {
        what,
        line: error.line(),
        column: error.column(),
    })
}
