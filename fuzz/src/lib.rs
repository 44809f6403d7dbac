//! Fuzz targets: functions that take any bytes and panic when something is wrong.
//!
//! `fuzz/run` looks for such bytes with libFuzzer, guided by what code they reach; what it found worth keeping is in
//! `corpus/<target>`. The test of this crate needs nothing but stable Rust: it replays the corpus and tries mutations
//! of it.

mod address;
mod expression;
mod ingest;
mod journal_damage;
mod journal_open;
pub mod mutate;
mod retry_after;

use std::future::Future;

pub use address::address;
pub use expression::expression;
pub use ingest::ingest;
pub use journal_damage::journal_damage;
pub use journal_open::journal_open;
pub use retry_after::retry_after;

/// A target's name, which is that of its corpus, and the target.
pub type Target = (&'static str, fn(&[u8]));

/// All targets.
pub const TARGETS: [Target; 6] = [
    ("address", address),
    ("expression", expression),
    ("ingest", ingest),
    ("journal_damage", journal_damage),
    ("journal_open", journal_open),
    ("retry_after", retry_after),
];

/// Takes bytes off the front of an input; what is missing is 0.
struct Choices<'a>(&'a [u8]);

impl<'a> Choices<'a> {
    fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        *first
    }

    /// A number below `end`, or 0.
    fn below(&mut self, end: usize) -> usize {
        let number = usize::from(u16::from_be_bytes([self.byte(), self.byte()]));
        number.checked_rem(end).unwrap_or(0)
    }

    /// All up to a line's end, which is left out.
    fn line(&mut self) -> &'a [u8] {
        let end = self.0.iter().position(|byte| *byte == b'\n').unwrap_or(self.0.len());
        let (line, rest) = self.0.split_at(end);
        self.0 = rest.get(1..).unwrap_or_default();
        line
    }
}

/// Runs a future in this thread.
fn wait<T>(future: impl Future<Output = T>) -> T {
    thread_local! {
        static RUNTIME: tokio::runtime::Runtime =
            tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
    }
    RUNTIME.with(|runtime| runtime.block_on(future))
}
