//! The command line.

use std::{fmt, net::SocketAddr, path::PathBuf, str::FromStr};

use clap::{Args, Parser, Subcommand};
use ipnet::IpNet;

use crate::telemetry::log::LogArgs;

/// Takes events, keeps them, and delivers them to every endpoint that wants them.
#[derive(Clone, Debug, Parser)]
#[command(name = "delivery-sidecar", version, about)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Clone, Debug, Subcommand)]
pub enum Command {
    /// Deliver the events of one Webhook: one of the cluster (--webhook), or one that files describe (-f)
    Run(Box<RunArgs>),
    /// Check Webhook and WebhookEndpoint manifests as the API server and the operator would, without a cluster
    Validate(ValidateArgs),
    /// Print the OpenAPI document of the API that every Webhook's Service has
    Openapi,
}

/// Arguments of `run`.
#[derive(Clone, Debug, Args)]
pub struct RunArgs {
    /// Name of the Webhook; its configuration comes from the cluster
    #[arg(long, value_name = "NAME", requires = "namespace", required_unless_present = "files")]
    pub webhook: Option<String>,
    /// Namespace of the Webhook
    #[arg(long, value_name = "NAMESPACE", requires = "webhook")]
    pub namespace: Option<String>,
    /// Directory of the journal. With -f it may be left out: the journal then goes when the process ends
    #[arg(long, value_name = "DIR", required_unless_present = "files")]
    pub data_directory: Option<PathBuf>,
    /// Where events are taken in [default: 0.0.0.0:8080, with -f 127.0.0.1:8080]
    #[arg(long, value_name = "ADDRESS")]
    pub listen: Option<SocketAddr>,
    /// Where /healthz, /readyz and /metrics are [default: 0.0.0.0:9090, with -f nowhere]
    #[arg(long, value_name = "ADDRESS")]
    pub admin: Option<SocketAddr>,
    /// Arguments of running without a cluster
    #[command(flatten)]
    pub standalone: StandaloneArgs,
    /// Logging
    #[command(flatten)]
    pub log: LogArgs,
}

/// Arguments of running without a cluster.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Without a cluster")]
pub struct StandaloneArgs {
    /// Manifests to run: files, or directories of .yaml, .yml and .json files
    #[arg(short = 'f', long = "filename", value_name = "PATH", conflicts_with = "webhook")]
    pub files: Vec<PathBuf>,
    /// Where a Service is, for endpoints with serviceRef
    #[arg(long = "service", value_name = "NAMESPACE/NAME=HOST:PORT", requires = "files")]
    pub services: Vec<ServiceAddress>,
    /// Network that may be delivered to although it is private, such as 127.0.0.0/8
    #[arg(long = "allow-cidr", value_name = "CIDR", requires = "files")]
    pub allow: Vec<IpNet>,
    /// End once events were accepted and none of them waits any more, and print what came of them
    #[arg(long, requires = "files")]
    pub until_drained: bool,
}

/// Arguments of `validate`.
#[derive(Clone, Debug, Args)]
pub struct ValidateArgs {
    /// Manifests to check: files, or directories of .yaml, .yml and .json files
    #[arg(short = 'f', long = "filename", value_name = "PATH", required = true)]
    pub files: Vec<PathBuf>,
}

/// Where a Service is, outside of a cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceAddress {
    /// Namespace of the Service.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// `host:port`.
    pub address: String,
}

/// Why a text is no [`ServiceAddress`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("write NAMESPACE/NAME=HOST:PORT, such as shop/receiver=127.0.0.1:9000")]
pub struct ParseServiceAddressError;

impl FromStr for ServiceAddress {
    type Err = ParseServiceAddressError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (service, address) = text.split_once('=').ok_or(ParseServiceAddressError)?;
        let (namespace, name) = service.split_once('/').ok_or(ParseServiceAddressError)?;
        let (host, port) = address.rsplit_once(':').ok_or(ParseServiceAddressError)?;
        if namespace.is_empty() || name.is_empty() || host.is_empty() || port.parse::<u16>().is_err() {
            return Err(ParseServiceAddressError);
        }
        Ok(Self { namespace: namespace.to_owned(), name: name.to_owned(), address: address.to_owned() })
    }
}

impl fmt::Display for ServiceAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { namespace, name, address } = self;
        write!(f, "{namespace}/{name}={address}")
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    fn run(arguments: &[&str]) -> Result<RunArgs, String> {
        let all = ["delivery-sidecar", "run"].iter().chain(arguments);
        match Cli::try_parse_from(all).map_err(|error| error.to_string())?.command {
            Command::Run(args) => Ok(*args),
            Command::Validate(_) | Command::Openapi => Err("another command".to_owned()),
        }
    }

    #[test]
    fn the_definition_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn a_webhook_of_the_cluster_needs_namespace_and_directory() {
        let cluster = ["--webhook", "orders", "--namespace", "shop", "--data-directory", "/data"];
        assert_eq!(run(&cluster).unwrap().webhook.as_deref(), Some("orders"));
        for missing in ["--namespace", "--data-directory"] {
            let at = cluster.iter().position(|argument| *argument == missing).unwrap();
            let fewer: Vec<_> = cluster.iter().enumerate().filter(|(i, _)| *i != at && *i != at + 1).collect();
            let fewer: Vec<_> = fewer.into_iter().map(|(_, argument)| *argument).collect();
            assert!(run(&fewer).unwrap_err().contains(missing), "{missing}");
        }
    }

    #[test]
    fn files_and_a_webhook_of_the_cluster_exclude_each_other() {
        assert_eq!(run(&["-f", "a.yaml", "-f", "b"]).unwrap().standalone.files.len(), 2);
        assert!(run(&["-f", "a.yaml", "--webhook", "orders", "--namespace", "shop"]).is_err());
        assert!(run(&[]).is_err());
    }

    #[test]
    fn a_service_address_is_read_and_a_wrong_one_says_what_would_be_right() {
        let args = run(&["-f", "x", "--service", "shop/receiver=127.0.0.1:9000"]).unwrap();
        assert_eq!(args.standalone.services[0].to_string(), "shop/receiver=127.0.0.1:9000");
        for wrong in ["receiver=127.0.0.1:9000", "shop/receiver", "shop/receiver=127.0.0.1", "a/b=:9", "a/b=h:99999"] {
            assert!(run(&["-f", "x", "--service", wrong]).unwrap_err().contains("such as shop/receiver"), "{wrong}");
        }
    }
}
