//! What new events are matched by.

use std::collections::BTreeSet;

use posthaste_delivery_config::Endpoint;

use super::Ledger;
use crate::simulation::configuration::{Configuration, Number, Presence, wants};

impl Ledger {
    /// New events are matched by another configuration. A parked endpoint keeps the rules that it had in this process.
    pub fn matched_by(&mut self, configuration: &Configuration, first_of_process: bool) {
        if first_of_process {
            self.rules.clear();
        }
        for (number, wanted) in &configuration.endpoints {
            match wanted.presence {
                Presence::Present => {
                    let before = self.rules.insert(*number, wanted.endpoint.clone());
                    let other = |rules: &Endpoint| {
                        rules.event_types != wanted.endpoint.event_types
                            || rules.tenant != wanted.endpoint.tenant
                            || rules.enabled != wanted.endpoint.enabled
                    };
                    if before.as_ref().is_none_or(other) {
                        let replays = self.replays.values_mut().filter(|replay| replay.is_for(*number));
                        replays.for_each(|replay| replay.rules.push(wanted.endpoint.clone()));
                    }
                }
                Presence::Deleted => drop(self.rules.remove(number)),
                Presence::Parked => {}
            }
        }
        for post in self.waiting.clone() {
            let matched = self.matched(post);
            self.possible[post].push(matched);
        }
    }

    pub(super) fn matched(&self, post: usize) -> BTreeSet<Number> {
        let wanted = self.rules.iter().filter(|(_, endpoint)| wants(endpoint, &self.events[post]));
        wanted.map(|(number, _)| *number).collect()
    }
}
