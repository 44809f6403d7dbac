//! Makes inputs of other inputs.

use rand::{Rng, RngExt, seq::IndexedRandom};

/// Most bytes of an input.
pub const MAX_BYTES: usize = 8 << 10;

/// What parsers look for.
const TOKENS: [&[u8]; 36] = [
    b"{",
    b"}",
    b"[",
    b"]",
    b"\"",
    b"\\",
    b":",
    b",",
    b"\n",
    b"null",
    b"1e999",
    b"-0",
    b"\\ud800",
    b"\xff",
    b"\"id\":",
    b"\"type\":",
    b"\"data\":",
    b"\"metadata\":{",
    b"PHCM",
    b"PHSL",
    b"POSTHJNL",
    b"application/json",
    b";charset=",
    b"GMT",
    b"127.0.0.1",
    b"0x7f",
    b"::ffff:",
    b"%2e",
    b"event.data",
    b".exists(x,",
    b".map(x,",
    b"has(event.",
    b".matches('",
    b"(",
    b")",
    b" && ",
];

/// One of `inputs`, changed in a few places, or put together of two.
pub fn mutate(inputs: &[Vec<u8>], random: &mut impl Rng) -> Vec<u8> {
    let mut input = inputs.choose(random).cloned().unwrap_or_default();
    for _ in 0..random.random_range(1..=6) {
        let from = random.random_range(0..=input.len());
        let to = input.len().min(from + random.random_range(1..=32));
        match random.random_range(0..8) {
            0 => drop(input.drain(from..to)),
            1 => input[from..to].iter_mut().for_each(|byte| *byte ^= 1 << random.random_range(0..8)),
            2 => input[from..to].iter_mut().take(1).for_each(|byte| *byte = random.random()),
            3 => input[from..to]
                .iter_mut()
                .take(8)
                .for_each(|byte| *byte = *[0, 1, 0x7f, 0x80, 0xff].choose(random).unwrap_or(&0)),
            4 => insert(&mut input, from, TOKENS.choose(random).copied().unwrap_or_default()),
            5 => {
                let piece = input[from..to].to_vec();
                insert(&mut input, from, &piece);
            }
            6 => {
                let piece: [u8; 4] = random.random();
                insert(&mut input, from, &piece);
            }
            _ => {
                let other = inputs.choose(random).map(Vec::as_slice).unwrap_or_default();
                input.truncate(from);
                input.extend_from_slice(&other[other.len().min(from)..]);
            }
        }
        input.truncate(MAX_BYTES);
    }
    input
}

fn insert(input: &mut Vec<u8>, at: usize, bytes: &[u8]) {
    input.splice(at..at, bytes.iter().copied());
}
