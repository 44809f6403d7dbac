//! Tells the engine what happens, and does what it says, as `run::engine_task` and `run::attempt` do.

use std::sync::Arc;

use bytes::Bytes;
use posthaste_journal::{Committed, Error, Failure};

use super::{Process, Told};
use crate::{
    event::Event,
    run::backlog::Waiting,
    schedule::{Effect, Input, Start},
    send::{FailureClass, Verdict},
    simulation::{
        around::Around,
        network::{Answer, Behaviour},
        rules::{Checked, Rule},
        sabotage::Sabotage,
    },
};

impl Process {
    /// The engine takes what it is told, then looks at the clock.
    pub(super) fn run_engine(&mut self, around: &mut Around, is_down: impl Fn() -> bool) -> Checked {
        while let Some(told) = self.told.pop_front() {
            self.handle(told, around)?;
            if is_down() {
                return Ok(());
            }
        }
        let is_due = self.engine.wake_at_ms().is_some_and(|at_ms| at_ms <= around.now_ms);
        if is_due && around.sabotage != Some(Sabotage::WakeUpLost) {
            self.take(Input::Tick, around)?;
        }
        self.overflow(around)?;
        if is_down() || !self.told.is_empty() {
            return Ok(());
        }
        around.life.rests(around.now_ms)?;
        if around.counted {
            around.life.counted(self.engine.pending(), self.engine.in_flight())?;
        }
        Ok(())
    }

    pub(super) fn handle(&mut self, told: Told, around: &mut Around) -> Checked {
        let now_ms = around.now_ms;
        let input = match told {
            Told::Committed(committed) => {
                self.backlog.take(Waiting::of(std::slice::from_ref(&committed)));
                let Committed { seq, accepted_ms, deliveries, group, payload } = committed;
                let event = decoded(payload)?;
                let numbers = deliveries.iter().filter_map(|ordinal| around.ledger.ordinals.get(ordinal).copied());
                around.life.took(seq, accepted_ms, numbers, event.subject.as_ref());
                Input::Committed { seq, accepted_ms, deliveries, group, event: Some(event) }
            }
            Told::Finished(ordinal, seq, mut verdict) => {
                let number = around.number(ordinal)?;
                around.line(format_args!("endpoint {number} answers event {seq}: {}", shown(&verdict)));
                around.life.ended((seq, number), &verdict, now_ms)?;
                if let Some(sabotage) = around.sabotage {
                    sabotage.verdict(&mut verdict);
                }
                Input::Finished { ordinal, seq, ended_ms: now_ms, verdict }
            }
            Told::Configure(configuration, settings) => {
                around.line(format_args!("configuration {} is in force: {settings:?}", configuration.revision));
                around.life.configured(now_ms, &configuration);
                Input::Configure(settings)
            }
            Told::Redelivered(ordinal, events) => {
                let number = around.number(ordinal)?;
                around.line(format_args!("events {events:?} are sent to endpoint {number} again"));
                around.life.again(now_ms, number, &events)?;
                Input::Redelivered { ordinal, events }
            }
            // It was to be looked whether there is more.
            Told::OverflowRecorded => return Ok(()),
            Told::Drain => {
                around.line(format_args!("stopping"));
                around.life.draining = true;
                Input::Drain
            }
        };
        self.take(input, around)
    }

    /// The engine takes an input, and what it says is done.
    pub(super) fn take(&mut self, input: Input, around: &mut Around) -> Checked {
        let mut effects = Vec::new();
        self.engine.handle(input, around.now_ms, &mut effects);
        // Views are looked at after what has changed has happened.
        effects.sort_by_key(|effect| matches!(effect, Effect::Changed(_)));
        for at in 0..effects.len() {
            let effect = &effects[at];
            if matches!(effect, Effect::Start(_) | Effect::Record(_)) {
                around.count += 1;
            }
            let times = around.sabotage.map_or(1, |sabotage| sabotage.times(effect, around.count));
            for _ in 0..times {
                if let Effect::Remember { ordinal, .. } = effect {
                    around.foresee(*ordinal, &effects[at + 1..])?;
                }
                self.perform(effect.clone(), around)?;
            }
        }
        Ok(())
    }

    fn perform(&mut self, effect: Effect, around: &mut Around) -> Checked {
        match effect {
            Effect::Start(start) => self.attempt(start, around),
            Effect::Record(outcome) => {
                let number = around.number(outcome.endpoint)?;
                around.life.recorded(around.now_ms, number, &outcome)?;
                around.ledger.recorded(around.now_ms, number, outcome.clone());
                let journal = self.log.journal.clone();
                self.log.wait(around.now_ms, &mut around.ledger, journal.record(outcome))
            }
            Effect::Remember { ordinal, memo } => {
                let number = around.number(ordinal)?;
                around.life.remembers(number, memo.clone());
                if around.sabotage == Some(Sabotage::FirstMemoWritten) {
                    self.memos.keep_first(ordinal, memo);
                } else {
                    self.memos.keep(ordinal, memo);
                }
                Ok(())
            }
            Effect::Changed(_) if !around.counted => Ok(()),
            Effect::Changed(ordinal) => {
                let number = around.number(ordinal)?;
                around.life.shown(number, self.engine.view(ordinal, around.now_ms).as_ref())
            }
        }
    }

    fn attempt(&mut self, start: Start, around: &mut Around) -> Checked {
        let Start { ordinal, seq, attempt, event } = start;
        let now_ms = around.now_ms;
        let number = around.number(ordinal)?;
        around.line(format_args!("attempt {attempt} of event {seq} to endpoint {number}"));
        around.life.started((seq, number), attempt, now_ms)?;
        around.attempts += 1;
        let event = match event {
            Some(event) => Some(event),
            None => match self.log.journal.read(seq) {
                Ok(stored) => stored.map(|stored| decoded(stored.payload)).transpose()?,
                // A dead process reads nothing, and gets no answer.
                Err(Error::Io(_)) => return Ok(()),
                Err(error) => return Err(Rule::Content.broken(error.to_string())),
            },
        };
        let answer = if let Some(event) = event {
            let is_same = around.ledger.event(seq) == Some(&*event);
            Rule::Content.holds(is_same, || format!("{event:?} is sent as event {seq}"))?;
            let timeout_ms = around.life.timeout_ms(number);
            let behaviour = around.behaviours.get(&number).copied().unwrap_or(Behaviour::Healthy);
            behaviour.answer(&mut around.random, timeout_ms, now_ms)
        } else {
            let is_deleting = around.ledger.is_deleting(number);
            Rule::Content.holds(is_deleting, || format!("event {seq} is no longer there for endpoint {number}"))?;
            unreadable()
        };
        around.count += 1;
        self.answers.insert((now_ms + answer.after_ms, around.count), (ordinal, seq, answer.verdict));
        Ok(())
    }
}

fn decoded(payload: Bytes) -> Checked<Arc<Event>> {
    let event = Event::decode(payload).map_err(|error| Rule::Content.broken(error.to_string()))?;
    Ok(Arc::new(event))
}

/// As `run::attempt` says of an event that is no longer there.
fn unreadable() -> Answer {
    let failure = Failure { status: None, reason: "RenderError".to_owned(), message: "gone".to_owned() };
    Answer { after_ms: 1, verdict: Verdict::Failed { failure, retry_after: None, class: FailureClass::Permanent } }
}

fn shown(verdict: &Verdict) -> String {
    match verdict {
        Verdict::Succeeded { status } => format!("{status}"),
        Verdict::Failed { failure, retry_after, class } => format!("{}, {class:?}, {retry_after:?}", failure.message),
    }
}
