//! What happened, line by line, for those who look into a failing seed.

use std::fmt;

use super::START_MS;

/// See the module. Off, it costs nothing: lines are made only when they are kept.
#[derive(Debug, Default)]
pub struct Trace {
    on: bool,
    lines: Vec<String>,
}

impl Trace {
    /// Keeps lines if it is `on`.
    pub fn new(on: bool) -> Self {
        Self { on, lines: Vec::new() }
    }

    /// Adds a line. Times are shown since the beginning.
    pub fn line(&mut self, now_ms: i64, what: fmt::Arguments<'_>) {
        if self.on {
            self.lines.push(format!("{:>9} ms  {what}", now_ms - START_MS));
        }
    }

    /// All lines.
    pub fn into_lines(self) -> Vec<String> {
        self.lines
    }
}
