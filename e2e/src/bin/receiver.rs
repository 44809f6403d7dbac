//! A receiver of webhooks that verifies their signatures with the `standardwebhooks` library and prints what it gets.

use anyhow::Context;
use clap::Parser;
use posthaste_e2e::receiver::{Control, Receiver};

#[derive(Parser)]
#[command(version, about)]
struct Args {
    /// Where to listen.
    #[arg(long, default_value = "0.0.0.0:9000")]
    listen: String,
    /// Secrets by stream: `billing=whsec_...,audit=whsec_...`. Stream `x` receives at /hooks/x.
    #[arg(long, env = "RECEIVER_SECRETS", value_delimiter = ',', hide_env_values = true)]
    secret: Vec<String>,
    /// Also serves what tests need: whoever reaches it can change how it answers and make it post anywhere.
    #[arg(long)]
    test_controls: bool,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    let receiver = Receiver::new(false);
    for secret in args.secret {
        let (stream, secret) = secret.split_once('=').context("--secret must be STREAM=whsec_...")?;
        receiver.control(stream, Control { secrets: Some(vec![secret.to_owned()]), behaviour: None });
    }
    let listener =
        tokio::net::TcpListener::bind(&args.listen).await.with_context(|| format!("listen on {}", args.listen))?;
    println!("receiving at http://{}/hooks/<stream>", listener.local_addr()?);
    let router = if args.test_controls { receiver.router_with_controls() } else { receiver.router() };
    axum::serve(listener, router).with_graceful_shutdown(stopped()).await?;
    Ok(())
}

/// Ends at SIGTERM, which Kubernetes sends, or at SIGINT.
async fn stopped() {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate()).expect("signals can be handled");
    let mut interrupt = signal(SignalKind::interrupt()).expect("signals can be handled");
    tokio::select! { _ = terminate.recv() => {}, _ = interrupt.recv() => {} }
}
