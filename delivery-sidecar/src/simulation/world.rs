//! Time, and what happens in it: the script of a scene, crashes and restarts, and at the end peace.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, atomic::AtomicU64},
};

use posthaste_journal::{
    Filesystem,
    testing::{Crash, FakeDisk},
};
use rand::{RngExt, SeedableRng, rngs::SmallRng};

use super::{
    START_MS,
    around::Around,
    configuration::Configuration,
    disk::LyingDisk,
    model::{ledger::Ledger, life::Life},
    network::Behaviour,
    process::{End, Process},
    rules::{Checked, Rule},
    sabotage::Sabotage,
    scene::{Action, Scene},
    summary::Summary,
    trace::Trace,
};

/// After this time of peace everything has been delivered.
const PEACE_MS: i64 = 6 * 3_600_000;
/// What happens so often at one time never ends.
const MOST_TURNS_AT_ONCE: u32 = 2_000;
/// The journal tries with so much whether a disk that failed can be written again.
const PROBE_BYTES: u64 = 64 << 10;
/// So often the last event is posted until it is kept: it finds space when the files have been cleaned.
const MOST_LAST_POSTS: u32 = 60;

/// See the module.
pub struct World {
    around: Around,
    script: VecDeque<(i64, Action)>,
    disk: FakeDisk,
    lied: Arc<AtomicU64>,
    process: Option<Process>,
    configuration: Arc<Configuration>,
    start_at_ms: i64,
    /// The last process has written what it knew.
    in_order: bool,
    peace: bool,
    restarts: u64,
    /// How often the last event was posted, which comes when everything has ended.
    last_posts: u32,
}

/// As a recovery would that takes what was synced for torn.
fn cut_a_synced_commit(disk: &FakeDisk) {
    if let Some((path, mut content)) = disk.files().pop_last() {
        content.truncate(content.len() - content.len().min(20));
        disk.set_file(&path, content);
    }
}

impl World {
    /// The world of a seed.
    pub fn new(seed: u64, sabotage: Option<Sabotage>, trace: Trace) -> Self {
        let scene = Scene::draw(seed);
        let around = Around {
            now_ms: START_MS,
            random: SmallRng::seed_from_u64(!seed),
            behaviours: BTreeMap::new(),
            ledger: Ledger::new(scene.events.clone(), scene.options.space),
            life: Life::default(),
            trace,
            sabotage,
            counted: true,
            count: 0,
            was_full: false,
            replays: 0,
            attempts: 0,
            scene,
        };
        Self {
            script: around.scene.script.iter().cloned().collect(),
            disk: FakeDisk::new(around.scene.disk_seed),
            lied: Arc::default(),
            process: None,
            configuration: Arc::new(around.scene.configuration.clone()),
            start_at_ms: START_MS,
            in_order: true,
            peace: false,
            restarts: 0,
            last_posts: 0,
            around,
        }
    }

    /// Does not compare what the engine counts, which would give many defects away before they do harm.
    pub fn uncounted(mut self) -> Self {
        self.around.counted = false;
        self
    }

    /// Runs to the end.
    pub fn run(&mut self) -> Checked<Summary> {
        let mut turns_at_once = 0;
        loop {
            self.turn()?;
            if self.peace && self.is_done() {
                let last = self.around.scene.events.len() - 1;
                if self.around.ledger.is_acknowledged(last) {
                    return self.end();
                }
                self.post_last(last)?;
            }
            let next_ms = self.next_ms();
            turns_at_once = if next_ms > self.around.now_ms { 0 } else { turns_at_once + 1 };
            Rule::Progress.holds(turns_at_once < MOST_TURNS_AT_ONCE, || "nothing comes to an end".to_owned())?;
            let is_late = next_ms > self.around.scene.quiet_ms + PEACE_MS;
            Rule::Progress.holds(!is_late, || format!("{:?} still waits", self.around.life.taken))?;
            self.around.now_ms = self.around.now_ms.max(next_ms);
        }
    }

    /// What happened.
    pub fn into_trace(self) -> Trace {
        self.around.trace
    }

    /// What was full has space when everything has ended.
    fn post_last(&mut self, last: usize) -> Checked {
        Rule::Space
            .holds(self.last_posts < MOST_LAST_POSTS, || "an event is refused and nothing is pending".to_owned())?;
        self.last_posts += 1;
        self.script.push_back((self.around.now_ms + 1_000, Action::Post(vec![last])));
        Ok(())
    }

    fn turn(&mut self) -> Checked {
        let now_ms = self.around.now_ms;
        while let Some((_, action)) = self.script.pop_front_if(|(at_ms, _)| *at_ms <= now_ms) {
            self.act(action)?;
            self.bury();
        }
        if !self.peace && now_ms >= self.around.scene.quiet_ms {
            self.make_peace()?;
        }
        if self.process.is_none() && now_ms >= self.start_at_ms {
            self.start()?;
        }
        let Some(process) = &mut self.process else { return Ok(()) };
        // A disk that failed is tried with a file that is longer for a while.
        let probe = if self.around.ledger.troubled { PROBE_BYTES } else { 0 };
        let (used, most) = (self.disk.used(), self.around.scene.options.space.max_bytes + probe);
        Rule::Space.holds(used <= most, || format!("the files have {used} bytes, and may have {most}"))?;
        let disk = &self.disk;
        let end = process.turn(&mut self.around, || disk.is_down())?;
        self.bury();
        if let End::Stopped(in_order) = end
            && self.process.is_some()
        {
            self.end_process(in_order);
        }
        Ok(())
    }

