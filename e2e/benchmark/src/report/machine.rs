//! Where it was measured.

use std::fs;

use serde::Serialize;

/// A machine.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Machine {
    /// As the kernel names it.
    pub cpu: String,
    /// Cores that this process may use.
    pub cores: usize,
    /// Memory in MiB.
    pub memory_mib: u64,
    /// Version of the kernel.
    pub kernel: String,
    /// File system of the journal.
    pub file_system: String,
    /// Mean number of processes that ran or waited to run in the minute before.
    pub load: f64,
}

impl Machine {
    /// This one. What the kernel does not tell is left empty.
    pub fn this(file_system: String) -> Self {
        let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
        let (cpu, memory, load) = (read("/proc/cpuinfo"), read("/proc/meminfo"), read("/proc/loadavg"));
        let kib: u64 = after(&memory, "MemTotal").trim_end_matches(" kB").parse().unwrap_or_default();
        Self {
            cpu: after(&cpu, "model name").to_owned(),
            cores: std::thread::available_parallelism().map_or(0, std::num::NonZero::get),
            memory_mib: kib >> 10,
            kernel: read("/proc/sys/kernel/osrelease").trim().to_owned(),
            file_system,
            load: load.split(' ').next().and_then(|load| load.parse().ok()).unwrap_or_default(),
        }
    }
}

fn after<'a>(text: &'a str, name: &str) -> &'a str {
    let line = text.lines().find(|line| line.starts_with(name));
    line.and_then(|line| line.split_once(':')).map_or("", |(_, value)| value.trim())
}
