//! What the operator is told on its command line; each flag can be given by an environment variable instead.

use std::{collections::BTreeMap, net::SocketAddr, str::FromStr};

use clap::{ArgAction, Parser, ValueEnum};
use ipnet::IpNet;
use posthaste_delivery_config::{AddressPolicy, StatusMode};

use crate::scope::Scope;

/// Turns Webhooks and WebhookEndpoints into delivery Deployments, Services and configuration.
#[derive(Parser, Clone, Debug)]
#[command(name = "posthaste-operator", version, about)]
pub struct Args {
    /// Namespaces to watch, separated by commas. Left out: all of the cluster.
    #[arg(long, env = "POSTHASTE_WATCH_NAMESPACES", value_delimiter = ',')]
    pub watch_namespaces: Vec<String>,

    /// Image of the delivery sidecar.
    #[arg(long, env = "POSTHASTE_DELIVERY_IMAGE")]
    pub delivery_image: String,

    /// When a node pulls the delivery image: Always, IfNotPresent or Never. Left out: Kubernetes' own default.
    #[arg(long, env = "POSTHASTE_DELIVERY_IMAGE_PULL_POLICY")]
    pub delivery_image_pull_policy: Option<PullPolicy>,

    /// Format of the operator's own log and of the delivery sidecars'.
    #[arg(long, env = "POSTHASTE_LOG_FORMAT", value_enum, default_value = "json")]
    pub log_format: LogFormat,

    /// What is logged: a level, or levels by module, such as `info,kube=warn`.
    #[arg(long, env = "POSTHASTE_LOG", default_value = "info")]
    pub log: String,

    /// Address of /healthz, /readyz and /metrics.
    #[arg(long, env = "POSTHASTE_ADMIN_ADDRESS", default_value = "0.0.0.0:8081")]
    pub admin_address: SocketAddr,

    /// Namespace that the operator runs in; its Lease is kept there.
    #[arg(long, env = "POD_NAMESPACE")]
    pub namespace: String,

    /// Name of this replica in the Lease and in Events; no two replicas may have the same.
    #[arg(long, env = "POD_NAME")]
    pub pod_name: String,

    /// Whether replicas agree by a Lease on which one works. Without it, only one replica may run.
    #[arg(long, env = "POSTHASTE_LEADER_ELECTION", action = ArgAction::Set, default_value_t = true)]
    pub leader_election: bool,

    /// Name of the Lease.
    #[arg(long, env = "POSTHASTE_LEASE_NAME", default_value = "posthaste-operator")]
    pub lease_name: String,

    /// A network that endpoints of all namespaces may deliver to although the address policy refuses it otherwise.
    /// May be repeated.
    #[arg(long = "allow-cidr", env = "POSTHASTE_ALLOW_CIDR", value_delimiter = ',')]
    pub allow_cidrs: Vec<IpNet>,

    /// The same for one namespace, as `<namespace>=<network>`. May be repeated.
    #[arg(long = "allow-cidr-for", env = "POSTHASTE_ALLOW_CIDR_FOR", value_delimiter = ',')]
    pub allow_cidrs_for: Vec<NamespacedCidr>,

    /// A network that no endpoint's URL may lead to although it looks public: the cluster's own pod and Service ranges.
    /// May be repeated. What --allow-cidr or --allow-cidr-for opens stays open, also within such a network.
    #[arg(long = "deny-cidr", env = "POSTHASTE_DENY_CIDR", value_delimiter = ',')]
    pub deny_cidrs: Vec<IpNet>,

    /// What delivery sidecars write to status.
    #[arg(long, env = "POSTHASTE_STATUS_MODE", value_enum, default_value = "full")]
    pub status_mode: StatusModeArg,

    /// Counter writes to status per second over the whole installation; each sidecar gets a share, but at least 0.1.
    #[arg(long, env = "POSTHASTE_STATUS_WRITES_PER_SECOND", default_value_t = 5.0, value_parser = positive)]
    pub status_writes_per_second: f64,

    /// The ClusterRoleBinding whose subjects are kept equal to the delivery sidecars that check callers' tokens. Left
    /// out (as with --watch-namespaces): no binding is kept.
    #[arg(long, env = "POSTHASTE_REVIEWER_BINDING", conflicts_with = "watch_namespaces")]
    pub reviewer_binding: Option<String>,

    /// Whether a NetworkPolicy is made for each Webhook's delivery pods.
    #[arg(long, env = "POSTHASTE_NETWORK_POLICY", action = ArgAction::Set, default_value_t = true)]
    pub network_policy: bool,
}

impl Args {
    /// The parts of the cluster to watch: all of it, or each namespace once.
    pub fn scopes(&self) -> Vec<Scope> {
        let namespaces: std::collections::BTreeSet<_> =
            self.watch_namespaces.iter().map(|name| name.trim()).filter(|name| !name.is_empty()).collect();
        if namespaces.is_empty() {
            return vec![Scope::Cluster];
        }
        namespaces.into_iter().map(|name| Scope::Namespace(name.to_owned())).collect()
    }

    /// What every Webhook's children have in common.
    pub fn settings(&self) -> Settings {
        let mut allow_for = BTreeMap::<_, Vec<_>>::new();
        for NamespacedCidr { namespace, cidr } in &self.allow_cidrs_for {
            allow_for.entry(namespace.clone()).or_default().push(*cidr);
        }
        Settings {
            image: self.delivery_image.clone(),
            pull_policy: self.delivery_image_pull_policy,
            log: self.log.clone(),
            log_format: self.log_format,
            allow: self.allow_cidrs.clone(),
            allow_for,
            deny: self.deny_cidrs.clone(),
            status_mode: self.status_mode.into(),
            status_writes_per_second: self.status_writes_per_second,
            network_policy: self.network_policy,
        }
    }
}

