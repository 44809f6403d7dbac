//! Patterns of `matches`: compiled once, matched in linear time.

use regex::{Regex, RegexBuilder};

/// Longest text that is matched, in bytes.
pub(crate) const MAX_HAYSTACK: usize = 16 << 10;
/// Sizes of compiled patterns and what each byte of a text then costs at most, in halves of a step: matching takes as long
/// as the text times the pattern in the worst case.
const SIZES: [(usize, usize); 3] = [(4 << 10, 1), (16 << 10, 4), (64 << 10, 16)];

/// See the module.
#[derive(Debug)]
pub(crate) struct Pattern {
    regex: Regex,
    weight: usize,
}

impl Pattern {
    /// # Errors
    /// What would be right.
    pub fn compile(pattern: &str) -> Result<Self, String> {
        let mut last = None;
        for (size, weight) in SIZES {
            let built = RegexBuilder::new(pattern).size_limit(size).dfa_size_limit(size).nest_limit(32).build();
            match built {
                Ok(regex) => return Ok(Self { regex, weight }),
                Err(error @ regex::Error::CompiledTooBig(_)) => last = Some(error),
                Err(error) => return Err(describe(&error)),
            }
        }
        Err(last.map(|error| describe(&error)).unwrap_or_default())
    }

    /// Steps that a match of so many bytes may take.
    pub fn cost(&self, bytes: usize) -> usize {
        1 + bytes * self.weight / 2
    }

    pub fn is_match(&self, text: &str) -> bool {
        self.regex.is_match(text)
    }
}

fn describe(error: &regex::Error) -> String {
    match error {
        regex::Error::CompiledTooBig(_) => {
            "the pattern is too large when compiled; repeat less, or write [0-9] for \\d and [0-9A-Za-z_] for \\w"
                .to_owned()
        }
        other => {
            // The last line of the message is what is wrong; those before draw an arrow.
            let text = other.to_string();
            let line = text.lines().last().unwrap_or_default();
            format!("the pattern is not a regular expression (RE2 syntax): {}", line.trim_start_matches("error: "))
        }
    }
}
