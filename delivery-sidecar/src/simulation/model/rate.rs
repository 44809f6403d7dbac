//! What a rate limit promises, checked against the times of all attempts.

use posthaste_delivery_config::DeliveryRate;
use posthaste_journal::Seq;

/// After a crash the engine waits for what it cannot know, for no longer than this.
const CAUTION_MS: i64 = 60_000;

/// See the module.
#[derive(Clone, Debug, Default)]
pub struct Rate {
    limit: Option<DeliveryRate>,
    /// Attempts that count.
    starts: Vec<Start>,
    /// Until then the engine may wait for longer than it has to.
    cautious_until_ms: i64,
    /// After a crash a bucket may hold fewer tokens than is known here, until it has once been full.
    unsure: bool,
}

/// An attempt that counts.
#[derive(Clone, Copy, Debug)]
pub struct Start {
    /// When it started.
    pub at_ms: i64,
    /// The event.
    pub seq: Seq,
    /// Its number.
    pub attempt: u32,
}

impl Rate {
    /// After a restart: what counts of before. Without `memory` of all that was used, that is what `known` says; a limit
    /// that takes longer than a minute then begins anew.
    pub fn restarted(&mut self, now_ms: i64, memory: bool, known: impl Fn(&Start) -> bool) {
        self.cautious_until_ms = now_ms + CAUTION_MS;
        if memory {
            return;
        }
        self.unsure = true;
        self.starts.retain(known);
        let refill_ms = self
            .limit
            .map_or(0, |limit| limit.per_ms * u64::from(limit.burst.unwrap_or(limit.limit)) / u64::from(limit.limit));
        if refill_ms.cast_signed() > CAUTION_MS {
            self.starts.clear();
        }
    }

    /// Another limit is in force. Attempts of a window go on counting in another window.
    pub fn configured(&mut self, limit: Option<DeliveryRate>, now_ms: i64) {
        if limit == self.limit {
            return;
        }
        match (self.limit, limit) {
            (Some(DeliveryRate { burst: None, per_ms, .. }), Some(DeliveryRate { burst: None, .. })) => {
                self.starts.retain(|start| start.at_ms + per_ms.cast_signed() > now_ms);
            }
            _ => self.starts.clear(),
        }
        self.unsure = true;
        let per_ms = limit.map_or(0, |limit| limit.per_ms).max(self.limit.map_or(0, |limit| limit.per_ms));
        self.cautious_until_ms = self.cautious_until_ms.max(now_ms + 4 * per_ms.cast_signed());
        self.limit = limit;
    }

    /// Whether an attempt at this time keeps the limit.
    pub fn permits(&self, now_ms: i64) -> bool {
        let Some(limit) = self.limit else { return true };
        let per_ns = i128::from(limit.per_ms) * 1_000_000;
        let since_ns = |start: &Start| i128::from(now_ms - start.at_ms) * 1_000_000;
        match limit.burst {
            None => self.starts.iter().filter(|start| since_ns(start) < per_ns).count() < limit.limit as usize,
            Some(burst) => {
                let token_ns = (per_ns + i128::from(limit.limit) - 1) / i128::from(limit.limit);
                // From any attempt on: no more than the burst and what has come since.
                self.starts.iter().enumerate().all(|(at, start)| {
                    let attempts = i128::from((self.starts.len() - at) as u64) + 1;
                    attempts <= i128::from(burst) + since_ns(start) / token_ns
                })
            }
        }
    }

    /// Whether the engine must see that as well.
    pub fn certainly_permits(&self, now_ms: i64) -> bool {
        let Some(limit) = self.limit else { return true };
        let sure = limit.burst.is_none() || !self.unsure || self.is_full(&limit, now_ms);
        sure && now_ms >= self.cautious_until_ms && self.permits(now_ms)
    }

    /// No attempt has been made for so long that a bucket is full, whatever was in it.
    fn is_full(&self, limit: &DeliveryRate, now_ms: i64) -> bool {
        let tokens = u64::from(limit.burst.unwrap_or(1));
        let full_ms = (limit.per_ms * tokens).div_ceil(u64::from(limit.limit)).cast_signed() + 1;
        now_ms >= self.cautious_until_ms && self.starts.last().is_none_or(|last| now_ms - last.at_ms > full_ms)
    }

    /// An attempt starts.
    pub fn started(&mut self, start: Start) {
        let Some(limit) = self.limit else { return };
        if self.is_full(&limit, start.at_ms) {
            self.unsure = false;
        }
        self.starts.push(start);
    }
}
