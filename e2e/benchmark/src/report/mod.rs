//! What was measured, against what is wanted; as a table for people, and as JSON.

mod machine;
mod table;

use serde::Serialize;

pub use machine::Machine;
pub use table::{block, table};

/// What is wanted of a figure.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Target {
    /// So much or more.
    AtLeast(f64),
    /// So much or less.
    AtMost(f64),
    /// Less than that.
    Below(f64),
}

/// A figure.
#[derive(Clone, Debug, Serialize)]
pub struct Figure {
    /// Of what.
    pub what: String,
    /// How much. Not a number becomes `null` in JSON.
    pub value: f64,
    /// Of which unit; may be empty.
    pub unit: &'static str,
}

/// A figure that something is wanted of.
#[derive(Clone, Debug, Serialize)]
pub struct Check {
    /// The figure.
    #[serde(flatten)]
    pub figure: Figure,
    /// What is wanted.
    pub target: Target,
    /// Whether it is so.
    pub pass: bool,
}

/// What a row has measured.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Measured {
    /// What decides.
    pub checks: Vec<Check>,
    /// What helps to understand it.
    pub beside: Vec<Figure>,
}

/// What came of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Verdict {
    /// All that is wanted.
    Pass,
    /// Less.
    Short,
    /// It could not be run.
    Failed,
}

/// A row of the table.
#[derive(Clone, Debug, Serialize)]
pub struct Line {
    /// Its name on the command line.
    pub row: String,
    /// What it is about.
    pub what: String,
    /// What came of it.
    pub verdict: Verdict,
    /// Figures.
    #[serde(flatten)]
    pub measured: Measured,
    /// Why it could not be run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// Everything.
#[derive(Clone, Debug, Serialize)]
pub struct Results {
    /// When it was begun.
    pub date: String,
    /// Shorter than it should be.
    pub quick: bool,
    /// Where.
    pub machine: Machine,
    /// The rows.
    pub rows: Vec<Line>,
}

impl Target {
    fn is_met(self, value: f64) -> bool {
        match self {
            Self::AtLeast(least) => value >= least,
            Self::AtMost(most) => value <= most,
            Self::Below(bound) => value < bound,
        }
    }
}

impl Measured {
    /// Adds a figure that decides.
    #[must_use]
    pub fn check(mut self, what: &str, value: f64, unit: &'static str, target: Target) -> Self {
        let figure = Figure { what: what.to_owned(), value, unit };
        self.checks.push(Check { figure, target, pass: target.is_met(value) });
        self
    }

    /// Adds a figure that helps to understand the others.
    #[must_use]
    pub fn beside(mut self, what: impl Into<String>, value: f64, unit: &'static str) -> Self {
        self.beside.push(Figure { what: what.into(), value, unit });
        self
    }
}

impl Line {
    /// Judges what a row has measured.
    pub fn new(row: String, what: String, result: anyhow::Result<Measured>) -> Self {
        let (verdict, measured, error) = match result {
            Ok(measured) if measured.checks.iter().all(|check| check.pass) => (Verdict::Pass, measured, None),
            Ok(measured) => (Verdict::Short, measured, None),
            Err(error) => (Verdict::Failed, Measured::default(), Some(format!("{error:#}"))),
        };
        Self { row, what, verdict, measured, error }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_passes_when_every_check_does() {
        let good =
            Measured::default().check("a", 0.5, "", Target::AtLeast(0.5)).check("b", 1.0, "", Target::AtMost(1.0));
        let short = good.clone().check("c", 2.0, "ms", Target::Below(2.0));
        let unknown = good.clone().check("c", f64::NAN, "ms", Target::AtLeast(0.0));
        let verdict = |result| Line::new("r".to_owned(), "w".to_owned(), result).verdict;
        assert_eq!(verdict(Ok(good)), Verdict::Pass);
        assert_eq!(verdict(Ok(short)), Verdict::Short);
        assert_eq!(verdict(Ok(unknown)), Verdict::Short);
        assert_eq!(verdict(Err(anyhow::anyhow!("x"))), Verdict::Failed);
    }
}
