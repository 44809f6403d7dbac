//! What the kernel knows of a process, from `/proc`.

use std::{
    collections::HashMap,
    ffi::OsString,
    fs,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use anyhow::Context;
use tokio::{task::JoinHandle, time::sleep};

/// `USER_HZ`, which is 100 on every architecture that Rust's Linux targets have.
const TICKS_A_SECOND: u32 = 100;
const WATCH_EVERY: Duration = Duration::from_millis(200);

/// A process.
#[derive(Clone, Debug)]
pub struct Process(PathBuf);

impl Process {
    /// Of this id.
    pub fn new(id: u32) -> Self {
        Self(PathBuf::from(format!("/proc/{id}")))
    }

    /// CPU time that it has used, in user and kernel mode.
    pub fn cpu(&self) -> anyhow::Result<Duration> {
        let ticks = ticks(&self.read("stat")?).context("utime and stime in /proc/PID/stat")?;
        Ok(Duration::from_secs(ticks) / TICKS_A_SECOND)
    }

    /// CPU time that the whole machine has used, those who do not belong to the benchmark included.
    pub fn cpu_of_all() -> anyhow::Result<Duration> {
        let text = fs::read_to_string("/proc/stat").context("read /proc/stat")?;
        let ticks = busy_ticks(&text).context("the first line of /proc/stat")?;
        Ok(Duration::from_secs(ticks) / TICKS_A_SECOND)
    }

    /// This process.
    pub fn this() -> Self {
        Self::new(std::process::id())
    }

    /// Resident memory in bytes.
    pub fn resident(&self) -> anyhow::Result<u64> {
        Ok(field(&self.read("status")?, "VmRSS:").context("VmRSS in /proc/PID/status")? << 10)
    }

    /// Resident memory in bytes but for pages of files, which are those of its program.
    pub fn anonymous(&self) -> anyhow::Result<u64> {
        Ok(field(&self.read("status")?, "RssAnon:").context("RssAnon in /proc/PID/status")? << 10)
    }

    /// Bytes that it has caused to be written to disk.
    pub fn written(&self) -> anyhow::Result<u64> {
        field(&self.read("io")?, "write_bytes:").context("write_bytes in /proc/PID/io")
    }

    /// How often each of its threads has gone to sleep, each of which is a wake-up later.
    pub fn wake_ups(&self) -> anyhow::Result<WakeUps> {
        let mut all = HashMap::new();
        for thread in fs::read_dir(self.0.join("task"))? {
            let thread = thread?;
            // A thread may have ended since.
            let Ok(status) = fs::read_to_string(thread.path().join("status")) else { continue };
            let count = field(&status, "voluntary_ctxt_switches:").context("voluntary_ctxt_switches")?;
            all.insert(thread.file_name(), count);
        }
        Ok(WakeUps(all))
    }

    /// Sockets that it has open.
    pub fn sockets(&self) -> anyhow::Result<u64> {
        let mut all = 0;
        for descriptor in fs::read_dir(self.0.join("fd"))? {
            // A descriptor may have been closed since.
            let Ok(target) = fs::read_link(descriptor?.path()) else { continue };
            all += u64::from(target.to_string_lossy().starts_with("socket:"));
        }
        Ok(all)
    }

    fn read(&self, name: &str) -> anyhow::Result<String> {
        let path = self.0.join(name);
        fs::read_to_string(&path).with_context(|| format!("read {}", path.display()))
    }
}

/// By thread.
#[derive(Clone, Debug)]
pub struct WakeUps(HashMap<OsString, u64>);

impl WakeUps {
    /// Wake-ups of all threads since an earlier look. Of threads that have ended meanwhile, at least the end is counted.
    pub fn since(&self, earlier: &Self) -> u64 {
        let ended = earlier.0.keys().filter(|thread| !self.0.contains_key(*thread)).count() as u64;
        let before = |thread| earlier.0.get(thread).copied().unwrap_or_default();
        let more = self.0.iter().map(|(thread, count)| count.saturating_sub(before(thread)));
        ended + more.sum::<u64>()
    }
}

/// The most of what was seen.
#[derive(Clone, Copy, Debug, Default)]
pub struct Peak {
    /// Resident memory in bytes.
    pub resident: u64,
    /// Sockets.
    pub sockets: u64,
}

/// Looks at a process five times a second until it is asked.
#[derive(Debug)]
pub struct Watch {
    peak: Arc<Mutex<Peak>>,
    task: JoinHandle<()>,
}

impl Watch {
    /// Begins to look.
    pub fn start(process: Process) -> Self {
        let peak = Arc::new(Mutex::new(Peak::default()));
        let seen = Arc::clone(&peak);
        let task = tokio::spawn(async move {
            // Ends with the process.
            while let (Ok(resident), Ok(sockets)) = (process.resident(), process.sockets()) {
                {
                    let mut peak = seen.lock().unwrap_or_else(PoisonError::into_inner);
                    peak.resident = peak.resident.max(resident);
                    peak.sockets = peak.sockets.max(sockets);
                }
                sleep(WATCH_EVERY).await;
            }
        });
        Self { peak, task }
    }

    /// What was seen so far.
    pub fn peak(&self) -> Peak {
        *self.peak.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// The sum of `utime` and `stime`. The name, in parentheses, may hold anything.
fn ticks(stat: &str) -> Option<u64> {
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace().skip(11);
    Some(fields.next()?.parse::<u64>().ok()? + fields.next()?.parse::<u64>().ok()?)
}

/// All but what is idle or waits for a disk.
fn busy_ticks(stat: &str) -> Option<u64> {
    let numbers = stat.lines().next()?.strip_prefix("cpu ")?.split_whitespace().map(|number| number.parse().ok());
    let ticks = numbers.collect::<Option<Vec<u64>>>()?;
    // user, nice, system, idle, iowait, irq, softirq, steal; guests are counted as user.
    Some(ticks.get(..3)?.iter().chain(ticks.get(5..8)?).sum())
}

fn field(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_found_whatever_the_process_is_called() {
        assert_eq!(ticks("7 (a) b) c) S 1 7 7 0 -1 4194560 100 0 0 0 21 34 0 0 20 0 1 0"), Some(55));
        assert_eq!(field("Name:\tx\nVmRSS:\t    2048 kB\n", "VmRSS:"), Some(2048));
        assert_eq!(field("Name:\tx\n", "VmRSS:"), None);
    }

    #[test]
    fn the_machine_is_busy_when_it_neither_idles_nor_waits() {
        assert_eq!(busy_ticks("cpu  1 2 4 1000 1000 8 16 32 64 128\ncpu0 9"), Some(1 + 2 + 4 + 8 + 16 + 32));
        assert_eq!(busy_ticks("intr 1"), None);
    }

    #[test]
    fn wake_ups_are_counted_by_thread_so_that_one_that_ends_takes_nothing_away() {
        let look = |counts: &[(&str, u64)]| {
            WakeUps(counts.iter().map(|(thread, count)| (OsString::from(thread), *count)).collect())
        };
        let (earlier, later) = (look(&[("1", 10), ("2", 1_000)]), look(&[("1", 13), ("3", 2)]));
        assert_eq!(later.since(&earlier), 3 + 2 + 1);
    }

    #[test]
    fn this_process_can_be_read() {
        let this = Process::this();
        let _socket = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        assert!(this.resident().unwrap() > this.anonymous().unwrap() && this.wake_ups().is_ok() && this.cpu().is_ok());
        assert!(Process::cpu_of_all().unwrap() > Duration::ZERO);
        assert!(this.sockets().unwrap() > 0 && this.written().is_ok());
    }
}
