//! The share of the installation's status writes that each delivery sidecar gets.
//!
//! The total is divided by the number of Webhooks rounded up to a power of two. So the shares never add up to more than
//! the total (as long as the floor is not reached), and one more Webhook rewrites the other Webhooks' configuration only
//! when their number passes a power of two.

use posthaste_delivery_config::{StatusBudget, StatusMode};

/// Counter writes per second that every sidecar may make however many there are: one in ten seconds.
const FLOOR_PER_SECOND: f64 = 0.1;
/// Saved-up counter writes over the whole installation, for each counter write per second.
const BURST_SECONDS: f64 = 4.0;
/// `Programmed` writes per second over the whole installation.
const PROGRAMMED_PER_SECOND: f64 = 50.0;
/// Least time between two counter writes to one object.
const MIN_INTERVAL_MS: u64 = 10_000;

/// By what the installation's budget is divided when there are so many Webhooks.
pub fn divisor(webhooks: usize) -> u32 {
    u32::try_from(webhooks.max(1)).ok().and_then(u32::checked_next_power_of_two).unwrap_or(u32::MAX)
}

/// One sidecar's share of `total_per_second` counter writes.
pub fn share(mode: StatusMode, total_per_second: f64, divisor: u32) -> StatusBudget {
    let divisor = f64::from(divisor);
    StatusBudget {
        mode,
        per_second: (total_per_second / divisor).max(FLOOR_PER_SECOND),
        burst: (total_per_second * BURST_SECONDS / divisor).max(1.0),
        programmed_per_second: (PROGRAMMED_PER_SECOND / divisor).max(1.0),
        min_interval_ms: MIN_INTERVAL_MS,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_single_webhook_has_the_whole_budget() {
        assert_eq!(share(StatusMode::Full, 5.0, divisor(1)), StatusBudget::default());
    }

    #[test]
    fn one_more_webhook_changes_shares_only_past_a_power_of_two() {
        let divisors: Vec<_> = [0, 1, 2, 3, 4, 5, 8, 9, usize::MAX].map(divisor).into();
        assert_eq!(divisors, [1, 1, 2, 4, 4, 8, 8, 16, u32::MAX]);
    }

    #[test]
    fn shares_never_add_up_to_more_than_the_total_above_the_floor() {
        for webhooks in 1..=32_u32 {
            let share = share(StatusMode::Full, 5.0, divisor(webhooks as usize)).per_second;
            assert!(share * f64::from(webhooks) <= 5.0, "{webhooks}");
        }
    }

    #[test]
    fn no_share_is_below_the_floor() {
        let share = share(StatusMode::Transitions, 5.0, divisor(10_000));
        assert_eq!((share.per_second, share.burst, share.programmed_per_second), (0.1, 1.0, 1.0));
    }
}
