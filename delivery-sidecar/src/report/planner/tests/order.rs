//! Who is first.

use super::*;

#[test]
fn a_transition_is_written_although_counts_have_used_everything_up() {
    let mut world = World::settled(1_000, &StatusBudget::default());
    world.change_all(succeed);
    world.advance(s(30));
    assert!(world.planner.waiting() > 500, "a backlog of counts");
    world.made.clear();
    world.change("00999", |view| (0..3).for_each(|_| fail(view)));
    let now = world.now;
    world.advance(Duration::ZERO);
    let expected = [Object::Webhook, endpoint("00999")].map(|object| Made { at: now, object, lane: Lane::Transition });
    assert_eq!(world.made, expected);
}

#[test]
fn counts_wait_until_what_transitions_overdrew_is_repaid() {
    let mut world = World::settled(80, &StatusBudget::default());
    world.change_all(|view| (0..3).for_each(|_| fail(view)));
    let start = world.now;
    world.advance(s(1));
    assert_eq!(world.count(Lane::Transition), 81, "the endpoints and their Webhook");
    world.change_all(fail);
    world.advance(s(60));
    let first = world.made.iter().find(|made| made.lane == Lane::Counters).unwrap();
    // 20 saved up, 81 written: 62 tokens at 5/s until the first is left over.
    assert_eq!(first.at - start, ms(12_400));
}

#[test]
fn every_one_of_a_thousand_busy_endpoints_gets_its_turn() {
    let mut world = World::settled(1_000, &StatusBudget::default());
    let start = world.now;
    for _ in 0..240 {
        world.change_all(succeed);
        world.advance(s(1));
    }
    let counts = |object: &Object| world.made.iter().filter(|made| made.object == *object).count();
    let of_endpoints: Vec<usize> = (0..1_000).map(|number| counts(&endpoint(&format!("{number:05}")))).collect();
    assert_eq!((of_endpoints.iter().min(), of_endpoints.iter().max()), (Some(&1), Some(&2)), "{of_endpoints:?}");
    assert!((23..=25).contains(&counts(&Object::Webhook)), "the Webhook at every least interval");
    assert!(world.now - start == s(240));
}

#[test]
fn with_a_tiny_share_the_webhook_takes_half_of_it() {
    let mut world = World::settled(10, &StatusBudget { per_second: 0.05, burst: 1.0, ..StatusBudget::default() });
    for _ in 0..400 {
        world.change_all(succeed);
        world.advance(s(2));
    }
    let of_webhook = world.made.iter().filter(|made| made.lane == Lane::Counters && made.object == Object::Webhook);
    let (of_webhook, all) = (of_webhook.count(), world.count(Lane::Counters));
    assert!(all >= 38 && of_webhook * 2 <= all + 1, "{of_webhook} of {all}");
}

#[test]
fn an_object_is_not_written_twice_within_the_least_interval() {
    let mut world = World::settled(1, &StatusBudget::default());
    for _ in 0..600 {
        world.change("00000", succeed);
        world.advance(ms(100));
    }
    for object in [endpoint("00000"), Object::Webhook] {
        let times: Vec<Duration> = world.made.iter().filter(|made| made.object == object).map(|made| made.at).collect();
        assert!(times.windows(2).all(|pair| pair[1] - pair[0] >= s(10)), "{times:?}");
        assert!(times.len() >= 6);
    }
    assert!(world.planner.take_savings().coalesced > 1_000);
}

#[test]
fn a_change_that_is_undone_in_time_is_not_written() {
    let mut world = World::settled(1, &StatusBudget::default());
    world.change("00000", |view| view.pending = 1);
    world.advance(s(1));
    world.change("00000", |view| view.pending = 2);
    world.advance(s(1));
    world.change("00000", |view| view.pending = 1);
    world.made.clear();
    world.planner.take_savings();
    world.advance(s(100));
    assert_eq!(world.made, []);
    assert_eq!(world.planner.take_savings(), Savings { coalesced: 0, skipped: 2 }, "the endpoint and its Webhook");
}

#[test]
fn the_last_writes_ignore_the_least_interval_but_not_the_budget() {
    let budget = StatusBudget::default();
    let mut world = World::settled(40, &budget);
    world.change_all(succeed);
    world.advance(s(5));
    world.made.clear();
    world.change_all(succeed);
    world.advance(s(1));
    assert_eq!(world.made, []);
    world.planner.flush(world.now);
    world.advance(s(1));
    // 41 writes at 5/s took 4.2 s, so that 14 tokens came since.
    assert_eq!(world.writes(), 14);
}

#[test]
fn the_failing_are_listed_first_and_then_those_used_last() {
    let mut world = World::new(40, &StatusBudget::default());
    for number in 0..40 {
        world.change(&format!("{number:05}"), |view| {
            if number % 10 == 3 {
                (0..3).for_each(|_| fail(view));
            } else {
                succeed(view);
            }
            view.stats.last_attempt_ms = Some(number);
        });
    }
    world.observe();
    let targets: Vec<String> = world.planner.targets().iter().map(ToString::to_string).collect();
    let expected = [33, 23, 13, 3, 39, 38, 37, 36, 35, 34, 32, 31, 30, 29, 28, 27];
    assert_eq!(targets, expected.map(|number| format!("{number:05}")));
}

#[test]
fn an_endpoint_that_is_removed_leaves_the_sums_and_the_queue() {
    let mut world = World::settled(2, &StatusBudget::default());
    world.change("00000", |view| (0..3).for_each(|_| fail(view)));
    world.observe();
    assert_eq!(world.planner.totals().failing, 1);
    world.remove("00000");
    world.advance(s(60));
    assert_eq!((world.planner.totals().endpoints(), world.planner.totals().failed), (1, 0));
    assert!(world.made.iter().all(|made| made.object == Object::Webhook));
    world.assert_all_displayed();
}
