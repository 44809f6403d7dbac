//! What a replica does next about the Lease: a decision without clock or client.
//!
//! Clocks of different machines are never compared. A Lease has expired when it has not changed for as long as its
//! holder promised to renew it in, measured by the observer's own monotonic clock.

use std::time::Duration;

/// What matters of a Lease.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Who holds it; `None` after a release.
    pub holder: Option<String>,
    /// For how long a renewal is good.
    pub duration: Duration,
    /// Changes with each write.
    pub version: String,
}

/// A record, and since when the observer has seen it unchanged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Observed {
    /// The record.
    pub record: Record,
    /// Time of the observer's monotonic clock.
    pub since: Duration,
}

impl Observed {
    /// What is known after another look: an unchanged record keeps its time.
    pub fn update(before: Option<Self>, record: Record, now: Duration) -> Self {
        match before {
            Some(before) if before.record == record => before,
            _ => Self { record, since: now },
        }
    }
}

/// What to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// There is no Lease: create it.
    Create,
    /// It is ours: renew it.
    Renew,
    /// Nobody holds it any more: take it.
    TakeOver,
    /// Somebody else holds it.
    Wait,
}

/// Decides for the replica `me` at the monotonic time `now`.
pub fn decide(me: &str, observed: Option<&Observed>, now: Duration) -> Action {
    let Some(Observed { record, since }) = observed else { return Action::Create };
    match record.holder.as_deref() {
        Some(holder) if holder == me => Action::Renew,
        None | Some("") => Action::TakeOver,
        Some(_) if now.saturating_sub(*since) > record.duration => Action::TakeOver,
        Some(_) => Action::Wait,
    }
}

/// Whether a leader that last renewed at `renewed` must stop working at `now`, because others may soon take over.
pub fn must_stop(renewed: Duration, now: Duration, deadline: Duration) -> bool {
    now.saturating_sub(renewed) >= deadline
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: fn(u64) -> Duration = Duration::from_secs;

    fn held(holder: Option<&str>, since: u64) -> Observed {
        Observed {
            record: Record { holder: holder.map(Into::into), duration: S(15), version: "7".into() },
            since: S(since),
        }
    }

    #[test]
    fn takes_only_what_is_free_expired_or_its_own() {
        for (observed, now, action) in [
            (None, 0, Action::Create),
            (Some(held(None, 0)), 0, Action::TakeOver),
            (Some(held(Some(""), 0)), 0, Action::TakeOver),
            (Some(held(Some("me"), 0)), 1000, Action::Renew),
            (Some(held(Some("other"), 100)), 100, Action::Wait),
            (Some(held(Some("other"), 100)), 115, Action::Wait),
            (Some(held(Some("other"), 100)), 116, Action::TakeOver),
        ] {
            assert_eq!(decide("me", observed.as_ref(), S(now)), action, "{observed:?} at {now}");
        }
    }

    #[test]
    fn a_renewal_by_another_starts_its_time_again() {
        let first = held(Some("other"), 100);
        let same = Observed::update(Some(first.clone()), first.record.clone(), S(110));
        assert_eq!(same.since, S(100));
        let renewed = Record { version: "8".into(), ..first.record.clone() };
        assert_eq!(Observed::update(Some(first), renewed, S(110)).since, S(110));
    }

    #[test]
    fn a_leader_that_cannot_renew_stops_before_others_may_take_over() {
        assert!(!must_stop(S(100), S(109), S(10)));
        assert!(must_stop(S(100), S(110), S(10)));
    }
}
