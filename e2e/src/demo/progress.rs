//! A line that moves on a terminal, and a line now and then elsewhere.

use std::{
    cell::Cell,
    io::{IsTerminal, Write, stdout},
    time::{Duration, Instant},
};

/// Between two lines where there is no terminal.
const EVERY: Duration = Duration::from_secs(1);

/// Shows how far the events are.
pub(super) struct Progress {
    terminal: bool,
    shown: Cell<Option<Instant>>,
    open: Cell<bool>,
}

impl Progress {
    pub(super) fn new() -> Self {
        Self { terminal: stdout().is_terminal(), shown: Cell::new(None), open: Cell::new(false) }
    }

    /// Shows the counts: posted of all, and for each stream how many it has of how many it gets.
    pub(super) fn show(&self, posted: u64, all: u64, streams: &[(&str, u64, u64)]) {
        if !self.terminal && self.shown.get().is_some_and(|shown| shown.elapsed() < EVERY) {
            return;
        }
        self.shown.set(Some(Instant::now()));
        let mut line = format!("      posted {posted:>4}/{all}");
        for (name, has, gets) in streams {
            line += &format!("   {name} {} {has:>4}", bar(*has, *gets));
        }
        if self.terminal {
            print!("\r{line}\x1b[K");
            self.open.set(true);
        } else {
            println!("{line}");
        }
        let _ = stdout().flush();
    }

    /// Ends the line.
    pub(super) fn end(&self) {
        if self.open.replace(false) {
            println!();
        }
    }
}

fn bar(has: u64, gets: u64) -> String {
    const WIDTH: u64 = 12;
    let filled = has.min(gets) * WIDTH / gets.max(1);
    (0..WIDTH).map(|at| if at < filled { '#' } else { '.' }).collect()
}