    fn act(&mut self, action: Action) -> Checked {
        match &action {
            Action::Configure(configuration) => {
                self.around.line(format_args!("configuration {} is there", configuration.revision));
            }
            action => self.around.line(format_args!("{action:?}")),
        }
        let Self { around, process, disk, .. } = self;
        around.ledger.troubled |=
            matches!(action, Action::Fail(_) | Action::FailRandomly(Some(_)) | Action::Room(Some(_)));
        match action {
            Action::Replay(asked) => {
                if let Some(process) = process {
                    process.replay(around, asked);
                }
            }
            Action::Behave(number, behaviour) => drop(around.behaviours.insert(number, behaviour)),
            Action::Fail(fault) => disk.fail_next(fault),
            Action::FailRandomly(one_in) => disk.fail_randomly(one_in),
            Action::Room(bytes) => disk.set_capacity(bytes.map(|bytes| disk.used() + bytes)),
            Action::CrashIn(operations, crash) => disk.crash_in(operations, crash),
            Action::Crash(crash) => disk.crash(crash),
            Action::Configure(configuration) => {
                self.configuration = configuration;
                if let Some(process) = process {
                    process.configure(around, &self.configuration)?;
                }
            }
            Action::Post(posts) => {
                if let Some(process) = process {
                    process.post(around, posts);
                }
            }
            Action::Stop => {
                if let Some(process) = process {
                    process.stop(around);
                }
            }
            Action::Flush => {
                if let Some(process) = process {
                    process.flush(around)?;
                }
            }
            Action::Tidy => {
                if let Some(process) = process {
                    process.tidy(around)?;
                }
            }
        }
        Ok(())
    }

    /// From now on nothing fails, and nothing is held back.
    fn make_peace(&mut self) -> Checked {
        self.peace = true;
        self.around.line(format_args!("peace"));
        self.around.behaviours.values_mut().for_each(|behaviour| *behaviour = Behaviour::Healthy);
        self.disk.fail_randomly(None);
        self.disk.set_capacity(None);
        if !self.disk.is_down() {
            // Forgets what was still to fail, and a crash that was still to come.
            self.disk.restart();
        }
        let last = Arc::new(self.around.scene.last.clone());
        self.act(Action::Configure(last))?;
        self.bury();
        Ok(())
    }

    fn start(&mut self) -> Checked {
        if self.disk.is_down() {
            self.disk.restart();
        }
        if !self.peace && self.around.random.random_ratio(1, 8) {
            // Opening a journal writes, too.
            let operations = self.around.random.random_range(0..8);
            self.act(Action::CrashIn(operations, Crash::PowerLoss))?;
        }
        if self.around.sabotage == Some(Sabotage::RecoveryCutsTooMuch) {
            cut_a_synced_commit(&self.disk);
        }
        self.around.line(format_args!("a process starts"));
        let filesystem = self.filesystem();
        let process = Process::start(&mut self.around, filesystem, &self.configuration, self.in_order)?;
        self.process = process;
        if self.process.is_none() || self.disk.is_down() {
            self.end_process(false);
        }
        Ok(())
    }

    fn filesystem(&self) -> Arc<dyn Filesystem> {
        if self.around.sabotage == Some(Sabotage::SyncDropped) {
            return Arc::new(LyingDisk::new(self.disk.clone(), Arc::clone(&self.lied)));
        }
        Arc::new(self.disk.clone())
    }

    /// A process whose disk has crashed is dead.
    fn bury(&mut self) {
        if self.disk.is_down() && self.process.is_some() {
            self.around.line(format_args!("a crash"));
            self.end_process(false);
        }
    }

    fn end_process(&mut self, in_order: bool) {
        self.process = None;
        self.in_order = in_order;
        self.restarts += 1;
        self.around.ledger.died();
        self.start_at_ms = self.around.now_ms + self.around.random.random_range(1..3_000);
    }

    fn next_ms(&self) -> i64 {
        let now_ms = self.around.now_ms;
        let process = match &self.process {
            Some(process) => process.wake_at_ms(now_ms),
            None => Some(self.start_at_ms),
        };
        let script = self.script.front().map(|(at_ms, _)| *at_ms);
        let peace = (!self.peace).then_some(self.around.scene.quiet_ms);
        // With nothing to come, far in the future: too late.
        [process, script, peace].into_iter().flatten().min().unwrap_or(i64::MAX)
    }

    fn is_done(&self) -> bool {
        self.script.is_empty()
            && self.around.life.taken.is_empty()
            && self.process.as_ref().is_some_and(Process::is_idle)
    }

    /// Everything has ended: the journal says so, too, and still does after a power loss.
    fn end(&mut self) -> Checked<Summary> {
        let flushed = match &mut self.process {
            Some(process) => process.flush(&mut self.around)?,
            None => false,
        };
        if !flushed {
            return Err(Rule::Progress.broken("the journal cannot be written in peace"));
        }
        let pending = self.around.ledger.base.pending();
        Rule::Progress.holds(pending.is_empty(), || format!("{pending:?} was forgotten"))?;
        self.disk.crash(Crash::PowerLoss);
        self.bury();
        // The ledger compares. Only an event whose producer got an error may come back.
        self.start()?;
        let Around { ledger, attempts, .. } = &self.around;
        Ok(Summary { attempts: *attempts, restarts: self.restarts, ..ledger.summary() })
    }
}
