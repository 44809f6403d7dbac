//! What a minute, an hour or a restart costs the API server.

use proptest::prelude::*;

use super::*;

/// Writes that counts and transitions together may make in a time: burst and rate, and what may be owed.
fn allowance(budget: &StatusBudget, time: Duration) -> f64 {
    budget.burst + (budget.burst * DEBT_BURSTS).max(MIN_DEBT) + budget.per_second * time.as_secs_f64()
}

fn as_f64(count: usize) -> f64 {
    f64::from(u32::try_from(count).unwrap())
}

#[test]
fn an_idle_webhook_writes_nothing() {
    let mut world = World::settled(100, &StatusBudget::default());
    assert_eq!(world.planner.next(world.now), Action::Idle);
    world.change_all(|view| {
        view.next_attempt_ms = Some(1);
        view.oldest_pending_ms = Some(2);
        view.stats.last_attempt_ms = Some(3);
    });
    world.advance(s(3600));
    assert_eq!(world.made, []);
    assert_eq!(world.planner.next(world.now), Action::Idle);
}

#[test]
fn ten_thousand_endpoints_are_programmed_as_fast_as_their_bucket_allows() {
    let budget = StatusBudget::default();
    let mut world = World::new(10_000, &budget);
    world.advance(s(200));
    world.assert_all_displayed();
    assert_eq!((world.count(Lane::Look), world.count(Lane::Programmed)), (10_001, 10_001));
    // And not faster.
    let early = world.made.iter().filter(|made| made.lane == Lane::Programmed && made.at <= s(100)).count();
    assert!(as_f64(early) <= budget.programmed_per_second * 101.0, "{early}");
}

#[test]
fn a_restart_looks_at_everything_and_writes_what_changed() {
    let budget = StatusBudget::default();
    let mut world = World::settled(1_000, &budget);
    let before = world.displayed.clone();
    world = world.restarted(&budget);
    world.change("00007", succeed);
    world.advance(s(60));
    world.assert_all_displayed();
    assert_eq!((world.count(Lane::Look), world.writes()), (1_001, 2), "the endpoint and its Webhook");
    let unchanged = world.displayed.iter().filter(|(object, shown)| before.get(object) == Some(shown)).count();
    assert_eq!(unchanged, 999);
}

#[test]
fn fifty_endpoints_that_fail_and_recover_stay_within_the_budget() {
    let budget = StatusBudget::default();
    let mut world = World::settled(50, &budget);
    let (start, step) = (world.now, ms(100));
    let mut transitions = vec![];
    for tick in 0..600 {
        let broken = (100..300).contains(&tick);
        for number in 0..50 {
            let uid = format!("{number:05}");
            let before = crate::report::health::judge(&world.views[&uid]).status;
            world.change(&uid, if broken { fail } else { succeed });
            let after = crate::report::health::judge(&world.views[&uid]).status;
            if [before, after].contains(&ConditionStatus::False) && before != after {
                transitions.push((world.now, endpoint(&uid)));
            }
        }
        world.advance(step);
    }
    assert_eq!(transitions.len(), 100);
    for (at, object) in &transitions {
        let written = world.made.iter().any(|made| made.object == *object && (*at..=*at + step).contains(&made.at));
        assert!(written, "{object:?} changed at {at:?} and was not written at once");
    }
    let minute = world.now - start;
    let (counters, all) = (as_f64(world.count(Lane::Counters)), as_f64(world.writes()));
    assert!(counters <= budget.burst + budget.per_second * minute.as_secs_f64(), "{counters} writes of counts");
    // Here even both together: what transitions overdrew was repaid.
    assert!(all <= budget.burst + budget.per_second * minute.as_secs_f64(), "{all} writes");
    assert!(all > 250.0, "the budget is used: {all} writes");
    world.advance(s(60));
    world.assert_all_displayed();
}

#[test]
fn ten_thousand_flapping_endpoints_stay_within_the_budget_and_end_up_right() {
    let budget = StatusBudget::default();
    let mut world = World::settled(10_000, &budget);
    for tick in 0u32..60 {
        world.change_all(|view| if tick % 6 < 4 { fail(view) } else { succeed(view) });
        world.advance(s(1));
    }
    let writes = as_f64(world.writes());
    assert!(writes <= allowance(&budget, s(60)), "{writes} writes");
    world.advance(s(10_000));
    world.assert_all_displayed();
    assert_eq!(world.planner.next(world.now), Action::Idle);
}

#[test]
fn the_transitions_of_one_flapping_endpoint_are_written_twice_at_once_and_then_at_the_least_interval() {
    let budget = StatusBudget::default();
    let mut world = World::settled(20, &budget);
    let start = world.now;
    for _ in 0..300 {
        world.change("00003", |view| (0..3).for_each(|_| fail(view)));
        world.advance(ms(100));
        world.change("00003", succeed);
        world.advance(ms(100));
    }
    let times = |lane| {
        let made = world.made.iter().filter(|made| made.object == endpoint("00003") && made.lane == lane);
        made.map(|made| made.at - start).collect::<Vec<_>>()
    };
    let (transitions, counters) = (times(Lane::Transition), times(Lane::Counters));
    assert!(transitions[1] <= ms(200) && transitions.len() <= 2 + 6, "{transitions:?}");
    assert!(counters.len() <= 6, "{counters:?}");
}

