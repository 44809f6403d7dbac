//! Everything that a seed decides before anything happens: what there is, and what is done to it when.

use std::{path::PathBuf, sync::Arc, time::Duration};

use bytes::Bytes;
use posthaste_journal::{
    Options, Space,
    testing::{Crash, Fault},
};
use rand::{RngExt, SeedableRng, rngs::SmallRng};

use super::{
    START_MS,
    configuration::{Configuration, Number},
    model::ledger::replays::{Asked, Which},
    network::Behaviour,
};
use crate::event::Event;

/// What is done to the world.
#[derive(Clone, Debug)]
pub enum Action {
    /// A producer posts events together. They are numbers of [`Scene::events`].
    Post(Vec<usize>),
    /// Another configuration is loaded.
    Configure(Arc<Configuration>),
    /// A receiver behaves otherwise from now on.
    Behave(Number, Behaviour),
    /// One operation of the disk fails.
    Fail(Fault),
    /// One operation of the disk in so many fails; none for `None`.
    FailRandomly(Option<u64>),
    /// The disk takes so many bytes more than it holds; `None` for as many as wanted.
    Room(Option<u64>),
    /// The process or the machine ends in the middle of an operation of the disk, after so many others.
    CrashIn(u64, Crash),
    /// The same, now.
    Crash(Crash),
    /// The process is asked to stop.
    Stop,
    /// The reporter waits for outcomes to be synced.
    Flush,
    /// The journal is tidied.
    Tidy,
    /// Somebody asks for events to be sent again.
    Replay(Asked),
}

/// See the module.
#[derive(Clone, Debug)]
pub struct Scene {
    /// What the disk's own failures come from.
    pub disk_seed: u64,
    /// How the journal is opened.
    pub options: Options,
    /// The engine's cache.
    pub cache_bytes: usize,
    /// Events between journal and engine before producers wait.
    pub backlog_events: usize,
    /// Of so many turns, the engine is late in one; 0 for never.
    pub late_one_in: u32,
    /// The configuration to begin with.
    pub configuration: Configuration,
    /// What is posted. Several may have the same id: repetitions, or conflicts.
    pub events: Vec<Event>,
    /// What happens, in order of time.
    pub script: Vec<(i64, Action)>,
    /// The configuration that lifts everything at the end.
    pub last: Configuration,
    /// When it does.
    pub quiet_ms: i64,
}

impl Scene {
    /// The scene of a seed.
    pub fn draw(seed: u64) -> Self {
        let random = &mut SmallRng::seed_from_u64(seed);
        let mut configuration = Configuration::draw(random);
        let first = configuration.clone();
        let long_ms = [2_000, 20_000, 200_000][random.random_range(0..3_usize)];
        let at = |random: &mut SmallRng| START_MS + random.random_range(0..long_ms);
        let mut events: Vec<Event> = Vec::new();
        let large = random.random_bool(0.2);
        let mut script: Vec<(i64, Action)> = Vec::new();
        for _ in 0..random.random_range(3..20) {
            let together = if random.random_bool(0.2) { 4 } else { 1 };
            let mut batch = Vec::new();
            for _ in 0..together {
                batch.push(events.len());
                let event = draw_event(random, &events, large);
                events.push(event);
            }
            script.push((at(random), Action::Post(batch)));
        }
        let mut edits: Vec<i64> = (0..random.random_range(0..6)).map(|_| at(random)).collect();
        edits.sort_unstable();
        for at_ms in edits {
            configuration.edit(random);
            script.push((at_ms, Action::Configure(Arc::new(configuration.clone()))));
        }
        for number in 0..configuration.endpoints.len() {
            for _ in 0..random.random_range(0..4) {
                let at_ms = if random.random_bool(0.3) { START_MS } else { at(random) };
                script.push((at_ms, Action::Behave(number, Behaviour::draw(random))));
            }
        }
        for _ in 0..random.random_range(0..5) {
            script.push((at(random), draw_trouble(random)));
        }
        for _ in 0..random.random_range(0..4) {
            let action = if random.random_bool(0.5) { Action::Flush } else { Action::Tidy };
            script.push((at(random), action));
        }
        for _ in 0..random.random_range(0..4) {
            let number = random.random_range(0..configuration.endpoints.len());
            script.push((at(random), Action::Replay(draw_replay(random, number, events.len(), long_ms))));
        }
        // It is posted when everything has ended.
        events.push(Event { id: "last".to_owned(), ..draw_event(random, &[], false) });
        // Stable: edits keep their order.
        script.sort_by_key(|(at_ms, _)| *at_ms);
        configuration.release();
        Self {
            disk_seed: random.random(),
            options: Options {
                directory: PathBuf::from("/data/journal"),
                space: draw_space(random),
                segment_bytes: 4 << 10,
                max_idempotency_keys: 1_000,
                outcome_delay: Duration::from_millis(10),
            },
            cache_bytes: [0, 2_000, 1 << 20][random.random_range(0..3_usize)],
            backlog_events: [1, 3, 1_000][random.random_range(0..3_usize)],
            late_one_in: [0, 0, 3, 10][random.random_range(0..4_usize)],
            configuration: first,
            events,
            script,
            last: configuration,
            quiet_ms: START_MS + long_ms,
        }
    }
}

