//! What there is besides a process, and outlives it.

use std::collections::BTreeMap;

use posthaste_journal::{Options, Ordinal};
use rand::rngs::SmallRng;

use super::{
    configuration::{Compiled, Configuration, Number},
    model::{
        ledger::Ledger,
        life::{Life, is_overflow},
    },
    network::Behaviour,
    rules::{Checked, Rule},
    sabotage::Sabotage,
    scene::Scene,
    trace::Trace,
};
use crate::{
    config::{Loaded, Snapshot},
    schedule::{Effect, Settings},
};

/// See the module.
pub struct Around {
    /// What happens.
    pub scene: Scene,
    /// The time.
    pub now_ms: i64,
    /// Chance.
    pub random: SmallRng,
    /// What receivers do.
    pub behaviours: BTreeMap<Number, Behaviour>,
    /// What must be in the journal.
    pub ledger: Ledger,
    /// What the process may do.
    pub life: Life,
    /// What happened.
    pub trace: Trace,
    /// What is built in wrongly.
    pub sabotage: Option<Sabotage>,
    /// What the engine counts is compared.
    pub counted: bool,
    /// Effects and events so far, for defects that show now and then.
    pub count: u64,
    /// Events were refused for want of space.
    pub was_full: bool,
    /// Replays so far.
    pub replays: u64,
    /// Attempts so far.
    pub attempts: u64,
}

impl Around {
    /// Adds a line to the trace.
    pub fn line(&mut self, what: std::fmt::Arguments<'_>) {
        self.trace.line(self.now_ms, what);
    }

    /// The endpoint with that number in the journal.
    pub fn number(&self, ordinal: Ordinal) -> Checked<Number> {
        let number = self.ledger.ordinals.get(&ordinal).copied();
        number.ok_or_else(|| Rule::Matching.broken(format!("{ordinal:?} is no endpoint")))
    }

    /// The engine remembers something of an endpoint, and says next what that comes from: deliveries of it that get too
    /// old.
    pub fn foresee(&mut self, ordinal: Ordinal, next: &[Effect]) -> Checked {
        let number = self.number(ordinal)?;
        let records = next.iter().map_while(|effect| match effect {
            Effect::Record(outcome) if outcome.endpoint == ordinal && !is_overflow(outcome) => Some(outcome.seq),
            _ => None,
        });
        if records.into_iter().any(|seq| !self.life.has_just_ended((seq, number))) {
            self.life.got_too_old(number);
        }
        Ok(())
    }

    /// How a journal is opened.
    pub fn options(&self) -> Options {
        let mut options = self.scene.options.clone();
        if let Some(sabotage) = self.sabotage {
            sabotage.space(&mut options.space);
        }
        options
    }

    /// A configuration as the process is to read it.
    pub fn load(&self, configuration: &Configuration, compiled: &mut Compiled) -> Loaded {
        configuration.load(compiled, |endpoint| {
            if self.sabotage == Some(Sabotage::FilterIgnored) {
                endpoint.event_types = None;
            }
        })
    }

    /// A snapshot as the engine is to be told of it.
    pub fn settings(&self, snapshot: &Snapshot) -> Settings {
        let mut settings = snapshot.settings();
        if let Some(sabotage) = self.sabotage {
            sabotage.settings(&mut settings);
        }
        settings
    }
}
