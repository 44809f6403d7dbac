//! Puts configurations in force, as `run::configurator` does.

use std::sync::Arc;

use posthaste_journal::Error;

use super::{Applying, Process, Told};
use crate::{
    config::Snapshot,
    simulation::{
        around::Around,
        configuration::{self, Configuration},
        model::ledger::Ledger,
        rules::Checked,
    },
};

/// A configuration that could not be put in force is tried again after this time.
const AGAIN_MS: i64 = 1_000;

impl Process {
    /// Another configuration is there. One that is still on its way into force goes first, unless it has not begun.
    pub fn configure(&mut self, around: &mut Around, configuration: &Arc<Configuration>) -> Checked {
        // The one before is put in force up to where the newer one takes its place.
        if let Some(applying) = self.applying.take()
            && let Some(snapshot) = applying.snapshot
        {
            let settings = around.settings(&snapshot);
            self.told.push_back(Told::Configure(applying.configuration, settings));
        }
        self.applying =
            Some(Applying { configuration: Arc::clone(configuration), snapshot: None, at_ms: around.now_ms });
        self.apply(around)
    }

    /// New events are matched by this snapshot from now on.
    pub(super) fn in_force(
        &mut self,
        around: &mut Around,
        configuration: &Configuration,
        snapshot: &Arc<Snapshot>,
        first: bool,
    ) -> Checked {
        for entry in snapshot.entries() {
            around.ledger.numbered(entry.ordinal, &entry.loaded.uid)?;
        }
        self.snapshot.store(Arc::clone(snapshot));
        around.ledger.matched_by(configuration, first);
        Ok(())
    }

    /// New events are matched by this configuration; `None` when new endpoints get no numbers now.
    fn match_by(&mut self, around: &mut Around, configuration: &Configuration) -> Checked<Option<Arc<Snapshot>>> {
        let loaded = around.load(configuration, &mut self.compiled);
        let previous = self.snapshot.load_full();
        let preparing = self.numbers.snapshot(&loaded, Some(&previous));
        let prepared = self.log.wait(around.now_ms, &mut around.ledger, preparing)?;
        self.collect(around);
        match prepared {
            Ok(snapshot) => {
                let snapshot = Arc::new(snapshot);
                self.in_force(around, configuration, &snapshot, false)?;
                Ok(Some(snapshot))
            }
            Err(error) => {
                around.line(format_args!("a configuration is not in force yet: {error}"));
                Ok(None)
            }
        }
    }

    /// Writes deletions.
    pub(super) fn delete(&mut self, around: &mut Around, snapshot: &Snapshot) -> Checked<Result<(), Error>> {
        let number = |ledger: &Ledger, ordinal| ledger.ordinals.get(&ordinal).copied();
        for (_, ordinal) in &snapshot.dropped {
            if let Some(number) = number(&around.ledger, *ordinal) {
                around.ledger.deleting(number);
            }
        }
        let mut dropped = Vec::new();
        let deleting = self.numbers.drop_deleted(snapshot, |uid, _| dropped.push(uid.to_owned()));
        let deleted = self.log.wait(around.now_ms, &mut around.ledger, deleting)?;
        for uid in dropped {
            around.line(format_args!("{uid} is deleted"));
            if let Some(number) = configuration::number(&uid) {
                around.ledger.deleted(number);
            }
        }
        self.collect(around);
        Ok(deleted)
    }

    /// Goes on with the configuration that is on its way into force.
    pub(super) fn apply(&mut self, around: &mut Around) -> Checked {
        let Some(mut applying) = self.applying.take() else { return Ok(()) };
        let snapshot = match applying.snapshot.take() {
            Some(snapshot) => Some(snapshot),
            None => self.match_by(around, &applying.configuration)?,
        };
        let Some(snapshot) = snapshot else {
            self.applying = Some(Applying { at_ms: around.now_ms + AGAIN_MS, ..applying });
            return Ok(());
        };
        if let Err(error) = self.delete(around, &snapshot)? {
            around.line(format_args!("endpoints are not deleted yet: {error}"));
            let at_ms = around.now_ms + AGAIN_MS;
            self.applying = Some(Applying { snapshot: Some(snapshot), at_ms, ..applying });
            return Ok(());
        }
        let settings = around.settings(&snapshot);
        self.told.push_back(Told::Configure(applying.configuration, settings));
        Ok(())
    }
}
