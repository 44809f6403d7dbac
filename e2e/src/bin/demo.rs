//! Shows Posthaste's main job without a cluster, on the manifests of `examples/quickstart`.

use std::{path::PathBuf, process::ExitCode};

use clap::Parser;
use posthaste_e2e::demo::{Demo, Settings};

#[derive(Parser)]
#[command(version, about)]
struct Args {
    /// The delivery sidecar's program.
    #[arg(long)]
    sidecar: PathBuf,
    /// The folder with the manifests.
    #[arg(long, default_value = "examples/quickstart")]
    manifests: PathBuf,
    /// How many events are posted.
    #[arg(long, default_value_t = 3000)]
    events: u64,
}

#[tokio::main]
async fn main() -> ExitCode {
    let args = Args::parse();
    let settings = Settings { sidecar: args.sidecar, manifests: args.manifests, events: args.events };
    match Demo::run(settings).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("\nThe demo failed: {error:#}");
            ExitCode::FAILURE
        }
    }
}
