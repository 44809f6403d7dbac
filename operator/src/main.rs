//! The operator's binary.

use std::io::IsTerminal;

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
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_ansi(std::io::stdout().is_terminal());
    match args.log_format {
        LogFormat::Json => log.json().init(),
        LogFormat::Text => log.init(),
    }
    run::run(args).await
}
