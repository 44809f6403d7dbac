//! Conditions as they are written and compared. Pure.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use posthaste_delivery_config::resolve::Outcome;

/// A condition for an outcome. Its transition time is that of `before` unless its status is another one.
pub fn condition(
    type_: &str,
    outcome: &Outcome,
    generation: i64,
    before: Option<&Condition>,
    now: Timestamp,
) -> Condition {
    let status = outcome.status.as_str();
    let unchanged = before.filter(|before| before.status == status).map(|before| before.last_transition_time.clone());
    Condition {
        type_: type_.to_owned(),
        status: status.to_owned(),
        reason: outcome.reason.to_owned(),
        message: outcome.message.clone(),
        observed_generation: Some(generation),
        last_transition_time: unchanged.unwrap_or_else(|| whole_second(now)),
    }
}

/// The condition of a type.
pub fn find<'a>(conditions: Option<&'a [Condition]>, type_: &str) -> Option<&'a Condition> {
    conditions?.iter().find(|condition| condition.type_ == type_)
}

/// Conditions of the given types, in that order: one writer's part of the list.
pub fn of_types(conditions: Option<&[Condition]>, types: &[&str]) -> Vec<Condition> {
    types.iter().filter_map(|type_| find(conditions, type_).cloned()).collect()
}

/// Whether a condition is true and was said of this generation.
pub fn holds_for(condition: Option<&Condition>, generation: i64) -> bool {
    condition.is_some_and(|condition| condition.status == "True" && condition.observed_generation == Some(generation))
}

/// Kubernetes writes times in whole seconds; a fraction would come back different from what was sent.
fn whole_second(time: Timestamp) -> Time {
    Time(time.round(jiff::Unit::Second).unwrap_or(time))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn the_transition_time_moves_only_with_the_status() {
        let first = condition("Ready", &Outcome::holds("Ready", "all is well"), 1, None, at(100));
        assert_eq!(first.last_transition_time.0, at(100));
        let same = condition("Ready", &Outcome::holds("Ready", "still well"), 2, Some(&first), at(200));
        assert_eq!((same.last_transition_time.0, same.observed_generation), (at(100), Some(2)));
        let refusal = posthaste_delivery_config::resolve::Refusal::new("NotAccepted", "something is wrong");
        let other = condition("Ready", &refusal.into(), 2, Some(&same), at(300));
        assert_eq!(other.last_transition_time.0, at(300));
    }

    #[test]
    fn a_condition_of_an_earlier_generation_does_not_hold() {
        let condition = condition("Programmed", &Outcome::holds("Programmed", ""), 3, None, at(0));
        assert!(holds_for(Some(&condition), 3));
        assert!(!holds_for(Some(&condition), 4));
        assert!(!holds_for(None, 3));
    }
}
