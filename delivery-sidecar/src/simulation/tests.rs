//! Seeds, and defects that some seed shows.

use std::ops::Range;

use super::{rules::Rule, sabotage::Sabotage, simulate, summary::Summary, trace, trace::Trace, world::World};

/// Seeds of an ordinary run.
const SEEDS: u64 = 3_000;
/// Seeds among which a defect must show.
const SEEDS_FOR_A_DEFECT: u64 = 300;
/// Lines of a failing seed's trace that are printed.
const LINES: usize = 150;

/// The seeds to run: all, so many (`POSTHASTE_SEEDS=100000`), those of a range (`POSTHASTE_SEEDS=3000..9000`), or one
/// (`POSTHASTE_SEED=7`).
fn seeds() -> Range<u64> {
    let number =
        |text: &str| text.parse::<u64>().unwrap_or_else(|error| panic!("{text} is no number of a seed: {error}"));
    if let Ok(seed) = std::env::var("POSTHASTE_SEED") {
        let seed = number(&seed);
        return seed..seed + 1;
    }
    match std::env::var("POSTHASTE_SEEDS") {
        Ok(seeds) => match seeds.split_once("..") {
            Some((first, end)) => number(first)..number(end),
            None => 0..number(&seeds),
        },
        Err(_) => 0..SEEDS,
    }
}

/// Says which seed it was, however its test ends.
struct Running(u64);

impl Drop for Running {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let Self(seed) = self;
            println!(
                "replay: POSTHASTE_SEED={seed} cargo test -p posthaste-delivery-sidecar simulation::tests::every_seed"
            );
        }
    }
}

fn fail(seed: u64) -> ! {
    let (result, lines) = trace(seed);
    for line in &lines[lines.len().saturating_sub(LINES)..] {
        println!("{line}");
    }
    let why = result.map_or_else(|violation| violation.to_string(), |_| "it passes now".to_owned());
    panic!("seed {seed}: {why}");
}

#[test]
fn every_seed_keeps_every_rule() {
    let seeds = seeds();
    let count = seeds.end.saturating_sub(seeds.start);
    let mut sum = Summary::default();
    for seed in seeds {
        let _running = Running(seed);
        match simulate(seed) {
            Ok(summary) => sum += summary,
            Err(_) => fail(seed),
        }
    }
    println!("{count} seeds: {sum:?}");
    if count >= SEEDS {
        // Rules about what never happens are kept easily.
        let Summary {
            attempts,
            restarts,
            delivered,
            dead_lettered,
            dropped,
            withheld,
            removed,
            again,
            refused,
            repeated,
            survived,
        } = sum;
        let seldom = [dropped, withheld, removed, again, refused, repeated, survived];
        for happened in [attempts, restarts, delivered, dead_lettered].into_iter().chain(seldom) {
            assert!(happened >= 50, "{sum:?}");
        }
    }
}

#[test]
fn a_seed_replays_exactly() {
    for seed in 0..40 {
        let (first, second) = (trace(seed), trace(seed));
        assert_eq!(first.1, second.1, "seed {seed}");
    }
}

/// Looks among the first seeds for one that shows a defect as what it is.
fn noticed(sabotage: Sabotage, rule: Rule) {
    let mut others = Vec::new();
    for seed in 0..SEEDS_FOR_A_DEFECT {
        let world = World::new(seed, Some(sabotage), Trace::default());
        // What the engine counts gives some away at once. Without that, it is what comes of them that has to be noticed.
        let mut world = if rule == Rule::Counts { world } else { world.uncounted() };
        match world.run() {
            Err(violation) if violation.rule == rule => return,
            Err(violation) => others.push(format!("seed {seed}: {violation}")),
            Ok(_) => {}
        }
    }
    panic!("no seed shows {sabotage:?} as {rule:?}, but {others:#?}");
}

macro_rules! defects {
    ($($name:ident: $sabotage:ident, $rule:ident;)*) => {
        $(#[test]
        fn $name() {
            noticed(Sabotage::$sabotage, Rule::$rule);
        })*
    };
}

