//! What a circuit breaker promises, in few words: after so many failures in a row nothing starts for a while; then one probe;
//! after a success 1, 2, 4, ... attempts at once.

use posthaste_delivery_config::CircuitBreaker;
use posthaste_journal::Seq;

/// See the module.
#[derive(Clone, Debug, Default)]
pub struct Circuit {
    failures: u64,
    phase: Phase,
}

#[derive(Clone, Debug, Default)]
enum Phase {
    #[default]
    Closed,
    Open {
        until_ms: i64,
        failed_probes: u32,
    },
    Probing {
        probe: Seq,
        failed_probes: u32,
    },
    Ramp {
        allowed: usize,
        successes: usize,
    },
}

impl Circuit {
    /// After a restart.
    pub fn recovered(failures: u64) -> Self {
        Self { failures, phase: Phase::Closed }
    }

    /// Settings are in force.
    pub fn configured(&mut self, settings: Option<&CircuitBreaker>, concurrency: u32) {
        let Some(settings) = settings else { return *self = Self::default() };
        match self.phase {
            Phase::Closed if self.failures >= u64::from(settings.failures.max(1)) => {
                self.phase = Phase::Open { until_ms: 0, failed_probes: 0 };
            }
            Phase::Ramp { allowed, .. } if allowed >= concurrency as usize => self.phase = Phase::Closed,
            _ => {}
        }
    }

    /// Whether an attempt may start now beside so many.
    pub fn permits(&self, now_ms: i64, in_flight: usize) -> bool {
        match self.phase {
            Phase::Closed => true,
            Phase::Open { until_ms, .. } => until_ms <= now_ms,
            Phase::Probing { .. } => false,
            Phase::Ramp { allowed, .. } => in_flight < allowed,
        }
    }

    /// An attempt starts.
    pub fn started(&mut self, seq: Seq) {
        if let Phase::Open { failed_probes, .. } = self.phase {
            self.phase = Phase::Probing { probe: seq, failed_probes };
        }
    }

    /// An attempt has succeeded, or failed.
    pub fn ended(&mut self, settings: &CircuitBreaker, concurrency: u32, seq: Seq, succeeded: bool, now_ms: i64) {
        if succeeded {
            self.failures = 0;
            self.phase = match self.phase {
                Phase::Closed => Phase::Closed,
                Phase::Open { .. } | Phase::Probing { .. } => Phase::Ramp { allowed: 1, successes: 0 },
                Phase::Ramp { allowed, successes } if successes + 1 >= allowed => {
                    Phase::Ramp { allowed: allowed * 2, successes: 0 }
                }
                Phase::Ramp { allowed, successes } => Phase::Ramp { allowed, successes: successes + 1 },
            };
            if matches!(self.phase, Phase::Ramp { allowed, .. } if allowed >= concurrency as usize) {
                self.phase = Phase::Closed;
            }
            return;
        }
        match &mut self.phase {
            Phase::Probing { probe, failed_probes } if *probe == seq => {
                let failed_probes = *failed_probes + 1;
                self.phase = open(settings, failed_probes, now_ms);
            }
            Phase::Open { .. } | Phase::Probing { .. } => {}
            Phase::Closed | Phase::Ramp { .. } => {
                self.failures += 1;
                if let Phase::Ramp { successes, .. } = &mut self.phase {
                    *successes = 0;
                }
                if self.failures >= u64::from(settings.failures.max(1)) {
                    self.phase = open(settings, 0, now_ms);
                }
            }
        }
    }

    /// The probe of that number could not be made: another may be at once.
    pub fn not_sent(&mut self, seq: Seq, now_ms: i64) {
        if let Phase::Probing { probe, failed_probes } = self.phase
            && probe == seq
        {
            self.phase = Phase::Open { until_ms: now_ms, failed_probes };
        }
    }
}

fn open(settings: &CircuitBreaker, failed_probes: u32, now_ms: i64) -> Phase {
    let pause_ms = (settings.open_for_ms << failed_probes.min(20)).min(settings.open_for_max_ms);
    Phase::Open { until_ms: now_ms + pause_ms.cast_signed(), failed_probes }
}
