//! The circuit of one endpoint: whether it is worth being asked. Only ever delays; nothing is dropped.
//!
//! Closed until so many attempts in a row have failed, then open: nothing starts for a while. When that is over, the
//! next attempt that is due is a probe, and nothing starts beside it. A probe that fails opens the circuit for twice as
//! long, up to a maximum. A success closes it, and lets more and more attempts run at once: 1, 2, 4, ..., so that a
//! receiver that has just come back does not meet its whole backlog.

use posthaste_delivery_config::CircuitBreaker;

/// What is shown of a circuit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Circuit {
    /// Attempts are made.
    #[default]
    Closed,
    /// Attempts wait.
    Open,
    /// One attempt is in flight to see whether the receiver is back.
    HalfOpen,
}

/// What an attempt says about its receiver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sign {
    /// It accepts deliveries.
    Success,
    /// It does not.
    Failure,
    /// Nothing: nothing was sent.
    None,
}

/// See the module.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Breaker {
    state: State,
    /// Failures in a row while closed.
    failures: u32,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Closed,
    Open {
        until_ms: i64,
        /// How often a probe has failed.
        failed_probes: u32,
    },
    HalfOpen {
        failed_probes: u32,
    },
    /// Closed again, with at most `allowed` attempts at once; after `left` successes, twice as many.
    Recovering {
        allowed: u32,
        left: u32,
    },
}

impl Breaker {
    /// After a restart: as many attempts have failed in a row as the journal counts.
    pub fn recovered(failures: u64) -> Self {
        Self { state: State::Closed, failures: u32::try_from(failures).unwrap_or(u32::MAX) }
    }

    /// Takes settings; `None` keeps the circuit closed. With as many failures as open it, as after a restart, it is
    /// open and the first attempt is a probe at once.
    pub fn configure(&mut self, settings: Option<&CircuitBreaker>, concurrency: u32) {
        match (settings, self.state) {
            (None, _) => *self = Self::default(),
            (Some(settings), State::Closed) if self.failures >= settings.failures.max(1) => {
                self.state = State::Open { until_ms: 0, failed_probes: 0 };
            }
            (Some(_), State::Recovering { allowed, .. }) if allowed >= concurrency => self.state = State::Closed,
            _ => {}
        }
    }

    /// What is shown.
    pub fn circuit(&self) -> Circuit {
        match self.state {
            State::Closed | State::Recovering { .. } => Circuit::Closed,
            State::Open { .. } => Circuit::Open,
            State::HalfOpen { .. } => Circuit::HalfOpen,
        }
    }

    /// No attempt may start before this time.
    pub fn until_ms(&self) -> i64 {
        if let State::Open { until_ms, .. } = self.state { until_ms } else { 0 }
    }

    /// Whether another attempt may start beside `in_flight` others, once the time has come. Those that were in flight
    /// when the circuit opened do not hold the probe up.
    pub fn permits(&self, in_flight: usize) -> bool {
        match self.state {
            State::Closed | State::Open { .. } => true,
            State::HalfOpen { .. } => false,
            State::Recovering { allowed, .. } => in_flight < allowed as usize,
        }
    }

    /// An attempt starts. True when it is a probe.
    pub fn started(&mut self) -> bool {
        let State::Open { failed_probes, .. } = self.state else { return false };
        self.state = State::HalfOpen { failed_probes };
        true
    }

    /// An attempt has ended. `probe` is what [`Self::started`] said of it. Attempts that started before the circuit
    /// opened can close it, and cannot make it stay open.
    pub fn finished(
        &mut self,
        settings: Option<&CircuitBreaker>,
        concurrency: u32,
        probe: bool,
        sign: Sign,
        now_ms: i64,
    ) {
        let Some(settings) = settings else { return };
        match (sign, self.state) {
            (Sign::Success, state) => {
                self.failures = 0;
                self.state = match state {
                    State::Closed => State::Closed,
                    State::Open { .. } | State::HalfOpen { .. } => State::Recovering { allowed: 1, left: 1 },
                    State::Recovering { allowed, left: 0 | 1 } => {
                        let allowed = allowed.saturating_mul(2);
                        State::Recovering { allowed, left: allowed }
                    }
                    State::Recovering { allowed, left } => State::Recovering { allowed, left: left - 1 },
                };
                if matches!(self.state, State::Recovering { allowed, .. } if allowed >= concurrency) {
                    self.state = State::Closed;
                }
            }
            (Sign::Failure, State::Closed | State::Recovering { .. }) => {
                self.failures = self.failures.saturating_add(1);
                if let State::Recovering { allowed, left } = &mut self.state {
                    *left = *allowed;
                }
                if self.failures >= settings.failures.max(1) {
                    self.state = open(settings, 0, now_ms);
                }
            }
            (Sign::Failure, State::HalfOpen { failed_probes }) if probe => {
                self.state = open(settings, failed_probes.saturating_add(1), now_ms);
            }
            (Sign::None, State::HalfOpen { failed_probes }) if probe => {
                self.state = State::Open { until_ms: now_ms, failed_probes };
            }
            (Sign::Failure | Sign::None, _) => {}
        }
    }
}