fn draw_space(random: &mut SmallRng) -> Space {
    Space {
        max_bytes: [64 << 10, 100 << 10, 1 << 20, 1 << 20, 1 << 20][random.random_range(0..5_usize)],
        max_bytes_per_endpoint: [1_500, 8_000, u64::MAX, u64::MAX][random.random_range(0..4_usize)],
        dead_letter_retention_ms: [2_000, 20_000, i64::MAX, i64::MAX][random.random_range(0..4_usize)],
        dead_letter_max_bytes: [600, 4_000, u64::MAX, u64::MAX][random.random_range(0..4_usize)],
        history_retention_ms: [0, 60_000, 3_600_000][random.random_range(0..3_usize)],
    }
}

fn draw_replay(random: &mut SmallRng, number: Number, posts: usize, long_ms: i64) -> Asked {
    let one = Which::One(random.random_range(1..posts.max(2) as u64 + 1));
    let which = [Which::Failed, Which::All, Which::Missing, one][random.random_range(0..4_usize)];
    let mut at_ms = || random.random_bool(0.2).then(|| START_MS + random.random_range(0..long_ms));
    let (since_ms, until_ms) = (at_ms(), at_ms());
    let event_type = random.random_bool(0.2).then(|| "order.paid".to_owned());
    match which {
        Which::One(_) => Asked { number, which, since_ms: None, until_ms: None, event_type: None },
        _ => Asked { number, which, since_ms, until_ms, event_type },
    }
}

fn draw_event(random: &mut SmallRng, before: &[Event], large: bool) -> Event {
    if random.random_bool(0.08) && !before.is_empty() {
        let mut again = before[random.random_range(0..before.len())].clone();
        if random.random_bool(0.2) {
            again.data = Bytes::from_static(b"{\"another\":true}");
        }
        return again;
    }
    let types = ["order.created", "order.paid", "invoice.paid", "user.created"];
    let length = if random.random_bool(if large { 0.8 } else { 0.1 }) {
        random.random_range(0..6_000)
    } else {
        random.random_range(0..300)
    };
    Event {
        id: format!("event-{}", before.len()),
        event_type: types[random.random_range(0..4_usize)].to_owned(),
        source: None,
        subject: random.random_bool(0.7).then(|| format!("subject-{}", random.random_range(0..3))),
        tenant: random.random_bool(0.4).then(|| "acme".to_owned()),
        time: "2027-01-15T08:00:00.000Z".to_owned(),
        data: format!("{{\"padding\":\"{}\"}}", "x".repeat(length)).into(),
        metadata: None,
    }
}

fn draw_trouble(random: &mut SmallRng) -> Action {
    let crash = if random.random_bool(0.6) { Crash::PowerLoss } else { Crash::Kill };
    match random.random_range(0..10) {
        0 => Action::Fail([Fault::Write, Fault::Sync, Fault::Names, Fault::Truncate][random.random_range(0..4_usize)]),
        1 => Action::Fail(Fault::Sync),
        2 => Action::FailRandomly([None, Some(3), Some(10)][random.random_range(0..3_usize)]),
        3 => Action::Room([None, Some(0), Some(3_000)][random.random_range(0..3_usize)]),
        4..=6 => Action::CrashIn(random.random_range(0..12), crash),
        7 => Action::Crash(crash),
        _ => Action::Stop,
    }
}
