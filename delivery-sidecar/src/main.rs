//! The delivery sidecar's process.

use std::{
    io::{self, Write},
    net::{Ipv4Addr, SocketAddr},
    process::ExitCode,
};

use anyhow::Context;
use clap::Parser;
use posthaste_delivery_sidecar::{
    api,
    args::{Cli, Command, RunArgs, ValidateArgs},
    run::cluster,
    shutdown, standalone,
    telemetry::log,
};

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    let result = match Cli::parse().command {
        Command::Run(args) => run(*args),
        Command::Validate(ValidateArgs { files }) => {
            standalone::validate(&files, &mut io::stdout()).map_err(anyhow::Error::from)
        }
        Command::Openapi => writeln!(io::stdout(), "{:#}", api::document()).context("standard output"),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Nobody is left who could be told that this failed.
            let _ = writeln!(io::stderr(), "{error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: RunArgs) -> anyhow::Result<()> {
    log::init(&args.log)?;
    // Chosen once for the process, because more than one provider may be linked.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().context("the runtime")?;
    runtime.block_on(async {
        let RunArgs { webhook, namespace, data_directory, listen, admin, standalone, log: _ } = args;
        let (Some(webhook), Some(namespace), Some(data_directory)) = (webhook, namespace, data_directory.clone())
        else {
            return run_standalone(standalone::Options { standalone, data_directory, listen, admin }).await;
        };
        let any = |port| SocketAddr::from((Ipv4Addr::UNSPECIFIED, port));
        let listen = listen.unwrap_or_else(|| any(8080));
        let admin = admin.unwrap_or_else(|| any(9090));
        cluster::run(cluster::Options { webhook, namespace, data_directory, listen, admin }).await
    })
}

async fn run_standalone(options: standalone::Options) -> anyhow::Result<()> {
    let (trigger, shutdown) = shutdown::channel();
    tokio::spawn(async move {
        match shutdown::on_signal().await {
            Ok(signal) => tracing::info!(signal, "stopping"),
            Err(error) => tracing::error!(%error, "signals cannot be listened to"),
        }
        trigger.start();
    });
    Ok(standalone::run(options, shutdown, &mut io::stdout()).await?)
}