defects! {
    a_dropped_sync_is_noticed: SyncDropped, Recovery;
    a_synced_commit_that_recovery_cuts_off_is_noticed: RecoveryCutsTooMuch, Recovery;
    a_delivery_that_recovery_skips_is_noticed: RecoveredDeliverySkipped, Progress;
    attempts_that_recovery_forgets_are_noticed: RecoveredAttemptsForgotten, Attempts;
    an_acknowledged_failure_is_noticed: FailureAcknowledged, Answers;
    a_mistake_in_matching_is_noticed: FilterIgnored, Matching;
    an_ignored_concurrency_is_noticed: ConcurrencyIgnored, Concurrency;
    an_ignored_limit_of_all_attempts_is_noticed: InFlightIgnored, InFlight;
    an_ignored_rate_limit_is_noticed: RateIgnored, Rate;
    an_ignored_ordering_is_noticed: OrderingIgnored, Ordering;
    an_ignored_circuit_is_noticed: CircuitIgnored, Circuit;
    an_ignored_suspension_is_noticed: SuspensionIgnored, Withheld;
    a_retry_before_its_time_is_noticed: RetryTooEarly, Schedule;
    an_attempt_too_many_is_noticed: AttemptTooMany, Attempts;
    an_ignored_retry_after_is_noticed: RetryAfterIgnored, Schedule;
    an_ignored_overload_is_noticed: ThrottleIgnored, Throttle;
    an_ignored_410_is_noticed: GoneIgnored, Withheld;
    an_outcome_that_is_not_recorded_is_noticed: OutcomeLost, Outcome;
    an_attempt_made_twice_is_noticed: AttemptDoubled, Attempts;
    an_attempt_that_is_not_made_is_noticed: AttemptLost, Progress;
    an_attempt_that_is_not_made_is_seen_in_what_is_counted: AttemptLost, Counts;
    a_wake_up_that_is_lost_is_noticed: WakeUpLost, Progress;
    an_event_that_is_lost_is_noticed: EventLost, Progress;
    an_ignored_deletion_is_seen_in_what_is_counted: DeletionIgnored, Counts;
    an_ignored_max_age_is_noticed: MaxAgeIgnored, Age;
    a_max_age_that_comes_too_early_is_noticed: MaxAgeHalved, Age;
    an_ignored_on_exhausted_is_noticed: OnExhaustedIgnored, Memory;
    an_endpoint_that_is_marked_instead_of_disabled_is_noticed: DisableMarks, Withheld;
    an_endpoint_that_is_marked_instead_of_disabled_is_seen_in_what_is_shown: DisableMarks, Counts;
    memos_that_recovery_forgets_are_noticed: RecoveredMemosForgotten, Withheld;
    a_memo_that_is_not_the_latest_is_noticed: FirstMemoWritten, Memory;
    an_ignored_size_of_the_journal_is_noticed: MaxBytesIgnored, Space;
    space_that_the_journal_does_not_use_is_noticed: SpaceWithheld, Space;
    a_journal_that_stays_full_is_noticed: FullForGood, Space;
    an_ignored_share_of_an_endpoint_is_noticed: OverflowIgnored, Space;
    an_overflow_that_comes_too_early_is_noticed: OverflowTooEarly, Space;
    an_overflow_of_others_than_the_oldest_is_noticed: OldestKept, Space;
    an_ignored_size_of_dead_letters_is_noticed: DeadLettersNotCounted, Space;
    an_ignored_age_of_dead_letters_is_noticed: DeadLettersKept, Space;
    dead_letters_that_are_removed_without_need_are_noticed: DeadLettersCrowdedOut, Space;
    dead_letters_that_are_removed_too_early_are_noticed: DeadLettersForgotten, Space;
    a_redelivery_that_is_lost_is_noticed: RedeliveryLost, Progress;
    a_replay_of_what_was_not_asked_for_is_noticed: ReplayOfAll, Replay;
    a_replay_that_leaves_something_out_is_noticed: ReplayCut, Replay;
    a_redelivery_that_waits_for_others_is_noticed: RecoveredRedeliveryInOrder, Progress;
}
