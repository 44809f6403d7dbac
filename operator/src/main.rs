//! The operator's binary.

use std::io::{self, IsTerminal};

use anyhow::Context;
use clap::Parser;
use posthaste_operator::{
    args::{Args, LogFormat},
    run,
};
use tracing_subscriber::EnvFilter;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    let filter = EnvFilter::try_new(&args.log).with_context(|| {
        format!("--log: {:?} is no level or list of levels by module, such as info,kube=warn", args.log)
    })?;
    // As the delivery sidecar logs: to standard error, the JSON with an event's fields at the top.
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr);
    match args.log_format {
        LogFormat::Json => log.json().flatten_event(true).with_current_span(false).with_span_list(false).init(),
        LogFormat::Text => log.with_ansi(io::stderr().is_terminal()).init(),
    }
    run::run(args).await
}