fn open(settings: &CircuitBreaker, failed_probes: u32, now_ms: i64) -> State {
    let pause = settings.open_for_ms.saturating_mul(1 << failed_probes.min(32)).min(settings.open_for_max_ms);
    State::Open { until_ms: now_ms.saturating_add(i64::try_from(pause).unwrap_or(i64::MAX)), failed_probes }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SETTINGS: CircuitBreaker = CircuitBreaker { failures: 3, open_for_ms: 100, open_for_max_ms: 350 };

    fn end(breaker: &mut Breaker, probe: bool, sign: Sign, now_ms: i64) {
        breaker.finished(Some(&SETTINGS), 8, probe, sign, now_ms);
    }

    fn opened() -> Breaker {
        let mut breaker = Breaker::default();
        (0..3).for_each(|_| end(&mut breaker, false, Sign::Failure, 0));
        breaker
    }

    #[test]
    fn opens_after_so_many_failures_in_a_row() {
        let mut breaker = Breaker::default();
        for sign in [Sign::Failure, Sign::Failure, Sign::Success, Sign::Failure, Sign::None, Sign::Failure] {
            end(&mut breaker, false, sign, 0);
            assert_eq!(breaker.circuit(), Circuit::Closed);
        }
        end(&mut breaker, false, Sign::Failure, 7);
        assert_eq!((breaker.circuit(), breaker.until_ms()), (Circuit::Open, 107));
    }

    #[test]
    fn failed_probes_double_the_pause_up_to_the_maximum() {
        let mut breaker = opened();
        let mut now = breaker.until_ms();
        for pause in [200, 350, 350] {
            assert!(breaker.permits(5) && breaker.started());
            assert_eq!(breaker.circuit(), Circuit::HalfOpen);
            assert!(!breaker.permits(0), "nothing starts beside a probe");
            end(&mut breaker, true, Sign::Failure, now);
            assert_eq!(breaker.until_ms() - now, pause);
            now = breaker.until_ms();
        }
    }

    #[test]
    fn a_receiver_that_is_back_gets_more_and_more() {
        let mut breaker = opened();
        assert!(breaker.started());
        end(&mut breaker, true, Sign::Success, 100);
        assert_eq!(breaker.circuit(), Circuit::Closed);
        let mut allowed = Vec::new();
        while let Some(most) = (0..8).find(|in_flight| !breaker.permits(*in_flight)) {
            allowed.push(most);
            assert!(!breaker.started(), "no probe any more");
            end(&mut breaker, false, Sign::Success, 100);
        }
        assert_eq!(allowed, [1, 2, 2, 4, 4, 4, 4]);
        assert_eq!(breaker, Breaker::default());
    }

    #[test]
    fn what_was_in_flight_when_it_opened_can_only_close_it() {
        let mut breaker = opened();
        end(&mut breaker, false, Sign::Failure, 50);
        assert_eq!(breaker.until_ms(), 100);
        assert!(breaker.started());
        end(&mut breaker, false, Sign::Failure, 120);
        assert_eq!(breaker.circuit(), Circuit::HalfOpen);
        end(&mut breaker, false, Sign::Success, 130);
        assert!(breaker.permits(0) && !breaker.permits(1));
        end(&mut breaker, true, Sign::Failure, 140);
        assert_eq!(breaker.circuit(), Circuit::Closed, "one failure after a success");
    }

    #[test]
    fn a_probe_that_was_not_sent_is_made_again() {
        let mut breaker = opened();
        assert!(breaker.started());
        end(&mut breaker, true, Sign::None, 120);
        assert_eq!((breaker.circuit(), breaker.until_ms()), (Circuit::Open, 120));
        assert!(breaker.started());
        end(&mut breaker, true, Sign::Failure, 130);
        assert_eq!(breaker.until_ms(), 330, "and counts once");
    }

    #[test]
    fn after_a_restart_a_failing_endpoint_is_probed_first() {
        let mut breaker = Breaker::recovered(2);
        breaker.configure(Some(&SETTINGS), 8);
        assert_eq!(breaker.circuit(), Circuit::Closed);
        let mut breaker = Breaker::recovered(3);
        breaker.configure(Some(&SETTINGS), 8);
        assert_eq!((breaker.circuit(), breaker.until_ms()), (Circuit::Open, 0));
        breaker.configure(None, 8);
        assert_eq!(breaker, Breaker::default());
    }
}