#[test]
fn the_other_modes_write_less() {
    let run = |mode| {
        let budget = StatusBudget { mode, ..StatusBudget::default() };
        let mut world = World::settled(10, &budget);
        for tick in 0..60 {
            world.change_all(|view| if tick < 30 { fail(view) } else { succeed(view) });
            world.advance(s(1));
        }
        world.advance(s(60));
        (world.count(Lane::Transition), world.count(Lane::Counters), world.count(Lane::Programmed))
    };
    let (transitions, counters, _) = run(StatusMode::Full);
    assert!(transitions == 22 && counters > 50, "{transitions}, {counters}");
    assert_eq!(run(StatusMode::Transitions), (22, 0, 0));
    assert_eq!(run(StatusMode::Off), (0, 0, 0));
}

#[test]
fn suspending_ten_thousand_endpoints_is_paid_for_as_configuration() {
    let mut world = World::settled(10_000, &StatusBudget::default());
    world.change_all(|view| view.suspended = true);
    world.advance(s(200));
    world.assert_all_displayed();
    assert_eq!(world.count(Lane::Transition), 0);
}

/// What can happen to a planner.
#[derive(Clone, Debug)]
enum Event {
    Change { uid: u8, kind: u8 },
    Remove { uid: u8 },
    Mode(u8),
    Begin,
    End { which: prop::sample::Index, answer: u8, elapsed_ms: u16 },
    Pass { ms: u32 },
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        4 => (0u8..6, 0u8..6).prop_map(|(uid, kind)| Event::Change { uid, kind }),
        1 => (0u8..6).prop_map(|uid| Event::Remove { uid }),
        1 => (0u8..3).prop_map(Event::Mode),
        6 => Just(Event::Begin),
        6 => (any::<prop::sample::Index>(), 0u8..10, 0u16..1500)
            .prop_map(|(which, answer, elapsed_ms)| Event::End { which, answer, elapsed_ms }),
        3 => (0u32..30_000).prop_map(|ms| Event::Pass { ms }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// Whatever happens, an object has at most one request under way, pauses end, and in the end everything that can
    /// be displayed is.
    #[test]
    fn everything_is_displayed_in_the_end(events in prop::collection::vec(event(), 0..120)) {
        let mut budget = StatusBudget { per_second: 2.0, burst: 3.0, ..StatusBudget::default() };
        let mut world = World::new(0, &budget);
        let mut open: Vec<Ticket> = vec![];
        for event in events {
            match event {
                Event::Change { uid, kind } => world.change(&uid.to_string(), |view| match kind {
                    0 => fail(view),
                    1 => (0..3).for_each(|_| fail(view)),
                    2 => view.suspended = !view.suspended,
                    3 => view.generation += 1,
                    4 => view.gone = !view.gone,
                    _ => succeed(view),
                }),
                Event::Remove { uid } => world.remove(&uid.to_string()),
                Event::Mode(mode) => {
                    budget.mode = [StatusMode::Full, StatusMode::Transitions, StatusMode::Off][usize::from(mode)];
                    world.planner.set_budget(&budget, world.now);
                }
                Event::Begin => {
                    world.observe();
                    if let Some(ticket) = world.ticket() {
                        prop_assert!(open.iter().all(|other| other.id != ticket.id));
                        open.push(ticket);
                    }
                }
                Event::End { which, answer, elapsed_ms } if !open.is_empty() => {
                    let ticket = open.swap_remove(which.index(open.len()));
                    let there = match &ticket.object {
                        Object::Webhook => true,
                        Object::Endpoint(uid) => world.views.contains_key(&**uid),
                    };
                    let look = world.planner.entries.get(&ticket.id)
                        .is_some_and(|entry| entry.in_flight == Some(Lane::Look));
                    let answer = match answer {
                        0 => Answer::Unavailable(None),
                        1 => Answer::Unavailable(Some(s(20))),
                        2 => Answer::Refused,
                        _ if !there => Answer::Gone,
                        _ if look => Answer::Looked(world.displayed.get(&ticket.object).copied()),
                        _ => {
                            let shown = world.build(&ticket);
                            world.displayed.insert(ticket.object.clone(), shown);
                            Answer::Written(shown)
                        }
                    };
                    let elapsed = ms(elapsed_ms.into());
                    world.planner.answer(&ticket, answer, Timing { now: world.now, elapsed, jitter: 0.5 });
                }
                Event::End { .. } => {}
                Event::Pass { ms: millis } => world.now += ms(millis.into()),
            }
        }
        for ticket in open {
            world.answer(&ticket, Answer::Unavailable(None));
        }
        budget.mode = StatusMode::Full;
        world.planner.set_budget(&budget, world.now);
        world.advance(s(100_000));
        world.assert_all_displayed();
        prop_assert_eq!(world.planner.waiting(), 0);
        prop_assert_eq!(world.planner.next(world.now), Action::Idle);
    }
}