/// What every Webhook's children have in common.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Image of the delivery sidecar.
    pub image: String,
    /// When a node pulls it.
    pub pull_policy: Option<PullPolicy>,
    /// Log filter of the delivery sidecars.
    pub log: String,
    /// Log format of the delivery sidecars.
    pub log_format: LogFormat,
    /// Openings in the address policy for all namespaces.
    pub allow: Vec<IpNet>,
    /// Openings by namespace.
    pub allow_for: BTreeMap<String, Vec<IpNet>>,
    /// Networks that are refused besides the built-in ones, except for what is opened.
    pub deny: Vec<IpNet>,
    /// What is written to status by delivery sidecars.
    pub status_mode: StatusMode,
    /// Counter writes per second of the whole installation.
    pub status_writes_per_second: f64,
    /// Whether NetworkPolicies are made.
    pub network_policy: bool,
}

impl Settings {
    /// The address policy of the Webhooks in a namespace.
    pub fn address_policy(&self, namespace: &str) -> AddressPolicy {
        let mut allow = self.allow.clone();
        allow.extend(self.allow_for.get(namespace).into_iter().flatten());
        AddressPolicy { allow, deny: self.deny.clone() }
    }
}

/// When a node pulls an image.
#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
#[value(rename_all = "PascalCase")]
pub enum PullPolicy {
    /// Each time a pod starts.
    Always,
    /// When the node does not have it.
    IfNotPresent,
    /// Never: the image is put on the nodes by other means.
    Never,
}

impl PullPolicy {
    /// As Kubernetes spells it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Always => "Always",
            Self::IfNotPresent => "IfNotPresent",
            Self::Never => "Never",
        }
    }
}

/// How log lines look.
#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

impl LogFormat {
    /// As on the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Json => "json",
        }
    }
}

/// [`StatusMode`] on the command line.
#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum StatusModeArg {
    /// Conditions and counters.
    Full,
    /// Conditions, and counters only together with a condition's transition.
    Transitions,
    /// Programmed only, which Ready needs.
    Off,
}

impl From<StatusModeArg> for StatusMode {
    fn from(mode: StatusModeArg) -> Self {
        match mode {
            StatusModeArg::Full => Self::Full,
            StatusModeArg::Transitions => Self::Transitions,
            StatusModeArg::Off => Self::Off,
        }
    }
}

/// A network, for one namespace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamespacedCidr {
    /// Name of the namespace.
    pub namespace: String,
    /// The network.
    pub cidr: IpNet,
}

impl FromStr for NamespacedCidr {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let example = "write <namespace>=<network>, such as shop=10.1.0.0/16";
        let (namespace, cidr) = text.split_once('=').ok_or_else(|| example.to_owned())?;
        if namespace.is_empty() {
            return Err(example.to_owned());
        }
        let cidr = cidr.parse().map_err(|error| format!("{error}: {example}"))?;
        Ok(Self { namespace: namespace.to_owned(), cidr })
    }
}

fn positive(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(value) if value.is_finite() && value > 0.0 => Ok(value),
        _ => Err("write a number greater than 0, such as 5".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(extra: &[&str]) -> Result<Args, clap::Error> {
        let base = ["--delivery-image", "registry.example/delivery:1", "--namespace", "mail", "--pod-name", "sorter-1"];
        Args::try_parse_from(["posthaste-operator"].iter().chain(&base).chain(extra))
    }

    #[test]
    fn watches_the_whole_cluster_unless_namespaces_are_named() {
        assert_eq!(parse(&[]).unwrap().scopes(), [Scope::Cluster]);
        let scopes = parse(&["--watch-namespaces", "b,a, b"]).unwrap().scopes();
        assert_eq!(scopes, [Scope::Namespace("a".into()), Scope::Namespace("b".into())]);
    }

    #[test]
    fn an_opening_for_a_namespace_is_for_that_namespace_only() {
        let settings =
            parse(&["--allow-cidr", "10.0.0.0/8", "--allow-cidr-for", "shop=192.168.1.0/24"]).unwrap().settings();
        let nets = |namespace: &str| {
            settings.address_policy(namespace).allow.iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        assert_eq!(nets("shop"), ["10.0.0.0/8", "192.168.1.0/24"]);
        assert_eq!(nets("other"), ["10.0.0.0/8"]);
    }

    #[test]
    fn refuses_what_it_cannot_use_and_says_what_would_be_right() {
        for (arguments, hint) in [
            (["--allow-cidr-for", "10.0.0.0/8"], "shop=10.1.0.0/16"),
            (["--allow-cidr-for", "shop=10.0.0.0/99"], "shop=10.1.0.0/16"),
            (["--status-writes-per-second", "0"], "greater than 0"),
            (["--delivery-image-pull-policy", "Sometimes"], "IfNotPresent"),
        ] {
            let error = parse(&arguments).unwrap_err().to_string();
            assert!(error.contains(hint), "{arguments:?}: {error}");
        }
    }

    #[test]
    fn a_cluster_wide_binding_makes_no_sense_in_namespaced_mode() {
        assert!(parse(&["--reviewer-binding", "r", "--watch-namespaces", "a"]).is_err());
    }
}
