//! Measures the delivery sidecar against a bare HTTP client on the same machine at the same time.
//!
//! Producers and receivers are in this process, the sidecar is a child of it; all traffic is on loopback.

mod disk;
mod event;
mod load;
mod report;
mod rows;
mod sidecar;
mod sink;
mod stats;

use std::{fs, path::PathBuf, process::ExitCode};

use anyhow::Context;
use clap::{Parser, ValueEnum};
use jiff::Timestamp;
use tokio::sync::OnceCell;

use self::{
    report::{Line, Machine, Results, Verdict},
    rows::{Bench, Row},
};

#[derive(Parser)]
#[command(name = "benchmark", version, about = "Measures the delivery sidecar against a bare HTTP client")]
struct Args {
    /// The delivery sidecar's program, built for release
    #[arg(long)]
    sidecar: PathBuf,
    /// Rows to measure; all, if left out
    #[arg(long = "row", value_enum, value_delimiter = ',')]
    rows: Vec<Row>,
    /// Where journals are; must be on a disk
    #[arg(long, default_value = "target/bench")]
    directory: PathBuf,
    /// Where the results go as JSON
    #[arg(long, default_value = "target/bench/results.json")]
    results: PathBuf,
    /// Short runs, which show that all works; their figures mean little
    #[arg(long)]
    quick: bool,
}

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> ExitCode {
    match run(Args::parse()).await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Whether all rows could be run. One that falls short is a result.
async fn run(args: Args) -> anyhow::Result<bool> {
    let Args { sidecar, rows, directory, results, quick } = args;
    let program = sidecar.canonicalize().with_context(|| format!("find {}", sidecar.display()))?;
    fs::create_dir_all(&directory)?;
    let machine = Machine::this(disk::file_system(&directory)?);
    let date = Timestamp::now().to_string();
    // Named by the process, so that two runs do not meet and nothing of an earlier one is taken for this one's.
    let journals = directory.join(format!("journals-{}", std::process::id()));
    let bench = Bench { directory: journals, program, quick, fan_out: OnceCell::new() };
    fs::create_dir_all(&bench.directory)?;

    let rows = if rows.is_empty() { Row::value_variants() } else { &rows };
    let mut lines = Vec::new();
    for row in rows {
        let (name, what) = row.describe();
        eprintln!("measuring {name} ...");
        let line = Line::new(name, what, row.measure(&bench).await);
        println!("{}", report::block(&line));
        lines.push(line);
    }
    fs::remove_dir_all(&bench.directory)?;

    println!("{}", report::table(&lines));
    let all_ran = lines.iter().all(|line| line.verdict != Verdict::Failed);
    let all = Results { date, quick, machine, rows: lines };
    if let Some(parent) = results.parent() {
        fs::create_dir_all(parent)?;
    }
    fs::write(&results, serde_json::to_string_pretty(&all)? + "\n")?;
    println!("written to {}", results.display());
    Ok(all_ran)
}
