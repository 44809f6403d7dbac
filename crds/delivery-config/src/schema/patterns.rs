//! What the patterns of a schema cost. A pattern becomes an automaton; matching takes time that grows with the text and,
//! at worst, with the automaton.

use jsonschema::{Draft, PatternOptions, Regex};
use serde_json::{Value, json};

/// Sizes of automata that are told apart, in bytes. A pattern whose automaton is larger than the last is refused.
pub(super) const SIZES: [usize; 4] = [2 << 10, 8 << 10, 64 << 10, 256 << 10];
/// Bytes of states that matching a pattern remembers between characters.
const CACHE_BYTES: usize = 64 << 10;
/// Bytes of an automaton that add one look to the price of each byte of text.
const BYTES_A_LOOK: usize = 512;

/// What the patterns of a schema cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Cost {
    /// Looks that each byte of text takes when it is matched.
    pub per_byte: u64,
    /// Bytes of memory that all of them may take.
    pub memory: usize,
}

/// The options to compile patterns with whose automata have at most so many bytes.
pub(super) fn options(size: usize) -> PatternOptions<Regex> {
    PatternOptions::regex().size_limit(size).dfa_size_limit(CACHE_BYTES)
}

/// The cost of these patterns, if they can be compiled at all.
pub(super) fn cost(patterns: &[String]) -> Option<Cost> {
    if patterns.is_empty() {
        return Some(Cost { per_byte: 0, memory: 0 });
    }
    let all: Vec<Value> = patterns.iter().map(|pattern| json!({"pattern": pattern})).collect();
    let all = json!({"allOf": all});
    let fits = |size: usize| {
        let options = jsonschema::options().with_draft(Draft::Draft202012).with_pattern_options(options(size));
        options.should_validate_formats(false).build(&all).is_ok()
    };
    let size = SIZES.into_iter().find(|size| fits(*size))?;
    let per_byte = u64::try_from(size / BYTES_A_LOOK).unwrap_or(u64::MAX);
    Some(Cost { per_byte, memory: patterns.len() * (size + CACHE_BYTES) })
}
