//! What a kept delivery costs: `cargo run --release --package posthaste-history --example measure -- [DELIVERIES]`.

use std::{
    collections::HashSet,
    fs,
    sync::Arc,
    time::{Duration, Instant},
};

use posthaste_history::{
    AttemptRecord, Bounds, Durations, Entry, EventText, Filter, History, Key, Live, Options, Source, Standing, Status,
    Unfinished,
};

/// An endpoint that fails, rarely.
const ENDPOINTS: u32 = 100;

struct Nothing;

impl Source for Nothing {
    fn event(&self, _: u64) -> Option<(EventText, i64)> {
        None
    }
    fn standing(&self, _: Key) -> Option<Standing> {
        None
    }
    fn endpoints(&self) -> Vec<u32> {
        Vec::new()
    }
    fn unfinished(&self, _: u32, _: u64, _: usize) -> Vec<Unfinished> {
        Vec::new()
    }
}

/// Of the process: CPU time in seconds.
fn cpu_seconds() -> f64 {
    let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields: Vec<f64> =
        stat.rsplit(')').next().unwrap_or_default().split_whitespace().map(|f| f.parse().unwrap_or(0.0)).collect();
    (fields[11] + fields[12]) / 100.0
}

/// Of the process: memory in MiB, now and at most.
fn memory_mib() -> (u64, u64) {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let of = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok()).unwrap_or(0) / 1024
    };
    (of("VmRSS:"), of("VmHWM:"))
}

fn attempt() -> AttemptRecord {
    let mut attempt = AttemptRecord::new(1, 1_700_000_000_000, Durations { total_us: 700, ..Durations::default() });
    attempt.url("https://hooks.acme.example/v1/orders");
    let request = [
        ("user-agent", "Posthaste/0.1.0"),
        ("content-type", "application/json"),
        ("webhook-id", "0198d5a2-7a50-7e0c-9a3b-3f7b3c1d2e4f"),
        ("webhook-timestamp", "1700000000"),
        ("webhook-signature", "v1,K5oZfzN95Z9UVu1EsfQmfVNQhnkZ2pj9o9NDN/H/pI4="),
    ];
    attempt.request_headers(request.into_iter().map(|(name, value)| (name, value.as_bytes())));
    let answer = [("content-type", "application/json"), ("date", "Tue, 14 Nov 2023 22:13:20 GMT"), ("server", "nginx")];
    let body = [b'x'; 200];
    attempt.response(200, answer.into_iter().map(|(name, value)| (name, value.as_bytes())), &body, true);
    attempt
}

fn main() -> std::io::Result<()> {
    let deliveries: u64 = std::env::args().nth(1).and_then(|count| count.parse().ok()).unwrap_or(1_000_000);
    let directory = std::env::temp_dir().join(format!("posthaste-history-{}", std::process::id()));
    let bounds = Bounds { max_bytes: 1 << 30, retention_ms: i64::MAX / 2, dead_letter_retention_ms: i64::MAX / 2 };
    let options = Options { directory: directory.clone(), bounds, repair_after: Duration::from_hours(1) };
    let start = || History::start(options.clone(), Arc::new(Nothing), Arc::new(|| 1_700_000_000_000));
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    let history = start()?;
    runtime.block_on(history.written());
    let (begun, cpu, memory) = (Instant::now(), cpu_seconds(), memory_mib().0);
    for seq in 1..=deliveries {
        let endpoint = u32::try_from(seq % u64::from(ENDPOINTS)).unwrap_or(0);
        let event = EventText { id: format!("event-{seq}"), event_type: "order.created".to_owned(), tenant: None };
        history.record(Entry::Accepted { seq, accepted_ms: 1_700_000_000_000, event, endpoints: vec![endpoint] });
        let status = if seq % 100_000 == 7 { Status::DeadLettered } else { Status::Succeeded };
        let key = Key { seq, endpoint };
        history.record(Entry::Ended {
            key,
            at_ms: 1_700_000_000_001,
            status,
            code: Some(200),
            attempted: true,
            attempt: Some(attempt()),
        });
        // More than this at once does not come from one process.
        if seq % 2_500 == 0 {
            runtime.block_on(history.written());
        }
    }
    runtime.block_on(history.written());
    let micros = |seconds: f64| seconds * 1e6 / f64::from(u32::try_from(deliveries).unwrap_or(u32::MAX));
    println!(
        "a delivery: {:.2} us of CPU, {:.2} us",
        micros(cpu_seconds() - cpu),
        micros(begun.elapsed().as_secs_f64())
    );
    println!("memory: {memory} MiB before, {:?} MiB now and at most; left out: {}", memory_mib(), history.left_out());

    let live = Live { in_flight: HashSet::new(), endpoints: (0..ENDPOINTS).collect() };
    let look = |what: &str, filter: Filter| -> std::io::Result<()> {
        let begun = Instant::now();
        let page = history.list(&filter, &live, None, 50)?;
        println!("{what}: {} in {:?}", page.deliveries.len(), begun.elapsed());
        Ok(())
    };
    look("the newest", Filter::default())?;
    look("of an endpoint", Filter { endpoint: Some(7), ..Filter::default() })?;
    look("dead letters", Filter { status: Some(Status::DeadLettered), ..Filter::default() })?;
    look(
        "dead letters of an endpoint without any",
        Filter { endpoint: Some(8), status: Some(Status::DeadLettered), ..Filter::default() },
    )?;
    look(
        "of an event in the middle",
        Filter { event: Some(format!("event-{}", deliveries / 2)), ..Filter::default() },
    )?;
    look("of an event that there is not", Filter { event: Some("nothing".to_owned()), ..Filter::default() })?;
    look("of a type that there is not", Filter { event_type: Some("nothing".to_owned()), ..Filter::default() })?;
    let begun = Instant::now();
    history.close();
    println!("closed in {:?}", begun.elapsed());
    let begun = Instant::now();
    let history = start()?;
    runtime.block_on(history.written());
    println!("opened in {:?}, memory {:?} MiB", begun.elapsed(), memory_mib());
    history.close();
    fs::remove_dir_all(directory)
}
