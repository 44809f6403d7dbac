//! What follows from answers other than success.

use super::*;

/// Answers every request like `answer` until `end`; returns when they were made.
fn times(world: &mut World, end: Duration, answer: Answer) -> Vec<u64> {
    let mut times = vec![];
    loop {
        match world.planner.next(world.now) {
            Action::Look(ticket) | Action::Write(ticket) => {
                times.push(world.now.as_secs());
                world.answer(&ticket, answer);
            }
            Action::WaitUntil(time) if time <= end => world.now = time,
            Action::WaitUntil(_) | Action::Idle => return times,
        }
    }
}

#[test]
fn an_api_server_that_cannot_serve_us_is_asked_less_and_less() {
    let mut world = World::new(100, &StatusBudget::default());
    world.observe();
    assert_eq!(times(&mut world, s(200), Answer::Unavailable(None)), [0, 1, 3, 7, 15, 31, 63, 123, 183]);
    world.advance(s(100));
    world.assert_all_displayed();
}

#[test]
fn what_it_asks_for_is_waited() {
    let mut world = World::new(1, &StatusBudget::default());
    world.observe();
    let ticket = world.ticket().unwrap();
    world.answer(&ticket, Answer::Unavailable(Some(s(30))));
    assert_eq!(world.planner.next(world.now), Action::WaitUntil(s(30)));
}

#[test]
fn after_a_pause_one_request_at_a_time_finds_out() {
    let mut world = World::new(10, &StatusBudget::default());
    world.observe();
    let ticket = world.ticket().unwrap();
    world.answer(&ticket, Answer::Unavailable(None));
    world.now = s(1);
    let probe = world.ticket().unwrap();
    assert_eq!(world.planner.next(world.now), Action::Idle);
    world.answer(&probe, Answer::Looked(None));
    assert!(world.ticket().is_some() && world.ticket().is_some());
}

#[test]
fn slow_answers_count_as_success_and_as_a_warning() {
    let mut world = World::new(0, &StatusBudget::default());
    world.observe();
    let ticket = world.ticket().unwrap();
    let timing = Timing { now: s(3), elapsed: s(2), jitter: 0.0 };
    world.planner.answer(&ticket, Answer::Looked(None), timing);
    assert_eq!(world.planner.next(s(3)), Action::WaitUntil(s(4)));
    assert!(matches!(world.planner.next(s(4)), Action::Write(_)));
}

#[test]
fn an_object_that_is_gone_is_left_alone_until_it_is_configured_anew() {
    let mut world = World::settled(2, &StatusBudget::default());
    world.change("00000", succeed);
    world.observe();
    let ticket = std::iter::from_fn(|| world.ticket()).find(|ticket| ticket.object == endpoint("00000")).unwrap();
    world.answer(&ticket, Answer::Gone);
    world.made.clear();
    for _ in 0..10 {
        world.change("00000", succeed);
        world.advance(s(60));
    }
    assert!(world.made.iter().all(|made| made.object != endpoint("00000")));
    world.change("00000", |view| view.generation = 2);
    world.advance(s(60));
    let lanes: Vec<Lane> =
        world.made.iter().filter(|made| made.object == endpoint("00000")).map(|made| made.lane).collect();
    assert_eq!(lanes, [Lane::Look, Lane::Programmed]);
}

#[test]
fn a_refused_object_waits_longer_each_time_and_holds_up_no_other() {
    let mut world = World::settled(2, &StatusBudget::default());
    world.change("00000", |view| view.generation = 2);
    world.observe();
    let start = world.now.as_secs();
    let waits: Vec<u64> = times(&mut world, s(12_000), Answer::Refused).into_iter().map(|time| time - start).collect();
    assert_eq!(waits, [0, 10, 30, 70, 150, 310, 630, 1230, 1830]);
    world.change("00001", |view| view.generation = 2);
    world.made.clear();
    world.advance(s(1));
    assert_eq!(world.made[0].object, endpoint("00001"));
}

#[test]
fn what_cannot_be_looked_at_is_written_all_the_same() {
    let mut world = World::new(0, &StatusBudget::default());
    world.observe();
    let ticket = world.ticket().unwrap();
    world.answer(&ticket, Answer::Refused);
    assert!(matches!(world.planner.next(world.now), Action::Write(_)));
}

#[test]
fn of_two_objects_with_one_name_the_older_is_not_written_any_more() {
    let mut world = World::settled(1, &StatusBudget::default());
    world.change("new", |view| view.name = "name-00000".into());
    world.change("00000", succeed);
    world.advance(s(60));
    world.change("00000", succeed);
    world.advance(s(60));
    assert!(world.made.iter().all(|made| made.object != endpoint("00000")), "{:?}", world.made);
    assert!(world.displayed.contains_key(&endpoint("new")));
}

#[test]
fn a_write_that_reached_the_newer_object_makes_it_be_looked_at_again() {
    let mut world = World::settled(1, &StatusBudget::default());
    world.change("00000", |view| view.generation = 2);
    world.observe();
    let late = world.ticket().unwrap();
    world.change("new", |view| view.name = "name-00000".into());
    world.advance(s(1));
    world.made.clear();
    // The late write hit the new object and was withdrawn: it displays nothing.
    world.displayed.remove(&endpoint("new"));
    world.answer(&late, Answer::Replaced);
    world.advance(s(60));
    let of_new: Vec<Lane> =
        world.made.iter().filter(|made| made.object == endpoint("new")).map(|made| made.lane).collect();
    assert_eq!(of_new, [Lane::Look, Lane::Programmed]);
}

#[test]
fn an_answer_for_an_object_that_was_removed_and_added_again_is_not_taken_for_the_new_one() {
    let mut world = World::settled(1, &StatusBudget::default());
    world.change("00000", |view| view.generation = 2);
    world.observe();
    let ticket = world.ticket().unwrap();
    let shown = world.build(&ticket);
    world.remove("00000");
    world.change("00000", |view| view.generation = 3);
    world.observe();
    world.answer(&ticket, Answer::Written(shown));
    world.made.clear();
    world.advance(s(60));
    let lanes: Vec<Lane> =
        world.made.iter().filter(|made| made.object == endpoint("00000")).map(|made| made.lane).collect();
    assert_eq!(lanes, [Lane::Look, Lane::Programmed]);
}

#[test]
fn a_smaller_budget_counts_from_now_on() {
    let mut world = World::settled(100, &StatusBudget::default());
    let small = StatusBudget { per_second: 1.0, burst: 2.0, ..StatusBudget::default() };
    world.planner.set_budget(&small, world.now);
    world.change_all(succeed);
    world.advance(s(10));
    assert!((10..=12).contains(&world.writes()), "{}", world.writes());
}

#[test]
fn switching_off_deletes_what_is_displayed_and_on_brings_it_back() {
    let mut world = World::settled(10, &StatusBudget::default());
    for mode in [StatusMode::Off, StatusMode::Full] {
        world.planner.set_budget(&StatusBudget { mode, ..StatusBudget::default() }, world.now);
        world.made.clear();
        world.advance(s(10));
        world.assert_all_displayed();
        assert_eq!((world.count(Lane::Programmed), world.made.len()), (11, 11));
    }
}
